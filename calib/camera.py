"""Cameras and pairs of cameras: numbers checked once, never changed.

Conventions: metres and pixels, camera axes x right, y down, z forward, the centre of the top-left
pixel is (0, 0), sizes are (width, height), and a rig's motion is ``x_right = R x_left + t`` as in
OpenCV, so a right camera at +x has ``t[0] < 0``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib.errors import CameraError
from calib.lens import (
    fisheye_distort,
    fisheye_domain,
    fisheye_undistort,
    pinhole_distort,
    pinhole_domain,
    pinhole_undistort,
    tilt_homography,
)
from calib.notes import Notes, checked_text
from calib.words import number, plain

Float = NDArray[np.float64]
Model = Literal["pinhole", "fisheye"]
Size = tuple[int, int]

_COEFFICIENTS = {"pinhole": (0, 4, 5, 8, 12, 14), "fisheye": (0, 4)}
_BASELINE_RANGE_M = (1e-3, 100.0)


@dataclass(frozen=True, eq=False, slots=True)
class Camera:
    """One camera: how rays become pixels and back.

    Raises CameraError when the numbers cannot describe a camera.
    """

    model: Model
    """Lens model: "pinhole" (OpenCV's, with distortion) or "fisheye" (OpenCV's, equidistant)."""
    size: Size
    """(width, height) of its images, pixels."""
    K: Float
    """(3, 3) float64 camera matrix, pixels, without skew."""
    distortion: Float = field(default_factory=lambda: np.zeros(0))
    """(n,) in OpenCV's order k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tau_x tau_y with n in
    0, 4, 5, 8, 12, 14 (pinhole), or k1 k2 k3 k4 with n in 0, 4 (fisheye)."""

    def __post_init__(self) -> None:
        if self.model not in get_args(Model):
            raise CameraError(f'model: expected "pinhole" or "fisheye", got {self.model!r}')
        size = _checked_size(self.size)
        K = _checked_array("K", self.K, (3, 3))
        distortion = _checked_array("distortion", self.distortion, None)
        _check_matrix(K, size)
        allowed = _COEFFICIENTS[self.model]
        if distortion.size not in allowed:
            raise CameraError(
                f"distortion: a {self.model} camera takes {', '.join(map(str, allowed))} "
                f"coefficients, got {distortion.size}"
            )
        for name, value in (("size", size), ("K", K), ("distortion", distortion)):
            object.__setattr__(self, name, value)

    @property
    def field_of_view_rad(self) -> tuple[float, float]:
        """(horizontal, vertical) angle seen along the row and column of the principal point.

        Where the lens model ends before the image does (a circular fisheye, or a fold), the
        angle ends there too.
        """
        (w, h), cx, cy = self.size, self.K[0, 2], self.K[1, 2]
        edges = np.array([[-0.5, cy], [w - 0.5, cy], [cx, -0.5], [cx, h - 0.5]])
        rays = self.unproject(edges)
        each, axis = [0, 1, 2, 3], [0, 0, 1, 1]
        angle = np.arctan2(rays[each, axis], rays[:, 2])
        outward = np.sign(edges - [cx, cy])[each, axis]
        angle = np.where(np.isnan(angle), outward * self.max_angle_rad, angle)
        return float(angle[1] - angle[0]), float(angle[3] - angle[2])

    @property
    def max_angle_rad(self) -> float:
        """Angle off the optical axis at which the lens model folds or ends; no ray beyond it."""
        if self.model == "fisheye":
            return fisheye_domain(self._coefficients(4)).limit
        return float(np.arctan(pinhole_domain(self._coefficients(12)).limit))

    def project(self, points: ArrayLike) -> Float:
        """Pixels (N, 2) at which points (N, 3), in the camera's frame, any unit, are seen.

        NaN for points the camera cannot see whatever its image size: behind a pinhole camera,
        or at ``max_angle_rad`` and beyond, where the model has no meaning. Pixels outside the
        image are returned as they are.
        """
        X, Y, Z = _checked_points("points", points, 3).T
        with np.errstate(all="ignore"):  # what overflows is infinitely far off the image: NaN
            if self.model == "fisheye":
                uv = self._project_fisheye(X, Y, Z)
            else:
                uv = self._project_pinhole(X, Y, Z)
            pixels = uv * np.diag(self.K)[:2] + self.K[:2, 2]
        return np.where(np.isfinite(pixels).all(axis=1, keepdims=True), pixels, np.nan)

    def unproject(self, pixels: ArrayLike) -> Float:
        """Unit rays (N, 3), in the camera's frame, of pixels (N, 2): the inverse of ``project``.

        Both models give rays of length 1, so that a fisheye may look beyond 90 degrees; divide
        by z for the plane at distance 1. Converged to about 1e-9 px. NaN for pixels that no ray
        reaches (outside the image circle, beyond the fold of the distortion).
        """
        uv = (_checked_points("pixels", pixels, 2) - self.K[:2, 2]) / np.diag(self.K)[:2]
        # a million focal lengths aside lies no image, only overflow
        uv = np.where((np.abs(uv) < 1e6).all(axis=1, keepdims=True), uv, np.nan)
        return (
            self._unproject_fisheye(uv) if self.model == "fisheye" else self._unproject_pinhole(uv)
        )

    def scaled(self, size: Size) -> Camera:
        """Return the same camera after its images are resized to (width, height).

        Pixel centres lie on integers, hence ``c' = (c + 0.5) s - 0.5``.
        """
        size = _checked_size(size)
        scale = np.array(size) / self.size
        K = self.K.copy()
        K[:2, :2] *= scale[:, None]
        K[:2, 2] = (self.K[:2, 2] + 0.5) * scale - 0.5
        return replace(self, size=size, K=K)

    def _coefficients(self, n: int) -> tuple[float, ...]:
        """Return the first ``n`` coefficients, missing ones being zero."""
        return tuple(np.pad(self.distortion, (0, 14))[:n].tolist())

    def _tilt(self) -> Float:
        tau_x, tau_y = self._coefficients(14)[12:]
        return tilt_homography(tau_x, tau_y)

    def _project_fisheye(self, X: Float, Y: Float, Z: Float) -> Float:
        across = np.hypot(X, Y)
        theta = np.arctan2(across, Z)
        k = self._coefficients(4)
        radius, _ = fisheye_distort(theta, k)
        seen = (theta < fisheye_domain(k).limit) & ((across > 0) | (Z > 0))
        outward = np.where(across > 0, radius / across, 0)
        return np.where(seen, [X * outward, Y * outward], np.nan).T

    def _project_pinhole(self, X: Float, Y: Float, Z: Float) -> Float:
        k = self._coefficients(12)
        x, y = X / Z, Y / Z
        u, v, _ = pinhole_distort(x, y, k)
        seen = (Z > 0) & (np.hypot(x, y) < pinhole_domain(k).limit)
        if self.distortion.size > 12:
            u, v, depth = self._tilt() @ np.array([u, v, np.ones_like(u)])
            u, v, seen = u / depth, v / depth, seen & (depth > 0)
        return np.where(seen, [u, v], np.nan).T

    def _unproject_fisheye(self, uv: Float) -> Float:
        radius = np.hypot(uv[:, 0], uv[:, 1])
        theta = fisheye_undistort(radius, self._coefficients(4))
        sideways = np.divide(np.sin(theta), radius, out=np.ones_like(radius), where=radius > 0)
        rays = np.column_stack([uv * sideways[:, None], np.cos(theta)])
        return np.where(np.isnan(theta)[:, None], np.nan, rays)

    def _unproject_pinhole(self, uv: Float) -> Float:
        u, v = uv.T
        if self.distortion.size > 12:
            u, v, depth = np.linalg.solve(self._tilt(), np.array([u, v, np.ones_like(u)]))
            with np.errstate(all="ignore"):
                u, v = np.where(depth > 0, np.array([u, v]) / depth, np.nan)
        if np.any(self.distortion[:12]):
            u, v = pinhole_undistort(u, v, self._coefficients(12))
        rays = np.column_stack([u, v, np.ones_like(u)])
        return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))


@dataclass(frozen=True, eq=False, slots=True)
class StereoRig:
    """Two cameras and the motion between them.

    Whether the pair can be rectified (side by side, left on the left) is for ``stereo.rectify``
    to say. Raises CameraError when the numbers cannot describe a rig.
    """

    left: Camera
    """The camera that depth is seen from."""
    right: Camera
    """The other one: the same ``model``; its size and lens may differ."""
    R_right_left: Float
    """(3, 3) float64 rotation in ``x_right = R x_left + t``."""
    t_right_left: Float
    """(3,) float64 metres; a right camera at +x has ``t[0] < 0``."""
    name: str | None = None
    """Name or serial number, for people."""
    reprojection_rms_px: float | None = None
    """``sqrt(mean |e|^2)`` over all corners of both cameras at calibration, px."""
    row_error_px: float | None = None
    """Mean ``|y_left - y_right|`` after rectification, on held-out corners, px."""
    notes: Mapping[str, Any] = field(default_factory=Notes)
    """Evidence as plain data (made a read-only ``Notes``): corners, residuals, versions,
    hashes; readers note here what the file did not say and they assumed."""

    def __post_init__(self) -> None:
        if self.left.model != self.right.model:
            raise CameraError(
                "both cameras must use the same lens model, got "
                f"left {self.left.model}, right {self.right.model}"
            )
        R = _checked_array("R_right_left", self.R_right_left, (3, 3))
        _check_rotation(R)
        t = _checked_array("t_right_left", self.t_right_left, (3,))
        _check_baseline(float(np.linalg.norm(t)))
        for name in ("reprojection_rms_px", "row_error_px"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < np.inf:
                raise CameraError(f"{name}: expected pixels >= 0 or None, got {value!r}")
        if self.name is not None:
            checked_text("name", self.name)
        notes = self.notes if isinstance(self.notes, Notes) else Notes(self.notes)
        for name, checked in (("R_right_left", R), ("t_right_left", t), ("notes", notes)):
            object.__setattr__(self, name, checked)

    @property
    def model(self) -> Model:
        """Lens model of both cameras."""
        return self.left.model

    @property
    def baseline_m(self) -> float:
        """Distance between the two camera centres, metres."""
        return float(np.linalg.norm(self.t_right_left))

    @property
    def right_center_m(self) -> Float:
        """(3,) centre of the right camera in the left camera's frame, metres: ``-R^T t``.

        Its largest component says how the cameras stand: +x side by side, -x swapped, y vertical.
        """
        return np.asarray(-self.R_right_left.T @ self.t_right_left)

    def scaled(self, size: Size) -> StereoRig:
        """Return the same rig after the images of both cameras are resized to (width, height)."""
        return replace(self, left=self.left.scaled(size), right=self.right.scaled(size))


@dataclass(frozen=True, slots=True)
class RectifiedRig:
    """What remains of a rig when a file holds only its rectified geometry.

    ``Z = focal_px * baseline_m / (disparity + doffs_px)``. Raises CameraError when the numbers
    cannot describe a rig.
    """

    size: Size | None
    """(width, height) of the images, pixels; None: the file does not say."""
    focal_px: float
    """Focal length of both rectified cameras, pixels."""
    baseline_m: float
    """Distance between the camera centres, metres, > 0."""
    cx_left_px: float
    """Column of the left principal point, pixels."""
    cx_right_px: float
    """Column of the right principal point, pixels."""
    cy_px: float
    """Row of both principal points, pixels."""
    num_disparities: int | None = None
    """How many disparities, from 0, the file says are enough; None: it does not say."""

    def __post_init__(self) -> None:
        if not 1 <= self.focal_px < np.inf:
            raise CameraError(f"focal_px: expected pixels >= 1, got {self.focal_px!r}")
        _check_baseline(self.baseline_m)
        for name in ("cx_left_px", "cx_right_px", "cy_px"):
            if not np.isfinite(getattr(self, name)):
                raise CameraError(f"{name}: expected pixels, got {getattr(self, name)!r}")
        if self.size is not None:
            object.__setattr__(self, "size", _checked_size(self.size))
        if self.num_disparities is not None and self.num_disparities < 1:
            raise CameraError(f"num_disparities: expected at least 1, got {self.num_disparities}")

    @property
    def doffs_px(self) -> float:
        """``cx_right - cx_left``, pixels."""
        return self.cx_right_px - self.cx_left_px

    def scaled(self, size: Size) -> RectifiedRig:
        """Return the same rig after resizing to (width, height).

        Raises CameraError when its own size is unknown or the aspect ratio is another one.
        """
        if self.size is None:
            raise CameraError("cannot scale a rectified rig whose image size is unknown")
        size = _checked_size(size)
        sx, sy = size[0] / self.size[0], size[1] / self.size[1]
        if abs(sx / sy - 1) > 0.01:  # whole pixels do not always divide evenly
            raise CameraError(
                f"size: {size[0]}x{size[1]} has another aspect ratio than "
                f"{self.size[0]}x{self.size[1]}; a rectified rig has one focal length"
            )
        disparities = self.num_disparities
        return replace(
            self,
            size=size,
            focal_px=self.focal_px * sx,
            cx_left_px=(self.cx_left_px + 0.5) * sx - 0.5,
            cx_right_px=(self.cx_right_px + 0.5) * sx - 0.5,
            cy_px=(self.cy_px + 0.5) * sy - 0.5,
            num_disparities=None if disparities is None else int(np.ceil(disparities * sx)),
        )


# -- checks ----------------------------------------------------------------------------------


def _checked_array(name: str, value: ArrayLike, shape: tuple[int, ...] | None) -> Float:
    """Return a read-only float64 copy of the wanted shape (None: a vector of any length)."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise CameraError(f"{name}: expected numbers, got {value!r:.200}") from error
    if array.ndim != 1 if shape is None else array.shape != shape:
        raise CameraError(f"{name}: expected shape {shape or '(n,)'}, got {array.shape}")
    if not np.isfinite(array).all():
        raise CameraError(f"{name}: expected finite numbers, got {array.tolist()}")
    array.flags.writeable = False
    return array


