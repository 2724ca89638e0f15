"""Corners to a few hundredths of a pixel, and how sharp the edges between them are.

The sub-pixel window is fitted to each corner: 0.35 of the distance to its nearest neighbour. A
fixed window of 11 px swallows neighbouring corners in small images (rms 0.44 px instead of 0.20
on OpenCV's sample set), and 0.40 already breaks one of its views.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import AprilGrid, Board, Charuco

Float = NDArray[np.float64]

_WINDOW_SHARE = 0.35
# half side at 1280 px; beyond it the lens bends edges more than noise averages
_LARGEST_WINDOW = 10


def refine(
    image: NDArray[np.float32], points: Float, board: Board, ids: NDArray[np.intp] | None = None
) -> Float:
    """Move corners (N, 2) to where the gradients around them meet, each in its own window."""
    ids = np.arange(len(points)) if ids is None else ids
    share = _WINDOW_SHARE
    if isinstance(board, Charuco):
        # from an inner corner to the nearest corner of a marker, along the axes
        share = min(share, max(0.12, 0.95 * (1 - board.marker_m / board.square_m) / 2))
    half = np.maximum(2, np.floor(share * _clearance(points, ids, board))).astype(int)
    half = np.minimum(half, round(_LARGEST_WINDOW * max(1, max(image.shape) / 1280)))
    gray = np.clip(np.rint(image), 0, 255).astype(np.uint8)  # cornerSubPix takes nothing else
    if isinstance(board, Charuco) and np.median(half) < 6 and max(gray.shape) < 2000:
        # three pixels are too few to choose a window from: rms 0.347 -> 0.331 on fhgr_charuco
        return _refined_enlarged(gray, points, share * _clearance(points, ids, board))
    half = np.minimum(half, (min(gray.shape) - 6) // 2)
    moved = _moved(gray, points, half)
    lost = np.linalg.norm(moved - points, axis=1) > np.maximum(3, half)
    moved[lost] = points[lost]
    return moved


def _refined_enlarged(gray: NDArray[np.uint8], points: Float, reach: Float) -> Float:
    zoom = 3
    big = cv2.resize(gray, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    half = np.clip(np.floor(zoom * reach), 6, 12).astype(int)
    spots = _moved(np.asarray(big, np.uint8), (points + 0.5) * zoom - 0.5, half)
    moved = (spots + 0.5) / zoom - 0.5
    lost = np.linalg.norm(moved - points, axis=1) > 3
    moved[lost] = points[lost]
    return moved


def _moved(gray: NDArray[np.uint8], points: Float, half: NDArray[np.intp]) -> Float:
    """Where OpenCV moves each corner (N, 2) within a window of its own half side (N,)."""
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 100, 1e-4)
    spots = points.astype(np.float32).reshape(-1, 1, 2)
    for window in np.unique(half):
        chosen = half == window
        corners = np.ascontiguousarray(spots[chosen])
        cv2.cornerSubPix(gray, corners, (int(window),) * 2, (-1, -1), stop)
        spots[chosen] = corners
    return spots[:, 0].astype(float)


def spacing(points: Float, ids: NDArray[np.intp], board: Board) -> Float:
    """(N,) distance from each point to its nearest neighbour on the board, pixels."""
    place = np.full(len(board.points), -1)
    place[ids] = np.arange(len(ids))
    pairs = place[board.neighbours]
    pairs = pairs[(pairs >= 0).all(axis=1)]
    nearest = np.full(len(points), np.inf)
    length = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    np.minimum.at(nearest, pairs[:, 0], length)
    np.minimum.at(nearest, pairs[:, 1], length)
    usual = np.median(length) if len(length) else 10.0
    return np.where(np.isfinite(nearest), nearest, usual)


def _clearance(points: Float, ids: NDArray[np.intp], board: Board) -> Float:
    """(N,) half side of the square around each point that reaches the next corner, pixels.

    Measured as the window is shaped: on a tilted board a diagonal neighbour may be nearest.
    """
    gap = np.abs(points[:, None] - points[None]).max(axis=2)
    np.fill_diagonal(gap, np.inf)
    return np.asarray(np.minimum(gap.min(axis=1), spacing(points, ids, board)))


def edge_width(
    image: NDArray[np.float32], points: Float, ids: NDArray[np.intp], board: Board
) -> float:
    """Median 10-to-90 % width of the edges between neighbouring corners of squares or tags."""
    place = np.full(len(board.points), -1)
    place[ids] = np.arange(len(ids))
    sides = place[_sides(board)]
    sides = sides[(sides >= 0).all(axis=1)]
    if not len(sides):
        return float("nan")
    a, b = points[sides[:, 0]], points[sides[:, 1]]
    along = b - a
    length = np.linalg.norm(along, axis=1)
    across = np.column_stack([-along[:, 1], along[:, 0]]) / length[:, None]
    count = int(np.clip(4 * _edge_share(board) * length.max(), 21, 401)) | 1
    reach = np.linspace(-1, 1, count) * (_edge_share(board) * length)[:, None]
    # side by side, so that noise makes no edge look steeper
    middles = (a + b)[:, None] / 2 + along[:, None] * np.linspace(-0.2, 0.2, 5)[:, None]
    spots = middles[:, :, None] + across[:, None, None] * reach[:, None, :, None]
    profile = sampled(image, spots).mean(axis=1)
    end = max(2, count // 7)
    step = np.abs(profile[:, -end:].mean(axis=1) - profile[:, :end].mean(axis=1))
    slope = np.abs(np.gradient(profile, axis=1)).max(axis=1) / (reach[:, 1] - reach[:, 0])
    return float(np.median(0.8 * step / np.maximum(slope, 1e-6)))


def _sides(board: Board) -> NDArray[np.intp]:
    """(M, 2) points that an edge from black to white joins."""
    if not isinstance(board, AprilGrid):
        return board.neighbours
    tag = 4 * np.arange(len(board.points) // 4)[:, None, None]
    corners = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])
    return np.asarray((tag + corners).reshape(-1, 2))


def _edge_share(board: Board) -> float:
    """How far from an edge, as a share of its length, there is nothing but black and white."""
    if isinstance(board, Charuco):
        return min(0.35, 0.9 * (1 - board.marker_m / board.square_m) / 2)
    if isinstance(board, AprilGrid):
        return min(0.12, 0.9 * board.gap)  # a border of one cell in eight at least
    return 0.35


def sampled(image: NDArray[np.float32], spots: Float) -> Float:
    """Brightness at (..., K, 2) pixel positions."""
    shape = spots.shape[:-1]
    x, y = (
        np.ascontiguousarray(spots[..., axis], np.float32).reshape(-1, shape[-1]) for axis in (0, 1)
    )
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR), float).reshape(shape)
