"""Stereo calibrations from MATLAB: stereoParameters as plain arrays, and Bouguet's toolbox.

The Computer Vision Toolbox writes row vectors, ``x2 = x1 R + t``, so its R and its
``IntrinsicMatrix`` are the transposes of ours, and its first pixel is (1, 1). Newer properties
(``K``, ``PoseCamera2``) are not transposed. A ``stereoParameters`` object saved whole can be read
by MATLAB only; ``toStruct`` makes a struct of it. Bouguet's ``Calib_Results_stereo.mat`` has column
vectors and the first pixel at (0, 0). Millimetres unless stated otherwise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from calib.camera import Camera
from calib.checks import Float, Size
from calib.errors import RigFileError
from calib.formats.fields import Fields, camera_matrix, from_rotvec, rotation, whole_size
from calib.formats.guessing import metres_of
from calib.formats.matfile import Opaque, parse
from calib.formats.reading import Stated
from calib.formats.sides import left_first
from calib.rig import StereoRig

EXPORT = "s = toStruct(stereoParams); save('stereo.mat', '-struct', 's', '-v7')"
_NAMES = {
    "K": ("cameraMatrix{}", "IntrinsicMatrix{}", "intrinsicMatrix{}", "K{}", "intrinsics{}"),
    "radial": ("RadialDistortion{}", "radialDistortion{}", "radial{}"),
    "tangential": ("TangentialDistortion{}", "tangentialDistortion{}", "tangential{}"),
    "distortion": ("D{}", "distCoeffs{}", "distortion{}", "dist{}"),
    "size": ("ImageSize{}", "imageSize{}"),
}  # fmt: skip
_ROTATIONS = ("RotationOfCamera2", "rotationOfCamera2", "R", "Rotation", "rotation")
_TRANSLATIONS = ("TranslationOfCamera2", "translationOfCamera2", "T", "t", "Translation")


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file is MATLAB's."""
    return head.startswith((b"MATLAB ", b"\x89HDF"))


def read(path: Path, stated: Stated) -> StereoRig:
    """Read the file; RigFileError naming the file and what it lacks."""
    values = parse(path)
    for name, value in values.items():
        if isinstance(value, Opaque):
            raise RigFileError(
                f"{path}: {name or 'a variable'} is a MATLAB object ({value.kind}), which only "
                f"MATLAB can read; export it there: {EXPORT}"
            )
    if len(structs := [v for v in values.values() if isinstance(v, dict)]) == 1 == len(values):
        values = structs[0]
    if "fc_left" in values:
        return _bouguet(Fields(path, values), stated)
    fields = Fields(path, {**values, **_cameras_apart(values)})
    left, right = (_camera(fields, i, stated) for i in (1, 2))
    R, t = _motion(fields)
    unit = values.get("WorldUnits") or fields.values.get("WorldUnits1")
    metres, notes = metres_of(
        float(np.linalg.norm(t)), "|T|", stated, str(path), written=_unit_name(unit)
    )
    return left_first(StereoRig(left, right, R, t * metres, notes=notes), ("camera 1", "camera 2"))


