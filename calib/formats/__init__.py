"""Calibration files, ours and foreign: one room per format, one registry for all.

A new format is a module with ``matches`` and ``read``, and a line in ``FORMATS``.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from calib.camera import Model
from calib.checks import Size
from calib.errors import RigFileError, RigWriteError
from calib.formats import middlebury, opencv, placed, rig
from calib.formats.reading import Stated
from calib.nearby import near_path
from calib.placed import PlacedCamera
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


def load_camera(path: str | Path, *, unit: str | float | None = None) -> PlacedCamera:
    """Read a camera beside a rig: its own file, or a rig whose right camera it is.

    A rig of any known format: the left camera and the other one, calibrated as a pair. ``unit``
    as in ``load_rig``. Raises RigFileError naming the file, the key, and what is needed.
    """
    path = Path(path)
    if placed.matches(_head(path)):
        return placed.read(path)
    found = load_rig(path, unit=unit)
    if not isinstance(found, StereoRig):
        raise RigFileError(
            f"{path}: says nothing of raw cameras; a camera file is needed, or a rig of the left "
            "camera and the other one (docs/register.md)"
        )
    return PlacedCamera.right_of(found)


def save_camera(camera: PlacedCamera, path: str | Path) -> None:
    """Write a camera file in one step. Raises RigWriteError when it cannot be written whole."""
    placed.write(camera, Path(path))


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
    return "a binary file, no calibration" if b"\0" in head else "no calibration format I know"


def _known() -> str:
    return "; ".join(f"{name} ({each.description})" for name, each in FORMATS.items())
