from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from boards import BOARD, random_poses, random_rig, rendered, synthetic_views

from calib import StereoRig
from calib.detect import Detection
from calib.session import CalibrationSession, calibrate_views, views_of_rig
from calib.solve import View

Change = Callable[[list[View], StereoRig], list[View]]


def turned(one: Detection) -> Detection:
    return replace(one, points=np.array(one.size) - 1 - one.points)


def upside_down_view(views: list[View], _: StereoRig) -> list[View]:
    return [*views[:3], replace(views[3], right=turned(views[3].right)), *views[4:]]


def unsynchronised_view(views: list[View], _: StereoRig) -> list[View]:
    moved = replace(views[3].right, points=views[3].right.points * 1.02 + [9, 5])
    return [*views[:3], replace(views[3], right=moved), *views[4:]]


def wrong_partner(views: list[View], _: StereoRig) -> list[View]:
    a, b = views[3], views[5]
    return [*views[:3], replace(a, right=b.right), views[4], replace(b, right=a.right), *views[6:]]


def exchanged_view(views: list[View], _: StereoRig) -> list[View]:
    v = views[3]
    return [*views[:3], View(v.name, v.right, v.left), *views[4:]]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (upside_down_view, "upside_down"),
        (unsynchronised_view, "unsynchronised"),
        (wrong_partner, "unsynchronised"),
        (exchanged_view, "swapped"),
    ],
)
def test_a_spoilt_view_is_dropped_by_name(change: Change, cause: str) -> None:
    rng = np.random.default_rng(11)
    rig = random_rig(rng)
    views = change(synthetic_views(rng, rig, 10), rig)
    outcome = calibrate_views(views, BOARD, model="pinhole5", warp="flat")
    assert outcome.trusted
    assert ("view03", cause) in {(r.name, r.cause) for r in outcome.rejected}
    assert outcome.rig is not None
    assert outcome.rig.baseline_m == pytest.approx(rig.baseline_m, rel=0.01)


def swapped(views: list[View]) -> list[View]:
    return [View(v.name, v.right, v.left) for v in views]


def all_upside_down(views: list[View]) -> list[View]:
    return [replace(v, right=turned(v.right)) for v in views]


def out_of_step(views: list[View]) -> list[View]:
    return [View(v.name, v.left, w.right) for v, w in pairwise(views)]


def refocused(views: list[View]) -> list[View]:
    def zoomed(v: View) -> View:
        return replace(v, right=replace(v.right, points=(v.right.points - 320) * 1.05 + 320))

    return [*views[:6], *(zoomed(v) for v in views[6:])]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (swapped, "swapped"),
        (all_upside_down, "upside_down"),
        (out_of_step, "unsynchronised"),
        (refocused, "refocused"),
        (lambda views: views[:2], "too_few"),
    ],
)
def test_a_spoilt_session_stops_by_name(
    change: Callable[[list[View]], list[View]], cause: str
) -> None:
    rng = np.random.default_rng(12)
    views = change(synthetic_views(rng, random_rig(rng), 12))
    outcome = calibrate_views(views, BOARD, model="pinhole5", warp="flat")
    assert not outcome.trusted
    assert cause in {finding.cause for finding in outcome.findings}


def test_wrong_square_size_shows_against_a_known_baseline() -> None:
    rng = np.random.default_rng(13)
    rig = random_rig(rng)
    views = synthetic_views(rng, rig, 8)
    outcome = calibrate_views(
        views, BOARD, model="pinhole5", warp="flat", baseline_m=1.1 * rig.baseline_m
    )
    assert not outcome.trusted
    assert "27.5" in outcome.findings[0].message


def test_flipped_corner_order_is_mended() -> None:
    rng = np.random.default_rng(14)
    rig = random_rig(rng)
    views = synthetic_views(rng, rig, 8)
    views[2] = replace(views[2], right=views[2].right.permuted(BOARD.symmetries[1]))
    outcome = calibrate_views(views, BOARD, model="pinhole5", warp="flat")
    assert outcome.trusted
    assert not outcome.rejected


def test_evidence_is_enough_to_calibrate_again() -> None:
    rng = np.random.default_rng(15)
    rig = random_rig(rng)
    outcome = calibrate_views(synthetic_views(rng, rig, 8), BOARD, model="pinhole5", warp="flat")
    assert outcome.rig is not None
    board, views = views_of_rig(outcome.rig)
    again = calibrate_views(views, board, model="pinhole5", warp="flat")
    assert again.rig is not None
    assert again.rig.baseline_m == pytest.approx(outcome.rig.baseline_m, rel=1e-5)


def test_a_live_session_says_what_is_missing() -> None:
    rng = np.random.default_rng(16)
    rig = random_rig(rng)
    session = CalibrationSession(BOARD)
    blank = np.full((480, 640), 128, np.uint8)
    assert "either image" in session.add(blank, blank).advice
    R, t = random_poses(rng, rig, 1)[0]
    pair = rendered(rig, R, t)
    first, second = session.add(*pair), session.add(*pair)
    assert first.accepted
    assert not second.accepted  # nothing new
    assert second.views == 1
    assert not second.enough
    assert not session.solve().trusted
