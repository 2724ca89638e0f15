"""The camera that both rectified images share: its focal length and principal point.

``alpha`` chooses between "only pixels that both cameras see" (0) and "every pixel that either
camera sees" (1), as in OpenCV.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.camera import Camera
from calib.errors import CameraError

Matrix = NDArray[np.float64]
Size = tuple[int, int]

_COMMON_RAY_RAD = np.deg2rad(60.0)
"""With alpha 0, rays farther from the axis are left out: a flat image stretches what a fisheye
sees there by more than 4 and would shrink its middle to pay for it."""
_FARTHEST_RAY_RAD = np.deg2rad(75.0)
"""The same with alpha 1: at 75 degrees the stretch is 15, and there is no end to it."""


def common_intrinsics(
    views: tuple[tuple[Camera, Matrix], tuple[Camera, Matrix]], out: Size, alpha: float
) -> Matrix:
    """Return K (3, 3) of both rectified images of size ``out`` (width, height).

    ``views`` are the cameras with the rotations into the rectified axes. Raises CameraError
    when they see nothing in common.
    """
    inner = _inner_box([_border(camera, R, _COMMON_RAY_RAD) for camera, R in views])
    outer = _outer_box([_border(camera, R, _FARTHEST_RAY_RAD) for camera, R in views])
    if np.any(inner[1] <= inner[0]):
        raise CameraError(
            "the two cameras have no common field of view after rectification; check the "
            "calibration's rotation"
        )
    pixels = np.array(out, float) - 1  # from the first pixel's centre to the last one's
    f_inner = np.max(pixels / (inner[1] - inner[0]))
    f_outer = np.min(pixels / (outer[1] - outer[0]))
    focal = (1 - alpha) * f_inner + alpha * f_outer
    middle = (1 - alpha) * inner.mean(axis=0) + alpha * outer.mean(axis=0)
    center = pixels / 2 - focal * middle
    return np.array([[focal, 0, center[0]], [0, focal, center[1]], [0, 0, 1]])


def _border(
    camera: Camera, R: Matrix, farthest_rad: float, *, samples: int = 33
) -> NDArray[np.float64]:
    """(4, samples, 2) tangents of the rectified rays along the left, right, top, bottom border.

    Where the lens does not reach the border (a fisheye's circle), or the ray lies more than
    ``farthest_rad`` off the axis, the nearest one inside counts.
    """
    width, height = camera.size
    xs, ys = np.linspace(0, width - 1, samples), np.linspace(0, height - 1, samples)
    zeros = np.zeros(samples)
    edges = np.stack(
        [
            np.column_stack([zeros, ys]),
            np.column_stack([zeros + width - 1, ys]),
            np.column_stack([xs, zeros]),
            np.column_stack([xs, zeros + height - 1]),
        ]
    ).reshape(-1, 2)
    center = camera.K[:2, 2]
    tangents = np.full(edges.shape, np.nan)
    for shrink in np.linspace(1.0, 0.05, 96):
        missing = np.isnan(tangents[:, 0])
        if not missing.any():
            break
        rays = camera.unproject(center + shrink * (edges[missing] - center)) @ R.T
        inside = rays[:, 2] > np.cos(farthest_rad) * np.linalg.norm(rays, axis=1)
        tangents[missing] = np.where(inside[:, None], rays[:, :2] / rays[:, 2:], np.nan)
    return tangents.reshape(4, samples, 2)


def _inner_box(borders: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """((x, y) low, (x, y) high) of a box that lies inside all images."""
    low = np.max([[np.nanmax(b[0, :, 0]), np.nanmax(b[2, :, 1])] for b in borders], axis=0)
    high = np.min([[np.nanmin(b[1, :, 0]), np.nanmin(b[3, :, 1])] for b in borders], axis=0)
    return np.stack([low, high])


def _outer_box(borders: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """((x, y) low, (x, y) high) of the box around all images."""
    every = np.concatenate([b.reshape(-1, 2) for b in borders])
    return np.stack([np.nanmin(every, axis=0), np.nanmax(every, axis=0)])
