"""Lens and board are chosen together, and lenses that nothing holds are refused."""

from __future__ import annotations

import numpy as np
import pytest
from boards import BOARD, random_rig, synthetic_views

from calib.board import parse_board
from calib.calibrate import calibrate_views
from calib.camera import Camera
from calib.judging.quality import assess
from calib.rig import StereoRig
from calib.solving.solve import calibrate_stereo
from calib.solving.trusted_lens import more_certain

CIRCLES = parse_board("circles:10x7:20mm")
RATIONAL = [0.6, 0.1, 0.0, 0.0, 0.0, 1.1, 0.4, 0.05]


def bent(depth: float) -> np.ndarray:
    points = CIRCLES.points.copy()
    x, y = (points[:, :2] - points[:, :2].mean(axis=0)).T / np.ptp(points[:, 0])
    points[:, 2] = depth * (4 * x**3 - y**2) * np.ptp(points[:, 0])
    return points


def rational_rig(rng: np.random.Generator) -> StereoRig:
    rig = random_rig(rng)
    f = 0.6 * rig.left.K[0, 0]
    K = np.array([[f, 0, 320.0], [0, f, 240.0], [0, 0, 1]])
    lenses = [Camera("pinhole", c.size, K, np.array(RATIONAL)) for c in (rig.left, rig.right)]
    return StereoRig(*lenses, rig.R_right_left, rig.t_right_left)


@pytest.mark.parametrize("seed", [0, 2])
def test_circles_on_a_bent_board_bend_the_board_and_not_the_lens(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rig = random_rig(rng)
    views = synthetic_views(rng, rig, 12, noise_px=0.04, board=CIRCLES, bent=bent(0.05), tilt=0.35)
    c = calibrate_stereo(views, CIRCLES)
    assert c.name == "pinhole5+bent"
    assert c.noise_px < 0.05
    assert c.rig.baseline_m == pytest.approx(rig.baseline_m, rel=0.01)


@pytest.mark.parametrize("depth", [0.0, 0.03])
def test_a_rational_lens_is_found_on_a_flat_board_and_a_bent_one(depth: float) -> None:
    rng = np.random.default_rng(3)
    rig = rational_rig(rng)
    views = synthetic_views(rng, rig, 16, noise_px=0.04, board=CIRCLES, bent=bent(depth))
    c = calibrate_stereo(views, CIRCLES)
    assert c.noise_px < 0.055
    assert c.name.endswith("+bent") == (depth > 0)


@pytest.mark.parametrize("seed", range(3))
def test_six_views_get_no_lens_of_many_coefficients(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rig = random_rig(rng)
    views = synthetic_views(rng, rig, 6, board=CIRCLES, bent=bent(0.02))
    c = calibrate_stereo(views, CIRCLES)
    assert c.model_name == "pinhole5"
    assert max(e.calibration_m / e.distance_m for e in assess(c).depth_error) < 0.3


@pytest.mark.parametrize("name", ["pinhole12", "pinhole14"])
def test_coefficients_that_nothing_holds_are_refused(name: str) -> None:
    rng = np.random.default_rng(4)
    views = synthetic_views(rng, random_rig(rng), 12)
    small = calibrate_stereo(views, BOARD, model="pinhole5", deformation="flat")
    large = calibrate_stereo(views, BOARD, model=name, deformation="flat")
    assert not more_certain(large, small)
    assert calibrate_stereo(views, BOARD).model_name == "pinhole5"


def test_a_lens_that_the_corners_do_hold_is_not_refused() -> None:
    rng = np.random.default_rng(3)
    views = synthetic_views(rng, rational_rig(rng), 16, noise_px=0.04)
    small = calibrate_stereo(views, BOARD, model="pinhole5", deformation="flat")
    assert more_certain(calibrate_stereo(views, BOARD, model="pinhole8"), small)


def test_progress_is_told_throughout() -> None:
    rng = np.random.default_rng(0)
    told: list[tuple[str, int, int]] = []
    views = synthetic_views(rng, random_rig(rng), 10)
    calibrate_views(views, BOARD, progress=lambda *step: told.append(step))
    for stage, fewest in (("solve", 8), ("judge", 3)):
        steps = [(n, m) for name, n, m in told if name == stage]
        assert steps == sorted(steps)
        assert len({n for n, _ in steps}) >= fewest
        assert steps[-1][0] == steps[-1][1]
