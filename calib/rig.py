"""Pairs of cameras: numbers checked once, never changed.

A rig's motion is ``x_right = R x_left + t`` as in OpenCV, so a right camera at +x has ``t[0] < 0``;
metres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from calib.camera import Camera, Model
from calib.checks import Float, Size, check_baseline, check_rotation, checked_array, checked_size
from calib.errors import CameraError
from calib.notes import Notes, checked_text
from calib.units import METRES_PER

_LONGEST_LIKELY_M = 5.0  # a longer baseline is rather one in millimetres


class OpenCvRig(NamedTuple):
    """A rig as OpenCV's functions take it, in the order of ``cv2.stereoRectify``."""

    K1: Float
    """(3, 3) pixels, left."""
    D1: Float
    """(n,) distortion, left."""
    K2: Float
    """(3, 3) pixels, right."""
    D2: Float
    """(n,) distortion, right."""
    R: Float
    """(3, 3) in ``x_right = R x_left + T``."""
    T: Float
    """(3, 1) metres."""
    size: Size
    """(width, height) of the left camera's images."""


class Moved(NamedTuple):
    """How the right camera stands to the left one, compared with before."""

    rotation_deg: float
    """Angle between the two rotations."""
    distance_m: float
    """Between the two places of its centre in the left camera's frame, metres."""


