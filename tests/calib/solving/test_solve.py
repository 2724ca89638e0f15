from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from boards import BOARD, random_rig, synthetic_views, truth_state

from calib import CalibrationError
from calib.board import parse_board
from calib.detection.detection import match_order
from calib.detection.files import detect_files
from calib.solving import first_rig
from calib.solving.calibration import View
from calib.solving.held_out import held_out
from calib.solving.solve import calibrate_stereo
from calib.solving.state import difference


@pytest.mark.parametrize("model", ["pinhole", "fisheye"])
def test_exact_corners_give_the_exact_rig(model: str) -> None:
    rng = np.random.default_rng(1)
    rig = random_rig(rng, model=model)
    views = synthetic_views(rng, rig, 8, noise_px=0)
    name = "fisheye" if model == "fisheye" else "pinhole5"
    found = calibrate_stereo(views, BOARD, model=name, deformation="flat")
    assert found.rms_px() < 1e-6
    assert np.abs(difference(truth_state(rig), found.fit.state)).max() < 1e-3
    assert found.rig.baseline_m == pytest.approx(rig.baseline_m, rel=1e-7)
    assert found.starts_agree > 0.5


def test_the_right_model_is_chosen_by_views_left_out() -> None:
    rng = np.random.default_rng(2)
    for model in ("pinhole", "fisheye"):
        rig = random_rig(rng, model=model)
        if model == "fisheye":
            left, right = (replace(c, K=c.K * [[0.7], [0.7], [1]]) for c in (rig.left, rig.right))
            left, right = (
                replace(c, K=np.array([[c.K[0, 0], 0, 320], [0, c.K[1, 1], 240], [0, 0, 1]]))
                for c in (left, right)
            )
            rig = replace(rig, left=left, right=right)
        views = synthetic_views(rng, rig, 10, noise_px=0.05)
        assert calibrate_stereo(views, BOARD, deformation="flat").model_name.startswith(model)


def test_a_bent_board_is_noticed_and_a_flat_one_left_flat() -> None:
    rng = np.random.default_rng(3)
    rig = random_rig(rng)
    x, y = (BOARD.points[:, i] / np.ptp(BOARD.points[:, i]) - 0.5 for i in (0, 1))
    bent = BOARD.points + np.column_stack([0 * x, 0 * x, 2e-3 * (1 - 4 * x**2 + y * x)])
    found = calibrate_stereo(synthetic_views(rng, rig, 12, bent=bent), BOARD, model="pinhole5")
    assert len(found.shape.modes)
    assert found.noise_px == pytest.approx(0.15, rel=0.1)
    assert found.rig.baseline_m == pytest.approx(rig.baseline_m, rel=5e-3)
    flat = calibrate_stereo(synthetic_views(rng, rig, 12), BOARD, model="pinhole5")
    assert not len(flat.shape.modes)


def test_wrong_corners_are_rejected() -> None:
    rng = np.random.default_rng(4)
    rig = random_rig(rng)
    views = synthetic_views(rng, rig, 10)
    points = views[2].left.points.copy()
    points[[5, 17]] += [4, -3]
    views[2] = replace(views[2], left=replace(views[2].left, points=points))
    found = calibrate_stereo(views, BOARD, model="pinhole5", deformation="flat")
    gone = found.corners_rejected
    assert {(2, 0, 5), (2, 0, 17)} <= set(
        zip(gone.view.tolist(), gone.camera.tolist(), gone.point.tolist(), strict=True)
    )
    assert len(gone.view) < 6


def test_known_lenses_stay_as_they_are() -> None:
    rng = np.random.default_rng(5)
    rig = random_rig(rng)
    found = calibrate_stereo(
        synthetic_views(rng, rig, 4), BOARD, deformation="flat", intrinsics=(rig.left, rig.right)
    )
    assert np.array_equal(found.rig.left.K, rig.left.K)
    assert found.rig.baseline_m == pytest.approx(rig.baseline_m, rel=3e-3)


def test_too_few_and_mixed_sizes_are_refused() -> None:
    rng = np.random.default_rng(6)
    rig = random_rig(rng)
    views = synthetic_views(rng, rig, 4)
    with pytest.raises(CalibrationError, match="only 2 pair"):
        calibrate_stereo(views[:2], BOARD)
    views[1] = replace(views[1], left=replace(views[1].left, size=(800, 600)))
    with pytest.raises(CalibrationError, match="640x480, 800x600"):
        calibrate_stereo(views, BOARD)


def opencv_views(shared_data: Path) -> list[View]:
    folder = shared_data / "calibration" / "opencv_samples"
    board = parse_board("chessboard:9x6:1u")
    names = sorted(p.name[4:] for p in folder.glob("left*.jpg"))
    left = detect_files([folder / f"left{n}" for n in names], board)
    right = detect_files([folder / f"right{n}" for n in names], board)
    return [
        View(n, a, match_order(a, b, board))
        for n, a, b in zip(names, left, right, strict=True)
        if a is not None and b is not None
    ]


def test_opencvs_sample_set_reaches_its_figures(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    views, board = opencv_views(shared_data), parse_board("chessboard:9x6:1u")
    flat = calibrate_stereo(views, board, model="pinhole5", deformation="flat")
    bent = calibrate_stereo(views, board, model="pinhole5", deformation="bent")
    assert flat.rms_px() <= 0.20
    assert bent.rms_px() <= 0.13
    assert held_out(bent).row_error_px <= 0.105
    rng = np.random.default_rng(0)
    for _ in range(3):
        starts = {"pinhole": tuple(rng.uniform(0.4, 4, 2)), "fisheye": (0.4,)}
        monkeypatch.setattr(first_rig, "_STARTS", starts)
        mixed = [views[i] for i in rng.permutation(len(views))]
        again = calibrate_stereo(mixed, board, model="pinhole5", deformation="flat")
        assert again.rig.baseline_m == pytest.approx(flat.rig.baseline_m, rel=1e-3)
