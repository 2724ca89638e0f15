"""Calibration files, ours and foreign: one room per format, one registry for all.

A new format is a module with ``matches`` and ``read``, and a line in ``FORMATS``.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from calib.camera import CalibratedCamera, Model
from calib.checks import Size
from calib.errors import RigFileError, RigWriteError
from calib.formats import camera, middlebury, opencv, rig
from calib.formats.reading import Stated
from calib.nearby import near_path
from calib.rig import RectifiedRig, StereoRig

_HEAD_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of calibration file."""

    description: str
    """For people, in a list of known formats."""
    matches: Callable[[Path, bytes], bool]
    """Whether a path (file or folder) with these first bytes (none for a folder) is of it."""
    read: Callable[[Path, Stated], StereoRig | RectifiedRig]
    """Raises RigFileError naming file and key."""
    write: Callable[[StereoRig, Path], None] | None = None
    """Raises RigWriteError; None: this format is only read."""


FORMATS: dict[str, Format] = {
    "rig": Format("stereo-depth rig file (YAML)", rig.matches, rig.read, rig.write),
    "opencv": Format(
        "OpenCV FileStorage (yml, xml, json), one file or intrinsics + extrinsics",
        opencv.matches,
        opencv.read,
    ),
    "middlebury": Format("Middlebury calib.txt", middlebury.matches, middlebury.read),
}
"""Known formats by name, in the order they are tried."""


def load_rig(
    path: str | Path,
    *,
    format: str | None = None,
    size: Size | None = None,
    unit: str | float | None = None,
    model: Model | None = None,
) -> StereoRig | RectifiedRig:
    """Read a calibration file (or folder) of any known format.

    ``format`` is a name in ``FORMATS``; None: recognised by content. The rest is for files that
    do not say it themselves: ``size`` (width, height) of the calibration images, used only then;
    ``unit`` of length ("m", "cm", "mm", "in", or metres per unit); the lens ``model``. What a
    reader had to assume stands in ``rig.notes``.
    Raises RigFileError naming the file, the key, and what is known or needed.
    """
    path = Path(path)
    if format is not None and format not in FORMATS:
        raise RigFileError(f"unknown calibration format {format!r}; known: {', '.join(FORMATS)}")
    head = _head(path)
    name = format or next((n for n, f in FORMATS.items() if f.matches(path, head)), None)
    if name is None:
        raise RigFileError(f"{path}: {_strange(path, head)}; known formats: {_known()}")
    return FORMATS[name].read(path, Stated(size, unit, model))


def save_rig(rig: StereoRig, path: str | Path, *, format: str = "rig") -> None:
    """Write a rig in one step: the file is whole, or what was there stays.

    Raises RigWriteError when it cannot be written whole, RigFileError for a format that is
    unknown or only read.
    """
    known = [name for name, each in FORMATS.items() if each.write]
    write = FORMATS[format].write if format in FORMATS else None
    if write is None:
        raise RigFileError(f"cannot write calibration format {format!r}; known: {', '.join(known)}")
    if not isinstance(rig, StereoRig):
        raise RigWriteError(f"{path}: only a StereoRig can be written, got {type(rig).__name__}")
    write(rig, Path(path))


def load_camera(path: str | Path) -> CalibratedCamera:
    """Read a file of one camera, as ``stereo calibrate --single`` writes it.

    Raises RigFileError naming the file and the key.
    """
    path = Path(path)
    if not camera.matches(_head(path)):
        raise RigFileError(f"{path}: not a camera file of stereo-depth (stereo calibrate --single)")
    return camera.read(path)


def save_camera(known: CalibratedCamera, path: str | Path) -> None:
    """Write a camera in one step: the file is whole, or what was there stays.

    Raises RigWriteError when it cannot be written whole.
    """
    camera.write(known, Path(path))


def _head(path: Path) -> bytes:
    """Return the first bytes of a file, none of a folder; RigFileError when there is neither."""
    try:
        if stat.S_ISDIR(mode := path.stat().st_mode):
            return b""
        if not stat.S_ISREG(mode):  # a pipe or device could block, or never end
            raise RigFileError(f"{path}: not a regular file")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise RigFileError(f"{path}: no such file{near_path(path)}") from error
    except RigFileError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise RigFileError(
            f"{path}: cannot be read: {getattr(error, 'strerror', error)}"
        ) from error
    if not head.strip():
        raise RigFileError(f"{path}: the file is empty")
    return head


def _strange(path: Path, head: bytes) -> str:
    if path.is_dir():
        return "is a folder without a calibration I know; give the file itself"
    if camera.matches(head):
        return "holds one camera, and a rig has two (stereo calibrate --intrinsics LEFT,RIGHT)"
    return "a binary file, no calibration" if b"\0" in head else "no calibration format I know"


def _known() -> str:
    return "; ".join(f"{name} ({each.description})" for name, each in FORMATS.items())
