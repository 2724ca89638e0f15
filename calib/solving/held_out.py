"""Errors of views: of those that were left out of a solution, and of any with the rig fixed."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.solving.adjust import adjust, scaled_solve
from calib.solving.calibration import Calibration, HeldOut
from calib.solving.epipolar import rectified_rays, row_gaps, seen_by_both
from calib.solving.normal import Normal, errors, normal, solved, tables, without_poses
from calib.solving.state import BoardModel, Observations, State, moved
from calib.solving.triangulation import along_rays

Float = NDArray[np.float64]

_ONE_STEP = 10  # views


def held_out(c: Calibration) -> HeldOut:
    """Solve without each view in turn, then judge that view with the rig fixed.

    The pose of the board in a left-out view is found from its own corners; nothing else is.
    """
    states = _without_each(c)
    judged = [_judged(c, state, v) for v, state in enumerate(states)]
    return HeldOut(
        float(np.sqrt(np.concatenate([one.square for one in judged]).mean())),
        _mean(np.concatenate([one.rows for one in judged])),
        _mean(np.array([one.depth for one in judged])),
        np.array([_mean(one.rows) for one in judged]),
        np.array([np.sqrt(one.square.mean()) for one in judged]),
        states,
    )


def _mean(values: Float) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def _without_each(c: Calibration) -> tuple[State, ...]:
    """The solution without each view, with the pose of that view alone. What the view contributed
    to the normal equations is taken away and one Gauss-Newton step made, within 0.2 % of solving
    anew from ten views on (``tests/calib/solving/test_held_out.py``); fewer are solved anew.
    """
    free, state = c.fit.free, c.fit.state
    n = len(c.views)
    if n >= _ONE_STEP:
        blocks = _blocks(c, free)
        H, g = without_poses(blocks)
        total, slope = H.sum(axis=0), g.sum(axis=0)
        steps = np.array([scaled_solve(total - H[v], slope - g[v]) for v in range(n)])
        if np.isfinite(steps).all():
            own = blocks.p - np.einsum("vfp,vf->vp", blocks.GP, steps)
            poses = solved(blocks.PP, own[:, :, None])[:, :, 0]
            return tuple(moved(state.of_views([v]), free, steps[v], poses[[v]]) for v in range(n))
    rest = [np.delete(np.arange(n), v) for v in range(n)]
    found = []
    for v, views in enumerate(rest):
        one = state.of_views([v])
        found.append(replace(_refit(c, views), view_R=one.view_R, view_t=one.view_t))
    return tuple(found)


def _refit(c: Calibration, views: NDArray[np.intp]) -> State:
    state, seen = c.fit.state.of_views(views), c.seen.of_views(views)
    return adjust(c.shape, state, seen, free=c.fit.free, max_steps=10, tolerance=1e-6).state


def information(c: Calibration, *, free: NDArray[np.bool_] | None = None) -> tuple[Float, Float]:
    """(V, F, F) and (V, F): what each view says of the free globals, its own pose left free.

    At the solution the (V, F) sum to zero. ``scaled_solve(H[set].sum(0), g[set].sum(0))`` is the
    step that a set of views alone would take from there; ``gain`` is what it would gain by it.
    """
    return without_poses(_blocks(c, c.fit.free if free is None else free))


def _blocks(c: Calibration, free: NDArray[np.bool_]) -> Normal:
    parts = tables(c.seen, len(c.fit.state.intrinsics))
    return normal(c.shape, c.fit.state, parts, free=free)


def gain(H: Float, g: Float) -> float:
    """By how much the cost (half the squared errors) of some views falls when they are solved
    alone, to second order; ``H``, ``g`` are their rows of ``information``.
    """
    slope = g.sum(axis=0)
    return float(slope @ scaled_solve(H.sum(axis=0), slope)) / 2


def inverse_root(H: Float) -> Float:
    """(F, K) with ``root @ root.T`` the inverse of H, without directions that say nothing."""
    scale = 1 / np.sqrt(np.maximum(np.diag(H), 1e-300))
    values, vectors = np.linalg.eigh(H * np.outer(scale, scale))
    known = values > 1e-13 * values[-1]
    return np.asarray(scale[:, None] * vectors[:, known] / np.sqrt(values[known]))


class _Judged(NamedTuple):
    square: Float
    """(M,) squared errors of corners, px^2; infinite where the view fits nowhere."""
    rows: Float
    """(K,) row errors, px."""
    depth: float


def _judged(c: Calibration, state: State, v: int) -> _Judged:
    """A view under a rig that has not seen it."""
    view = c.seen.of_views([v])
    if len(c.views) < _ONE_STEP:
        fixed = np.zeros(state.globals, bool)
        state = adjust(c.shape, state, view, free=fixed, max_steps=4, tolerance=1e-4).state
    parts = tables(view, len(state.intrinsics))
    square = np.concatenate([(e**2).sum(axis=0).ravel() for e in errors(c.shape, state, parts)])
    if not np.isfinite(square).all():
        square = np.full(len(square), np.inf)
    if len(state.intrinsics) == 1:
        return _Judged(square, np.zeros(0), np.nan)
    board = c.shape.deformed(c.fit.state.shape)
    a, b = seen_by_both(view)
    rays = rectified_rays(state, view.pixels[a], view.pixels[b])
    off = _depth_error(along_rays(state, *rays), board[view.point[a]])
    return _Judged(square, row_gaps(state, *rays), off)


def _depth_error(found: Float, known: Float) -> float:
    """Root mean square distance of triangulated corners (N, 3) from the board's laid through them,
    as a share of its distance; NaN: too few corners.
    """
    ok = np.isfinite(found).all(axis=1)
    if ok.sum() < 4:
        return np.nan
    found, known = found[ok], known[ok]
    away = float(np.linalg.norm(found.mean(axis=0)))
    found, known = found - found.mean(axis=0), known - known.mean(axis=0)
    U, _, Vt = np.linalg.svd(found.T @ known)
    turned = known @ (U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt).T
    return float(np.sqrt(((found - turned) ** 2).sum(axis=1).mean())) / away


def view_errors(shape: BoardModel, state: State, seen: Observations) -> Float:
    """(V,) rms of every view with the rig as it is and the view's own best pose, pixels."""
    fit = adjust(
        shape, state, seen, free=np.zeros(state.globals, bool), robust_px=2.0, max_steps=20
    )
    e2 = np.nan_to_num((fit.residuals**2).sum(axis=1), nan=1e8)
    return np.array([np.sqrt(np.median(e2[seen.view == v]) / 0.69) for v in range(seen.views)])
