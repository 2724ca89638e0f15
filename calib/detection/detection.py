"""What was found in one image, and the order in which left and right list it.

A plain grid looks the same from two or four sides. ``detect`` chooses by the colour of the squares
where that decides; ``match_order`` makes left and right agree on the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calib.board import Board, Chessboard

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Detection:
    """Where a board's points are in one image."""

    points: Float
    """(N, 2) float64 pixels; the centre of the top-left pixel is (0, 0)."""
    ids: NDArray[np.intp]
    """(N,) which of the board's points each is, increasing."""
    size: tuple[int, int]
    """(width, height) of the image."""
    edge_px: float = float("nan")
    """Width of the board's edges (10 % to 90 %), pixels; large means blurred; NaN: not measured."""

    def permuted(self, order: NDArray[np.intp]) -> Detection:
        """The same points under another of the board's symmetries (a full board only)."""
        return replace(self, points=self.points[order])


def match_order(left: Detection, right: Detection, board: Board) -> Detection:
    """Return ``right`` in the order that makes its grid lie as in ``left``.

    Only where colours do not decide: two cameras of a rig see the board nearly the same way up.
    """
    options = _same_colours(board)
    if len(options) == 1 or len(left.ids) != len(right.ids):
        return right

    def shape(points: Float) -> Float:
        centred = points - points.mean(axis=0)
        return np.asarray(centred / np.sqrt((centred**2).sum(axis=1).mean()))

    mine = shape(left.points)
    return right.permuted(
        min(options, key=lambda p: float(np.abs(shape(right.points[p]) - mine).sum()))
    )


def _same_colours(board: Board) -> list[NDArray[np.intp]]:
    """Symmetries that map dark squares on dark ones: what colours leave open."""
    if not isinstance(board, Chessboard):
        return board.symmetries
    parity = np.add.outer(np.arange(board.rows - 1), np.arange(board.columns - 1)) % 2

    def keeps(order: NDArray[np.intp]) -> bool:
        grid = board.points[order].reshape(board.rows, board.columns, 3)[:-1, :-1, :2]
        near = board.points[order].reshape(board.rows, board.columns, 3)[1:, 1:, :2]
        cell = np.rint((grid + near) / 2 / board.square_m - 0.5).astype(int).sum(axis=2) % 2
        return bool(np.array_equal(cell, parity))

    return [order for order in board.symmetries if keeps(order)]
