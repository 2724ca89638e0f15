"""ZED factory calibration ``SN*.conf`` (Stereolabs): an INI file with every resolution.

``[LEFT_CAM_HD]`` holds fx fy cx cy (and k1 k2 p1 p2 k3 in the older layout; the newer one has
``[LEFT_DISTO]`` with k1 to k6 p1 p2 for all resolutions); ``[STEREO]`` Baseline, TY, TZ in
millimetres and the rotation vector RX_HD, CV_HD, RZ_HD. Keys and sections in any case.

The vendor's own samples disagree on the sign of Baseline against R: ``readings`` gives every
reading that one of them takes, for the images' row error to decide. ``read`` takes the first: that
of the vendor's calibration tool, which writes ``Baseline = -T[0]``, ``TY = T[1]``, ``TZ = T[2]`` of
OpenCV's R and T.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from calib.camera import Camera
from calib.checks import Size
from calib.errors import RigFileError, RigWriteError
from calib.formats.fields import Fields, camera_matrix, from_rotvec, to_rotvec
from calib.formats.reading import Stated, read_text, stated_metres
from calib.formats.writing import coefficients, exact, write_text
from calib.rig import StereoRig

RESOLUTIONS: dict[str, Size] = {
    "2K": (2208, 1242), "FHD": (1920, 1080), "HD": (1280, 720), "VGA": (672, 376),
    "FHD1200": (1920, 1200), "SVGA": (960, 600), "4K": (3840, 2160), "QHDPLUS": (3200, 1800),
}  # fmt: skip
"""Name in the file -> (width, height) of one view."""
_OLD = ("k1", "k2", "p1", "p2", "k3")
_NEW = (*_OLD, "k4", "k5", "k6")


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file has a section ``[LEFT_CAM_...]``."""
    return re.search(rb"^[ \t]*\[left_cam_\w+\]", head, re.MULTILINE | re.IGNORECASE) is not None


def read(path: Path, stated: Stated) -> StereoRig:
    """Read one resolution: the stated one, that of the stated size, or the largest.

    Raises RigFileError naming the file, the section and the key.
    """
    return next(iter(readings(path, stated).values()))


def readings(path: Path, stated: Stated) -> dict[str, StereoRig]:
    """Return the rig by each reading of the signs in [STEREO], the usual one first."""
    sections = _sections(path)
    name, notes = _resolution(sections, stated, path)
    metres = stated_metres(stated, "mm", path)
    stereo = _section(sections, "stereo", path)
    turn = [_of(stereo, key, name) for key in ("rx", "cv", "rz")]
    if np.linalg.norm(turn) > 1:
        raise RigFileError(f"{path}: stereo: expected a small rotation vector, got {turn}")
    R = from_rotvec(turn)
    across = abs(stereo.number("baseline")) * metres
    y, z = (_of(stereo, key, name) * metres for key in ("ty", "tz"))
    left, right = (_camera(sections, side, name, stated) for side in ("left", "right"))
    back = np.array([across, y, z])
    found = {
        "x_right = R x_left + (-Baseline, TY, TZ)": (R, np.array([-across, y, z])),
        "x_right = R x_left - (Baseline, TY, TZ)": (R, -back),
        "x_left = R x_right + (Baseline, TY, TZ)": (R.T, -R.T @ back),
    }
    return {
        meaning: StereoRig(
            left, right, *motion, notes={**notes, "signs_assumed": f"{meaning}, of ZED {name}"}
        )
        for meaning, motion in found.items()
    }


def _sections(path: Path) -> dict[str, Fields]:
    """Return the sections of the file, names and keys in lower case."""
    sections: dict[str, dict[str, str]] = {}
    values: dict[str, str] | None = None
    for count, line in enumerate(read_text(path).splitlines(), start=1):
        text = line.partition(";")[0].partition("#")[0].strip()
        if not text:
            continue
        key, equals, value = (part.strip() for part in text.partition("="))
        if text.startswith("[") and text.endswith("]"):
            if (name := text[1:-1].strip().lower()) in sections:
                raise RigFileError(f"{path}: line {count}: [{name}] is given twice")
            values = sections.setdefault(name, {})
        elif not equals or values is None:
            raise RigFileError(f"{path}: line {count}: expected [section] or key=value")
        elif key.lower() in values:
            raise RigFileError(f"{path}: line {count}: {key} is given twice")
        else:
            values[key.lower()] = value
    return {name: Fields(path, values, name) for name, values in sections.items()}


def _section(sections: dict[str, Fields], name: str, path: Path) -> Fields:
    if name not in sections:
        raise RigFileError(f"{path}: section [{name.upper()}] is missing")
    return sections[name]


