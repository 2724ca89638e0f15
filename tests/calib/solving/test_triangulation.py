from __future__ import annotations

import numpy as np
import pytest
from boards import random_rig, truth_state

from calib.solving.state import stepped
from calib.solving.triangulation import triangulate, triangulation_jacobian


@pytest.mark.parametrize("model", ["pinhole", "fisheye"])
def test_derivatives_of_points_are_right(model: str) -> None:
    rng = np.random.default_rng(3)
    rig = random_rig(rng, model=model)
    state = truth_state(rig)
    X = np.column_stack([rng.uniform(-0.5, 0.5, (40, 2)), rng.uniform(1, 5, 40)])
    left, right = rig.left.project(X), rig.right.project(X @ rig.R_right_left.T + rig.t_right_left)
    points, moves = triangulation_jacobian(state, left, right)
    np.testing.assert_allclose(points, triangulate(state, left, right))
    for i, size in enumerate(np.r_[np.abs(np.concatenate(state.intrinsics)), np.full(6, 0.1)]):
        step = np.zeros(state.globals)
        step[i] = 1e-6 * max(size, 0.1)
        up, down = (triangulate(stepped(state, s * step), left, right) for s in (1, -1))
        slope = (up - down) / (2 * step[i])
        np.testing.assert_allclose(slope, moves[..., i], atol=1e-4 * np.abs(slope).max() + 1e-6)