@dataclass(frozen=True, eq=False, slots=True)
class StereoRig:
    """Two cameras and the motion between them; they may differ in lens model and image size.

    Whether the pair can be rectified (neither swapped nor one in front of the other) is for
    ``stereo.rectify`` to say. Raises CameraError when the numbers cannot describe a rig.
    """

    left: Camera
    """The camera that depth is seen from."""
    right: Camera
    """The other one."""
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
        R = checked_array("R_right_left", self.R_right_left, (3, 3))
        check_rotation(R)
        t = checked_array("t_right_left", self.t_right_left, (3,))
        check_baseline(float(np.linalg.norm(t)))
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
    def usable(self) -> bool:
        """False: the calibration it came from says not to use it, as ``notes`` tell."""
        return self.notes.get("usable") is not False

    @property
    def baseline_m(self) -> float:
        """Distance between the two camera centres, metres."""
        return float(np.linalg.norm(self.t_right_left))

    @property
    def right_center_m(self) -> Float:
        """(3,) centre of the right camera in the left camera's frame, metres: ``-R^T t``.

        Its largest component says how the cameras stand: +x side by side, -x swapped, y one above
        the other.
        """
        return np.asarray(-self.R_right_left.T @ self.t_right_left)

    def moved_since(self, before: StereoRig) -> Moved:
        """Return how the right camera has moved against the left one since ``before``."""
        turn = self.R_right_left @ before.R_right_left.T
        sine = np.linalg.norm(turn - turn.T) / np.sqrt(8)  # exact for small angles too
        angle = np.degrees(np.arctan2(sine, (np.trace(turn) - 1) / 2))
        away = np.linalg.norm(self.right_center_m - before.right_center_m)
        return Moved(float(angle), float(away))

    @classmethod
    def from_opencv(
        cls,
        K1: ArrayLike,
        D1: ArrayLike | None,
        K2: ArrayLike,
        D2: ArrayLike | None,
        R: ArrayLike,
        T: ArrayLike,
        size: Size,
        *,
        unit: str | float = "m",
        model: Model = "pinhole",
    ) -> StereoRig:
        """Return the rig that ``cv2.stereoCalibrate`` (or ``cv2.fisheye``'s) has found.

        ``K1``, ``K2`` (3, 3) pixels; ``D1``, ``D2`` in any shape, None for no distortion; ``R`` a
        (3, 3) matrix or a rotation vector; ``T`` in any shape of three, in ``unit``: m, cm, mm,
        in, or metres per unit (the side of a board's square, where that was 1); ``size`` is
        (width, height). Raises CameraError for what describes no rig, and for a T that looks like
        millimetres taken for metres.
        """
        metres = METRES_PER.get(unit.strip().lower()) if isinstance(unit, str) else float(unit)
        if metres is None or not metres > 0:
            known = ", ".join(METRES_PER)
            raise CameraError(f"unit: expected one of {known}, or metres per unit, got {unit!r}")
        t = _three("T", T) * metres
        length = float(np.linalg.norm(t))
        if unit == "m" and length > _LONGEST_LIKELY_M:
            raise CameraError(
                f"T: {length:g} m between the cameras? If that is in millimetres, say unit='mm'; "
                "if it is meant, unit=1.0"
            )
        rotation = np.asarray(R, np.float64)
        if rotation.size == 3:
            from scipy.spatial.transform import Rotation  # slow to load, seldom needed

            rotation = Rotation.from_rotvec(_three("R", R)).as_matrix()
        elif rotation.shape == (3, 3):
            rotation = _rounded_off(rotation)
        left, right = (
            Camera(model, size, np.asarray(K, np.float64), np.ravel(() if D is None else D))
            for K, D in ((K1, D1), (K2, D2))
        )
        return cls(left, right, rotation, t)

    def to_opencv(self) -> OpenCvRig:
        """Return what OpenCV's functions take, T (3, 1) in metres.

        Raises CameraError for two lens models: none of its functions takes a fisheye and a pinhole.
        """
        if self.left.model != self.right.model:
            raise CameraError(
                f"left is {self.left.model} and right is {self.right.model}: OpenCV takes no such "
                "rig; use stereo.Rectification"
            )
        left, right = self.left, self.right
        lenses = left.K.copy(), left.distortion.copy(), right.K.copy(), right.distortion.copy()
        T = self.t_right_left.reshape(3, 1).copy()
        return OpenCvRig(*lenses, self.R_right_left.copy(), T, left.size)

    def __repr__(self) -> str:
        name = f"{self.name!r}, " if self.name else ""
        rows = "" if self.row_error_px is None else f", rows within {self.row_error_px:.3f} px"
        return f"StereoRig({name}{self.left}, {self.right}, baseline {self.baseline_m:.4f} m{rows})"

    def scaled(self, size: Size) -> StereoRig:
        """Return the same rig after its left images are resized to (width, height), and its right
        ones in proportion.
        """
        wanted, (width, height) = checked_size(size), self.left.size
        share = wanted[0] / width, wanted[1] / height
        right = tuple(round(n * s) for n, s in zip(self.right.size, share, strict=True))
        return replace(self, left=self.left.scaled(wanted), right=self.right.scaled(right))  # type: ignore[arg-type]


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
    notes: Mapping[str, Any] = field(default_factory=Notes, compare=False)
    """As in ``StereoRig``: what readers assumed."""

    def __post_init__(self) -> None:
        if not isinstance(self.notes, Notes):
            object.__setattr__(self, "notes", Notes(self.notes))
        if not 1 <= self.focal_px < np.inf:
            raise CameraError(f"focal_px: expected pixels >= 1, got {self.focal_px!r}")
        check_baseline(self.baseline_m)
        for name in ("focal_px", "baseline_m", "cx_left_px", "cx_right_px", "cy_px"):
            if not np.isfinite(getattr(self, name)):
                raise CameraError(f"{name}: expected pixels, got {getattr(self, name)!r}")
            object.__setattr__(self, name, float(getattr(self, name)))
        if self.size is not None:
            object.__setattr__(self, "size", checked_size(self.size))
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
        size = checked_size(size)
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


def _three(name: str, value: ArrayLike) -> Float:
    """Return (3,) of any shape of three numbers."""
    return checked_array(name, np.ravel(np.asarray(value)), (3,)).copy()


def _rounded_off(R: Float) -> Float:
    """The rotation that R is, where it was written with few digits; else R as it is."""
    U, _, Vt = np.linalg.svd(R)
    nearest = U @ Vt
    return np.asarray(nearest) if np.abs(nearest - R).max() < 1e-3 else R