def _of(stereo: Fields, key: str, resolution: str) -> float:
    """A value of [STEREO], its own for a resolution or one for all."""
    own = f"{key}_{resolution.lower()}"
    if own not in stereo and key not in stereo and key in ("ty", "tz"):
        raise RigFileError(
            f"{stereo.source}: stereo.{key} is missing; confs of the first cameras have none: if "
            "this is one, add the lines TY=0 and TZ=0 to [STEREO]"
        )
    return stereo.number(own if own in stereo or key not in stereo else key)


def _resolution(
    sections: dict[str, Fields], stated: Stated, path: Path
) -> tuple[str, dict[str, str]]:
    there = [name for name in RESOLUTIONS if f"left_cam_{name.lower()}" in sections]
    if not there:
        raise RigFileError(
            f"{path}: no resolution of {', '.join(RESOLUTIONS)} has a section [LEFT_CAM_...]"
        )
    known = ", ".join(f"{name} ({'x'.join(map(str, RESOLUTIONS[name]))})" for name in there)
    if stated.resolution is not None:
        if stated.resolution.upper() not in there:
            raise RigFileError(f"{path}: has no resolution {stated.resolution}; it has {known}")
        return stated.resolution.upper(), {}
    if stated.size is not None:
        for name in there:
            width, height = RESOLUTIONS[name]
            if stated.size in ((width, height), (2 * width, height)):
                return name, {}
        raise RigFileError(
            f"{path}: has no calibration for images of {stated.size[0]}x{stated.size[1]}; it has "
            f"{known}; for scaled images say which, --resolution {there[0]} --rescale"
        )
    if len(there) == 1:
        return there[0], {}
    largest = max(there, key=lambda name: RESOLUTIONS[name])
    return largest, {"resolution_assumed": f"{largest} of {known}; others with --resolution"}


def _camera(sections: dict[str, Fields], side: str, resolution: str, stated: Stated) -> Camera:
    path = Path(str(sections["stereo"].source))
    own = _section(sections, f"{side}_cam_{resolution.lower()}", path)
    lens = sections.get(f"{side}_disto", own)
    keys = _NEW if any(f"k{i}" in lens for i in (4, 5, 6)) else _OLD
    K = camera_matrix(*(own.number(key) for key in ("fx", "fy", "cx", "cy")))
    D = np.array([lens.number(key) for key in keys])
    if stated.model == "fisheye":  # wide lenses: the file does not say it, k1 to k4 are theirs
        D = np.array([lens.number(f"k{i}") for i in (1, 2, 3, 4)])
    return Camera(stated.model or "pinhole", RESOLUTIONS[resolution], K, D)


def write(rig: StereoRig, paths: tuple[Path, ...]) -> None:
    """Write a conf of the one resolution that the rig is for.

    Raises RigWriteError for what it cannot hold: another size, fisheye lenses, skew, more than
    eight coefficients, a right camera that is not on the right.
    """
    size = rig.left.size
    name = next((name for name, each in RESOLUTIONS.items() if each == size), None)
    if name is None or rig.right.size != size:
        known = ", ".join("x".join(map(str, each)) for each in RESOLUTIONS.values())
        raise RigWriteError(
            f"a ZED conf holds only images of {known}, not of {size[0]}x{size[1]}; rig, opencv and "
            "ros hold any size"
        )
    x, y, z = rig.t_right_left * 1e3
    turn = to_rotvec(rig.R_right_left)
    if x >= 0 or np.linalg.norm(turn) > 1:
        raise RigWriteError(
            "a ZED conf holds only cameras side by side, the right one on the right; rig and "
            "opencv hold any"
        )
    lines = list(_lens_lines(rig, name))
    lines += ["[STEREO]", f"Baseline={exact(-x)}", f"TY={exact(y)}", f"TZ={exact(z)}"]
    lines += [f"{key}_{name}={exact(v)}" for key, v in zip(("RX", "CV", "RZ"), turn, strict=True)]
    write_text(paths[0], "\n".join(lines) + "\n")


def _lens_lines(rig: StereoRig, name: str) -> Iterator[str]:
    for side, camera in (("LEFT", rig.left), ("RIGHT", rig.right)):
        D = coefficients(camera, 8, "a ZED conf", other="rig and opencv", models=("pinhole",))
        K = camera.K
        yield f"[{side}_CAM_{name}]"
        for key, value in (("fx", K[0, 0]), ("fy", K[1, 1]), ("cx", K[0, 2]), ("cy", K[1, 2])):
            yield f"{key}={exact(value)}"
        if np.any(D[5:]):
            yield f"\n[{side}_DISTO]"
        for key, value in zip(_NEW if np.any(D[5:]) else _OLD, D, strict=False):
            yield f"{key}={exact(value)}"
        yield ""
