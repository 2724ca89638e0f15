"""Bundle adjustment of one or two cameras looking at a board: the engine under ``solve``.

Levenberg-Marquardt with an analytic Jacobian. The poses of the board touch only their own view, so
they are eliminated view by view (Schur complement) and what is left to solve is as large as the
intrinsics, the rig's motion and the board's shape together: some 30 to 100 unknowns, whatever the
number of views.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.solving.normal import Normal, Table, errors, normal, solved, tables
from calib.solving.state import BoardModel, Observations, State, moved

Float = NDArray[np.float64]


class Fit(NamedTuple):
    """Result of an adjustment."""

    state: State
    residuals: Float
    """(M, 2) seen minus predicted, pixels."""
    cost: float
    """Half the sum of the robust losses."""
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
    parts = tables(seen, len(state.intrinsics))
    damping = 1e-4
    error = errors(board, state, parts)
    cost = _cost(state, error, robust_px)
    for _ in range(max_steps if np.isfinite(cost) else 0):
        blocks = normal(board, state, parts, free=free, robust_px=robust_px)
        improved = False
        while damping < 1e8:
            trial = moved(state, free, *_damped_step(blocks, damping))
            new_error = errors(board, trial, parts)
            new_cost = _cost(trial, new_error, robust_px)
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
    return Fit(state, _in_order(error, parts, len(seen.view)), cost, free)


def _cost(state: State, error: tuple[Float, ...], robust_px: float | None) -> float:
    if any(values[0] <= 1 or values[1] <= 1 for values in state.intrinsics):
        return np.inf
    total = 0.0
    for one in error:
        e2 = one[0] ** 2 + one[1] ** 2
        loss = e2 if robust_px is None else robust_px**2 * np.log1p(e2 / robust_px**2)
        total += float(loss.sum()) / 2
    return total if np.isfinite(total) else np.inf


def _in_order(error: tuple[Float, ...], parts: tuple[Table, ...], count: int) -> Float:
    residuals = np.zeros((count, 2))
    for one, part in zip(error, parts, strict=True):
        residuals[part.rows] = one[:, part.cells[0], part.cells[1]].T
    return residuals


def _damped_step(blocks: Normal, damping: float) -> tuple[Float, Float]:
    """Step (F,) of the free globals and (V, 6) of the poses, by Marquardt's damping."""
    GP = blocks.GP
    both = np.concatenate([GP.swapaxes(1, 2), blocks.p[:, :, None]], axis=2)
    both = solved(_damped(blocks.PP, damping), both)
    F = GP.shape[1]
    flat = GP.swapaxes(0, 1).reshape(F, 6 * len(GP))
    coupled = flat @ both.reshape(6 * len(GP), F + 1)
    S = _damped(blocks.GG.sum(axis=0), damping) - coupled[:, :F]
    step = scaled_solve(S, blocks.g.sum(axis=0) - coupled[:, F])
    return step, both[:, :, F] - both[:, :, :F] @ step


def scaled_solve(S: Float, b: Float) -> Float:
    """``S^-1 b``, each unknown in a unit of its own: their curvatures differ by 1e12."""
    if not len(b):
        return b
    scale = 1 / np.sqrt(np.maximum(np.diag(S), 1e-30))
    try:
        return np.asarray(scale * np.linalg.solve(S * np.outer(scale, scale), scale * b))
    except np.linalg.LinAlgError:
        return np.asarray(scale * np.linalg.lstsq(S * np.outer(scale, scale), scale * b)[0])


def _damped(H: Float, damping: float) -> Float:
    """Marquardt's damping: each unknown by its own curvature."""
    out = H.copy()
    i = np.arange(H.shape[-1])
    out[..., i, i] = H[..., i, i] * (1 + damping) + 1e-12 * damping
    return out
