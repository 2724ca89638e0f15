"""Finders, one for each kind of board: image (float32, 0 to 255) -> points (N, 2), ids (N,).

A ``quick`` look makes one attempt: where a board is not, all of them take a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import (
    AprilGrid,
    AsymmetricCircleGrid,
    Board,
    Charuco,
    Chessboard,
    CircleGrid,
    dictionary,
)
from calib.detection.circles import disc_centres
from calib.detection.lattice import blobs
from calib.detection.levels import gray8
from calib.detection.subpixel import refine, sampled, spacing

Float = NDArray[np.float64]
Found = tuple[Float, NDArray[np.intp]]

FEWEST = 6
"""Points of a coded board that make a usable view."""
_FINDER_PX = 1280  # finders are no better on more pixels, only slower; refinement uses them all


def _find_chessboard(image: NDArray[np.float32], board: Board, quick: bool) -> Found | None:
    grid = (board.columns, board.rows)
    points = _find_grid(image, lambda small: _chessboard_attempts(small, grid), quick)
    if points is None:
        return None
    points = _right_handed(points, board)
    points = refine(image, points, board)
    points = _most_upright(points, _by_colour(image, points, board))
    return points, np.arange(len(points))


def _chessboard_attempts(small: NDArray[np.uint8], grid: tuple[int, int]) -> Iterable[Float | None]:
    classic = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE
    thorough = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_EXHAUSTIVE
    even = cv2.createCLAHE(3.0, (8, 8)).apply(small)
    yield _taken(cv2.findChessboardCorners(small, grid, flags=classic | cv2.CALIB_CB_FAST_CHECK))
    yield _taken(cv2.findChessboardCornersSB(small, grid, flags=thorough))
    yield _taken(cv2.findChessboardCorners(even, grid, flags=classic))
    yield _taken(cv2.findChessboardCornersSB(255 - small, grid, flags=thorough))
    yield _taken(cv2.findChessboardCorners(255 - even, grid, flags=classic))


def _find_circles(image: NDArray[np.float32], board: Board, quick: bool) -> Found | None:
    layout = (
        cv2.CALIB_CB_ASYMMETRIC_GRID
        if isinstance(board, AsymmetricCircleGrid)
        else cv2.CALIB_CB_SYMMETRIC_GRID
    )
    grid = (board.columns, board.rows)

    def attempts(small: NDArray[np.uint8]) -> Iterable[Float | None]:
        for extra in (0, cv2.CALIB_CB_CLUSTERING):
            for picture in (small, 255 - small):
                found, points = cv2.findCirclesGrid(
                    picture,
                    grid,
                    flags=layout | extra,
                    blobDetector=blobs(small),
                    parameters=_GRID,
                )
                yield _taken((found, points))

    points = _find_grid(image, attempts, quick)
    if points is None:
        return None
    points = _right_handed(points, board)
    gaps = spacing(points, np.arange(len(points)), board)
    points = disc_centres(image, points, gaps, board)
    return _most_upright(points, board.symmetries), np.arange(len(points))


_GRID = cv2.CirclesGridFinderParameters()


def _find_charuco(image: NDArray[np.float32], board: Board, quick: bool) -> Found | None:
    assert isinstance(board, Charuco)
    params = cv2.aruco.CharucoParameters()
    params.minMarkers = 1  # corners near the rim of the board have one marker only
    detector = cv2.aruco.CharucoDetector(board.cv_board, params)
    gray = gray8(image)
    pictures = (gray, cv2.createCLAHE(3.0, (8, 8)).apply(gray), 255 - gray)
    for picture in pictures[: 1 if quick else None]:
        corners, ids, _, _ = detector.detectBoard(picture)
        found = np.asarray([] if _absent(ids) else ids).ravel().astype(np.intp)
        if len(found) >= FEWEST:
            points = refine(image, corners.reshape(-1, 2).astype(float), board, found)
            return points, found
    return None


def _find_aprilgrid(image: NDArray[np.float32], board: Board, quick: bool) -> Found | None:
    """Kalibr draws a border of two cells, others one: the better fit to a plane decides."""
    assert isinstance(board, AprilGrid)
    gray = gray8(image)
    answers = []
    for border in (2, 1):
        params = cv2.aruco.DetectorParameters()
        params.markerBorderBits = border
        params.adaptiveThreshWinSizeMax = 53
        params.detectInvertedMarker = True
        detector = cv2.aruco.ArucoDetector(dictionary(board.dictionary), params)
        corners, tags, _ = detector.detectMarkers(gray)
        numbers = np.asarray([] if _absent(tags) else tags).ravel().astype(int)
        kept = [i for i, tag in enumerate(numbers) if tag < board.columns * board.rows]
        if len(kept) < 2:
            continue
        points = np.vstack([corners[i].reshape(4, 2) for i in kept]).astype(float)
        ids = np.concatenate([4 * numbers[i] + np.arange(4) for i in kept]).astype(np.intp)
        points = refine(image, points, board, ids)
        answers.append((*_best_turn(points, ids, board), points))
    most = max((len(ids) for _, ids, _ in answers), default=0)
    full = [answer for answer in answers if len(answer[1]) > 0.7 * most]
    if not full:
        return None
    _, ids, points = min(full, key=lambda answer: answer[0])
    return points, ids


def _absent(found: object) -> bool:
    """OpenCV gives None for nothing found, which its stubs do not say."""
    return found is None


def _best_turn(
    points: Float, ids: NDArray[np.intp], board: Board
) -> tuple[float, NDArray[np.intp]]:
    """Printed tags may be turned in their places: take the turn that makes the grid a plane."""
    answers = []
    for turn in range(4):
        turned = ids // 4 * 4 + (ids + turn) % 4
        H, _ = cv2.findHomography(board.points[turned, :2], points)
        if H is not None:
            seen = cv2.perspectiveTransform(board.points[turned, None, :2], H)[:, 0]
            answers.append((float(np.abs(seen - points).mean()), turned))
    return min(answers, key=lambda answer: answer[0])


FINDERS: dict[str, Callable[..., Found | None]] = {
    Chessboard.kind: _find_chessboard,
    CircleGrid.kind: _find_circles,
    AsymmetricCircleGrid.kind: _find_circles,
    Charuco.kind: _find_charuco,
    AprilGrid.kind: _find_aprilgrid,
}


# -- plain grids ---------------------------------------------------------------------------------


def _find_grid(
    image: NDArray[np.float32],
    attempts: Callable[[NDArray[np.uint8]], Iterable[Float | None]],
    quick: bool,
) -> Float | None:
    """First attempt that finds anything, on a copy of moderate size; points in full pixels.

    ``quick``: the first attempt only, which finds nine in ten.
    """
    scale = min(1.0, _FINDER_PX / max(image.shape))
    small = gray8(image)
    sizes = [scale] if scale == 1 or quick else [scale, 1.0]
    for factor in sizes:
        picture = (
            cv2.resize(small, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            if factor < 1
            else small
        )
        for points in islice(attempts(np.asarray(picture, np.uint8)), 1 if quick else None):
            if points is not None:
                return np.asarray((points + 0.5) / factor - 0.5)
    return None


def _taken(answer: tuple[bool, Any]) -> Float | None:
    found, points = answer
    return np.asarray(points, float).reshape(-1, 2) if found and points is not None else None


def _right_handed(points: Float, board: Board) -> Float:
    """Reorder a grid that was listed backwards or as in a mirror, which finders do now and then."""
    grid = points.reshape(board.rows, board.columns, 2)
    orders = [grid[::down, ::right].reshape(-1, 2) for down in (1, -1) for right in (1, -1)]
    fits = [_plane_fit(order, board) for order in orders]
    upright = [i for i, (_, handed) in enumerate(fits) if handed]
    return orders[min(upright, key=lambda i: fits[i][0])] if upright else points


def _plane_fit(points: Float, board: Board) -> tuple[float, bool]:
    """How far (mean px) a grid is from a plane's picture, and whether it is not mirrored."""
    H, _ = cv2.findHomography(board.points[:, :2], points)
    if H is None:
        return np.inf, False
    seen = cv2.perspectiveTransform(board.points[:, None, :2], H)[:, 0]
    affine = np.linalg.lstsq(
        np.column_stack([board.points[:, :2], np.ones(len(points))]), points, rcond=None
    )[0]
    # rounded, so that equally good orders are taken in the order given
    error = round(float(np.abs(seen - points).mean()), 1)
    return error, bool(np.linalg.det(affine[:2]) > 0)


def _by_colour(image: NDArray[np.float32], points: Float, board: Board) -> list[NDArray[np.intp]]:
    """The symmetries that leave the square at the first corner dark."""
    brightness = {i: _darkness(image, points[p], board) for i, p in enumerate(board.symmetries)}
    contrast = max(abs(value) for value in brightness.values())
    dark = [board.symmetries[i] for i, value in brightness.items() if value > 0.5 * contrast]
    return dark or board.symmetries


def _darkness(image: NDArray[np.float32], points: Float, board: Board) -> float:
    grid = points.reshape(board.rows, board.columns, 2)
    centres = (grid[:-1, :-1] + grid[1:, :-1] + grid[:-1, 1:] + grid[1:, 1:]) / 4
    value = sampled(image, centres)
    parity = np.add.outer(np.arange(board.rows - 1), np.arange(board.columns - 1)) % 2
    return float(value[parity == 1].mean() - value[parity == 0].mean())


def _most_upright(points: Float, options: Sequence[NDArray[np.intp]]) -> Float:
    """Of the possible orders take the one whose first point is nearest the top left."""
    return min((points[p] for p in options), key=lambda q: float(q[0].sum() - q[-1].sum()))
