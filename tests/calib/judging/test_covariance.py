"""What the covariance says of depth, against sampling it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from boards import BOARD, random_rig, synthetic_views

from calib.board import parse_board
from calib.detection.detection import match_order
from calib.detection.files import default_cache, detect_files
from calib.judging.covariance import baseline_sigma, certainty
from calib.judging.depth_error import calibration_depth_sigma, image_points
from calib.judging.quality import assess
from calib.judging.uncertainty import with_scale
from calib.solving.calibration import Calibration, View, alone
from calib.solving.solve import calibrate_camera, calibrate_stereo
from calib.solving.state import stepped
from calib.solving.triangulation import triangulate
from stereo.files.pairing import find_pairs

SETS = {
    "opencv_samples": ("left*", "right*", "chessboard:9x6:1u"),
    "sourishg_pinhole": ("left*", "right*", "chessboard:9x6:24.23mm"),
    "fhgr_charuco": ("left/*", "right/*", "charuco:11x8:30mm:22mm:DICT_5X5_50:legacy"),
    "yeolip_chessboard": ("left/*", "right/*", "chessboard:8x5:60mm"),
    "stereopi_fisheye": ("left*", "right*", "chessboard:9x6:25mm"),
    "sourishg_fisheye": ("left*", "right*", "chessboard:9x6:24.23mm"),
    "simplestereo_webcams": ("*_L*", "*_R*", "chessboard:7x6:60.5mm"),
    "simplestereo_wide": ("*_L*", "*_R*", "chessboard:7x6:60.5mm"),
}


def hold_against_sampling(c: Calibration) -> None:
    """Depth at ten baselines from rigs drawn from the covariance, made so small that depth is
    linear in it: an interval as wide as the ill-known coefficients of pinhole12 is no rig at all.
    """
    covariance = certainty(c).covariance
    state = c.fit.state
    left, right = image_points(c, state, 10 * float(np.linalg.norm(state.t)))
    Z, sigma = calibration_depth_sigma(c, covariance, left, right)
    values, vectors = np.linalg.eigh(covariance / np.outer(s := np.sqrt(np.diag(covariance)), s))
    root = s[:, None] * vectors * np.sqrt(np.maximum(values, 0))
    rng = np.random.default_rng(0)
    small, drawn = 1e-4, []
    for _ in range(100):
        step = np.r_[small * root @ rng.normal(size=len(root)), np.zeros(len(state.shape))]
        drawn.append((triangulate(stepped(state, step), left, right)[:, 2] - Z) / small)
    known = sigma < Z  # elsewhere the lens folds, and some of the rigs drawn see nothing
    assert known.mean() > 0.5
    np.testing.assert_allclose(np.std(drawn, axis=0)[known], sigma[known], rtol=0.35)


@pytest.mark.parametrize("name", SETS)
def test_depth_of_every_set_is_as_sampled(name: str, shared_data: Path) -> None:
    left, right, spec = SETS[name]
    folder, board = shared_data / "calibration" / name, parse_board(spec)
    pairs = find_pairs(folder / left, folder / right).pairs[:7]
    found = detect_files([p for _, a, b in pairs for p in (a, b)], board, cache=default_cache())
    views = [
        View(pair[0], a, match_order(a, b, board))
        for pair, a, b in zip(pairs, found[::2], found[1::2], strict=True)
        if a is not None and b is not None
    ]
    model = "fisheye" if "fisheye" in name else "pinhole12"
    hold_against_sampling(calibrate_stereo(views, board, model=model, deformation="flat"))


def test_depth_of_circles_with_twelve_coefficients_is_as_sampled() -> None:
    rng, board = np.random.default_rng(5), parse_board("circles:7x5:30mm")
    views = synthetic_views(rng, random_rig(rng), 8, board=board)
    hold_against_sampling(calibrate_stereo(views, board, model="pinhole12", deformation="flat"))


def test_the_size_of_the_squares_is_part_of_the_baselines_sigma_and_of_nothing_else() -> None:
    rng = np.random.default_rng(7)
    c = calibrate_stereo(synthetic_views(rng, random_rig(rng), 10), BOARD, model="pinhole5")
    exact, printed = assess(c, square_error=0.0), assess(c, square_error=0.01)
    t = c.fit.state.t
    assert np.array_equal(exact.covariance, printed.covariance)
    expected = np.hypot(exact.baseline_sigma, 0.01 * np.linalg.norm(t))
    assert printed.baseline_sigma == pytest.approx(expected)
    assert baseline_sigma(with_scale(exact.covariance, t, 0.01), t) == pytest.approx(expected)
    for before, after in zip(exact.depth_error, printed.depth_error, strict=True):
        wider = np.hypot(before.calibration_m, 0.01 * before.distance_m)
        assert after.calibration_m == pytest.approx(wider, rel=0.05)


def test_lenses_that_were_given_keep_their_covariance_and_move_the_motions() -> None:
    rng = np.random.default_rng(8)
    rig = random_rig(rng)
    views = synthetic_views(rng, rig, 8)
    kept = calibrate_stereo(views, BOARD, intrinsics=(rig.left, rig.right), deformation="flat")
    lens = 2 * 9
    alone_ = certainty(kept).covariance
    assert not alone_[:lens].any()
    given = np.diag(np.r_[[1.0] * 4, [1e-6] * 5, [1.0] * 4, [1e-6] * 5])
    carried = calibrate_stereo(
        views,
        BOARD,
        intrinsics=(rig.left, rig.right),
        deformation="flat",
        lens_covariance=given,
    )
    found = certainty(carried).covariance
    np.testing.assert_allclose(found[:lens, :lens], given)
    assert (np.diag(found)[lens:] > np.diag(alone_)[lens:]).all()


def test_one_camera_alone_has_its_covariance_too() -> None:
    rng = np.random.default_rng(9)
    rig = random_rig(rng)
    views = [alone(v.name, v.left) for v in synthetic_views(rng, rig, 10)]
    c = calibrate_camera(views, BOARD, model="pinhole5", deformation="flat")
    found = certainty(c)
    assert found.names[:2] == ("left.fx", "left.fy")
    assert len(found.names) == 9
    truth = np.r_[np.diag(rig.left.K)[:2], rig.left.K[:2, 2], rig.left.distortion]
    z = (c.fit.state.intrinsics[0] - truth) / np.sqrt(np.diag(found.covariance))
    assert np.abs(z).max() < 5
    assert np.isnan(c.held_out[c.name].row_error_px)
    assert c.held_out[c.name].reprojection_rms_px < 0.3
    assert c.cameras[0].K[0, 0] == pytest.approx(rig.left.K[0, 0], rel=0.01)


def test_cameras_of_two_kinds_make_one_rig() -> None:
    rng = np.random.default_rng(10)
    pinholes, fisheyes = random_rig(rng), random_rig(rng, model="fisheye")
    rig = SimpleNamespace(
        left=pinholes.left,
        right=fisheyes.right,
        R_right_left=pinholes.R_right_left,
        t_right_left=pinholes.t_right_left,
    )
    views = synthetic_views(rng, rig, 10)  # type: ignore[arg-type]
    c = calibrate_stereo(views, BOARD, model=("pinhole5", "fisheye"), deformation="flat")
    assert c.fit.state.models == ("pinhole", "fisheye")
    assert c.model_name == "pinhole5/fisheye"
    assert np.linalg.norm(c.fit.state.t) == pytest.approx(pinholes.baseline_m, rel=5e-3)
    known = calibrate_stereo(views, BOARD, intrinsics=(rig.left, rig.right), deformation="flat")
    assert np.array_equal(known.cameras[1].K, rig.right.K)
    assert len(certainty(c).names) == 9 + 8 + 6