def _checked_points(name: str, value: ArrayLike, columns: int) -> Float:
    array = np.asarray(value, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != columns:
        raise CameraError(f"{name}: expected shape (N, {columns}), got {array.shape}")
    return array


def _checked_size(size: Any) -> Size:
    try:
        given = tuple(size)
        whole = tuple(int(n) for n in given)
    except (TypeError, ValueError, OverflowError):
        given = whole = ()
    if len(whole) != 2 or whole != given or min(whole) < 1:
        raise CameraError(f"size: expected (width, height) in whole pixels > 0, got {size!r}")
    return whole[0], whole[1]


def _check_matrix(K: Float, size: Size) -> None:
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    if not np.array_equal(K[2], [0, 0, 1]) or K[1, 0] != 0:
        raise CameraError(f"K: expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], got {K.tolist()}")
    if fx < 1 or fy < 1:
        raise CameraError(
            "K: focal lengths must be in pixels and at least 1, "
            f"got fx {number(fx)}, fy {number(fy)}"
        )
    if K[0, 1] != 0:
        raise CameraError(
            f"K: skew {number(K[0, 1])} is not supported; calibrate again with the skew fixed at 0"
        )
    for name, c, extent in (("cx", cx, size[0]), ("cy", cy, size[1])):
        if not -extent <= c <= 2 * extent:  # a cropped image may lose its principal point
            raise CameraError(
                f"K: {name} = {number(c)} is far outside an image of {size[0]}x{size[1]} pixels; "
                "is the image size that of the calibration?"
            )


def _check_rotation(R: Float) -> None:
    off = float(np.abs(R @ R.T - np.eye(3)).max())
    if not off <= 1e-6 or np.linalg.det(R) < 0:
        what = (
            "it mirrors" if off <= 1e-6 else f"R R^T is off the identity by up to {number(off, 2)}"
        )
        raise CameraError(f"R_right_left: expected a rotation matrix within 1e-6, but {what}")


def _check_baseline(baseline_m: float) -> None:
    low, high = _BASELINE_RANGE_M
    if not low <= baseline_m <= high:  # also catches NaN
        raise CameraError(
            f"the baseline is {plain(baseline_m, 9)} m; expected {plain(low)} to {plain(high)} m. "
            "Lengths here are metres: were millimetres or board squares given, or the reverse?"
        )
