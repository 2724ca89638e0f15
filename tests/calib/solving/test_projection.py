from __future__ import annotations

import numpy as np
import pytest
from boards import BOARD

from calib.solving.projection import project, unproject_points
from calib.solving.state import BoardModel, Observations, State, exp, stepped


def some_problem(model: str, count: int) -> tuple[BoardModel, State, Observations]:
    rng = np.random.default_rng(count)
    views = 3
    n = len(BOARD.points)
    k = rng.normal(0, 0.02, count)
    state = State(
        model,  # type: ignore[arg-type]
        tuple(np.r_[600.0 + side, 610, 320, 240, k] for side in (0, 1)),
        exp(rng.normal(0, 0.02, (1, 3)))[0],
        np.array([-0.1, 0.01, 0]),
        exp(rng.normal(0, 0.3, (views, 3))),
        np.column_stack([rng.uniform(-0.2, 0, views), rng.uniform(-0.1, 0, views), [0.5] * views]),
        np.array([0.1, -0.2]),
    )
    m = views * 2 * n
    seen = Observations(
        np.tile(np.repeat([0, 1], n), views),
        np.repeat(np.arange(views), 2 * n),
        np.tile(np.arange(n), 2 * views),
        np.zeros((m, 2)),
    )
    return BoardModel(BOARD.points, rng.normal(0, 0.01, (2, n, 3))), state, seen


@pytest.mark.parametrize(
    ("model", "count"),
    [("pinhole", 5), ("pinhole", 8), ("pinhole", 12), ("pinhole", 14), ("fisheye", 4)],
)
def test_projection_is_the_cameras_and_its_jacobian_is_right(model: str, count: int) -> None:
    board, state, seen = some_problem(model, count)
    pixels, to_globals, _ = project(board, state, seen)
    rows = (seen.view == 0) & (seen.camera == 0)
    X = board.deformed(state.shape) @ state.view_R[0].T + state.view_t[0]
    camera = state.camera(0, (640, 480))
    assert np.allclose(camera.project(X), pixels[rows], atol=1e-9)
    rays = unproject_points(state.model, state.intrinsics[0], pixels[rows])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    assert np.allclose(rays, camera.unproject(pixels[rows]), atol=1e-9)
    for i in range(state.globals):
        step = np.zeros(state.globals)
        step[i] = 1e-4 if i % (4 + count) < 4 else 1e-6
        up = project(board, stepped(state, step), seen, jacobian=False)[0]
        down = project(board, stepped(state, -step), seen, jacobian=False)[0]
        numeric = (up - down) / (2 * step[i])
        assert np.allclose(numeric, to_globals[:, :, i], atol=2e-5 * (np.abs(numeric).max() + 1))
