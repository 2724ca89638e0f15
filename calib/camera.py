"""Cameras and stereo rigs: frozen, validated, with exact projection and its exact inverse.

Models and coefficient order are OpenCV's: ``pinhole`` with 0, 4, 5, 8, 12 or 14 coefficients
(k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tau_x tau_y; Brown 1966, rational, thin prism, tilted sensor)
and ``fisheye`` with 0 or 4 (Kannala and Brandt 2006). Unlike OpenCV, a ray that the polynomial
folds back into the image is reported as unseen (NaN), and the inverse is iterated until it is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

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

Array = NDArray[np.float64]
Size = tuple[int, int]
Model = Literal["pinhole", "fisheye"]

COEFFICIENTS: dict[str, tuple[int, ...]] = {"pinhole": (0, 4, 5, 8, 12, 14), "fisheye": (0, 4)}
"""model -> the numbers of distortion coefficients it can have."""


@dataclass(frozen=True, eq=False, slots=True)
class Camera:
    """One camera: image size, intrinsics and lens. Raises CameraError for impossible numbers."""

    model: Model
    """Lens model: "pinhole" or "fisheye"."""
    size: Size
    """(width, height) of its images, px."""
    K: Array
    """(3, 3) intrinsics, px: focal lengths on the diagonal, principal point in the last column."""
    distortion: Array = field(default_factory=lambda: np.zeros(0))
    """(n,) coefficients in OpenCV's order; n as in ``COEFFICIENTS``."""

    def __post_init__(self) -> None:
        if self.model not in COEFFICIENTS:
            raise CameraError(
                f"camera model must be one of {', '.join(COEFFICIENTS)}, got {self.model!r}"
            )
        object.__setattr__(self, "size", _checked_size(self.size))
        K = _checked_array("K", self.K, (3, 3))
        distortion = _checked_array("distortion", self.distortion, None)
        counts = COEFFICIENTS[self.model]
        if distortion.ndim != 1 or len(distortion) not in counts:
            raise CameraError(
                f"distortion: a {self.model} camera has {', '.join(map(str, counts))} coefficients, "
                f"got shape {distortion.shape}"
            )
        _check_intrinsics(K, self.size)
        for name, array in (("K", K), ("distortion", distortion)):
            object.__setattr__(self, name, _frozen(array))

    @property
    def focal_px(self) -> tuple[float, float]:
        """Horizontal and vertical focal length, px."""
        return float(self.K[0, 0]), float(self.K[1, 1])

    def project(self, points: ArrayLike) -> Array:
        """Return the (N, 2) pixels at which (N, 3) points in camera axes appear.

        NaN for points behind the camera and for rays outside what the lens model can describe.
        """
        points = _rows(points, 3, "points")
        focal, center = np.array(self.focal_px), self.K[:2, 2]
        move = _fisheye_image if self.model == "fisheye" else _pinhole_image
        return move(points, self.distortion) * focal + center

    def unproject(self, pixels: ArrayLike) -> Array:
        """Return the (N, 3) unit rays in camera axes that (N, 2) pixels see.

        The exact inverse of ``project``; NaN for pixels that no ray reaches.
        """
        pixels = _rows(pixels, 2, "pixels")
        plane = (pixels - self.K[:2, 2]) / np.array(self.focal_px)
        see = _fisheye_rays if self.model == "fisheye" else _pinhole_rays
        return see(plane, self.distortion)

    def scaled(self, size: Size) -> Camera:
        """Return this camera for images resized to ``size``: ``c' = (c + 0.5) s - 0.5``."""
        width, height = _checked_size(size)
        sx, sy = width / self.size[0], height / self.size[1]
        K = np.array(
            [
                [self.K[0, 0] * sx, 0, (self.K[0, 2] + 0.5) * sx - 0.5],
                [0, self.K[1, 1] * sy, (self.K[1, 2] + 0.5) * sy - 0.5],
                [0, 0, 1],
            ]
        )
        return replace(self, size=(width, height), K=K)

    @property
    def field_of_view_rad(self) -> tuple[float, float]:
        """Horizontal and vertical angle between the outermost rays through the image's middle.

        Where the lens does not reach the border, to the last pixel it reaches.
        """
        width, height = self.size
        columns = np.column_stack([np.arange(width), np.full(width, (height - 1) / 2)])
        rows = np.column_stack([np.full(height, (width - 1) / 2), np.arange(height)])
        return self._angle(columns), self._angle(rows)

    def _angle(self, pixels: Array) -> float:
        rays = self.unproject(pixels)
        rays = rays[np.isfinite(rays[:, 0])]
        if len(rays) == 0:
            return float("nan")
        axis = rays[:, :2] @ (pixels[-1] - pixels[0]) / np.linalg.norm(pixels[-1] - pixels[0])
        angles = np.arctan2(axis, rays[:, 2])
        return float(angles[-1] - angles[0])


