"""One camera: numbers checked once, never changed.

Conventions: metres and pixels, camera axes x right, y down, z forward, the centre of the top-left
pixel is (0, 0), sizes are (width, height).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from calib.checks import Float, Size, check_matrix, checked_array, checked_points, checked_size
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

Model = Literal["pinhole", "fisheye"]

_COEFFICIENTS = {"pinhole": (0, 4, 5, 8, 12, 14), "fisheye": (0, 4)}


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
    """(3, 3) float64 camera matrix, pixels: [[fx, skew, cx], [0, fy, cy], [0, 0, 1]]."""
    distortion: Float = field(default_factory=lambda: np.zeros(0))
    """(n,) in OpenCV's order k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tau_x tau_y with n in
    0, 4, 5, 8, 12, 14 (pinhole), or k1 k2 k3 k4 with n in 0, 4 (fisheye)."""

    def __post_init__(self) -> None:
        if self.model not in get_args(Model):
            raise CameraError(f'model: expected "pinhole" or "fisheye", got {self.model!r}')
        size = checked_size(self.size)
        K = checked_array("K", self.K, (3, 3))
        distortion = checked_array("distortion", self.distortion, None)
        check_matrix(K, size)
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
        X, Y, Z = checked_points("points", points, 3).T
        with np.errstate(all="ignore"):  # what overflows is infinitely far off the image: NaN
            if self.model == "fisheye":
                uv = self._project_fisheye(X, Y, Z)
            else:
                uv = self._project_pinhole(X, Y, Z)
            pixels = uv * np.diag(self.K)[:2] + self.K[:2, 2]
            if skew := self.K[0, 1]:
                pixels[:, 0] += skew * uv[:, 1]
        return np.where(np.isfinite(pixels).all(axis=1, keepdims=True), pixels, np.nan)

    def unproject(self, pixels: ArrayLike) -> Float:
        """Unit rays (N, 3), in the camera's frame, of pixels (N, 2): the inverse of ``project``.

        Both models give rays of length 1, so that a fisheye may look beyond 90 degrees; divide
        by z for the plane at distance 1. Converged to about 1e-9 px. NaN for pixels that no ray
        reaches (outside the image circle, beyond the fold of the distortion).
        """
        uv = (checked_points("pixels", pixels, 2) - self.K[:2, 2]) / np.diag(self.K)[:2]
        if skew := self.K[0, 1]:
            uv[:, 0] -= skew / self.K[0, 0] * uv[:, 1]
        # a million focal lengths aside lies no image, only overflow
        uv = np.where((np.abs(uv) < 1e6).all(axis=1, keepdims=True), uv, np.nan)
        return (
            self._unproject_fisheye(uv) if self.model == "fisheye" else self._unproject_pinhole(uv)
        )

    def __repr__(self) -> str:
        width, height = self.size
        wide, high = np.rad2deg(self.field_of_view_rad)
        return (
            f"Camera({self.model}{len(self.distortion)}, {width}x{height}, "
            f"focal {self.K[0, 0]:.1f} px, field of view {wide:.0f}x{high:.0f} deg)"
        )

    def scaled(self, size: Size) -> Camera:
        """Return the same camera after its images are resized to (width, height).

        Pixel centres lie on integers, hence ``c' = (c + 0.5) s - 0.5``.
        """
        size = checked_size(size)
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
class CalibratedCamera:
    """One camera with what is known of it; raises CameraError for what cannot be."""

    camera: Camera
    """The lens."""
    name: str | None = field(default=None, kw_only=True)
    """Name or serial number, for people."""
    reprojection_rms_px: float | None = field(default=None, kw_only=True)
    """``sqrt(mean |e|^2)`` over all corners at calibration, px."""
    notes: Mapping[str, Any] = field(default_factory=Notes, kw_only=True)
    """Evidence as plain data (made a read-only ``Notes``): corners, residuals, covariance."""

    def __post_init__(self) -> None:
        rms = self.reprojection_rms_px
        if rms is not None and not 0 <= rms < np.inf:
            raise CameraError(f"reprojection_rms_px: expected pixels >= 0 or None, got {rms!r}")
        if self.name is not None:
            checked_text("name", self.name)
        notes = self.notes if isinstance(self.notes, Notes) else Notes(self.notes)
        object.__setattr__(self, "notes", notes)

    @property
    def usable(self) -> bool:
        """False: the calibration it came from says not to use it, as ``notes`` tell."""
        return self.notes.get("usable") is not False

    def __repr__(self) -> str:
        name = f"{self.name!r}, " if self.name else ""
        return f"CalibratedCamera({name}{self.camera})"
