"""Depth for a third camera beside the rig: the options of ``run`` and ``live``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click

from calib import PlacedCamera, load_placed_camera
from stereo.cli.groups import option
from stereo.errors import InputError
from stereo.rectify import Rectification
from stereo.register import Registration


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterOptions:
    """Depth for a camera beside the rig."""

    heading: ClassVar[str] = "Third camera"
    register: Path | None = option(
        type=click.Path(path_type=Path),
        metavar="CAMERA",
        help="Depth for this camera too: a camera file, or a rig of the left camera and this one.",
    )
    third: str | None = option(
        metavar="IMAGES",
        help="Its images: a file, folder, glob or video; live a device or an address.  [default: "
        "none, colours come from the left image]",
    )

    def camera(self) -> PlacedCamera | None:
        """Return the camera that depth is wanted for. Raises InputError, RigFileError."""
        if self.register is None and self.third is not None:
            raise InputError("--third gives the images of a camera: say which, --register CAMERA")
        return None if self.register is None else load_placed_camera(self.register)


def registration(camera: PlacedCamera, rect: Rectification) -> Registration:
    """Return what moves depth to a camera beside the rig; InputError without metric depth."""
    if rect.geometry is None:
        raise InputError("--register needs metric depth: give the rig's calibration with --calib")
    return Registration(camera, rect.R_depth_left)
