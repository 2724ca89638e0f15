from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from boards import BOARD, random_rig, synthetic_views
from spoil import FALSE_ALARMS, SPOILS, turned_rig

from calib.calibrate import calibrate_views
from calib.judging.change import find_change
from calib.solving.calibration import View
from calib.solving.solve import calibrate_stereo


@pytest.mark.parametrize("way", sorted(SPOILS))
def test_a_spoilt_session_is_named_with_its_images(way: str) -> None:
    rng = np.random.default_rng(11)
    case = SPOILS[way](synthetic_views(rng, random_rig(rng), 12), BOARD)
    outcome = calibrate_views(case.views, BOARD, model="pinhole5", deformation="flat")
    blamed = {r.name for r in outcome.rejected if r.cause == case.cause}
    for finding in outcome.findings:
        blamed |= set(finding.images) if finding.cause == case.cause else set()
    either = {v.name for v in case.views} - case.blamed  # which side of a change is the rig?
    assert blamed in ((case.blamed, either) if case.either else (case.blamed,))
    causes = {f.cause for f in outcome.findings} | {r.cause for r in outcome.rejected}
    assert not causes & FALSE_ALARMS - {case.cause, "inconsistent"} - case.also
    assert not (case.refuse and outcome.trusted)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_camera_turned_by_a_third_of_a_degree_is_found(axis: int) -> None:
    rng = np.random.default_rng(14)
    rig = random_rig(rng)
    case = turned_rig(axis, 0.3, rig.right)(synthetic_views(rng, rig, 12), BOARD)
    outcome = calibrate_views(case.views, BOARD, model="pinhole5", deformation="flat")
    finding = next(f for f in outcome.findings if f.stops)
    assert finding.cause == "rig_moved"
    assert set(finding.images) == case.blamed
    assert "0.3" in finding.message
    assert outcome.rig is not None
    assert not outcome.rig.usable


def test_a_change_is_found_among_views_in_time_not_in_a_good_session() -> None:
    for seed in range(4):
        rng = np.random.default_rng(30 + seed)
        views = synthetic_views(rng, random_rig(rng), 12)
        c = calibrate_stereo(views, BOARD, model="pinhole5", deformation="flat")
        assert find_change(c, views) is None


def test_blurred_views_are_named() -> None:
    rng = np.random.default_rng(15)
    views = [
        replace(v, right=replace(v.right, edge_px=6.0 if i % 3 else 2.1))
        for i, v in enumerate(synthetic_views(rng, random_rig(rng), 9))
    ]
    outcome = calibrate_views(views, BOARD, model="pinhole5", deformation="flat")
    found = {f.cause: f.images for f in outcome.findings}
    assert found == {"blurred": tuple(v.name for i, v in enumerate(views) if i % 3)}


def test_pixels_that_are_not_square_are_a_note() -> None:
    rng = np.random.default_rng(16)
    rig = random_rig(rng)
    squeeze = np.array([0.75, 1.0])
    views = [
        View(
            v.name,
            *(replace(d, points=d.points * squeeze, size=(480, 480)) for d in (v.left, v.right)),
        )
        for v in synthetic_views(rng, rig, 12)
    ]
    outcome = calibrate_views(views, BOARD, model="pinhole5", deformation="flat")
    assert outcome.trusted
    assert [f.cause for f in outcome.findings] == ["not_square"]


def test_a_spoilt_view_does_not_spoil_the_rig() -> None:
    rng = np.random.default_rng(11)
    rig = random_rig(rng)
    views = synthetic_views(rng, rig, 12)
    for way in ("moved board", "swapped view", "upside-down view", "flipped view"):
        outcome = calibrate_views(
            SPOILS[way](views, BOARD).views, BOARD, model="pinhole5", deformation="flat"
        )
        assert outcome.trusted, way
        assert outcome.rig is not None
        assert outcome.rig.baseline_m == pytest.approx(rig.baseline_m, rel=0.01), way


@pytest.mark.parametrize(("count", "seed"), [(3, 1), (3, 2), (4, 1), (4, 3), (5, 4), (8, 5)])
def test_few_good_views_raise_no_false_alarm(count: int, seed: int) -> None:
    rng = np.random.default_rng(0)
    views = synthetic_views(rng, random_rig(rng), 14)
    some = sorted(np.random.default_rng(1000 * count + seed).permutation(14)[:count])
    outcome = calibrate_views([views[i] for i in some], BOARD, model="pinhole5")
    causes = {f.cause for f in outcome.findings} | {r.cause for r in outcome.rejected}
    assert not causes & FALSE_ALARMS


def test_two_views_are_too_few() -> None:
    rng = np.random.default_rng(12)
    outcome = calibrate_views(synthetic_views(rng, random_rig(rng), 2), BOARD)
    assert not outcome.trusted
    assert [finding.cause for finding in outcome.findings] == ["too_few"]
