"""Rectified geometry for the formats that hold it, the same that ``stereo rectify`` applies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.camera import Camera
from calib.checks import Float
from calib.common_view import common_intrinsics
from calib.errors import CameraError, RigWriteError
from calib.formats.fields import camera_matrix
from calib.formats.sides import as_rectified
from calib.rig import RectifiedRig, StereoRig


@dataclass(frozen=True, eq=False, slots=True)
class Rectified:
    """How a pair is turned, and what the turned pair is."""

    R_left: Float
    """(3, 3) turns the left camera's axes into the rectified ones."""
    R_right: Float
    """(3, 3) the same for the right camera."""
    P_left: Float
    """(3, 4) projection of the rectified left camera."""
    P_right: Float
    """(3, 4) of the right one, its last column in pixels x metres."""
    rig: RectifiedRig
    """The same as numbers."""


def rectify(rig: StereoRig | RectifiedRig, holder: str) -> Rectified:
    """Return the rectification of a rig at alpha 0, or of what is rectified already.

    Raises RigWriteError, naming the ``holder`` that needs it, for a rig that stands in another way.
    """
    if isinstance(rig, StereoRig):
        return _turned(rig, holder)
    K_left = camera_matrix(rig.focal_px, rig.focal_px, rig.cx_left_px, rig.cy_px)
    K_right = camera_matrix(rig.focal_px, rig.focal_px, rig.cx_right_px, rig.cy_px)
    return Rectified(np.eye(3), np.eye(3), *_projections(K_left, K_right, rig.baseline_m), rig)


def _turned(rig: StereoRig, holder: str) -> Rectified:
    try:
        return rectify(as_rectified(rig), holder)  # ideal cameras keep their own K
    except CameraError:
        pass
    from calib.solving.epipolar import half_way_baseline, rectifying_rotations  # slow to load

    baseline = half_way_baseline(rig.R_right_left, rig.t_right_left)
    if baseline[0] < np.cos(np.pi / 4) * np.linalg.norm(baseline):
        how = "swapped" if -baseline[0] > np.abs(baseline[1:]).max() else "not side by side"
        raise RigWriteError(
            f"{holder} holds rectified geometry, and the cameras are {how}; rig, opencv, kalibr, "
            "euroc and mrcal can hold them as they are"
        )
    R_left, R_right = rectifying_rotations(rig.R_right_left, rig.t_right_left)
    try:
        K = common_intrinsics(((rig.left, R_left), (rig.right, R_right)), rig.left.size, 0.0)
    except CameraError as error:
        raise RigWriteError(f"{holder} holds rectified geometry: {error}") from error
    f, cx, cy = float(K[0, 0]), float(K[0, 2]), float(K[1, 2])
    shown = RectifiedRig(rig.left.size, f, rig.baseline_m, cx, cx, cy, notes=rig.notes)
    return Rectified(R_left, R_right, *_projections(K, K, rig.baseline_m), shown)


def _projections(K_left: Float, K_right: Float, baseline_m: float) -> tuple[Float, Float]:
    shift = np.array([[-K_right[0, 0] * baseline_m], [0], [0]])
    return np.hstack([K_left, np.zeros((3, 1))]), np.hstack([K_right, shift])


def with_cameras(rig: StereoRig | RectifiedRig, holder: str) -> StereoRig:
    """Return two ideal cameras for what is rectified; a rig of cameras as it is.

    Raises RigWriteError when the image size is unknown.
    """
    if isinstance(rig, StereoRig):
        return rig
    if rig.size is None:
        raise RigWriteError(f"{holder} needs the image size, which is unknown; state it (--size)")
    left, right = (
        Camera("pinhole", rig.size, camera_matrix(rig.focal_px, rig.focal_px, cx, rig.cy_px))
        for cx in (rig.cx_left_px, rig.cx_right_px)
    )
    t = np.array([-rig.baseline_m, 0, 0])
    return StereoRig(left, right, np.eye(3), t, notes=rig.notes)
