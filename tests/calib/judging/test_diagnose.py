from __future__ import annotations

import numpy as np
import pytest
from boards import BOARD, random_poses, random_rig, rendered, synthetic_views
from spoil import FALSE_ALARMS, SPOILS

from calib.board import parse_board
from calib.calibrate import CalibrationSession, calibrate_views, views_of_rig


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


def test_wrong_square_size_shows_against_a_known_baseline() -> None:
    rng = np.random.default_rng(13)
    rig = random_rig(rng)
    views = synthetic_views(rng, rig, 8)
    outcome = calibrate_views(
        views, BOARD, model="pinhole5", deformation="flat", baseline_m=1.1 * rig.baseline_m
    )
    assert not outcome.trusted
    assert "27.5" in outcome.findings[0].message


def test_evidence_is_enough_to_calibrate_again() -> None:
    rng = np.random.default_rng(15)
    rig = random_rig(rng)
    outcome = calibrate_views(
        synthetic_views(rng, rig, 8), BOARD, model="pinhole5", deformation="flat"
    )
    assert outcome.rig is not None
    board, views = views_of_rig(outcome.rig)
    again = calibrate_views(views, board, model="pinhole5", deformation="flat")
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


def test_a_known_baseline_gives_a_board_of_unknown_units_its_length() -> None:
    rng = np.random.default_rng(17)
    rig = random_rig(rng)
    board = parse_board("chessboard:9x6:1u")
    outcome = calibrate_views(
        synthetic_views(rng, rig, 8),
        board,
        model="pinhole5",
        deformation="flat",
        baseline_m=rig.baseline_m,
    )
    assert outcome.trusted
    assert outcome.summary()["unit"] == "m"
    assert outcome.rig is not None
    assert outcome.rig.baseline_m == pytest.approx(rig.baseline_m, rel=1e-3)
    assert outcome.board is not None
    assert outcome.board.square_m == pytest.approx(0.025, rel=0.01)
