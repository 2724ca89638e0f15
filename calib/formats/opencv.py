"""Stereo calibrations in OpenCV FileStorage files, as everybody's own program writes them.

OpenCV fixes no key names, so a name is taken apart into a side and a kind: ``M1``,
``cameraMatrix1``, ``camera_matrix_left``, ``K_LEFT``, ``leftCameraMatrix`` and ``left: {K: ...}``
all mean the left camera matrix. R and T may lie in ``extrinsics.yml`` beside ``intrinsics.yml``;
either of the two, or their folder, may be given.

The files state neither length unit nor lens model and seldom the image size. What the caller
does not state is taken from the file only where no sensible reading differs, and noted in
``rig.notes``; otherwise it is an error that says what to state. |T| from 0.005 to 2 is metres and
from 30 on millimetres; between them lie centimetres and board squares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from calib.camera import Camera, Model
from calib.checks import Float, Size
from calib.errors import CameraError, RigFileError
from calib.formats.filestorage import looks_like as is_filestorage
from calib.formats.filestorage import parse as parse_filestorage
from calib.formats.reading import Stated, metres_per_unit, number
from calib.rig import StereoRig
from calib.units import METRES_PER
from calib.words import plain

Values = dict[str, Any]
_SIDES = (
    ("left", "right"), ("l", "r"), ("cam0", "cam1"), ("cam1", "cam2"), ("camera0", "camera1"),
    ("camera1", "camera2"), ("1", "2"), ("0", "1"),
)  # fmt: skip
_KINDS = {
    "K": (
        "cameramatrix", "m", "k", "cm", "mtx", "cameramat", "cammatrix", "cammtx", "intrinsic",
        "intrinsics", "intrinsicmatrix", "camera",
    ),
    "distortion": (
        "distcoeffs", "d", "dist", "distcoeff", "distcoefs", "distortion", "distortioncoeffs",
        "distortioncoefficients", "distcoefficients",
    ),
    "R": ("r", "rot", "rotation", "rotationmatrix", "rstereo", "stereor"),
    "T": ("t", "trans", "translation", "translationvector", "tvec", "tstereo", "stereot"),
    "size": ("imagesize", "imgsize", "size", "resolution", "framesize"),
    "width": ("imagewidth", "width"),
    "height": ("imageheight", "height"),
    "unit": ("unit", "units", "lengthunit"),
    "model": ("model", "cameramodel", "lensmodel", "distortionmodel"),
    "rms": ("rms", "reprojectionerror", "rmserror", "stereorms", "rmsstereo"),
}  # fmt: skip
_MODELS: dict[str, Model] = {
    "pinhole": "pinhole", "plumbbob": "pinhole", "rationalpolynomial": "pinhole",
    "fisheye": "fisheye", "equidistant": "fisheye",
}  # fmt: skip
_CONFLICT = object()  # the same name in two sections with different values


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file is of FileStorage, or a folder holds an intrinsics/extrinsics pair."""
    return any(_pairs(path)) if path.is_dir() else is_filestorage(head)


def read(path: Path, stated: Stated) -> StereoRig:
    """Read a stereo calibration; RigFileError naming the file and what it lacks."""
    files, values = _gather(path)
    source = " + ".join(map(str, files))
    R, T = _rotation(_single(values, "R", source), source), _translation(values, source)
    K, distortion = _both(values, "K", source), _both(values, "distortion", source)
    sizes = _sizes(values, stated, source)
    models, model_note = _models(values, distortion, stated, source)
    metres, unit_note = _unit(values, T, stated, source)
    notes = {"format": "opencv", "read_from": [file.name for file in files]}
    try:
        left, right = (
            Camera(model, size, matrix.reshape(3, 3), k.ravel())
            for model, size, matrix, k in zip(models, sizes, K, distortion, strict=True)
        )
        return StereoRig(
            left,
            right,
            R,
            T * metres,
            reprojection_rms_px=number(_value(values, "rms")),
            notes=notes | model_note | unit_note,
        )
    except CameraError as error:
        raise RigFileError(f"{source}: {error}") from error


