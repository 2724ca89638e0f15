"""The file of a camera beside a rig: a camera file that also says where the camera stands.

    schema: stereo-depth-camera
    version: 1
    name: colour
    camera:
      model: pinhole            # or fisheye
      size: [1920, 1080]
      K: {fx: 1380.2, fy: 1381.0, cx: 961.3, cy: 540.8}
      distortion: [0.11, -0.24, 0.0, 0.0, 0.09]
    length_unit: m
    camera_from_left:
      meaning: x_camera = R x_left + t
      R: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
      t: [-0.059, 0.0, 0.0]

So ``camera_from_left`` may be added to what ``stereo calibrate --single`` wrote. A rig file does as
well: its right camera is meant then, as of a pair of the left camera and the other one that was
calibrated together.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib.errors import CameraError, RigFileError
from calib.formats.camera import PLACE, SCHEMA, VERSION, body
from calib.formats.own import opened, plain_camera, write_own
from calib.formats.reading import read_text
from calib.placed import PlacedCamera

DIRECTION = "x_camera = R x_left + t"
_HEADER = "# A camera beside a stereo rig, for stereo-depth.\n"


def read(path: Path) -> PlacedCamera:
    """Read a camera file; RigFileError naming the file and the key when it is not a right one."""
    return _parse(read_text(path), path)


def write(placed: PlacedCamera, path: Path) -> None:
    """Write a camera file in one step; RigWriteError when it cannot be, what was there stays."""
    data = {
        "schema": SCHEMA,
        "version": VERSION,
        "name": placed.name,
        "camera": plain_camera(placed.camera),
        "length_unit": "m",
        PLACE: {
            "meaning": DIRECTION,
            "R": placed.R_camera_left.tolist(),
            "t": placed.t_camera_left.tolist(),
        },
    }
    write_own(data, _HEADER, path, _parse)


def _parse(text: str, path: Path) -> PlacedCamera:
    top = opened(text, path, SCHEMA, VERSION)
    known = body(top, path)
    if PLACE not in top:
        raise RigFileError(
            f"{path}: {PLACE} is missing: where the camera stands beside the left one "
            "(docs/register.md); a rig of the left camera and this one will do as well"
        )
    top.constant("length_unit", "m")
    motion = top.section(PLACE)
    motion.constant("meaning", DIRECTION)
    try:
        placed = PlacedCamera(
            known.camera,
            np.array(motion.matrix("R", 3)),
            np.array(motion.numbers("t", 3)),
            known.name,
        )
    except CameraError as error:
        raise RigFileError(f"{path}: {PLACE}.{error}") from error
    for section in (motion, top):
        section.close()
    return placed