@dataclass(frozen=True, eq=False, slots=True)
class StereoRig:
    """Two cameras and how they stand to each other: ``x_right = R x_left + t``.

    Raises CameraError when R is no rotation or t no baseline.
    """

    left: Camera
    """The left camera."""
    right: Camera
    """The right camera."""
    R_right_left: Array
    """(3, 3) rotation from left to right camera axes."""
    t_right_left: Array
    """(3,) metres; a right camera at +x has a negative first entry."""
    length_unit: str = "m"
    """"m", or "unknown" when only ratios of lengths are known (then a metre stands for one unit)."""
    reprojection_rms_px: float | None = None
    """Joint ``sqrt(mean |e|^2)`` over the calibration's points, px."""
    row_error_px: float | None = None
    """Mean |y_left - y_right| after rectification on held-out corners, px."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Evidence and provenance: plain dicts, lists, numbers and strings."""

    def __post_init__(self) -> None:
        R = _checked_array("R_right_left", self.R_right_left, (3, 3))
        t = _checked_array("t_right_left", self.t_right_left, (3,))
        off = float(np.abs(R @ R.T - np.eye(3)).max())
        if off > 1e-4 or np.linalg.det(R) < 0:
            raise CameraError(
                f"R_right_left is no rotation: R R^T differs from the identity by {off:.2g}, "
                f"determinant {np.linalg.det(R):.4f}"
            )
        length = float(np.linalg.norm(t))
        if self.length_unit not in ("m", "unknown"):
            raise CameraError(f'length_unit must be "m" or "unknown", got {self.length_unit!r}')
        if length == 0 or (self.length_unit == "m" and not 1e-3 <= length <= 100):
            raise CameraError(
                f"t_right_left: a baseline of {length:g} m is not between 1 mm and 100 m; "
                "is the length in millimetres or centimetres? (metres are expected)"
            )
        for name in ("reprojection_rms_px", "row_error_px"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < np.inf:
                raise CameraError(f"{name} must be a number of pixels, got {value}")
        object.__setattr__(self, "R_right_left", _frozen(R))
        object.__setattr__(self, "t_right_left", _frozen(t))
        object.__setattr__(self, "notes", MappingProxyType(dict(self.notes)))

    @property
    def baseline_m(self) -> float:
        """Distance between the two camera centres, metres."""
        return float(np.linalg.norm(self.t_right_left))

    def scaled(self, size: Size) -> StereoRig:
        """Return this rig for images resized to ``size`` (both cameras)."""
        return replace(self, left=self.left.scaled(size), right=self.right.scaled(size))


@dataclass(frozen=True, slots=True)
class RectifiedRig:
    """A calibration of images that are rectified already. Raises CameraError."""

    size: Size | None
    """(width, height) of the images, px; None: not stated."""
    focal_px: float
    """Common focal length, px."""
    baseline_m: float
    """Distance between the cameras, metres."""
    cx_left_px: float
    """Column of the left principal point."""
    cx_right_px: float
    """Column of the right principal point."""
    cy_px: float
    """Row of both principal points."""
    num_disparities: int | None = None
    """Upper bound of the disparities, px, where the file states one."""

    def __post_init__(self) -> None:
        if self.size is not None:
            object.__setattr__(self, "size", _checked_size(self.size))
        if not 1 <= self.focal_px <= 1e6:
            raise CameraError(f"focal length must be 1 to 1e6 px, got {self.focal_px}")
        if not 1e-3 <= self.baseline_m <= 100:
            raise CameraError(
                f"a baseline of {self.baseline_m:g} m is not between 1 mm and 100 m; check the unit"
            )
        if not np.all(np.isfinite([self.cx_left_px, self.cx_right_px, self.cy_px])):
            raise CameraError("principal points must be finite")

    def scaled(self, size: Size) -> RectifiedRig:
        """Return this calibration for images resized to ``size``: ``c' = (c + 0.5) s - 0.5``.

        Raises CameraError when the original size is unknown or the aspect ratio differs.
        """
        if self.size is None:
            raise CameraError("cannot rescale a calibration that does not state its image size")
        width, height = _checked_size(size)
        s = width / self.size[0]
        if abs(height / self.size[1] / s - 1) > 0.01:
            raise CameraError(
                f"{width}x{height} has another aspect ratio than the calibration's "
                f"{self.size[0]}x{self.size[1]}"
            )
        disparities = self.num_disparities and int(np.ceil(self.num_disparities * s))
        return RectifiedRig(
            (width, height),
            self.focal_px * s,
            self.baseline_m,
            (self.cx_left_px + 0.5) * s - 0.5,
            (self.cx_right_px + 0.5) * s - 0.5,
            (self.cy_px + 0.5) * s - 0.5,
            disparities,
        )


# --- checks -------------------------------------------------------------------------------------


def _checked_size(size: Any) -> Size:
    try:
        width, height = (int(side) for side in size)
        whole = (width, height) == tuple(size)
    except (TypeError, ValueError):
        whole = False
    if not whole or not (0 < width <= 65536 and 0 < height <= 65536):
        raise CameraError(f"size must be (width, height) in whole pixels up to 65536, got {size!r}")
    return width, height


def _checked_array(name: str, value: Any, shape: tuple[int, ...] | None) -> Array:
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError) as error:
        raise CameraError(f"{name}: expected numbers, got {value!r:.80}") from error
    if shape is not None and array.shape != shape:
        raise CameraError(f"{name}: expected shape {shape}, got {array.shape}")
    if not np.all(np.isfinite(array)):
        raise CameraError(f"{name}: all numbers must be finite")
    return array


