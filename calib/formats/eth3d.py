"""ETH3D (COLMAP) ``cameras.txt`` with ``images.txt`` beside it: cameras and the poses of images.

``cameras.txt``: ID MODEL WIDTH HEIGHT PARAMETERS; ``images.txt``: ID QW QX QY QZ TX TY TZ CAMERA
NAME, world to camera, metres in ETH3D, and after each such line one of image points. Described at
https://www.eth3d.net/documentation.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from calib.camera import Camera, Model
from calib.checks import Float
from calib.errors import RigFileError
from calib.formats.fields import camera_matrix, flat_numbers, whole_size
from calib.formats.reading import Stated, read_text, stated_metres
from calib.formats.sides import chosen, from_poses, if_rectified, left_first
from calib.rig import RectifiedRig, StereoRig

_FILES = ("cameras.txt", "images.txt")
_MODELS: dict[str, tuple[Model, int, int, tuple[int, ...]]] = {
    "SIMPLE_PINHOLE": ("pinhole", 1, 0, ()),
    "PINHOLE": ("pinhole", 2, 0, ()),
    "SIMPLE_RADIAL": ("pinhole", 1, 4, (0,)),
    "RADIAL": ("pinhole", 1, 4, (0, 1)),
    "OPENCV": ("pinhole", 2, 4, (0, 1, 2, 3)),
    "FULL_OPENCV": ("pinhole", 2, 8, (0, 1, 2, 3, 4, 5, 6, 7)),
    "OPENCV_FISHEYE": ("fisheye", 2, 4, (0, 1, 2, 3)),
}
"""name -> lens, focal lengths, coefficients of ours, which of those the parameters are."""


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file is either of the two."""
    camera = re.search(rb"^\d+[ \t]+[A-Z][A-Z_]+[ \t]+\d+[ \t]+\d+[ \t]+[-\d.]", head, re.MULTILINE)
    image = re.search(rb"^\d+([ \t]+[-+\d.e]+){7}[ \t]+\d+[ \t]+\S+[ \t\r]*$", head, re.MULTILINE)
    return bool(camera or (image and path.name.lower() == _FILES[1]))


def complete(path: Path) -> tuple[Path, ...]:
    """Return the two files in their order, the one that is missing left out."""
    return tuple(p for name in _FILES if (p := path.with_name(name)).is_file()) or (path,)


def read(files: tuple[Path, ...], stated: Stated) -> StereoRig | RectifiedRig:
    """Read the two files; RigFileError naming the file and the line."""
    by_name = {path.name.lower(): path for path in files}
    if set(by_name) != set(_FILES):
        missing = next((name for name in _FILES if name not in by_name), "only one of each")
        raise RigFileError(
            f"{files[0]}: ETH3D (COLMAP) calibration; {missing} must lie beside it, for "
            "cameras.txt holds the lenses and images.txt where they stood"
        )
    cameras = _cameras(by_name[_FILES[0]])
    path = by_name[_FILES[1]]
    images = _images(path)
    if len(images) > 2 and stated.cameras is None:
        names = ", ".join(list(images)[:8])
        raise RigFileError(
            f"{path}: holds {len(images)} images; say which two are left and right "
            f"(--camera-pair A,B): {names}{', ...' if len(images) > 8 else ''}"
        )
    if len(images) < 2:
        raise RigFileError(f"{path}: holds {len(images)} image; a stereo pair has two")
    known = sorted(images)
    (a, b), _ = chosen(stated, known, (known[0], known[1]), path)
    for name in (a, b):
        if images[name][2] not in cameras:
            raise RigFileError(f"{path}: {name}: no camera {images[name][2]} in cameras.txt")
    R, t = from_poses(images[a][:2], images[b][:2])
    t = t * stated_metres(stated, "m", path)
    left, right = (cameras[images[name][2]] for name in (a, b))
    rig = if_rectified(StereoRig(left, right, R, t))
    return left_first(rig, (a, b)) if isinstance(rig, StereoRig) else rig


def _words(path: Path) -> list[tuple[int, list[str]]]:
    """The words of each line that is no comment, with its number; empty lines too."""
    lines = enumerate(read_text(path).splitlines(), start=1)
    return [(n, line.split()) for n, line in lines if not line.lstrip().startswith("#")]


def _cameras(path: Path) -> dict[str, Camera]:
    found = {}
    for count, words in _words(path):
        if not words:
            continue
        where = f"line {count}"
        values = flat_numbers(words[2:]) if len(words) < 30 else None
        if len(words) < 5 or values is None:
            raise RigFileError(f"{path}: {where}: expected ID MODEL WIDTH HEIGHT PARAMETERS")
        if words[1] not in _MODELS:
            raise RigFileError(
                f"{path}: {where}: COLMAP's {words[1]:.40} is not supported; known: "
                f"{', '.join(_MODELS)}"
            )
        model, focals, size, places = _MODELS[words[1]]
        wanted = focals + 2 + len(places)
        if values.size != 2 + wanted:
            raise RigFileError(
                f"{path}: {where}: {words[1]} has {wanted} parameters, got {values.size - 2}"
            )
        f, (cx, cy), D = values[2 : 2 + focals], values[2 + focals : 4 + focals], np.zeros(size)
        D[list(places)] = values[4 + focals :]
        K = camera_matrix(f[0], f[-1], cx, cy)
        found[words[0]] = Camera(model, whole_size(values[0], values[1], path, where), K, D)
    return found


def _turn(w: float, x: float, y: float, z: float) -> Float:
    """The rotation (3, 3) of a quaternion."""
    w, x, y, z = np.array([w, x, y, z]) / np.linalg.norm([w, x, y, z])
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _images(path: Path) -> dict[str, tuple[Float, Float, str]]:
    """Name -> rotation and translation world to camera, and the camera's ID."""
    found = {}
    lines = _words(path)
    while lines and not lines[0][1]:
        lines.pop(0)
    for count, words in lines[::2]:  # every second line holds image points
        if not words:
            continue
        values = flat_numbers(words[1:8])
        if len(words) < 10 or values is None or not np.linalg.norm(values[:4]) > 1e-6:
            raise RigFileError(
                f"{path}: line {count}: expected ID QW QX QY QZ TX TY TZ CAMERA NAME"
            )
        w, x, y, z = values[:4]
        R = _turn(w, x, y, z)
        found[" ".join(words[9:])] = R, values[4:], words[8]
    return found
