from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from boards import BOARD, random_rig, synthetic_views

from calib import calibrate
from calib.board import parse_board
from calib.calibrate import ImagePair, calibrate_files, calibrate_views


def test_images_belong_together_as_the_caller_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever they are called: numbers in the names would pair them otherwise."""
    rng = np.random.default_rng(18)
    rig = random_rig(rng)
    pairs, seen = [], {}
    for i, view in enumerate(synthetic_views(rng, rig, 6)):
        pair = ImagePair(f"at {i}", Path(f"cam0_{i}.png"), Path(f"cam1_{9 - i}.png"))
        seen |= {pair.left: view.left, pair.right: view.right}
        pairs.append(pair)
    monkeypatch.setattr(calibrate, "detect_files", lambda paths, *_, **__: [seen[p] for p in paths])
    alone = Path("cam0_77.png")
    outcome = calibrate_files(pairs, BOARD, unpaired=[alone], model="pinhole5", deformation="flat")
    assert outcome.rig is not None
    assert outcome.rig.baseline_m == pytest.approx(rig.baseline_m, rel=0.02)
    assert outcome.offered == 6
    assert [view["name"] for view in outcome.rig.notes["calibration"]["views"]] == [
        pair.name for pair in pairs
    ]
    assert outcome.files["at 2"] == ("cam0_2.png", "cam1_7.png")
    assert [(r.name, r.cause, r.reason) for r in outcome.rejected] == [
        ("cam0_77.png", "orphan", "has no partner")
    ]


def test_without_any_pair_the_images_left_over_are_named(tmp_path: Path) -> None:
    outcome = calibrate_files([], BOARD, unpaired=[tmp_path / "left3.png"])
    assert not outcome.trusted
    assert [finding.cause for finding in outcome.findings] == ["too_few"]
    assert [r.name for r in outcome.rejected] == ["left3.png"]


def test_wrong_square_size_shows_against_a_known_baseline() -> None:
    rng = np.random.default_rng(13)
    rig = random_rig(rng)
    views = synthetic_views(rng, rig, 8)
    outcome = calibrate_views(
        views, BOARD, model="pinhole5", deformation="flat", baseline_m=1.1 * rig.baseline_m
    )
    assert not outcome.trusted
    assert "27.5" in outcome.findings[0].message


def test_a_square_that_is_two_percent_off_shows_only_against_a_known_baseline() -> None:
    rng = np.random.default_rng(13)
    rig = random_rig(rng)
    views = synthetic_views(rng, rig, 10)
    blind = calibrate_views(views, BOARD, model="pinhole5", deformation="flat")
    assert blind.trusted
    assert "ten in a row" in blind.summary()["not_seen"][0]
    for share, trusted in ((1.0, True), (1.02, False)):
        outcome = calibrate_views(
            views,
            BOARD,
            model="pinhole5",
            deformation="flat",
            baseline_m=share * rig.baseline_m,
        )
        assert outcome.trusted == trusted
        assert outcome.not_seen == ()
        assert outcome.rig is not None
        assert outcome.rig.usable == trusted


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