# -- files to values -------------------------------------------------------------------------


def _gather(path: Path) -> tuple[list[Path], Values]:
    """Return the file, or the pair it belongs to, and its values by normalised name."""
    files = [_pair_in(path)] if path.is_dir() else [path]
    values = _flat(parse_filestorage(files[0]))
    whole = _find_pair(values, "K") and all(_value(values, kind) is not None for kind in "RT")
    other = _companion(files[0])
    if whole or other is None:
        return files, values
    if not other.is_file():
        needed = "the camera matrices" if "extrinsic" in files[0].name else "R and T"
        raise RigFileError(f"{files[0]}: {other.name} with {needed} must lie beside it")
    return [*files, other], _flat(parse_filestorage(other)) | values


def _flat(data: Mapping[str, Any]) -> Values:
    """Return the leaves by normalised name: the innermost key, and it with its section."""
    values: Values = {}
    for keys, value in _leaves(data, ()):
        for name in {_normal(keys[-1]), _normal("".join(keys[-2:]))}:
            same = name not in values or np.array_equal(values[name], value)
            values[name] = value if same else _CONFLICT
    return values


def _leaves(data: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _normal(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _companion(path: Path) -> Path | None:
    """Return the extrinsics file beside an intrinsics file, or the reverse, by its name."""
    for word, other in (("intrinsic", "extrinsic"), ("extrinsic", "intrinsic")):
        if word in path.name:
            return path.with_name(path.name.replace(word, other))
    return None


def _pairs(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.glob("*intrinsic*")):
        other = _companion(path)
        if path.suffix in (".yml", ".yaml", ".xml", ".json") and other and other.is_file():
            yield path


def _pair_in(folder: Path) -> Path:
    pairs = list(_pairs(folder))
    if len(pairs) != 1:
        names = ", ".join(path.name for path in pairs) or "none"
        raise RigFileError(f"{folder}: expected one pair of intrinsics and extrinsics, got {names}")
    return pairs[0]


# -- values to numbers -----------------------------------------------------------------------


def _value(values: Values, kind: str) -> Any:
    return next((values[name] for name in _KINDS[kind] if name in values), None)


def _find_pair(values: Values, kind: str) -> tuple[str, str] | None:
    """Return the names of both cameras' ``kind``, whatever their spelling."""
    for left, right in _SIDES:
        for name in _KINDS[kind]:
            for pair in ((name + left, name + right), (left + name, right + name)):
                if pair[0] in values and pair[1] in values:
                    return pair
    return None


def _array(value: Any, name: str, source: str) -> Float:
    """Return an array from a matrix or a plain list of numbers."""
    if value is _CONFLICT:
        raise RigFileError(f"{source}: {name} is given twice with different values")
    if isinstance(value, np.ndarray):
        return value
    flat = [number(item) for item in value] if isinstance(value, list) else [None]
    if None in flat:
        raise RigFileError(f"{source}: {name}: expected a matrix of numbers, got {value!r:.60}")
    return np.array(flat, float)


def _found(values: Values) -> str:
    names = sorted(values)
    return (", ".join(names[:20]) or "nothing") + (", ..." if len(names) > 20 else "")


def _single(values: Values, kind: str, source: str) -> Float:
    value = _value(values, kind)
    if value is None:
        raise RigFileError(
            f"{source}: {kind} of x_right = R x_left + T is missing; found {_found(values)}"
        )
    return _array(value, kind, source)


def _both(values: Values, kind: str, source: str) -> tuple[Float, Float]:
    names = _find_pair(values, kind)
    if names is None:
        what, example = {
            "K": ("camera matrices", "M1 and M2, or camera_matrix_left and camera_matrix_right"),
            "distortion": ("distortion", "D1 and D2, or dist_coeffs_left and dist_coeffs_right"),
        }[kind]
        raise RigFileError(
            f"{source}: expected the {what} of both cameras under names such as {example}; "
            f"found {_found(values)}"
        )
    left, right = (_array(values[name], name, source) for name in names)
    if kind == "K" and (left.shape, right.shape) != ((3, 3), (3, 3)):
        raise RigFileError(
            f"{source}: camera matrices must be 3 x 3, got {left.shape}, {right.shape}"
        )
    return left, right


def _rotation(R: Float, source: str) -> Float:
    if R.size == 3:  # a rotation vector, as ZED writes
        return np.asarray(cv2.Rodrigues(R.reshape(3, 1))[0])
    if R.shape != (3, 3):
        raise RigFileError(f"{source}: R: expected 3 x 3 or 3 numbers, got shape {R.shape}")
    return R


def _translation(values: Values, source: str) -> Float:
    T = _single(values, "T", source)
    if T.size != 3:
        raise RigFileError(f"{source}: T: expected 3 numbers, got {T.size}")
    return T.ravel()


def _sizes(values: Values, stated: Stated, source: str) -> tuple[Size, Size]:
    pair = _find_pair(values, "size")
    if pair is not None:
        return _size(values[pair[0]], source), _size(values[pair[1]], source)
    whole = _value(values, "size")
    if whole is None:
        width, height = _value(values, "width"), _value(values, "height")
        whole = None if width is None or height is None else [width, height]
    if whole is not None:
        size = _size(whole, source)
        return size, size
    if stated.size is None:
        raise RigFileError(
            f"{source}: the file does not say the image size; state it (size=, --size WxH) "
            "or add a line image_size: [width, height]"
        )
    return stated.size, stated.size


def _size(value: Any, source: str) -> Size:
    numbers = _array(value, "image size", source).ravel()
    if numbers.size != 2 or np.any(numbers < 1) or np.any(numbers % 1):
        raise RigFileError(f"{source}: image size: expected [width, height], got {value!r:.60}")
    return int(numbers[0]), int(numbers[1])


def _models(
    values: Values, distortion: tuple[Float, Float], stated: Stated, source: str
) -> tuple[list[Model], dict[str, str]]:
    """Lens models of left and right, and a note when they were assumed."""
    each = [values[name] for name in _find_pair(values, "model") or ()]
    written = each or [_value(values, "model")] * 2
    in_file = [_MODELS.get(_normal(str(text))) for text in written]
    for text, model in zip(written, in_file, strict=True):
        if text is not None and model is None:
            raise RigFileError(f"{source}: lens model: expected pinhole or fisheye, got {text!r}")
        if model and stated.model and model != stated.model:
            raise RigFileError(f"{source}: the lens model is {model}, not {stated.model}")
    if len(known := [m for model in in_file if (m := model or stated.model)]) == 2:
        return known, {}
    if 4 in (distortion[0].size, distortion[1].size):
        raise RigFileError(
            f"{source}: 4 distortion coefficients may be pinhole (k1 k2 p1 p2) or fisheye "
            "(k1 k2 k3 k4), and the file does not say which; add a line model: pinhole (or fisheye)"
            " to it, or state it (model=)"
        )
    count = distortion[0].size
    return ["pinhole"] * 2, {"model_assumed": f"pinhole: {count} distortion coefficients"}


def _unit(values: Values, T: Float, stated: Stated, source: str) -> tuple[float, dict[str, str]]:
    """Metres per unit of T, and a note when it was assumed."""
    unit = stated.unit if stated.unit is not None else _value(values, "unit")
    if unit is not None:
        return metres_per_unit(unit, source), {}
    length = float(np.linalg.norm(T))
    assumed = "m" if 0.005 <= length <= 2 else "mm" if length >= 30 else None
    if assumed is None:
        raise RigFileError(
            f"{source}: the file does not say its length unit, and |T| = {plain(length)} could be "
            "metres, centimetres, millimetres or board squares; state it (unit=, --unit mm) "
            "or add a line unit: mm (for squares: the side of one in metres)"
        )
    return METRES_PER[assumed], {
        "unit_assumed": f"{assumed}: the file states none, and |T| = {plain(length)}"
    }
