"""Whether the images show the board that was named, or which one they show instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import AprilGrid, Board, Charuco, Chessboard, CircleGrid
from calib.detection.detect import detect
from calib.detection.detection import Detection
from calib.detection.guess import board_of_markers, chessboard_size, most_markers
from calib.detection.levels import stretched
from calib.detection.subpixel import sampled

Float = NDArray[np.float64]
Images = Sequence[NDArray[Any]]

_MOST = 0.5
"""Share of the images that must show another board: parts of a board look like smaller boards, but
hands and the edge of the image leave another part in each."""
_MARKER_AS_SAID = 0.1  # their outline is found to some hundredths only
_GLANCE = 3  # images that are looked at first
_ALIKE = 0.85
"""Correlation of two patches that both show a corner (or disc). At the edge of a board only one
of a corner's four squares is left, which correlates by 0.58 to 0.71 with a whole corner."""


def other_board(images: Images, board: Board) -> str | None:
    """What to say when ``images`` (H, W) show another board than the one named; None: they do not,
    or nobody can tell.
    """
    if isinstance(board, Charuco):
        return _other_charuco(images, board)
    if isinstance(board, Chessboard):
        return _other_chessboard(images, board)
    return _other_circles(images, board) if isinstance(board, CircleGrid) else None


def _other_chessboard(images: Images, board: Chessboard) -> str | None:
    named = max((board.columns, board.rows), (board.rows, board.columns))
    first = [chessboard_size(image) for image in images[:_GLANCE]]
    if first.count(named) > len(first) / 2:
        return None
    seen = [*first, *(chessboard_size(image) for image in images[_GLANCE:])]
    sizes = Counter(size for size in seen if size is not None)
    size, count = sizes.most_common(1)[0] if sizes else (named, 0)
    if sizes[named] > 0.2 * len(images):
        return None
    if size == named or count < max(2, _MOST * len(images)):
        return _instead_of_corners(images, board)
    found = replace(board, columns=size[0], rows=size[1])
    return None if _wholly_seen(images[:2], board) else _not_this(board, found)


def _wholly_seen(images: Images, board: Board) -> bool:
    """Whether the named board is in one of few images after all, and is not a part of a larger."""
    for image in map(_reduced, images):
        one = detect(image, board)
        if one is not None and grid_extent(image, one.points, board) == (board.columns, board.rows):
            return True
    return False


def _reduced(image: NDArray[Any]) -> NDArray[Any]:
    scale = min(1.0, 640 / max(image.shape))
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _other_circles(images: Images, board: CircleGrid) -> str | None:
    some = [_reduced(image) for image in images[:3]]
    if any(detect(image, board) is not None for image in some):
        return None
    columns, rows = board.columns, board.rows
    sizes = [(rows, columns)]
    sizes += [(columns + i, rows + j) for i, j in ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1))]
    for size in sizes:
        if min(size) >= board.fewest:
            found = replace(board, columns=size[0], rows=size[1])
            if sum(detect(image, found) is not None for image in some) >= _MOST * len(some):
                return f"the images do not show {board.spec}, but {found.spec}"
    return None


def _not_this(board: Board, found: Board) -> str:
    why = ""
    if sorted((board.columns - 1, board.rows - 1)) == sorted((found.columns, found.rows)):
        why = ": squares were counted instead of the inner corners between them"
    return f"the images do not show {board.spec}, but {found.spec}{why}"


def _instead_of_corners(images: Images, board: Chessboard) -> str | None:
    """A board with markers, where a plain chessboard was named."""
    most = most_markers(images)
    found = board_of_markers(most, square_m=board.square_m, unit_known=board.unit_known)
    return None if found is None else f"the images do not show {board.spec}, but {found.spec}"


def _other_charuco(images: Images, board: Charuco) -> str | None:
    if any(detect(image, board) is not None or mirrored(image, board) for image in images):
        return None
    turned = replace(board, legacy=not board.legacy)
    if any(detect(image, turned) is not None for image in images):
        return (
            f"the board is not {board.spec} but {turned.spec} (OpenCV changed its pattern in 4.6)"
        )
    most = most_markers(images)
    if most is None:
        return None
    found = board_of_markers(most, square_m=board.square_m, unit_known=board.unit_known)
    other_book = _family(board.dictionary) != _family(most[0])
    if found is None:
        return f"the markers are of {most[0]}, not of {board.dictionary}" if other_book else None
    if abs(found.marker_m / board.marker_m - 1) < _MARKER_AS_SAID:
        found = replace(found, marker_m=board.marker_m)
    if other_book:
        return (
            f"the markers are of another dictionary: the images do not show {board.spec}, "
            f"but {found.spec}"
        )
    same = (found.columns, found.rows) == (board.columns, board.rows)
    return None if same else f"the images do not show {board.spec}, but {found.spec}"


