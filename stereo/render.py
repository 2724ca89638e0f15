"""Draw a point cloud into a picture without any graphics system: works on every headless box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stereo.cloud import PointCloud
from stereo.errors import InputError

BACKGROUND = (24, 26, 30)


def render_cloud(
    cloud: PointCloud,
    *,
    size: tuple[int, int] = (1280, 800),
    yaw_deg: float = 14.0,
    pitch_deg: float = 8.0,
) -> NDArray[np.uint8]:
    """Return an (H, W, 3) RGB picture of the cloud, orbited about its middle.

    ``yaw_deg`` moves the eye to the right and ``pitch_deg`` up, both about the median point; 0, 0
    looks from the camera that took it. Nearer points hide farther ones (z-buffer). Raises
    InputError for an empty cloud.
    """
    if len(cloud) == 0:
        raise InputError("the cloud holds no points; nothing to draw")
    points = cloud.points.astype(np.float64)
    middle = np.median(points, axis=0)
    seen = (points - middle) @ _turn(yaw_deg, pitch_deg).T
    distance = max(float(middle[2]), 1e-6)
    z = seen[:, 2] + distance * 1.15  # a step back, so that the turned cloud stays in view
    front = z > 0.05 * distance
    seen, z, colors = seen[front], z[front], cloud.colors[front]
    plane = seen[:, :2] / z[:, None]
    low, high = np.quantile(plane, [0.01, 0.99], axis=0)
    focal = float(np.min(0.94 * np.array(size) / np.maximum(high - low, 1e-9)))
    center = np.array(size) / 2 - focal * (low + high) / 2
    u, v = np.rint(focal * plane + center).astype(np.int64).T
    return _splat(u, v, z, colors, size)


def _turn(yaw_deg: float, pitch_deg: float) -> NDArray[np.float64]:
    yaw, pitch = np.deg2rad([yaw_deg, pitch_deg])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]]
    )
    return np.asarray(about_x @ about_y)


def _splat(
    u: NDArray[np.int64],
    v: NDArray[np.int64],
    z: NDArray[np.float64],
    colors: NDArray[np.uint8],
    size: tuple[int, int],
) -> NDArray[np.uint8]:
    """Paint far points first; each covers 2x2 pixels so that surfaces close up."""
    width, height = size
    picture = np.full((height, width, 3), BACKGROUND, np.uint8)
    order = np.argsort(-z, kind="stable")
    columns = (u[order, None] + np.array([0, 1, 0, 1])).ravel()
    rows = (v[order, None] + np.array([0, 0, 1, 1])).ravel()
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    # where indices repeat, numpy keeps the last: the nearest point
    picture[rows[inside], columns[inside]] = np.repeat(colors[order], 4, axis=0)[inside]
    return picture