def _cameras_apart(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of CameraParameters1 and 2 with the number behind."""
    return {
        f"{key}{i}": value
        for i in (1, 2)
        if isinstance(inner := values.get(f"CameraParameters{i}"), dict)
        for key, value in inner.items()
    }


def _unit_name(unit: Any) -> str | None:
    known = {"millimeters": "mm", "centimeters": "cm", "meters": "m", "inches": "in"}
    return known.get(unit.lower(), unit) if isinstance(unit, str) and unit else None


def _first(fields: Fields, names: tuple[str, ...], i: int | str = "") -> str | None:
    return next((name for each in names if (name := each.format(i)) in fields), None)


def _needed(fields: Fields, kind: str, i: int) -> str:
    name = _first(fields, _NAMES[kind], i)
    if name is None:
        raise RigFileError(
            f"{fields.source}: MATLAB file without {_NAMES[kind][0].format(i)}; found "
            f"{', '.join(list(map(str, fields.values))[:20]) or 'nothing'}; export with: {EXPORT}"
        )
    return name


def _camera(fields: Fields, i: int, stated: Stated) -> Camera:
    K = fields.matrix(_needed(fields, "K", i), 3, 3)
    if abs(K[2, 0]) + abs(K[2, 1]) > 0:  # row vectors
        K = K.T
    K = K.copy()
    K[:2, 2] -= 1  # MATLAB counts from 1
    return Camera(stated.model or "pinhole", _size(fields, i, stated, K), K, _distortion(fields, i))


def _distortion(fields: Fields, i: int) -> Float:
    whole = _first(fields, _NAMES["distortion"], i)
    if whole is not None and _first(fields, _NAMES["radial"], i) is None:
        return fields.numbers(whole, 4, 5, 8, 12, 14)
    radial = fields.numbers(_needed(fields, "radial", i), 2, 3)
    tangential = fields.numbers(_needed(fields, "tangential", i), 2)
    return np.concatenate([radial[:2], tangential, np.pad(radial[2:], (0, 1))[:1]])


def _size(fields: Fields, i: int, stated: Stated, K: Float) -> Size:
    name = _first(fields, _NAMES["size"], i) or _first(fields, ("ImageSize", "imageSize"))
    if name is not None:
        height, width = fields.numbers(name, 2)  # MATLAB: rows, columns
        return whole_size(width, height, fields.source, name)
    if stated.size is None:
        raise RigFileError(
            f"{fields.source}: MATLAB stereo calibration (focal length {K[0, 0]:.2f} px) that does "
            "not say the image size; state it (size=, --size WxH)"
        )
    return stated.size


def _motion(fields: Fields) -> tuple[Float, Float]:
    """R and t of ``x_right = R x_left + t``, in the file's unit."""
    if "PoseCamera2" in fields and isinstance(fields.values["PoseCamera2"], dict):
        pose = fields.section("PoseCamera2")
        if "A" in pose:
            return pose.motion("A")
        R, t = pose.matrix("R", 3, 3), pose.numbers("Translation", 3)
        return rotation(R, fields.source, "PoseCamera2.R"), t
    names = [_first(fields, each) for each in (_ROTATIONS, _TRANSLATIONS)]
    if names[0] is None or names[1] is None:
        raise RigFileError(
            f"{fields.source}: MATLAB file without R and T of camera 2; found "
            f"{', '.join(list(map(str, fields.values))[:20])}; export with: {EXPORT}"
        )
    R = rotation(fields.matrix(names[0], 3, 3), fields.source, names[0])
    t = fields.numbers(names[1], 3)
    return (R if _has_columns(fields, R, t) else R.T), t


def _has_columns(fields: Fields, R: Float, t: Float) -> bool:
    """Whether R is meant for column vectors: the essential matrix in the file says so.

    Without one it is for row vectors, as stereoParameters has it.
    """
    name = _first(fields, ("E", "EssentialMatrix"))
    if name is None:
        return False
    E = fields.matrix(name, 3, 3)
    across = np.array([[0, -t[2], t[1]], [t[2], 0, -t[0]], [-t[1], t[0], 0]])
    off = [
        min(np.abs(E / np.linalg.norm(E) - sign * A / np.linalg.norm(A)).max() for sign in (1, -1))
        for A in (across @ R, across @ R.T)
    ]
    return bool(off[0] < off[1])


def _bouguet(fields: Fields, stated: Stated) -> StereoRig:
    width, height = (fields.number(key) for key in ("nx", "ny"))
    size = whole_size(width, height, fields.source, "nx, ny")
    cameras = []
    for side in ("left", "right"):
        fx, fy = fields.numbers(f"fc_{side}", 2)
        K = camera_matrix(fx, fy, *fields.numbers(f"cc_{side}", 2))
        K[0, 1] = fields.number(f"alpha_c_{side}") * fx
        cameras.append(Camera("pinhole", size, K, fields.numbers(f"kc_{side}", 5)))
    R = from_rotvec(fields.numbers("om", 3))
    t = fields.numbers("T", 3)
    metres, notes = metres_of(float(np.linalg.norm(t)), "|T|", stated, str(fields.source))
    return StereoRig(cameras[0], cameras[1], R, t * metres, notes=notes)
