from __future__ import annotations

import numpy as np
import pytest
from boards import BOARD

from calib.camera import Model
from calib.solving.normal import errors, normal, tables, without_poses
from calib.solving.projection import project_jacobian, project_points, unproject_points
from calib.solving.state import BoardModel, Observations, State, exp, moved, stepped

LENSES = [("pinhole", 5), ("pinhole", 8), ("pinhole", 12), ("pinhole", 14), ("fisheye", 4)]


@pytest.mark.parametrize(("model", "count"), LENSES)
def test_projection_is_the_cameras_and_its_derivatives_are_right(model: Model, count: int) -> None:
    rng = np.random.default_rng(count)
    values = np.r_[600.0, 610, 320, 240, rng.normal(0, 0.02, count)]
    X = np.vstack([rng.uniform(-0.2, 0.2, (2, 50)), rng.uniform(0.4, 0.6, (1, 50))])
    pixels, by_point, by_values = project_jacobian(model, values, X)
    state = State((model,), (values,), np.eye(3), np.zeros(3), *_no_poses(0), np.zeros(0))
    camera = state.camera(0, (640, 480))
    np.testing.assert_allclose(camera.project(X.T), pixels.T, atol=1e-9)
    np.testing.assert_allclose(project_points(model, values, X), pixels, atol=1e-12)
    rays = unproject_points(model, values, pixels.T)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    np.testing.assert_allclose(rays, camera.unproject(pixels.T), atol=1e-9)
    for i in range(3):
        step = 1e-6 * np.eye(3)[i][:, None]
        up, down = (project_points(model, values, X + s * step) for s in (1, -1))
        np.testing.assert_allclose((up - down) / 2e-6, by_point[i], rtol=1e-4, atol=2e-3)
    for i in range(len(values)):
        step = np.zeros(len(values))
        step[i] = 1e-4 if i < 4 else 1e-6
        up, down = (project_points(model, values + s * step, X) for s in (1, -1))
        np.testing.assert_allclose((up - down) / (2 * step[i]), by_values[i], rtol=1e-4, atol=2e-3)


def _no_poses(views: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((views, 3, 3)), np.zeros((views, 3))


def some_problem(
    left: tuple[Model, int], right: tuple[Model, int]
) -> tuple[BoardModel, State, Observations]:
    """Three views, of which some corners are not seen, off by a pixel."""
    rng = np.random.default_rng(left[1] + right[1])
    views, n = 3, len(BOARD.points)
    state = State(
        (left[0], right[0]),
        tuple(
            np.r_[600.0 + i, 610, 320, 240, rng.normal(0, 0.02, lens[1])]
            for i, lens in enumerate((left, right))
        ),
        exp(rng.normal(0, 0.02, (1, 3)))[0],
        np.array([-0.1, 0.01, 0]),
        exp(rng.normal(0, 0.3, (views, 3))),
        np.column_stack([rng.uniform(-0.2, 0, views), rng.uniform(-0.1, 0, views), [0.5] * views]),
        np.array([0.1, -0.2]),
    )
    board = BoardModel(BOARD.points, rng.normal(0, 0.01, (2, n, 3)))
    seen = Observations(
        np.tile(np.repeat([0, 1], n), views),
        np.repeat(np.arange(views), 2 * n),
        np.tile(np.arange(n), 2 * views),
        np.zeros((views * 2 * n, 2)),
    ).chosen(rng.random(views * 2 * n) < 0.8)
    parts = tables(seen, 2)
    for side, (part, error) in enumerate(zip(parts, errors(board, state, parts), strict=True)):
        seen.pixels[part.rows] = rng.normal(0, 1, (len(part.rows), 2))
        seen.pixels[part.rows] -= error[:, *part.cells].T
        assert (seen.camera[part.rows] == side).all()
    return board, state, seen


@pytest.mark.parametrize(("left", "right"), [(LENSES[0], LENSES[4]), (LENSES[3], LENSES[1])])
def test_the_gradient_of_the_normal_equations_is_the_costs(
    left: tuple[Model, int], right: tuple[Model, int]
) -> None:
    board, state, seen = some_problem(left, right)
    parts = tables(seen, 2)
    free = np.ones(state.globals, bool)
    blocks = normal(board, state, parts, free=free)

    def cost(other: State) -> float:
        return float(sum((e**2).sum() for e in errors(board, other, parts))) / 2

    for i in range(state.globals):
        step = np.zeros(state.globals)
        step[i] = 1e-4 if abs(blocks.GG[:, i, i].sum()) < 1e6 else 1e-6
        slope = (cost(stepped(state, -step)) - cost(stepped(state, step))) / (2 * step[i])
        assert slope == pytest.approx(blocks.g[:, i].sum(), rel=1e-3, abs=1e-2)
    for v, i in np.ndindex(3, 6):
        pose = np.zeros((3, 6))
        pose[v, i] = 1e-6
        ends = [cost(moved(state, free, 0 * step, sign * pose)) for sign in (-1, 1)]
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(blocks.p[v, i], rel=1e-3, abs=1e-2)


def test_what_a_view_says_without_its_pose_is_the_schur_complement() -> None:
    board, state, seen = some_problem(LENSES[0], LENSES[0])
    blocks = normal(board, state, tables(seen, 2), free=np.ones(state.globals, bool))
    H, g = without_poses(blocks)
    whole = np.block([[blocks.GG[1], blocks.GP[1]], [blocks.GP[1].T, blocks.PP[1]]])
    right = np.r_[blocks.g[1], blocks.p[1]]
    n = len(blocks.g[1])
    Q = whole[:n, n:] @ np.linalg.inv(whole[n:, n:])
    np.testing.assert_allclose(H[1], whole[:n, :n] - Q @ whole[n:, :n], rtol=1e-6, atol=1e-3)
    np.testing.assert_allclose(g[1], right[:n] - Q @ right[n:], rtol=1e-6, atol=1e-3)
