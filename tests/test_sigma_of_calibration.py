"""The error bar of depth holds what the covariance of the calibration says."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from boards import BOARD, random_rig, synthetic_views
from numpy.typing import NDArray

from calib import StereoRig, save_rig
from calib.calibrate import calibrate_views
from calib.camera import Camera
from calib.judging.uncertainty import known_covariance, state_of
from calib.solving.state import stepped
from stereo.depth import depth_to_disparity, disparity_sigma
from stereo.frame import DisparityMap, RectifiedPair
from stereo.rectify import Rectification, _rectifying_rotations

Float = NDArray[np.float64]


@lru_cache(maxsize=1)
def calibrated() -> StereoRig:
    rng = np.random.default_rng(5)
    views = synthetic_views(rng, random_rig(rng), 10, noise_px=0.3)
    rig = calibrate_views(views, BOARD, model="pinhole5", deformation="flat").rig
    assert rig is not None
    return rig


@lru_cache(maxsize=1)
def rectified() -> Rectification:
    return Rectification.from_rig(calibrated())


@lru_cache(maxsize=1)
def drawn() -> list[StereoRig]:
    """A hundred rigs that the calibration takes for possible."""
    rig = calibrated()
    names = tuple(rig.notes["calibration"]["parameters"])
    state, covariance = state_of(rig, names), known_covariance(rig)
    assert covariance is not None
    steps = np.random.default_rng(6).multivariate_normal(np.zeros(len(names)), covariance, 100)
    rigs = []
    for step in steps:
        s = stepped(state, step)
        cameras: list[Camera] = [s.camera(side, rig.left.size) for side in (0, 1)]
        rigs.append(StereoRig(cameras[0], cameras[1], s.R, s.t))
    return rigs


def depth_by(rig: StereoRig, left: Float, right: Float) -> Float:
    """Depth of pixel pairs, by the rotations and the formula that ``stereo run`` uses."""
    R_left, R_right = _rectifying_rotations(rig)  # a whole Rectification makes maps: 0.1 s
    a, b = rig.left.unproject(left) @ R_left.T, rig.right.unproject(right) @ R_right.T
    return np.asarray(rig.baseline_m / (a[:, 0] / a[:, 2] - b[:, 0] / b[:, 2]))


def frame_at(rect: Rectification, depth_m: float) -> tuple[Float, Float]:
    assert rect.geometry is not None
    assert rect.size is not None
    flat = np.full(rect.size[::-1], depth_m, np.float32)
    disparity = DisparityMap(depth_to_disparity(flat, rect.geometry), np.ones_like(flat))
    image = np.zeros(flat.shape, np.uint8)
    frame = rect.depth(disparity, RectifiedPair(image, image))
    return frame.depth_m, frame.sigma_m


@pytest.mark.parametrize("baselines", [6.0, 20.0, 60.0])
def test_it_is_the_spread_of_depth_over_the_rigs_that_could_be_true(baselines: float) -> None:
    rig, rect = calibrated(), rectified()
    geometry = rect.geometry
    assert geometry is not None
    assert rect.R_rect_left is not None
    depth = baselines * rig.baseline_m
    x, y = (v.ravel() for v in np.meshgrid([160.0, 320.0, 480.0], [120.0, 240.0, 360.0]))
    f, cx, cy = geometry.focal_px, geometry.cx_px, geometry.cy_px
    points = np.column_stack([(x - cx) / f, (y - cy) / f, np.ones_like(x)]) * depth
    points = points @ rect.R_rect_left
    left = rig.left.project(points)
    right = rig.right.project(points @ rig.R_right_left.T + rig.t_right_left)
    disparities = [geometry.focal_px * rig.baseline_m / depth_by(r, left, right)
                   for r in drawn()]  # fmt: skip
    spread = np.std(disparities, axis=0)
    assert rect.calibration_px2 is not None
    d = np.full((rect.size or (0, 0))[::-1], f * rig.baseline_m / depth, np.float32)
    sigma = np.sqrt(rect.calibration_px2.at(d))[y.astype(int), x.astype(int)]
    # 100 draws leave 7 %, the straight line in d and the grid a few more
    assert sigma == pytest.approx(spread, rel=0.3)
    assert np.mean(sigma / spread) == pytest.approx(1, abs=0.15)


def test_matching_and_calibration_add_as_variances() -> None:
    rect = rectified()
    alone = replace(rect, calibration_px2=None)
    depth, sigma = frame_at(rect, 2.0)
    _, matching = frame_at(alone, 2.0)
    assert rect.geometry is not None
    assert rect.calibration_px2 is not None
    per_px = depth**2 / (rect.geometry.focal_px * rect.geometry.baseline_m)
    disparity = depth_to_disparity(depth.copy(), rect.geometry)
    ours = per_px * np.sqrt(rect.calibration_px2.at(disparity + rect.geometry.doffs_px))
    np.testing.assert_allclose(sigma, np.hypot(matching, ours), rtol=1e-3)
    assert (sigma > matching).all()


def test_a_rig_without_covariance_has_the_error_of_matching_only() -> None:
    rect = Rectification.from_rig(replace(calibrated(), notes={}))
    assert rect.calibration_px2 is None
    depth, sigma = frame_at(rect, 2.0)
    assert rect.geometry is not None
    per_px = depth**2 / (rect.geometry.focal_px * rect.geometry.baseline_m)
    expected = per_px * disparity_sigma(np.ones_like(depth))
    np.testing.assert_allclose(sigma, expected, rtol=1e-5)


def test_rescaled_images_have_the_same_relative_error() -> None:
    rig = calibrated()
    full, half = rectified(), Rectification.from_rig(rig, size=(320, 240), rescale=True)
    assert full.calibration_px2 is not None
    assert half.calibration_px2 is not None
    a, b = full.calibration_px2.offset[240, 320], half.calibration_px2.offset[120, 160]
    assert b == pytest.approx(a / 4, rel=0.05)
    assert half.calibration_px2.share[120, 160] == pytest.approx(
        full.calibration_px2.share[240, 320], rel=0.05
    )


@pytest.mark.parametrize(
    "calibration",
    [
        {},
        {"covariance": [[1.0]], "parameters": ["fx", "fy"]},
        {"covariance": [[float("inf")]], "parameters": ["fx"]},
        {"covariance": "none", "parameters": []},
        {"covariance": [[1.0]], "parameters": ["something"]},
    ],
)
def test_a_damaged_covariance_counts_as_none(calibration: dict[str, object]) -> None:
    rig = replace(calibrated(), notes={"calibration": calibration})
    assert Rectification.from_rig(rig).calibration_px2 is None


def test_rectifying_loads_neither_solver_nor_detector(tmp_path: Path) -> None:
    """They took 250 ms, though the covariance needs neither."""
    save_rig(calibrated(), tmp_path / "rig.yaml")
    code = (
        "import sys; from calib import load_rig; from stereo.rectify import Rectification\n"
        "rect = Rectification.from_rig(load_rig(sys.argv[1]))\n"
        "assert rect.calibration_px2 is not None\n"
        "print('\\n'.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "rig.yaml")],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "calib.judging.uncertainty" in loaded
    heavy = ("calib.detection", "calib.solving.solve", "calib.solving.adjust", "calib.board")
    heavy += ("scipy.optimize", "scipy.ndimage", "scipy.interpolate", "threadpoolctl")
    assert not {name for name in loaded if name.startswith(heavy)}
