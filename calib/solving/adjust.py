"""Bundle adjustment of one or two cameras looking at a board: the engine under ``solve``.

Levenberg-Marquardt with an analytic Jacobian. The poses of the board touch only their own view, so
they are eliminated view by view (Schur complement) and what is left to solve is as large as the
intrinsics, the rig's motion and the board's shape together: some 30 to 200 unknowns, whatever the
number of views. One step over 13 pairs takes about 3 ms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.solving.projection import project
from calib.solving.state import BoardModel, Observations, State, moved

Float = NDArray[np.float64]
Index = NDArray[np.intp]


class Fit(NamedTuple):
    """Result of an adjustment."""

    state: State
    residuals: Float
    """(M, 2) seen minus predicted, pixels."""
    cost: float
    """Half the sum of the robust losses."""
    normal: Float
    """(F, F) information matrix of the free global unknowns, board poses eliminated."""
    free: NDArray[np.bool_]
    """(G,) which global unknowns were free."""


def adjust(
    board: BoardModel,
    state: State,
    seen: Observations,
    *,
    free: NDArray[np.bool_] | None = None,
    robust_px: float | None = None,
    max_steps: int = 60,
    tolerance: float = 1e-9,
) -> Fit:
    """Minimise the reprojection error over the ``free`` globals (default all) and all poses.

    ``robust_px`` is the scale of a Cauchy loss; None is plain least squares. A start that some
    corner cannot be projected from returns with infinite cost.
    """
    free = np.ones(state.globals, bool) if free is None else free
    ends = np.searchsorted(seen.view, np.arange(seen.views + 1))
    damping = 1e-4
    cost, error = _cost(board, state, seen, robust_px)
    if not np.isfinite(cost):
        return Fit(state, error, np.inf, np.zeros((free.sum(),) * 2), free)
    for _ in range(max_steps):
        blocks = _normal_blocks(board, state, seen, error, free, ends, robust_px)
        improved = False
        while damping < 1e8:
            step_globals, step_poses = _damped_step(blocks, damping)
            trial = moved(state, free, step_globals, step_poses)
            new_cost, new_error = _cost(board, trial, seen, robust_px)
            if new_cost <= cost:
                improved = True
                break
            damping = max(damping, 1e-7) * 8
        if not improved:
            break
        gain = cost - new_cost
        state, cost, error = trial, new_cost, new_error
        damping = max(damping / 8, 1e-12)
        if gain <= tolerance * cost:
            break
    normal = _damped_normal(_normal_blocks(board, state, seen, error, free, ends, robust_px), 0.0)
    return Fit(state, error, cost, normal, free)


class _Blocks(NamedTuple):
    GG: Float
    """(F, F)."""
    GV: Float
    """(V, F, 6)."""
    VV: Float
    """(V, 6, 6)."""
    g: Float
    """(F,)."""
    v: Float
    """(V, 6)."""


def _cost(
    board: BoardModel, state: State, seen: Observations, robust_px: float | None
) -> tuple[float, Float]:
    if any(values[0] <= 1 or values[1] <= 1 for values in state.intrinsics):
        return np.inf, np.zeros((len(seen.view), 2))
    pixels, _, _ = project(board, state, seen, jacobian=False)
    error = seen.pixels - pixels
    e2 = (error**2).sum(axis=1)
    if not np.isfinite(e2).all():
        return np.inf, error
    if robust_px is None:
        return float(e2.sum() / 2), error
    return float(robust_px**2 * np.log1p(e2 / robust_px**2).sum() / 2), error


def _normal_blocks(
    board: BoardModel,
    state: State,
    seen: Observations,
    error: Float,
    free: NDArray[np.bool_],
    ends: Index,
    robust_px: float | None,
) -> _Blocks:
    _, to_globals, to_pose = project(board, state, seen)
    if not free.all():
        to_globals = to_globals[:, :, free]
    if robust_px is not None:
        weight = np.sqrt(1 / (1 + (error**2).sum(axis=1) / robust_px**2))[:, None]
        error = error * weight
        to_globals, to_pose = to_globals * weight[..., None], to_pose * weight[..., None]
    A = to_globals.reshape(2 * len(error), -1 if to_globals.shape[2] else 0)
    B, e = to_pose.reshape(-1, 6), error.ravel()
    views, unknowns = len(ends) - 1, A.shape[1]
    GV, VV = np.empty((views, unknowns, 6)), np.empty((views, 6, 6))
    v = np.empty((views, 6))
    for i in range(views):
        part = slice(2 * ends[i], 2 * ends[i + 1])
        GV[i], VV[i], v[i] = A[part].T @ B[part], B[part].T @ B[part], B[part].T @ e[part]
    return _Blocks(A.T @ A, GV, VV, A.T @ e, v)


def _damped_normal(blocks: _Blocks, damping: float) -> Float:
    GG, GV, VV, _, _ = blocks
    through = _solved(_damped(VV, damping), np.swapaxes(GV, 1, 2))
    return np.asarray(_damped(GG, damping) - np.einsum("vfi,vig->fg", GV, through))


def _damped_step(blocks: _Blocks, damping: float) -> tuple[Float, Float]:
    GG, GV, VV, g, v = blocks
    D = _damped(VV, damping)
    both = _solved(D, np.concatenate([np.swapaxes(GV, 1, 2), v[:, :, None]], axis=2))
    through, alone = both[:, :, :-1], both[:, :, -1]
    S = _damped(GG, damping) - np.einsum("vfi,vig->fg", GV, through)
    step = _scaled_solve(S, g - np.einsum("vfi,vi->f", GV, alone))
    return step, alone - through @ step


def _scaled_solve(S: Float, b: Float) -> Float:
    if not len(b):
        return b
    scale = 1 / np.sqrt(np.maximum(np.diag(S), 1e-30))
    try:
        return np.asarray(scale * np.linalg.solve(S * np.outer(scale, scale), scale * b))
    except np.linalg.LinAlgError:
        return np.asarray(scale * np.linalg.lstsq(S * np.outer(scale, scale), scale * b)[0])


def _solved(D: Float, rhs: Float) -> Float:
    try:
        return np.asarray(np.linalg.solve(D, rhs))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.pinv(D) @ rhs)


def _damped(H: Float, damping: float) -> Float:
    """Marquardt's damping: each unknown by its own curvature."""
    n = H.shape[-1]
    out = H.copy()
    i = np.arange(n)
    out[..., i, i] = H[..., i, i] * (1 + damping) + 1e-12 * damping
    return out
