"""A camera beside a stereo rig: a colour camera, for instance, that depth is wanted for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.camera import Camera
from calib.checks import Float, check_rotation, checked_array
from calib.errors import CameraError
from calib.notes import checked_text
from calib.rig import StereoRig

_FARTHEST_M = 100.0


@dataclass(frozen=True, eq=False, slots=True)
class PlacedCamera:
    """A camera and where it stands beside the left camera of a rig.

    Its lens model and size are its own. Raises CameraError when the numbers cannot describe it.
    """

    camera: Camera
    """How its rays become pixels."""
    R_camera_left: Float
    """(3, 3) float64 rotation in ``x_camera = R x_left + t``."""
    t_camera_left: Float
    """(3,) float64 metres; a camera 5 cm to the right of the left one has ``t[0] = -0.05``."""
    name: str | None = None
    """For people."""

    def __post_init__(self) -> None:
        R = checked_array("R", self.R_camera_left, (3, 3))
        check_rotation(R)
        t = checked_array("t", self.t_camera_left, (3,))
        if not np.linalg.norm(t) <= _FARTHEST_M:
            raise CameraError(
                f"t: {np.linalg.norm(t):.4g} m from the left camera; at most {_FARTHEST_M:g} m was "
                "expected. Lengths here are metres: were millimetres given?"
            )
        if self.name is not None:
            checked_text("name", self.name)
        for name, checked in (("R_camera_left", R), ("t_camera_left", t)):
            object.__setattr__(self, name, checked)

    @classmethod
    def right_of(cls, rig: StereoRig) -> PlacedCamera:
        """Return the right camera of a rig, as one beside its left camera.

        So two cameras calibrated as a pair place the second beside the first.
        """
        return cls(rig.right, rig.R_right_left, rig.t_right_left, rig.name)

    @property
    def center_m(self) -> Float:
        """(3,) its centre in the left camera's frame, metres: ``-R^T t``."""
        return np.asarray(-self.R_camera_left.T @ self.t_camera_left)

    def __repr__(self) -> str:
        name = f"{self.name!r}, " if self.name else ""
        x, y, z = self.center_m
        return f"PlacedCamera({name}{self.camera}, at {x:.4f} {y:.4f} {z:.4f} m)"
