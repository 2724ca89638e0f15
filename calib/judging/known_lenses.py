"""Lenses that a calibration keeps as they are, and how well they are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.camera import CalibratedCamera, Camera
from calib.errors import CameraError
from calib.judging.uncertainty import known_covariance
from calib.rig import StereoRig
from calib.solving.calibration import View

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
