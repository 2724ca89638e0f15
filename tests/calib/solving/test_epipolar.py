from __future__ import annotations

import numpy as np
import pytest
from boards import random_rig, synthetic_views, truth_state

from calib.rig import StereoRig
from calib.solving.calibration import observe
from calib.solving.epipolar import rectifying_rotations, row_errors
from calib.solving.state import exp
from calib.solving.triangulation import triangulate
from stereo.rectify import Rectification


@pytest.mark.parametrize("turn", [[0, 0, 0], [0.02, -0.3, 0.1], [0.2, 0.1, -0.2]])
@pytest.mark.parametrize("t", [[-0.1, 0, 0], [-0.1, 0.04, -0.05], [0.1, -0.02, 0.03]])
def test_the_baseline_runs_along_x_and_both_look_the_same_way(
    turn: list[float], t: list[float]
) -> None:
    R = exp(np.array([turn]))[0]
    left, right = rectifying_rotations(R, np.array(t))
    assert np.allclose(left, right @ R)  # one pair of axes for both
    for each in (left, right):
        assert np.allclose(each @ each.T, np.eye(3))
        assert np.linalg.det(each) == pytest.approx(1)
    centre = left @ (-R.T @ t)
    assert np.abs(centre) == pytest.approx([np.linalg.norm(t), 0, 0], abs=1e-12)
    assert centre[0] * t[0] < 0  # swapped cameras stay upright
    assert left[2, 2] > 0.8


def test_points_lie_on_one_row_and_at_their_depth_also_from_swapped_cameras() -> None:
    rng = np.random.default_rng(1)
    rig = random_rig(rng)
    swapped = StereoRig(
        rig.right, rig.left, rig.R_right_left.T, -rig.R_right_left.T @ rig.t_right_left
    )
    for each in (rig, swapped):
        state = truth_state(each)
        points = rng.uniform([-0.3, -0.3, 1], [0.3, 0.3, 3], (40, 3))
        left = each.left.project(points)
        right = each.right.project(points @ each.R_right_left.T + each.t_right_left)
        turn = rectifying_rotations(state.R, state.t)[0]
        assert np.allclose(triangulate(state, left, right), points @ turn.T, atol=1e-6)


def test_the_grade_is_measured_by_the_rectification_that_is_applied() -> None:
    """Row errors of the corners are those of the rectified images, also of a turned-in rig."""
    rng = np.random.default_rng(2)
    rig = random_rig(rng)
    rig = StereoRig(
        rig.left, rig.right, exp(np.array([[0.03, -0.2, 0.05]]))[0] @ rig.R_right_left,
        rig.t_right_left + np.array([0, 0.02, 0.03]),
    )  # fmt: skip
    views = synthetic_views(rng, rig, 4, noise_px=0.3)
    seen, state = observe(views), truth_state(rig)
    rect = Rectification.from_rig(rig)
    rows = []
    for camera, turn, side in (
        (rig.left, rect.R_rect_left, "left"),
        (rig.right, rect.R_rect_right, "right"),
    ):
        assert turn is not None
        rays = camera.unproject(np.concatenate([getattr(v, side).points for v in views])) @ turn.T
        rows.append(rays[:, 1] / rays[:, 2])
    focal = float(np.mean([values[:2] for values in state.intrinsics]))
    expected = np.sort(focal * np.abs(rows[0] - rows[1]))
    assert expected.mean() > 0.1
    np.testing.assert_allclose(np.sort(row_errors(state, seen)), expected, atol=1e-6)
