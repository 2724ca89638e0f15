"""The file of a camera beside a rig: one camera of a rig file, and where it stands.

    schema: stereo-depth-camera
    version: 1
    name: colour
    length_unit: m
    camera:
      model: pinhole            # or fisheye
      size: [1920, 1080]
      K: {fx: 1380.2, fy: 1381.0, cx: 961.3, cy: 540.8}
      distortion: [0.11, -0.24, 0.0, 0.0, 0.09]
    camera_from_left:
      meaning: x_camera = R x_left + t
      R: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
      t: [-0.059, 0.0, 0.0]

As strict as the rig file. A rig file does as well: its right camera is meant then, as of a pair of
the left camera and the other one that was calibrated together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from calib.atomic import replace_whole
from calib.errors import CameraError, RigFileError, RigWriteError
from calib.formats.reading import load_yaml, read_text
from calib.formats.rig import Section, plain_camera, read_camera
from calib.placed import PlacedCamera

SCHEMA, VERSION = "stereo-depth-camera", 1
DIRECTION = "x_camera = R x_left + t"
_HEADER = "# A camera beside a stereo rig, for stereo-depth.\n"


def matches(head: bytes) -> bool:
    """Tell whether a file begins as this one does."""
    return SCHEMA.encode() in head and b"schema" in head


def read(path: Path) -> PlacedCamera:
    """Read a camera file; RigFileError naming the file and the key when it is not a right one."""
    top = Section(path, "", load_yaml(read_text(path), path))
    top.constant("schema", SCHEMA)
    version = top.take("version")
    if version != VERSION or isinstance(version, bool):
        raise top.wrong(
            "version", f"{VERSION}; a newer version needs a newer stereo-depth", version
        )
    top.constant("length_unit", "m")
    motion = top.section("camera_from_left")
    motion.constant("meaning", DIRECTION)
    try:
        placed = PlacedCamera(
            read_camera(top.section("camera")),
            np.array(motion.matrix("R", 3)),
            np.array(motion.numbers("t", 3)),
            top.text_or_none("name"),
        )
    except CameraError as error:
        raise RigFileError(f"{path}: camera_from_left.{error}") from error
    for section in (motion, top):
        section.close()
    return placed


def write(placed: PlacedCamera, path: Path) -> None:
    """Write a camera file in one step; RigWriteError when it cannot be, what was there stays."""
    plain: dict[str, Any] = {
        "schema": SCHEMA,
        "version": VERSION,
        "name": placed.name,
        "length_unit": "m",
        "camera": plain_camera(placed.camera),
        "camera_from_left": {
            "meaning": DIRECTION,
            "R": placed.R_camera_left.tolist(),
            "t": placed.t_camera_left.tolist(),
        },
    }
    text = yaml.safe_dump(
        plain, sort_keys=False, default_flow_style=None, allow_unicode=True, width=100
    )
    target = path.resolve()
    try:
        replace_whole(target, (_HEADER + text).encode())
    except OSError as error:
        raise RigWriteError(f"{target}: cannot be written: {error.strerror or error}") from error
