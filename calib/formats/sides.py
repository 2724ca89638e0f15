"""Which camera of a file is left and which is right, and whether the two are rectified already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from calib.checks import Float
from calib.errors import CameraError, RigFileError
from calib.formats.reading import Stated
from calib.rig import RectifiedRig, StereoRig
from calib.words import length

_SAME_PX = 1e-6
_SAME_M = 1e-9


def from_poses(left: tuple[Float, Float], right: tuple[Float, Float]) -> tuple[Float, Float]:
    """Return R, t of ``x_right = R x_left + t`` from two motions reference -> camera."""
    R = right[0] @ left[0].T
    return R, right[1] - R @ left[1]


def inverse(motion: tuple[Float, Float]) -> tuple[Float, Float]:
    """Return the motion back."""
    R, t = motion
    return R.T, -R.T @ t


def left_first(rig: StereoRig, names: tuple[str, str]) -> StereoRig:
    """Return the rig of numbered cameras with the one that stands on the left as the left one.

    Numbers say nothing of sides. ``names`` of the first and second camera stand in the notes when
    they are exchanged.
    """
    x, y, z = rig.right_center_m
    if not (x < 0 and -x > max(abs(y), abs(z))):
        return rig
    said = (
        f"{names[1]} is the left camera: it stands {length(-x)} to the left of {names[0]}, "
        f"so its images are the left ones"
    )
    notes = {**rig.notes, "sides_assumed": said}
    return exchanged(replace(rig, notes=notes))


def exchanged(rig: StereoRig) -> StereoRig:
    """Return the rig with left and right exchanged."""
    R, t = inverse((rig.R_right_left, rig.t_right_left))
    return replace(rig, left=rig.right, right=rig.left, R_right_left=R, t_right_left=t)


def chosen(
    stated: Stated, known: Sequence[str], default: tuple[str, str], source: Path
) -> tuple[tuple[str, str], dict[str, str]]:
    """Return which two of a file's cameras are meant, and a note when others were there."""
    if stated.cameras is not None:
        for name in stated.cameras:
            if name not in known:
                raise RigFileError(
                    f"{source}: has no camera {name!r}; it has {', '.join(known) or 'none'}"
                )
        if stated.cameras[0] == stated.cameras[1]:
            raise RigFileError(f"{source}: the two cameras must differ, got {stated.cameras[0]}")
        return stated.cameras, {}
    if len(known) <= 2:
        return default, {}
    return default, {
        "cameras_assumed": f"{default[0]} and {default[1]} of {', '.join(known)}; others with "
        "--camera-pair A,B"
    }


def if_rectified(rig: StereoRig) -> StereoRig | RectifiedRig:
    """Return the rectified rig that two ideal, aligned cameras are; any other rig as it is."""
    try:
        return as_rectified(rig)
    except CameraError:
        return rig


def as_rectified(rig: StereoRig) -> RectifiedRig:
    """Return the rectified rig that two ideal, aligned cameras are; CameraError for others."""
    K1, K2 = rig.left.K, rig.right.K
    f, focals = K1[0, 0], np.array([K1[0, 0], K1[1, 1], K2[0, 0], K2[1, 1]])
    if (
        np.any(rig.left.distortion)
        or np.any(rig.right.distortion)
        or "fisheye" in (rig.left.model, rig.right.model)
        or rig.left.size != rig.right.size
        or np.abs(focals - f).max() > _SAME_PX
        or abs(K1[1, 2] - K2[1, 2]) > _SAME_PX
        or K1[0, 1] != 0
        or K2[0, 1] != 0
        or np.abs(rig.R_right_left - np.eye(3)).max() > _SAME_M
        or np.abs(rig.t_right_left[1:]).max() > _SAME_M
        or rig.t_right_left[0] >= 0
    ):
        raise CameraError("the cameras are not rectified")
    return RectifiedRig(
        size=rig.left.size,
        focal_px=float(f),
        baseline_m=rig.baseline_m,
        cx_left_px=float(K1[0, 2]),
        cx_right_px=float(K2[0, 2]),
        cy_px=float(K1[1, 2]),
        notes=rig.notes,
    )


def with_notes(
    rig: StereoRig | RectifiedRig, notes: Mapping[str, object]
) -> StereoRig | RectifiedRig:
    """Return the rig with more notes."""
    return replace(rig, notes={**rig.notes, **notes})
