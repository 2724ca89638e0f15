"""The registry: every known format, its room, and what its files are.

A new format is a module with ``matches`` and ``read`` (and ``write``), and an entry in ``FORMATS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from calib.errors import RigFileError
from calib.formats import (
    beside,
    depthai,
    eth3d,
    euroc,
    kalibr,
    karlsruhe,
    kitti,
    matlab,
    middlebury,
    mrcal,
    numbers_only,
    opencv,
    opencv_files,
    opencv_writing,
    rectified,
    rig,
    ros,
    simplestereo,
    zed,
)
from calib.formats.reading import Stated
from calib.formats.rectifying import rectify, with_cameras
from calib.rig import RectifiedRig, StereoRig

Rig = StereoRig | RectifiedRig
Files = tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of calibration file."""

    description: str
    """For people, in a list of known formats."""
    matches: Callable[[Path, bytes], bool]
    """Whether a file with these first bytes is of it."""
    read: Callable[[Files, Stated], Rig]
    """Raises RigFileError naming file and key; CameraError for numbers that are no rig."""
    complete: Callable[[Path], Files] = lambda path: (path,)
    """All files of the calibration that one file belongs to, left before right."""
    write: Callable[[Rig, Files], None] | None = None
    """Raises RigWriteError for what it cannot hold; None: this format is only read."""
    names: tuple[str, ...] = ()
    """Of the files that it always writes, in a folder; none: one file of any name."""


def _one(read: Callable[[Path, Stated], Rig]) -> Callable[[Files, Stated], Rig]:
    def read_one(files: Files, stated: Stated) -> Rig:
        if len(files) > 1:
            names = ", ".join(path.name for path in files)
            raise RigFileError(f"one file holds both cameras here, got {names}; give one")
        return read(files[0], stated)

    return read_one


def _pair(matches: Callable[[Path, bytes], bool]) -> Callable[[Path], Files]:
    """Find the partner of one camera's file by its name; it must be of the format too."""

    def complete(path: Path) -> Files:
        for pair in beside.partners(path):
            other = pair[0] if pair[1] == path else pair[1]
            if other.is_file() and matches(other, beside.head(other)):
                return pair
        return (path,)

    return complete


def _cameras(
    holder: str, write: Callable[[StereoRig, Files], None]
) -> Callable[[Rig, Files], None]:
    """Write two ideal cameras where the rig is rectified already."""
    return lambda rig, files: write(with_cameras(rig, holder), files)


def _write_own(rig_: Rig, files: Files) -> None:
    if isinstance(rig_, StereoRig):
        rig.write(rig_, files[0])
    else:
        rectified.write(rig_, files[0])


def _read_own(path: Path, stated: Stated) -> Rig:
    if rectified.matches(path, beside.head(path)):
        return rectified.read(path, stated)
    return rig.read(path, stated)


FORMATS: dict[str, Format] = {
    "rig": Format(
        "stereo-depth rig file (YAML)",
        lambda path, head: rig.matches(path, head) or rectified.matches(path, head),
        _one(_read_own),
        write=_write_own,
    ),
    "middlebury": Format(
        "Middlebury calib.txt, rectified",
        middlebury.matches,
        _one(middlebury.read),
        write=lambda rig_, files: middlebury.save(rectify(rig_, "Middlebury").rig, files[0]),
    ),
    "ros": Format(
        "ROS camera_info YAML, one file per camera",
        ros.matches,
        ros.read,
        _pair(ros.matches),
        ros.write,
        ros.NAMES,
    ),
    "euroc": Format(
        "EuRoC (ASL) sensor.yaml, one file per camera",
        euroc.matches,
        euroc.read,
        _pair(euroc.matches),
        _cameras("EuRoC", euroc.write),
        euroc.NAMES,
    ),
    "kalibr": Format(
        "Kalibr camchain YAML",
        kalibr.matches,
        _one(kalibr.read),
        write=_cameras("Kalibr", kalibr.write),
    ),
    "mrcal": Format(
        "mrcal .cameramodel, one file per camera",
        mrcal.matches,
        mrcal.read,
        _pair(mrcal.matches),
        _cameras("mrcal", mrcal.write),
        mrcal.NAMES,
    ),
    "zed": Format(
        "ZED factory calibration SN*.conf",
        zed.matches,
        _one(zed.read),
        write=_cameras("a ZED conf", zed.write),
    ),
    "karlsruhe": Format("Karlsruhe calib.txt, rectified", karlsruhe.matches, _one(karlsruhe.read)),
    "kitti": Format(
        "KITTI calib_cam_to_cam.txt, or calib.txt of odometry and object data",
        kitti.matches,
        _one(kitti.read),
        write=kitti.write,
    ),
    "eth3d": Format(
        "ETH3D (COLMAP) cameras.txt with images.txt", eth3d.matches, eth3d.read, eth3d.complete
    ),
    "depthai": Format("DepthAI (OAK) EEPROM JSON", depthai.matches, _one(depthai.read)),
    "simplestereo": Format("SimpleStereo rig.json", simplestereo.matches, _one(simplestereo.read)),
    "matlab": Format(
        "MATLAB .mat: stereoParameters as plain arrays, or Bouguet's toolbox",
        matlab.matches,
        _one(matlab.read),
    ),
    "foundationstereo": Format(
        "FoundationStereo K.txt, rectified", numbers_only.matches_k, _one(numbers_only.read_k)
    ),
    "q-matrix": Format(
        "Q matrix (4 x 4) as text, rectified", numbers_only.matches_q, _one(numbers_only.read_q)
    ),
    "opencv": Format(
        "OpenCV's matrices (yml, xml, json, npz), one file or several",
        opencv.matches,
        opencv.read,
        opencv_files.complete,
        opencv_writing.write,
    ),
}
"""Known formats by name, in the order they are tried."""
