"""The normal equations of a bundle adjustment, view by view.

Corners stand in tables, one row a view, so that a whole camera is a few operations on arrays and
one batched product. The unknowns are in the order of a step (``state.moved``): lenses, motion,
board; behind them the six of the board's pose, which touch only their own view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.solving.projection import project_jacobian, project_points
from calib.solving.state import BoardModel, Observations, State

Float = NDArray[np.float64]
Index = NDArray[np.intp]


class Table(NamedTuple):
    """What one camera saw: row v is view v, filled up where it saw fewer points than elsewhere."""

    rows: Index
    """(M,) which observations these are."""
    cells: tuple[Index, Index]
    """(M,) and (M,) view and place of each in the table."""
    point: Index
    """(V, n)."""
    pixels: Float
    """(2, V, n)."""
    empty: NDArray[np.bool_] | None
    """(V, n) cells without an observation; None: there are none."""


class Normal(NamedTuple):
    """Per view the normal equations ``G x = g`` of the globals, coupled to the view's pose."""

    GG: Float
    """(V, F, F)."""
    GP: Float
    """(V, F, 6)."""
    PP: Float
    """(V, 6, 6)."""
    g: Float
    """(V, F)."""
    p: Float
    """(V, 6)."""


def tables(seen: Observations, cameras: int) -> tuple[Table, ...]:
    """The observations of each camera."""
    return tuple(_table(seen, side) for side in range(cameras))


def _table(seen: Observations, side: int) -> Table:
    rows = np.flatnonzero(seen.camera == side)
    view = seen.view[rows]
    count = np.bincount(view, minlength=seen.views)
    place = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    point = np.zeros((seen.views, int(count.max(initial=0))), np.intp)
    pixels = np.zeros((2, *point.shape))
    empty = np.ones(point.shape, bool)
    point[view, place] = seen.point[rows]
    pixels[:, view, place] = seen.pixels[rows].T
    empty[view, place] = False
    return Table(rows, (view, place), point, pixels, empty if empty.any() else None)


def errors(board: BoardModel, state: State, parts: Sequence[Table]) -> tuple[Float, ...]:
    """Per camera (2, V, n) seen minus predicted, 0 in empty cells, NaN where nothing is seen."""
    P = board.deformed(state.shape).T
    found = []
    for side, part in enumerate(parts):
        X, _ = _before(state, side, P, part)
        found.append(part.pixels - project_points(state.models[side], state.intrinsics[side], X))
        if part.empty is not None:
            found[-1][:, part.empty] = 0
    return tuple(found)


def _before(state: State, side: int, P: Float, part: Table) -> tuple[Float, Float]:
    """(3, V, n) points before the camera, and board points turned into the left one's axes."""
    turned = np.moveaxis(state.view_R @ np.moveaxis(P[:, part.point], 0, 1), 1, 0)
    X = turned + state.view_t.T[:, :, None]
    if side == 1:
        X = np.tensordot(state.R, X, 1) + state.t[:, None, None]
    return X, turned


def normal(
    board: BoardModel,
    state: State,
    parts: Sequence[Table],
    *,
    free: NDArray[np.bool_],
    robust_px: float | None = None,
) -> Normal:
    """The normal equations at ``state``, with the weights of a Cauchy loss if robust."""
    n = state.globals if free.any() else 0
    H = np.zeros((len(state.view_t), n + 7, n + 7))
    start = 0
    for side, part in enumerate(parts):
        W = _columns(board, state, side, part, robust_px, globals_too=n > 0)
        product = W @ W.swapaxes(1, 2)
        lens = len(state.intrinsics[side]) if n else 0
        own, shared = slice(start, start + lens), slice(n + 7 - W.shape[1] + lens, None)
        for rows, a in ((own, slice(lens)), (shared, slice(lens, None))):
            for columns, b in ((own, slice(lens)), (shared, slice(lens, None))):
                H[:, rows, columns] += product[:, a, b]
        start += lens
    if not free.all():
        keep = np.r_[np.flatnonzero(free), np.arange(n, n + 7)]
        H = H[:, keep[:, None], keep]
    F = H.shape[1] - 7
    return Normal(H[:, :F, :F], H[:, :F, F:-1], H[:, F:-1, F:-1], H[:, :F, -1], H[:, F:-1, -1])


def _columns(
    board: BoardModel,
    state: State,
    side: int,
    part: Table,
    robust_px: float | None,
    *,
    globals_too: bool,
) -> Float:
    """(V, C, 2 n) derivatives of one camera's pixels: its lens, the motion (of the right camera),
    the board's shape, the board's pose; last the error. Without ``globals_too`` only the last two.
    """
    X, turned = _before(state, side, board.deformed(state.shape).T, part)
    values = state.intrinsics[side]
    pixels, by_point, by_lens = project_jacobian(state.models[side], values, X)
    lens, shapes = (len(values), len(state.shape)) if globals_too else (0, 0)
    motion = 6 * side if globals_too else 0
    views, places = part.point.shape
    W = np.empty((views, lens + motion + shapes + 7, 2, places))
    by_column = np.moveaxis(W, 0, 2)  # (C, 2, V, n)
    by_column[:lens] = by_lens[:lens]
    at = lens
    if motion:
        _turn_and_shift(by_column[at : at + 6], by_point, X - state.t[:, None, None])
        at += 6
    if side == 1:
        by_point = np.tensordot(state.R, by_point, (0, 0))  # now to points in the left one's axes
    if shapes:
        by_board = np.einsum("vab,arvn->brvn", state.view_R, by_point)
        for mode in range(shapes):
            by_column[at + mode] = _times(by_board, board.modes[mode].T[:, None, part.point])
        at += shapes
    _turn_and_shift(by_column[at : at + 6], by_point, turned)
    error = part.pixels - pixels
    by_column[-1] = error
    if robust_px is not None:
        W *= np.sqrt(1 / (1 + (error**2).sum(axis=0) / robust_px**2))[:, None, None]
    if part.empty is not None:
        by_column[:, :, part.empty] = 0
    return W.reshape(views, W.shape[1], -1)


def _turn_and_shift(out: Float, by_point: Float, at: Float) -> None:
    """Derivatives (6, 2, V, n) to a turn of the points ``at`` about the origin, and to a shift."""
    a, b, c = by_point
    x, y, z = at[:, None]
    out[0], out[1], out[2] = y * c - z * b, z * a - x * c, x * b - y * a
    out[3:] = by_point


def _times(by_point: Float, way: Float) -> Float:
    return np.asarray(by_point[0] * way[0] + by_point[1] * way[1] + by_point[2] * way[2])


def without_poses(blocks: Normal) -> tuple[Float, Float]:
    """(V, F, F) and (V, F): what each view says of the globals when its pose is left free."""
    through = solved(blocks.PP, blocks.GP.swapaxes(1, 2))
    alone = solved(blocks.PP, blocks.p[:, :, None])
    return blocks.GG - blocks.GP @ through, blocks.g - (blocks.GP @ alone)[:, :, 0]


def solved(D: Float, rhs: Float) -> Float:
    """``D^-1 rhs`` of a stack, the shortest solution where D is singular."""
    try:
        return np.asarray(np.linalg.solve(D, rhs))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.pinv(D) @ rhs)
