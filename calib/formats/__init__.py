"""Calibration files, ours and foreign: one room per format, one registry for all.

``registry.py`` lists the formats; here a calibration is found, read and written by them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from calib.camera import CalibratedCamera, Model
from calib.checks import Size
from calib.errors import CameraError, RigFileError, RigWriteError
from calib.formats import beside, camera, placed
from calib.formats.reading import Stated
from calib.formats.registry import FORMATS as FORMATS
from calib.formats.registry import Files, Rig
from calib.formats.registry import Format as Format
from calib.formats.sides import with_notes
from calib.placed import PlacedCamera
from calib.rig import RectifiedRig, StereoRig

_CHOOSE = {"kalibr", "kitti", "eth3d", "depthai", "opencv"}
"""Formats whose files name their cameras."""


class Found(NamedTuple):
    """What was recognised."""

    name: str
    """Of the format, in ``FORMATS``."""
    files: Files
    """All files of the calibration."""


def load_rig(
    path: str | Path,
    *,
    format: str | None = None,
    size: Size | None = None,
    unit: str | float | None = None,
    model: Model | None = None,
    resolution: str | None = None,
    cameras: tuple[str, str] | None = None,
    rectified: bool = False,
) -> Rig:
    """Read a calibration of any known format.

    ``path`` is a file, several files with commas ("left.yaml,right.yaml"), their folder, or one of
    them with its partner beside it. ``format`` is a name in ``FORMATS``; None: recognised by
    content. The rest is for files that do not say it themselves, or hold several: ``size`` (width,
    height) of the calibration images; ``unit`` of length ("m", "cm", "mm", "in", "25mm", or metres
    per unit); the lens ``model``; the ``resolution`` of a ZED conf ("HD"); which two ``cameras``
    are left and right, by the file's own names; whether the images are ``rectified`` already,
    where a file holds both geometries. What a reader had to assume stands in ``rig.notes``.
    Raises RigFileError naming the file, the key, and what is known or needed.
    """
    stated = Stated(size, unit, model, resolution, cameras, rectified)
    return _load(find_rig(path, format=format, stated=stated), stated)


def find_rig(path: str | Path, *, format: str | None = None, stated: Stated | None = None) -> Found:
    """Return the format of a calibration and all its files, see ``load_rig``.

    Of a folder with several, that which alone can be read with what is ``stated``. Raises
    RigFileError when there is none or more than one.
    """
    if format is not None and format not in FORMATS:
        raise RigFileError(f"unknown calibration format {format!r}; known: {', '.join(FORMATS)}")
    try:
        return _find(path, format, stated or Stated())
    except OSError as error:  # a folder that may not be listed
        raise RigFileError(f"{path}: cannot be read: {error.strerror or error}") from error


def _find(path: str | Path, format: str | None, stated: Stated) -> Found:
    files = beside.given(path)
    heads = [beside.head(each) for each in files]
    if len(files) == 1 and files[0].is_dir():
        return _in_folder(files[0], format, stated)
    names = [format or _recognised(each, head) for each, head in zip(files, heads, strict=True)]
    if len(set(names)) > 1:
        said = ", ".join(f"{file.name} ({name})" for file, name in zip(files, names, strict=True))
        raise RigFileError(f"these files are of different formats: {said}")
    return Found(names[0], FORMATS[names[0]].complete(files[0]) if len(files) == 1 else files)


def load_camera(path: str | Path) -> CalibratedCamera:
    """Read a file of one camera, as ``stereo calibrate --single`` writes it.

    Raises RigFileError naming the file and the key.
    """
    path = Path(path)
    if not camera.matches(beside.head(path)):
        raise RigFileError(f"{path}: not a camera file of stereo-depth (stereo calibrate --single)")
    return camera.read(path)


def save_camera(known: CalibratedCamera, path: str | Path) -> None:
    """Write a camera in one step. Raises RigWriteError when it cannot be written whole."""
    camera.write(known, Path(path))


def load_placed_camera(
    path: str | Path, *, unit: str | float | None = None, cameras: tuple[str, str] | None = None
) -> PlacedCamera:
    """Read a camera beside a rig: its own file, or a rig whose right camera it is.

    A rig of any known format: the left camera and the other one, calibrated as a pair. ``unit``
    and ``cameras`` as in ``load_rig``; of a DepthAI file without ``cameras`` the colour camera
    (socket 0) beside the left one (socket 1). Raises RigFileError naming the file, the key, and
    what is needed.
    """
    files = beside.given(path)
    if len(files) == 1 and camera.matches(beside.head(files[0])):
        return placed.read(files[0])
    if cameras is None and find_rig(path).name == "depthai":
        cameras = ("1", "0")
    found = load_rig(path, unit=unit, cameras=cameras)
    if not isinstance(found, StereoRig):
        raise RigFileError(
            f"{path}: says nothing of raw cameras; a camera file is needed, or a rig of the left "
            "camera and the other one (docs/register.md)"
        )
    return PlacedCamera.right_of(found)


def save_placed_camera(known: PlacedCamera, path: str | Path) -> None:
    """Write a camera and its place in one step. Raises RigWriteError as ``save_camera``."""
    placed.write(known, Path(path))


def _load(found: Found, stated: Stated) -> Rig:
    source = " + ".join(map(str, found.files))
    if stated.resolution is not None and found.name != "zed":
        raise RigFileError(f"{source}: only a ZED conf has several resolutions, not {found.name}")
    if stated.cameras is not None and found.name not in _CHOOSE:
        raise RigFileError(
            f"{source}: {found.name} holds one pair of cameras; say which is left by the order of "
            "its files, or not at all"
        )
    try:
        loaded = FORMATS[found.name].read(found.files, stated)
    except CameraError as error:
        raise RigFileError(f"{source}: {error}") from error
    except OSError as error:
        raise RigFileError(f"{source}: cannot be read: {error.strerror or error}") from error
    if found.name == "rig":
        return loaded  # its notes are its own
    if isinstance(loaded, StereoRig) and stated.model not in (None, loaded.left.model):
        raise RigFileError(f"{source}: the lens model is {loaded.left.model}, not {stated.model}")
    names = [file.name for file in found.files]
    return with_notes(loaded, {"format": found.name, "read_from": names})


def _recognised(path: Path, head: bytes) -> str:
    name = next((name for name, each in FORMATS.items() if each.matches(path, head)), None)
    if name is None:
        raise RigFileError(f"{path}: {_strange(head)}; known formats: {_known()}")
    return name


def _strange(head: bytes) -> str:
    if camera.matches(head):
        return "holds one camera, and a rig has two (stereo calibrate --intrinsics LEFT,RIGHT)"
    return "a binary file, no calibration" if b"\0" in head else "no calibration format I know"


def _in_folder(folder: Path, format: str | None, stated: Stated) -> Found:
    sets = dict.fromkeys(_sets(folder, format))
    usable, failed = [], []
    for found in sets:
        try:
            _load(found, stated)
            usable.append(found)
        except RigFileError as error:
            failed.append(error)
    names = {found.name for found in usable}
    if "rig" in names:
        usable = [found for found in usable if found.name == "rig"]
    elif "middlebury" in names:  # ETH3D states the same pair in both ways
        usable = [found for found in usable if found.name != "eth3d"]
    if len(usable) == 1:
        return usable[0]
    if len(usable) > 1:
        said = ", ".join("+".join(p.name for p in found.files) for found in usable)
        raise RigFileError(f"{folder}: holds {len(usable)} calibrations, give one: {said}")
    if len(failed) == 1:
        raise failed[0]
    if failed:
        said = "; ".join(map(str, failed[:3]))
        raise RigFileError(f"{folder}: none of its calibration files can be used: {said}")
    raise RigFileError(
        f"{folder}: is a folder without a calibration I know; give the file itself; "
        f"known formats: {_known()}"
    )


def _sets(folder: Path, format: str | None) -> list[Found]:
    """The calibrations that the files in a folder make up."""
    found = []
    for path in beside.inside(folder):
        try:
            name = format or _recognised(path, beside.head(path))
        except RigFileError:
            continue
        found.append(Found(name, FORMATS[name].complete(path)))
    return found


def _known() -> str:
    return "; ".join(f"{name} ({each.description})" for name, each in FORMATS.items())


def save_rig(
    rig: Rig, path: str | Path, *more: str | Path, format: str = "rig"
) -> tuple[Path, ...]:
    """Write a rig, each file in one step: it is whole, or what was there stays.

    A format of one file per camera takes both paths, or the folder to write them in. Returns the
    files. Raises RigWriteError when it cannot be written whole or the format cannot hold it,
    RigFileError for a format that is unknown or only read.
    """
    known = [name for name, each in FORMATS.items() if each.write]
    if format not in known:
        raise RigFileError(f"cannot write calibration format {format!r}; known: {', '.join(known)}")
    if not isinstance(rig, StereoRig | RectifiedRig):
        raise RigWriteError(f"{path}: only a rig can be written, got {type(rig).__name__}")
    each, files = FORMATS[format], (Path(path), *map(Path, more))
    if each.names and len(files) == 1:
        files = tuple(files[0] / name for name in each.names)
    most = 2 if each.names or format == "opencv" else 1
    if len(files) > most:
        raise RigFileError(f"{format} takes {most} file(s) to write, got {len(files)}")
    assert each.write is not None
    each.write(rig, files)
    return files
