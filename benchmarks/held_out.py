"""Rows on views left out, against OpenCV's on the same corners.

``python benchmarks/held_out.py`` solves every real set without each view in turn, with us and with
OpenCV's defaults (each camera, then both together; its fisheye functions where ours is a fisheye),
and compares the mean |y_left - y_right| of the left-out view after rectification. ``--candidates``
adds every lens, flat and bent, that was not chosen. ``--only TEXT``: sets whose name contains it.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np
from common import calibration_views
from numpy.typing import NDArray

from calib.solving.calibration import Calibration, observe
from calib.solving.epipolar import row_errors
from calib.solving.solve import calibrate_stereo
from calib.solving.state import Observations, State

Float = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--candidates", action="store_true")
    args = parser.parse_args()
    ratios = []
    for name, views, board in calibration_views():
        if args.only not in name:
            continue
        c = calibrate_stereo(views, board)
        mine, theirs = c.held_out[c.name].row_error_px, opencv_rows(c)
        ratios.append(mine / theirs)
        print(f"{name:24}{c.name:16}{mine:8.4f} px, OpenCV {theirs:.4f}, ratio {ratios[-1]:.3f}")
        for other, h in c.held_out.items() if args.candidates else ():
            print(f"    {other:20}{h.row_error_px:8.4f}  rms {h.reprojection_rms_px:.4f}")
    print(f"geometric mean {np.exp(np.mean(np.log(ratios))):.3f}, largest {max(ratios):.3f}")


def opencv_rows(c: Calibration) -> float:
    """Mean row error (px) of every view under OpenCV's rig from the others."""
    n = len(c.views)
    rows = [
        row_errors(opencv_rig(c, [v for v in range(n) if v != out]), c.seen.of_views([out]))
        for out in range(n)
    ]
    return float(np.concatenate(rows).mean())


def opencv_rig(c: Calibration, views: list[int]) -> State:
    """OpenCV's rig from some views, with its defaults."""
    fisheye = "fisheye" in c.model_name
    board, sides = [], ([], [])  # type: ignore[var-annotated]
    # its fisheye wants equally many corners in every view
    seen = observe(c.views) if fisheye else c.seen
    for v in views:
        ids, pixels = common(seen.of_views([v]))
        board.append(c.board.points[ids].astype(np.float64 if fisheye else np.float32))
        for side in (0, 1):
            sides[side].append(pixels[side].astype(board[-1].dtype))
    starts = [values[:4] for values in c.fit.state.intrinsics]
    if fisheye:
        flags = cv2.CALIB_RECOMPUTE_EXTRINSIC | cv2.CALIB_FIX_SKEW | cv2.CALIB_USE_INTRINSIC_GUESS
        board = [p.reshape(1, -1, 3) for p in board]
        sides = tuple([p.reshape(1, -1, 2) for p in side] for side in sides)  # type: ignore[assignment]
        lenses = [
            cv2.fisheye.calibrate(board, side, size, _K(start), np.zeros(4), flags=flags)[1:3]
            for side, size, start in zip(sides, c.sizes, starts, strict=True)
        ]
        both = cv2.fisheye.stereoCalibrate(
            board, *sides, *lenses[0], *lenses[1], c.sizes[0], flags=flags
        )
    else:
        lenses = [
            cv2.calibrateCamera(board, side, size, None, None)[1:3]  # type: ignore[call-overload]
            for side, size in zip(sides, c.sizes, strict=True)
        ]
        both = cv2.stereoCalibrate(
            board, *sides, *lenses[0], *lenses[1], c.sizes[0], flags=cv2.CALIB_USE_INTRINSIC_GUESS
        )
    _, K1, d1, K2, d2, R, t = both[:7]
    intrinsics = tuple(
        np.r_[K[0, 0], K[1, 1], K[0, 2], K[1, 2], d.ravel()] for K, d in ((K1, d1), (K2, d2))
    )
    none = np.zeros((0, 3, 3))
    model = "fisheye" if fisheye else "pinhole"
    return State((model, model), intrinsics, R, t.ravel(), none, none[:, 0], np.zeros(0))


def _K(values: Float) -> Float:  # noqa: N802
    return np.array([[values[0], 0, values[2]], [0, values[1], values[3]], [0, 0, 1]])


def common(seen: Observations) -> tuple[NDArray[np.intp], tuple[Float, Float]]:
    """Points (N,) that both cameras saw in a view, and their pixels (N, 2) in each."""
    left, right = (seen.chosen(seen.camera == side) for side in (0, 1))
    ids, a, b = np.intersect1d(left.point, right.point, return_indices=True)
    return ids, (left.pixels[a], right.pixels[b])


if __name__ == "__main__":
    main()
