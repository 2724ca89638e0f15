"""Options about calibrations that several commands share, each declared once.

RigFileOptions   check, rectify, run, live, record   how a calibration is read
LoneRigOptions   inspect, convert          the same, and what images would say
RectifyOptions   rectify, run, live        how to rectify
RigOptions       run, live                 a calibration, or the numbers of rectified images
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import click

from calib import FORMATS, RectifiedRig, StereoRig, load_rig
from calib.camera import Model
from calib.formats import Found, find_rig
from calib.formats.reading import Stated
from calib.formats.zed import RESOLUTIONS
from stereo.cli.groups import option
from stereo.cli.values import Metres, Size, camera_pair

CALIB_HELP = "Calibration of any known format; several files with commas, or their folder."


@dataclass(frozen=True, slots=True, kw_only=True)
class RigFileOptions:
    """What some calibration files leave out, or hold several times."""

    heading: ClassVar[str] = "Calibration"
    format: str | None = option(
        type=click.Choice(list(FORMATS)),
        help="Format of the calibration, where its content does not say it.",
    )
    unit: str | None = option(
        help="Length unit of a calibration that states none: mm, cm, m, or 25mm for squares."
    )
    model: Model | None = option(
        type=click.Choice(["pinhole", "fisheye"]),
        help="Lens model of a calibration file that does not state it.",
    )
    resolution: str | None = option(
        type=click.Choice(list(RESOLUTIONS), case_sensitive=False),
        help="Which resolution of a ZED conf, where the images' size does not say it.",
    )
    camera_pair: tuple[str, str] | None = option(
        metavar="A,B",
        callback=camera_pair,
        help="Which two of a calibration's cameras are left and right, by its own names.",
    )

    def find(self, path: str, size: tuple[int, int] | None) -> Found:
        """Return the format and the files of a calibration. Raises what ``load_rig`` raises."""
        stated = Stated(size, self.unit, self.model, self.resolution, self.camera_pair)
        return find_rig(path, format=self.format, stated=stated)

    def load(
        self, path: str, size: tuple[int, int] | None, *, rectified: bool = False
    ) -> StereoRig | RectifiedRig:
        """Return the rig in a file, for images of ``size``. Raises what ``load_rig`` raises."""
        return load_rig(
            path,
            format=self.format,
            size=size,
            unit=self.unit,
            model=self.model,
            resolution=self.resolution,
            cameras=self.camera_pair,
            rectified=rectified,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoneRigOptions(RigFileOptions):
    """What images would say of a calibration, where there are none."""

    size: tuple[int, int] | None = option(
        type=Size("1280x720"), metavar="WxH", help="Image size, for files that do not state it."
    )
    rectified: bool = option(is_flag=True, help="The images are rectified already.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RectifyOptions(RigFileOptions):
    """How images are rectified."""

    alpha: float = option(
        type=float,
        default=0.0,
        show_default=True,
        help="0: only what both cameras see; 1: everything.",
    )
    rescale: bool = option(is_flag=True, help="Scale the calibration to the images' size.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RigOptions(RectifyOptions):
    """``--calib``, or ``--rectified`` with the numbers, and how to rectify."""

    calib: str | None = option(type=click.Path(), help=CALIB_HELP)
    rectified: bool = option(is_flag=True, help="The images are rectified already.")
    focal_px: float | None = option(type=float, help="Focal length of rectified images, pixels.")
    baseline_m: float | None = option(
        type=Metres(most=5), help="Distance between the cameras, metres."
    )
    cx_px: float | None = option(type=float, help="Left principal point; default: the middle.")
    cy_px: float | None = option(type=float, help="Its row; default: the middle.")
    doffs_px: float = option(type=float, default=0.0, help="cx_right - cx_left, pixels.")
