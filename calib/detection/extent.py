"""Whether a grid that was found goes on: a finder told 8x6 takes 8x6 of the corners of a 9x6 board.

One spacing beyond the outer line of corners a chessboard that ends there has a border, which is of
one colour; one that continues has corners again: four fields that alternate. Discs likewise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.board import AsymmetricCircleGrid, Board, Chessboard
from calib.detection.subpixel import sampled

Float = NDArray[np.float64]

_SHARE = 0.8  # of a line's points that must be there: a hand or a glare may hide some
_CONTRAST = 0.4  # of the line before it, which light that falls off towards an edge leaves
_MOST = 12  # lines looked for on each side


def full_size(image: NDArray[np.float32], points: Float, board: Board) -> tuple[int, int]:
    """(columns, rows) of the grid of which ``points`` (N, 2), a whole ``board``, are a part."""
    grid = points.reshape(board.rows, board.columns, 2)
    for side in range(4):
        # every second row of an asymmetric grid is moved; its columns are all alike
        step = 2 if isinstance(board, AsymmetricCircleGrid) and side % 2 == 0 else 1
        for _ in range(_MOST):
            line = _next_line(grid, step)
            if line is None or not _goes_on(image, grid, line, board, step):
                break
            grid = np.concatenate([line[None], grid])
        grid = np.rot90(grid)
    return grid.shape[1], grid.shape[0]


def has_corners(image: NDArray[np.float32], points: Float, board: Board) -> bool:
    """Whether fields touch in ``points``; between discs light and dark alternate too, but apart."""
    grid = points.reshape(board.rows, board.columns, 2)
    along = np.asarray(np.gradient(grid, axis=1))
    across = np.asarray(np.gradient(grid, axis=0))
    near = np.median(_like_corners(image, grid, 0.4 * along, 0.4 * across))
    return bool(near > 0.5 * np.median(_like_corners(image, grid, along, across)))


def _next_line(grid: Float, step: int) -> Float | None:
    """(K, 2) where the line before the first would be; the lens bends it, perspective shrinks."""
    nearest = grid[step - 1 :: step]
    if len(nearest) < 2:
        return None
    if len(nearest) == 2:
        return np.asarray(2 * nearest[0] - nearest[1])
    return np.asarray(3 * nearest[0] - 3 * nearest[1] + nearest[2])


def _goes_on(image: NDArray[np.float32], grid: Float, line: Float, board: Board, step: int) -> bool:
    """Whether the points of ``line``, all of them in the image, are points like those before."""
    last, inner = grid[step - 1], grid[2 * step - 1]
    reach = 0.5 * np.linalg.norm(line - last, axis=1)[:, None]
    if (line < reach).any() or (line > np.array(image.shape[::-1]) - 1 - reach).any():
        return False
    looks = _like_corners if isinstance(board, Chessboard) else _like_discs
    period = 2 if isinstance(board, AsymmetricCircleGrid) and step == 1 else 1
    before = looks(image, last, period * np.gradient(last, axis=0), inner - last)
    beyond = looks(image, line, period * np.gradient(line, axis=0), last - line)
    usual = float(np.median(before))
    return bool((beyond * np.sign(usual) > _CONTRAST * abs(usual)).mean() >= _SHARE)


def _like_corners(image: NDArray[np.float32], line: Float, along: Float, across: Float) -> Float:
    """(..., K) by how much two opposite fields around each point are lighter than the other two."""
    a, b, c, d = _around(image, line, 0.3 * (along + across), 0.3 * (along - across))
    first = np.minimum(a, c) - np.maximum(b, d)
    second = np.minimum(b, d) - np.maximum(a, c)
    return np.asarray(np.maximum(first, second))


def _like_discs(image: NDArray[np.float32], line: Float, along: Float, across: Float) -> Float:
    """(K,) by how much all of the paper around each point is lighter; negative: darker."""
    outside = _around(image, line, 0.5 * along, 0.5 * across)
    gap = np.array(outside) - sampled(image, line)
    return np.asarray(
        np.where((gap > 0).all(axis=0), gap.min(axis=0), np.minimum(gap.max(axis=0), 0))
    )


def _around(image: NDArray[np.float32], line: Float, u: Float, v: Float) -> list[Float]:
    return [sampled(image, line + offset) for offset in (u, v, -u, -v)]
