"""Our own rig file: YAML, versioned, nothing assumed, nothing lost.

Numbers are written as Python's shortest exact text, so reading gives back the same bits. The
reader is strict: a missing, unknown, doubled or ill-typed key is refused by its path, such as
``left.K.fx``. Writing replaces the file in one step or leaves the old one untouched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from calib.errors import CameraError, RigFileError
from calib.formats.own import camera_of, opened, plain, plain_camera, write_own
from calib.formats.reading import Stated, metres_per_unit, read_text
from calib.notes import Notes
from calib.rig import StereoRig

SCHEMA, VERSION = "stereo-depth-rig", 1
DIRECTION = "x_right = R x_left + t"
_HEADER = """\
# A calibrated stereo rig, written by stereo-depth. The top-left pixel's centre is (0, 0).
"""


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file begins as ours does."""
    return SCHEMA.encode() in head and b"schema" in head


# -- reading ---------------------------------------------------------------------------------


def read(path: Path, stated: Stated) -> StereoRig:
    """Read a rig file; RigFileError naming the file and the key when it is not a right one.

    The file says everything itself: ``stated`` is checked against it where a wrong guess would
    be silent (unit, model); the size in the file holds.
    """
    return _parse(read_text(path), path, stated)


def _parse(text: str, path: Path, stated: Stated) -> StereoRig:
    top = opened(text, path, SCHEMA, VERSION)
    top.constant("length_unit", "m")
    motion = top.section("right_from_left")
    motion.constant("meaning", DIRECTION)
    quality = top.section("quality")
    try:
        rig = StereoRig(
            name=top.text_or_none("name"),
            left=camera_of(top.section("left")),
            right=camera_of(top.section("right")),
            R_right_left=np.array(motion.matrix("R", 3)),
            t_right_left=np.array(motion.numbers("t", 3)),
            reprojection_rms_px=quality.number_or_none("reprojection_rms_px"),
            row_error_px=quality.number_or_none("row_error_px"),
            notes=Notes(top.section("notes").rest()),
        )
    except CameraError as error:
        raise RigFileError(f"{path}: {error}") from error
    for section in (motion, quality, top):
        section.close()
    _check_stated(rig, path, stated)
    return rig


def _check_stated(rig: StereoRig, path: Path, stated: Stated) -> None:
    if stated.unit is not None and metres_per_unit(stated.unit, path) != 1.0:
        raise RigFileError(f"{path}: lengths are metres, not {stated.unit!r}; omit the unit")
    for side, camera in (("left", rig.left), ("right", rig.right)):
        if stated.model is not None and stated.model != camera.model:
            raise RigFileError(
                f"{path}: the {side} camera is {camera.model}, not {stated.model!r}; omit the model"
            )


# -- writing ---------------------------------------------------------------------------------


def write(rig: StereoRig, path: Path) -> None:
    """Write a rig file in one step.

    Raises RigWriteError, leaving what was there, when the folder, the disk or the notes do not
    allow it.
    """
    write_own(_plain_rig(rig), _HEADER, path, lambda text, path: _parse(text, path, Stated()))


def _plain_rig(rig: StereoRig) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "name": rig.name,
        "length_unit": "m",
        "left": plain_camera(rig.left),
        "right": plain_camera(rig.right),
        "right_from_left": {
            "meaning": DIRECTION,
            "R": rig.R_right_left.tolist(),
            "t": rig.t_right_left.tolist(),
        },
        "quality": {
            "reprojection_rms_px": rig.reprojection_rms_px,
            "row_error_px": rig.row_error_px,
        },
        "notes": plain(rig.notes),
    }
