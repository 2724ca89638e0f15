"""CPU seconds of a calibration, ours and OpenCV's, on every real set and on 60 synthetic views.

``python benchmarks/calibration_cost.py`` prints ours (finding corners; solving and judging) and
OpenCV's (the usual program: its finder with cornerSubPix, each camera, then both; its fisheye
functions where ours is a fisheye) and how many times as much ours takes. CPU of all threads of
this process, runs of both in turn, the least of ``--repeats`` each. ``--only TEXT``: sets whose
name contains it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from common import CALIBRATION, CALIBRATION_SETS, Result, calibration_pairs, from_tests, views_of

from calib.board import Board, Charuco, parse_board
from calib.calibrate import ImagePair, calibrate_views
from calib.solving.calibration import View

boards = from_tests("boards")

Corners = tuple[list, list, list, tuple[int, int]]  # type: ignore[type-arg]
"""Board points, left and right pixels of every view, and the images' size."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    print(
        f"{'CPU s':26}{'views':>6}{'find':>7}{'solve':>7}{'OpenCV find':>13}{'solve':>7}"
        f"{'ours / OpenCV':>15}"
    )
    for name in CALIBRATION_SETS if CALIBRATION.is_dir() else ():
        if args.only in name and not name.startswith("degenerate"):
            pairs, _, spec = calibration_pairs(CALIBRATION / name)
            real(name, pairs, parse_board(spec), args.repeats)
    if args.only in "synthetic":
        synthetic(args.repeats)


def real(name: str, pairs: list[ImagePair], board: Board, repeats: int) -> None:
    spent = [once(pairs, board, fisheye="fisheye" in name) for _ in range(repeats)]
    show(name, len(pairs), np.min(spent, axis=0))


def once(pairs: list[ImagePair], board: Board, *, fisheye: bool) -> tuple[float, ...]:
    """Seconds of ours and of OpenCV's: finding, solving."""
    find, views = cpu(lambda: views_of(pairs, board, cache=None))
    solve, _ = cpu(lambda: calibrate_views(views, board))
    their_find, corners = cpu(lambda: opencv_found(pairs, board))
    their_solve, _ = cpu(lambda: opencv_solved(corners, fisheye=fisheye))
    return find, solve, their_find, their_solve


def synthetic(repeats: int) -> None:
    """60 views of corners alone: no images to find them in."""
    rng = np.random.default_rng(0)
    views = boards.synthetic_views(rng, boards.random_rig(rng), 60)
    spent = []
    for _ in range(repeats):
        solve, _ = cpu(lambda: calibrate_views(views, boards.BOARD))
        their_solve, _ = cpu(lambda: opencv_solved(corners_of(views, boards.BOARD), fisheye=False))
        spent.append((0.0, solve, 0.0, their_solve))
    show("60 synthetic", len(views), np.min(spent, axis=0))


def show(name: str, views: int, s: np.ndarray) -> None:
    print(f"{name:26}{views:6}{s[0]:7.2f}{s[1]:7.2f}{s[2]:13.2f}{s[3]:7.2f}"
          f"{(s[0] + s[1]) / (s[2] + s[3]):15.1f}", flush=True)  # fmt: skip


def cpu(work: Callable[[], Result]) -> tuple[float, Result]:
    """CPU seconds of all threads, and what came of it."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def opencv_found(pairs: list[ImagePair], board: Board) -> Corners:
    points, left, right = [], [], []
    size = (0, 0)
    for pair in pairs:
        sides = [opencv_corners(path, board) for path in (pair.left, pair.right)]
        size = sides[0][2]
        ids, a, b = np.intersect1d(sides[0][0], sides[1][0], return_indices=True)
        if len(ids) >= 6:
            points.append(board.points[ids].astype(np.float32))
            left.append(sides[0][1][a])
            right.append(sides[1][1][b])
    return points, left, right, size


def opencv_corners(path: Path, board: Board) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Ids (N,) and pixels (N, 2) of an image, and its size."""
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    size = gray.shape[1::-1]
    none = np.zeros(0, np.intp), np.zeros((0, 2), np.float32), size
    if isinstance(board, Charuco):
        corners, ids, _, _ = charuco_detector(board).detectBoard(gray)
        return none if ids is None else (ids.ravel(), corners.reshape(-1, 2), size)
    ok, corners = cv2.findChessboardCorners(gray, (board.columns, board.rows))
    if not ok:
        return none
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 0.001)
    corners = cv2.cornerSubPix(gray, corners, (5, 5), (-1, -1), stop)
    return np.arange(len(corners)), corners.reshape(-1, 2), size


def charuco_detector(board: Charuco) -> cv2.aruco.CharucoDetector:
    words = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, board.dictionary))
    size = (board.columns, board.rows)
    printed = cv2.aruco.CharucoBoard(size, board.square_m, board.marker_m, words)
    printed.setLegacyPattern(board.legacy)
    return cv2.aruco.CharucoDetector(printed)


def corners_of(views: list[View], board: Board) -> Corners:
    points, left, right = [], [], []
    for view in views:
        ids, a, b = np.intersect1d(view.left.ids, view.right.ids, return_indices=True)
        points.append(board.points[ids].astype(np.float32))
        left.append(view.left.points[a].astype(np.float32))
        right.append(view.right.points[b].astype(np.float32))
    return points, left, right, views[0].left.size


def opencv_solved(corners: Corners, *, fisheye: bool) -> None:
    points, left, right, size = corners
    if not fisheye:
        lenses = [
            cv2.calibrateCamera(points, side, size, None, None)[1:3] for side in (left, right)
        ]
        cv2.stereoCalibrate(points, left, right, *lenses[0], *lenses[1], size)
        return
    flags = cv2.CALIB_RECOMPUTE_EXTRINSIC | cv2.CALIB_FIX_SKEW | cv2.CALIB_USE_INTRINSIC_GUESS
    board = [p.reshape(1, -1, 3).astype(np.float64) for p in points]
    sides = [[p.reshape(1, -1, 2).astype(np.float64) for p in side] for side in (left, right)]
    for focal in (0.4 * size[0], 0.3 * size[0], 0.6 * size[0]):  # it aborts from most starts
        K = np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]])
        try:
            lenses = [
                cv2.fisheye.calibrate(board, side, size, K.copy(), np.zeros(4), flags=flags)[1:3]
                for side in sides
            ]
        except cv2.error:
            continue
        break
    else:
        return  # it cannot
    cv2.fisheye.stereoCalibrate(board, *sides, *lenses[0], *lenses[1], size, flags=flags)


if __name__ == "__main__":
    main()
