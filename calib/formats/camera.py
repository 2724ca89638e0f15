"""Our own file of one calibrated camera: YAML, versioned, read as strictly as a rig's."""

from __future__ import annotations

from pathlib import Path

from calib.camera import CalibratedCamera
from calib.errors import CameraError, RigFileError
from calib.formats.beside import head
from calib.formats.own import camera_of, opened, plain, plain_camera, write_own
from calib.formats.reading import read_text
from calib.formats.section import Section
from calib.notes import Notes

SCHEMA, VERSION = "stereo-depth-camera", 1
PLACE = "camera_from_left"
"""Where the camera stands, see ``placed``; of no matter for the camera itself."""
_HEADER = """\
# A calibrated camera, written by stereo-depth. The top-left pixel's centre is (0, 0).
"""


def matches(first: bytes) -> bool:
    """Tell whether a file begins as ours does."""
    return SCHEMA.encode() in first and b"schema" in first


def holds_camera(path: str | Path) -> bool:
    """Tell whether a file is one of ours of one camera; False where there is none."""
    try:
        return matches(head(Path(path)))
    except RigFileError:
        return False


def read(path: Path) -> CalibratedCamera:
    """Read a camera file; RigFileError naming the file and the key when it is not a right one."""
    return _parse(read_text(path), path)


def write(camera: CalibratedCamera, path: Path) -> None:
    """Write a camera file in one step. Raises RigWriteError, leaving what was there."""
    data = {
        "schema": SCHEMA,
        "version": VERSION,
        "name": camera.name,
        "camera": plain_camera(camera.camera),
        "quality": {"reprojection_rms_px": camera.reprojection_rms_px},
        "notes": plain(camera.notes),
    }
    write_own(data, _HEADER, path, _parse)


def body(top: Section, path: Path) -> CalibratedCamera:
    """Take what a file says of the camera itself; a file by hand need not tell of its quality."""
    rms = None
    if "quality" in top:
        quality = top.section("quality")
        rms = quality.number_or_none("reprojection_rms_px")
        quality.close()
    try:
        return CalibratedCamera(
            camera_of(top.section("camera")),
            name=top.text_or_none("name"),
            reprojection_rms_px=rms,
            notes=Notes(top.section("notes").rest() if "notes" in top else {}),
        )
    except CameraError as error:
        raise RigFileError(f"{path}: {error}") from error


def _parse(text: str, path: Path) -> CalibratedCamera:
    top = opened(text, path, SCHEMA, VERSION)
    found = body(top, path)
    for key in ("length_unit", PLACE):
        if key in top:
            top.take(key)
    top.close()
    return found
