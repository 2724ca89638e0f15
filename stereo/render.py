"""Draw a point cloud into a picture without any graphics system: works on every headless box.

The camera that the picture is seen with is also that of the window (``stereo.viewers.show``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stereo.cloud import PointCloud
from stereo.errors import InputError

BACKGROUND = (24, 26, 30)
_OUTERMOST = 0.01
"""Share of the points at each end, across and along the picture, that does not decide framing."""
_FILLED = 0.94  # of the picture, by what decides framing
_WIDEST = np.tan(np.deg2rad(40))
_OUTSIDE = 1e9  # metres and pixels beyond which nothing is drawn
"""Half the widest field of view, as tangent."""


@dataclass(frozen=True, eq=False, slots=True)
class CloudView:
    """A pinhole camera that frames a cloud; its principal point is the middle of the picture."""

    R_view_cloud: NDArray[np.float64]
    """(3, 3) from the cloud's axes into the camera's (x right, y down, z forward)."""
    t_view_cloud_m: NDArray[np.float64]
    """(3,) ``x_view = R x_cloud + t``, metres."""
    focal_px: float
    """Focal length, pixels."""
    size: tuple[int, int]
    """(width, height) of the picture, pixels."""
    far_m: float
    """Points that lie farther along the axis are far out: they did not decide the framing."""

    def seen(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (N, 3) points of the cloud in the camera's axes, metres."""
        return np.asarray(points @ self.R_view_cloud.T + self.t_view_cloud_m)


def frame_cloud(
    cloud: PointCloud,
    *,
    size: tuple[int, int] = (1280, 800),
    yaw_deg: float = 14.0,
    pitch_deg: float = 8.0,
) -> CloudView:
    """Return the camera that ``render_cloud`` uses: it orbits the median point.

    ``yaw_deg`` moves the eye to the right and ``pitch_deg`` up; 0, 0 looks from the camera that
    took the cloud. A few points far out do not count. Raises InputError for an empty cloud.
    """
    points = cloud.points[_drawn(cloud)].astype(np.float64)
    if len(points) == 0:
        raise InputError("the cloud holds no points; nothing to draw")
    middle = np.median(points, axis=0)
    turn = _turn(yaw_deg, pitch_deg)
    distance = max(float(middle[2]), 1e-6)
    step = np.array([0, 0, distance * 1.15])  # a step back, so that the turned cloud stays in view
    seen = (points - middle) @ turn.T + step
    low, high = _extent(seen, distance)
    aim = _towards(*(low + high) / 2)  # then the principal point can be the middle
    seen = seen @ aim.T
    low, high = _extent(seen, distance)
    widest = np.maximum(np.maximum(np.abs(low), np.abs(high)), 1e-9)
    focal = float(np.min(_FILLED / 2 * np.array(size) / widest))
    focal = max(focal, max(size) / 2 / _WIDEST)
    far = 3 * float(np.quantile(seen[:, 2], 1 - _OUTERMOST))
    R = aim @ turn
    return CloudView(R, aim @ step - R @ middle, focal, size, far)


def _drawn(cloud: PointCloud) -> NDArray[np.bool_]:
    """Which points are somewhere: another program's file may hold others."""
    return np.asarray((np.abs(cloud.points) < _OUTSIDE).all(axis=1))


def _extent(
    seen: NDArray[np.float64], distance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(x, y) over z of what lies before the camera, without the outermost: lowest, highest."""
    front = seen[seen[:, 2] > 0.05 * distance]
    if not len(front):
        return np.zeros(2), np.zeros(2)
    low, high = np.quantile(front[:, :2] / front[:, 2:], [_OUTERMOST, 1 - _OUTERMOST], axis=0)
    return low, high


def _towards(x: float, y: float) -> NDArray[np.float64]:
    """The rotation that brings the direction (x, y, 1) onto the axis, without a roll."""
    z_axis = np.array([x, y, 1]) / np.linalg.norm([x, y, 1])
    x_axis = np.cross([0, 1, 0], z_axis)
    x_axis /= np.linalg.norm(x_axis)
    return np.stack([x_axis, np.cross(z_axis, x_axis), z_axis])


def render_cloud(
    cloud: PointCloud,
    *,
    size: tuple[int, int] = (1280, 800),
    yaw_deg: float = 14.0,
    pitch_deg: float = 8.0,
) -> NDArray[np.uint8]:
    """Return an (H, W, 3) RGB picture of the cloud, seen as ``frame_cloud`` says.

    Nearer points hide farther ones (z-buffer). Raises InputError for an empty cloud.
    """
    view = frame_cloud(cloud, size=size, yaw_deg=yaw_deg, pitch_deg=pitch_deg)
    drawn = _drawn(cloud)
    seen, colors = view.seen(cloud.points[drawn].astype(np.float64)), cloud.colors[drawn]
    front = seen[:, 2] > max(0.01 * view.far_m / 3, 0.0)
    seen, z, colors = seen[front], seen[front, 2], colors[front]
    center = (np.array(size) - 1) / 2
    pixels = np.rint(view.focal_px * seen[:, :2] / z[:, None] + center)
    u, v = np.clip(pixels, -_OUTSIDE, _OUTSIDE).astype(np.int64).T
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
