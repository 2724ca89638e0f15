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
Views = tuple[tuple[Camera, Matrix], tuple[Camera, Matrix]]

_COMMON_RAY_RAD = np.deg2rad(60.0)
"""With alpha 0, rays farther from the axis are left out: a flat image stretches what a fisheye
sees there by more than 4 and would shrink its middle to pay for it."""
_FARTHEST_RAY_RAD = np.deg2rad(75.0)
"""The same with alpha 1: at 75 degrees the stretch is 15, and there is no end to it."""


def common_intrinsics(views: Views, out: Size, alpha: float) -> Matrix:
    """Return K (3, 3) of both rectified images of size ``out`` (width, height).

    ``views`` are the cameras with the rotations into the rectified axes. Raises CameraError
    when they see nothing in common.
    """
    inner = _inner_box(views, out)
    outer = _outer_box([_border(camera, R, _FARTHEST_RAY_RAD) for camera, R in views])
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

    Left is what lies left after rectification, which turns the images of some rigs. Where the lens
    does not reach the border (a fisheye's circle), or the ray lies more than ``farthest_rad`` off
    the axis, the nearest one inside counts.
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
    sides = tangents.reshape(4, samples, 2)
    around = (0, 2, 1, 3)  # left, top, right, bottom: a turn moves them on
    first = min(range(4), key=lambda k: float(np.nanmean(sides[around[k], :, 0])))
    left, top, right, bottom = (around[(first + k) % 4] for k in range(4))
    return sides[[left, right, top, bottom]]


def _inner_box(views: Views, out: Size) -> NDArray[np.float64]:
    """((x, y) low, (x, y) high) of a box that lies inside both images, as large as it can be."""
    borders = [_border(camera, R, _COMMON_RAY_RAD) for camera, R in views]
    low = np.max([[np.nanmax(b[0, :, 0]), np.nanmax(b[2, :, 1])] for b in borders], axis=0)
    high = np.min([[np.nanmin(b[1, :, 0]), np.nanmin(b[3, :, 1])] for b in borders], axis=0)
    pixels = np.array(out, float) - 1
    radius = float(np.min((high - low) / pixels)) / 2
    middle = (low + high) / 2
    if radius <= 0:
        middle = np.nanmean(np.concatenate([b.reshape(-1, 2) for b in borders]), axis=0)
    if not all(_sees(camera, np.append(middle, 1) @ R) for camera, R in views):
        raise CameraError(
            "the two cameras have no common field of view after rectification; check the "
            "calibration's rotation"
        )
    # of images that rectification rolls, as those of a rig at 45 degrees, borders run askew
    dense = [_border(camera, R, _COMMON_RAY_RAD, samples=129) for camera, R in views]
    askew, at = _largest_around(middle / pixels, np.concatenate(dense).reshape(-1, 2) / pixels)
    if 0.8 * askew > radius:
        return np.asarray(np.stack([at - askew, at + askew]) * pixels)
    return np.stack([low, high])


def _sees(camera: Camera, ray: NDArray[np.float64]) -> bool:
    pixel = camera.project(ray[None])[0]
    return bool(np.all((pixel > -0.5) & (pixel < np.array(camera.size) - 0.5)))


def _largest_around(
    center: NDArray[np.float64], border: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Half the side of the largest square that no border point (N, 2) lies in, and its centre,
    walked to from a ``center`` within the border.
    """

    def free(at: NDArray[np.float64]) -> float:
        return float(np.nanmin(np.abs(border - at).max(axis=1)))

    ways = np.array([[x, y] for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y])
    best, step = free(center), 0.5
    while step > 1e-3:
        found = [free(center + step * best * way) for way in ways]
        if max(found) > best:
            center = center + step * best * ways[int(np.argmax(found))]
            best = max(found)
        else:
            step /= 2
    return best, center


def _outer_box(borders: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """((x, y) low, (x, y) high) of the box around all images."""
    every = np.concatenate([b.reshape(-1, 2) for b in borders])
    return np.stack([np.nanmin(every, axis=0), np.nanmax(every, axis=0)])