def _check_intrinsics(K: Array, size: Size) -> None:
    if K[1, 0] or K[2, 0] or K[2, 1] or K[2, 2] != 1 or K[0, 1]:
        raise CameraError(
            f"K: expected [[fx 0 cx] [0 fy cy] [0 0 1]] without skew, got {K.tolist()}"
        )
    for name, focal in (("fx", K[0, 0]), ("fy", K[1, 1])):
        if not 1 <= focal <= 1e6:
            raise CameraError(f"K: focal length {name} must be 1 to 1e6 px, got {focal:g}")
    for name, center, side in (("cx", K[0, 2], size[0]), ("cy", K[1, 2], size[1])):
        if not -side <= center <= 2 * side:
            raise CameraError(
                f"K: principal point {name} = {center:g} lies far outside an image of {side} px; "
                "is the image size right?"
            )


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array


def _rows(values: ArrayLike, columns: int, name: str) -> Array:
    array = np.asarray(values, np.float64)
    if array.ndim != 2 or array.shape[1] != columns:
        raise CameraError(f"{name}: expected shape (N, {columns}), got {array.shape}")
    return array


# --- lenses: rays to normalised image coordinates and back ---------------------------------------


def _padded(distortion: Array, count: int) -> tuple[float, ...]:
    return tuple(np.pad(distortion, (0, count - len(distortion))).tolist())


def _pinhole_image(points: Array, distortion: Array) -> Array:
    *k, tau_x, tau_y = _padded(distortion, 14)
    with np.errstate(all="ignore"):
        x, y = points[:, 0] / points[:, 2], points[:, 1] / points[:, 2]
        seen = (points[:, 2] > 0) & (np.hypot(x, y) < pinhole_domain(tuple(k)).limit)
        u, v, _ = pinhole_distort(x, y, tuple(k))
    plane = np.column_stack([u, v])
    plane[~seen] = np.nan
    return _apply(tilt_homography(tau_x, tau_y), plane) if tau_x or tau_y else plane


def _pinhole_rays(plane: Array, distortion: Array) -> Array:
    *k, tau_x, tau_y = _padded(distortion, 14)
    if tau_x or tau_y:
        plane = _apply(np.linalg.inv(tilt_homography(tau_x, tau_y)), plane)
    x, y = pinhole_undistort(plane[:, 0], plane[:, 1], tuple(k))
    rays = np.column_stack([x, y, np.ones(len(plane))])
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def _apply(homography: Array, plane: Array) -> Array:
    moved = np.column_stack([plane, np.ones(len(plane))]) @ homography.T
    return moved[:, :2] / moved[:, 2:]


def _fisheye_image(points: Array, distortion: Array) -> Array:
    k = _padded(distortion, 4)
    side = np.hypot(points[:, 0], points[:, 1])
    theta = np.arctan2(side, points[:, 2])
    radius, _ = fisheye_distort(theta, k)
    gain = np.divide(radius, side, out=np.zeros_like(side), where=side > 0)
    plane = points[:, :2] * gain[:, None]
    plane[theta >= fisheye_domain(k).limit] = np.nan  # straight behind: theta is pi
    return plane


def _fisheye_rays(plane: Array, distortion: Array) -> Array:
    radius = np.hypot(plane[:, 0], plane[:, 1])
    theta = fisheye_undistort(radius, _padded(distortion, 4))
    gain = np.divide(np.sin(theta), radius, out=np.zeros_like(radius), where=radius > 0)
    return np.column_stack([plane * gain[:, None], np.cos(theta)])
