"""Lenses that a calibration keeps as they are, and what their own error does to the result.

A motion solved with given lenses is as wrong as these are. Least squares gives it: where the
lenses move by ``dl`` the motion follows by ``J dl``, ``J = -H_mm^-1 H_ml`` of the normal equations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calib.camera import CalibratedCamera, Camera
from calib.errors import CameraError
from calib.judging.uncertainty import known_covariance
from calib.rig import StereoRig
from calib.solving.calibration import Calibration, View
from calib.solving.held_out import information

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class KnownLenses:
    """Both lenses, and how well they are known."""

    left: Camera
    right: Camera
    covariance: Float | None = None
    """(L, L) of fx, fy, cx, cy and the distortion, the left camera's first; None: not known."""

    def check_sizes(self, views: Sequence[View]) -> None:
        """Raise CameraError when the images are not of the size that a lens is known for."""
        for side, camera in (("left", self.left), ("right", self.right)):
            sizes = {getattr(view, side).size for view in views}
            if sizes and sizes != {camera.size}:
                found = ", ".join(f"{w}x{h}" for w, h in sorted(sizes))
                raise CameraError(
                    f"the {side} images are {found}, but the lens to be kept was calibrated "
                    f"at {camera.size[0]}x{camera.size[1]}; take images of that size"
                )


def lenses_of_rig(rig: StereoRig) -> KnownLenses:
    """The lenses of a rig, with the covariance its file keeps."""
    covariance = known_covariance(rig)
    count = sum(4 + len(camera.distortion) for camera in (rig.left, rig.right))
    if covariance is None or not all(
        str(name).startswith(("left.", "right."))
        for name in rig.notes["calibration"]["parameters"][:count]
    ):
        return KnownLenses(rig.left, rig.right)
    return KnownLenses(rig.left, rig.right, covariance[:count, :count])


def lenses_of_cameras(left: CalibratedCamera, right: CalibratedCamera) -> KnownLenses:
    """The lenses of two cameras that were calibrated one by one."""
    parts = [_covariance(known) for known in (left, right)]
    if parts[0] is None or parts[1] is None:
        return KnownLenses(left.camera, right.camera)
    n, m = len(parts[0]), len(parts[1])
    both = np.zeros((n + m, n + m))
    both[:n, :n], both[n:, n:] = parts[0], parts[1]
    return KnownLenses(left.camera, right.camera, both)


def _covariance(known: CalibratedCamera) -> Float | None:
    try:
        covariance = np.array(known.notes["calibration"]["covariance"], np.float64)
    except (KeyError, TypeError, ValueError):
        return None
    count = 4 + len(known.camera.distortion)
    usable = covariance.shape == (count, count) and bool(np.isfinite(covariance).all())
    return covariance if usable else None


def with_lens_errors(c: Calibration, covariance: Float, lenses: Float | None) -> Float:
    """``covariance`` (G, G) of a calibration with fixed lenses, and what the error of these
    (L, L) adds; as it is where that is not known.
    """
    if lenses is None:
        return covariance
    H = all_information(c)[0].sum(axis=0)
    lens, count = len(lenses), len(covariance)
    motion = H[lens:, lens:]  # and the board's shape
    scale = 1 / np.sqrt(np.maximum(np.diag(motion), 1e-300))
    inverse = np.linalg.pinv(motion * np.outer(scale, scale), hermitian=True)
    follows = -(inverse * np.outer(scale, scale)) @ H[lens:, :lens]
    J = np.vstack([np.eye(lens), follows])[:count]
    return np.asarray(covariance + J @ lenses @ J.T)


def all_information(c: Calibration) -> tuple[Float, Float]:
    """What each view says of all parameters, the lenses' too, although they were kept."""
    everything = np.ones(c.fit.state.globals, bool)
    return information(replace(c, fit=c.fit._replace(free=everything)))