def _family(name: str) -> str:
    """``DICT_5X5`` of ``DICT_5X5_50``: small dictionaries are the first entries of large ones."""
    return name if "ORIGINAL" in name else name.rsplit("_", 1)[0]


def mirrored(image: NDArray[Any], board: Board) -> bool:
    """Whether a board whose points are known by themselves is seen only in a mirror."""
    return board.coded and detect(np.ascontiguousarray(image[:, ::-1]), board) is not None


# -- a board that goes on ------------------------------------------------------------------------


def larger_board(images: Images, found: Sequence[Detection | None], board: Board) -> Board | None:
    """The larger board of which the named one was only a part in most images; None: it was all."""
    if isinstance(board, (Charuco, AprilGrid)):
        return None
    extents = [
        grid_extent(image, one.points, board)
        for image, one in zip(images, found, strict=True)
        if one is not None
    ]
    if not extents:
        return None
    extent, count = Counter(extents).most_common(1)[0]
    if extent == (board.columns, board.rows) or count < max(2, _MOST * len(extents)):
        return None
    return replace(board, columns=extent[0], rows=extent[1])


def grid_extent(image: NDArray[Any], points: Float, board: Board) -> tuple[int, int]:
    """(columns, rows) of the grid in an image, of which ``points`` (N, 2) are a part."""
    gray = stretched(image)
    grid = points.reshape(board.rows, board.columns, 2)
    for axis in (0, 1):
        grid = _extended(gray, grid, axis, board)[::-1, ::-1]
        grid = _extended(gray, grid, axis, board)[::-1, ::-1]
    return grid.shape[1], grid.shape[0]


def _extended(gray: NDArray[np.float32], grid: Float, axis: int, board: Board) -> Float:
    """``grid`` (R, C, 2) with the rows (axis 0) or columns (1) that follow its last one.

    Every second row of a chessboard looks alike; so does every second of any other grid.
    """
    lines = np.swapaxes(grid, 0, 1) if axis else grid
    for _ in range(3):
        if len(lines) < 4:
            break
        new = _next_line(lines, board)
        beside = _beside(lines[-2])
        step = (new - lines[-3]) / 3
        alike = _correlation(
            _patches(gray, new, step, beside), _patches(gray, lines[-2], step, beside)
        )
        if np.isnan(alike).mean() > 0.4 or np.nanmedian(alike) < _ALIKE:
            break
        lines = np.concatenate([lines, new[None]])
    return np.swapaxes(lines, 0, 1) if axis else lines


def _next_line(lines: Float, board: Board) -> Float:
    """(C, 2) where the next line of points must be, by a parabola through three like it."""
    if isinstance(board, CircleGrid) and board.kind == "acircles" and len(lines) >= 6:
        return np.asarray(3 * lines[-2] - 3 * lines[-4] + lines[-6])
    return np.asarray(3 * lines[-1] - 3 * lines[-2] + lines[-3])


def _beside(line: Float) -> Float:
    return np.asarray(np.gradient(line, axis=0))


def _patches(gray: NDArray[np.float32], centres: Float, down: Float, beside: Float) -> Float:
    """(C, 15, 15) brightness around points, in steps of the grid; NaN outside of the image."""
    a, b = np.meshgrid(np.linspace(-0.45, 0.45, 15), np.linspace(-0.45, 0.45, 15), indexing="ij")
    spots = (
        centres[:, None, None]
        + a[..., None] * down[:, None, None]
        + b[..., None] * beside[:, None, None]
    )
    h, w = gray.shape
    inside = ((spots >= 0) & (spots <= np.array([w - 1, h - 1]))).all(axis=(1, 2, 3))
    out = sampled(gray, spots.reshape(len(spots), -1, 2)).reshape(len(spots), 15, 15)
    out[~inside] = np.nan
    return np.asarray(out)


def _correlation(a: Float, b: Float) -> Float:
    """(C,) of each pair of patches."""
    a, b = (p - p.mean(axis=(1, 2), keepdims=True) for p in (a, b))
    scale = np.sqrt((a**2).sum(axis=(1, 2)) * (b**2).sum(axis=(1, 2)))
    return np.asarray((a * b).sum(axis=(1, 2)) / np.maximum(scale, 1e-9))
