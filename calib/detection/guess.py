"""Find out which board is in some images: ``--board auto``, and what to say when the board that was
named is not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import Board, Charuco, Chessboard, dictionary
from calib.detection.detect import detect
from calib.detection.levels import LEAST_PX, gray8, stretched

_DICTIONARIES = (
    "DICT_4X4_1000",
    "DICT_5X5_1000",
    "DICT_6X6_1000",
    "DICT_7X7_1000",
    "DICT_ARUCO_ORIGINAL",
)
"""The largest of each family; smaller ones are their first entries."""
_SMALL_SIZES = (50, 100, 250, 1000)


def guess_board(
    images: Sequence[NDArray[Any]], *, square_m: float = 1.0, unit_known: bool = False
) -> Board | None:
    """The ChArUco board or chessboard most of ``images`` (H, W) show; None when there is none.

    Lengths cannot be seen: the square is ``square_m``, by default one unknown unit.
    """
    charuco = _guess_charuco(images, square_m, unit_known)
    return charuco or _guess_chessboard(images, square_m, unit_known)


def chessboard_size(image: NDArray[Any]) -> tuple[int, int] | None:
    """(columns, rows) of inner corners of the chessboard in an image; None when there is none."""
    gray: NDArray[Any] = gray8(stretched(image))
    scale = min(1.0, 1280 / max(gray.shape))
    if scale * min(gray.shape) < LEAST_PX:
        return None
    if scale < 1:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_LARGER
    found, _, meta = cv2.findChessboardCornersSBWithMeta(gray, (3, 3), flags)
    if not found:
        return None
    rows, columns = meta.shape[:2]
    return (columns, rows) if columns >= rows else (rows, columns)


def _guess_chessboard(
    images: Sequence[NDArray[Any]], square_m: float, unit_known: bool
) -> Board | None:
    sizes = Counter(size for size in map(chessboard_size, images) if size is not None)
    # a board partly hidden looks smaller, never larger: of the frequent sizes take the largest
    frequent = [size for size, n in sizes.items() if n >= 0.25 * sizes.total()]
    for columns, rows in sorted(frequent, key=lambda size: -size[0] * size[1]):
        board = Chessboard(columns, rows, square_m, unit_known)
        if sum(detect(image, board) is not None for image in images) >= 0.5 * len(images):
            return board
    return None


def _guess_charuco(
    images: Sequence[NDArray[Any]], square_m: float, unit_known: bool
) -> Board | None:
    markers = {name: [_markers(image, name) for image in images] for name in _DICTIONARIES}
    name = max(markers, key=lambda n: sum(len(ids) for _, ids in markers[n]))
    seen = [(corners, ids) for corners, ids in markers[name] if len(ids) >= 4]
    if len(seen) < max(1, len(images) // 4):
        return None
    highest = max(int(ids.max()) for _, ids in seen)
    best: tuple[float, Board] | None = None
    layouts = [
        (columns, rows, legacy)
        for columns in range(3, 30)
        for rows in range(3, 30)
        if highest < columns * rows // 2 <= highest + 12
        for legacy in ((False, True) if rows % 2 == 0 else (False,))
    ]
    for columns, rows, legacy in sorted(layouts, key=lambda layout: layout[0] * layout[1]):
        fit = _layout_error(seen, columns, rows, legacy)
        if fit is not None and (best is None or fit[0] < best[0] - 2e-3):
            size = next((n for n in _SMALL_SIZES if columns * rows // 2 <= n), 1000)
            family = name if "ORIGINAL" in name else name.rsplit("_", 1)[0] + f"_{size}"
            marker = round(fit[1], 2) * square_m
            board = Charuco(columns, rows, square_m, unit_known, marker, family, legacy)
            best = (fit[0], board)
    return best[1] if best is not None and best[0] < 0.05 else None


def _markers(image: NDArray[Any], name: str) -> tuple[NDArray[Any], NDArray[np.intp]]:
    gray = gray8(stretched(image))
    corners, ids, _ = cv2.aruco.ArucoDetector(dictionary(name)).detectMarkers(gray)
    if ids is None:
        return np.zeros((0, 4, 2)), np.zeros(0, np.intp)
    return np.array([c.reshape(4, 2) for c in corners]), np.asarray(ids).ravel().astype(np.intp)


def _layout_error(
    seen: Sequence[tuple[NDArray[Any], NDArray[np.intp]]], columns: int, rows: int, legacy: bool
) -> tuple[float, float] | None:
    """(mean error in squares, marker / square) of markers under one layout; None: impossible."""
    first = 1 if legacy and rows % 2 == 0 else 0
    cells = np.array([(x, y) for y in range(rows) for x in range(columns) if (x + y) % 2 != first])
    errors, sides = [], []
    for corners, ids in seen:
        if ids.max() >= len(cells):
            return None
        centres = cells[ids] + 0.5
        H, _ = cv2.findHomography(corners.mean(axis=1), centres.astype(float), cv2.RANSAC, 0.2)
        if H is None:
            return None
        on_board = cv2.perspectiveTransform(corners.reshape(-1, 1, 2).astype(float), H)
        on_board = on_board.reshape(-1, 4, 2)
        gap = np.linalg.norm(on_board.mean(axis=1) - centres, axis=1)
        # the mean: a neighbouring layout differs only where rows wrap, in a few markers
        errors.append(float(np.minimum(gap, 1).mean()))
        sides.append(float(np.median(np.linalg.norm(on_board[:, 1] - on_board[:, 0], axis=1))))
    return float(np.mean(errors)), float(np.median(sides))
