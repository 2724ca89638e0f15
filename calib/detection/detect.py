"""Find a board's points in an image, to a few hundredths of a pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.board import Board, CircleGrid
from calib.detection.circles import disc_edge_width
from calib.detection.detection import Detection
from calib.detection.extent import full_size
from calib.detection.finders import FEWEST, FINDERS
from calib.detection.levels import Gray, stretched
from calib.detection.subpixel import edge_width, spacing

Float = NDArray[np.float64]


def detect(gray: Gray, board: Board, *, quick: bool = False) -> Detection | None:
    """Find ``board`` in an image (H, W), uint8 or uint16; None where it is not (wholly) seen.

    ``quick``: in one attempt, which finds most boards and takes least where there is none.
    """
    image = stretched(gray)
    size = (image.shape[1], image.shape[0])
    found = FINDERS[board.kind](image, board, quick)
    if found is None:
        return None
    points, ids = found
    inside = np.all((points >= 0) & (points <= np.array(size) - 1), axis=1)
    if not board.coded and not inside.all():
        return None
    if not board.coded and full_size(image, points, board) != (board.columns, board.rows):
        return None  # a part of a larger board: which part, left and right may not agree on
    points, ids = points[inside], ids[inside]
    if len(ids) < min(FEWEST, len(board.points)) or _collinear(points):
        return None
    order = np.argsort(ids)
    points, ids = points[order], ids[order]
    return Detection(points, ids, size, _edge_width(image, points, ids, board))


def _edge_width(
    image: NDArray[np.float32], points: Float, ids: NDArray[np.intp], board: Board
) -> float:
    if isinstance(board, CircleGrid):
        return disc_edge_width(image, points, spacing(points, ids, board))
    return edge_width(image, points, ids, board)


def _collinear(points: Float) -> bool:
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(spread[1] < 0.02 * spread[0])
