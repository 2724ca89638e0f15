"""What a name means in a file that everybody's own program wrote: a side and a kind.

``M1``, ``cameraMatrix1``, ``camera_matrix_left``, ``K_LEFT``, ``leftCameraMatrix`` and
``left: {K: ...}`` all mean the left camera matrix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from calib.checks import Float
from calib.errors import RigFileError
from calib.formats.fields import flat_numbers, shown

Values = dict[str, Any]
"""Values by normalised name: small letters and digits only."""

SIDES = (
    ("left", "right"), ("l", "r"), ("cam0", "cam1"), ("cam1", "cam2"), ("camera0", "camera1"),
    ("camera1", "camera2"), ("1", "2"), ("0", "1"),
)  # fmt: skip
KINDS = {
    "K": (
        "cameramatrix", "m", "k", "cm", "mtx", "cameramat", "cammatrix", "cammtx", "intrinsic",
        "intrinsics", "intrinsicmatrix", "camera",
    ),
    "distortion": (
        "distcoeffs", "d", "dist", "distcoeff", "distcoefs", "distortion", "distortioncoeffs",
        "distortioncoefficients", "distcoefficients", "discoeffs",
    ),
    "R": ("r", "rot", "rotation", "rotationmatrix", "rstereo", "stereor"),
    "T": ("t", "trans", "translation", "translationvector", "tvec", "tstereo", "stereot"),
    "Q": ("q", "disparitytodepthmatrix", "disptodepthmatrix", "qmatrix"),
    "P": ("p", "projectionmatrix", "projmatrix", "projection", "proj"),
    "size": ("imagesize", "imgsize", "size", "resolution", "framesize"),
    "width": ("imagewidth", "width"),
    "height": ("imageheight", "height"),
    "unit": ("unit", "units", "lengthunit"),
    "model": ("model", "cameramodel", "lensmodel", "distortionmodel"),
    "rms": ("rms", "reprojectionerror", "rmserror", "stereorms", "rmsstereo"),
}  # fmt: skip
CONFLICT = object()
"""The same name in two sections with different values."""


def flat(data: Mapping[str, Any]) -> Values:
    """Return the leaves by normalised name: the innermost key, and it with its section."""
    values: Values = {}
    for keys, value in _leaves(data, ()):
        for name in {normal(keys[-1]), normal("".join(keys[-2:]))}:
            same = name not in values or _equal(values[name], value)
            values[name] = value if same else CONFLICT
    return values


def _equal(one: Any, other: Any) -> bool:
    numbers = flat_numbers(one), flat_numbers(other)
    if numbers[0] is None or numbers[1] is None:
        return bool(numbers[0] is numbers[1] and str(one) == str(other))
    return np.array_equal(numbers[0], numbers[1])


def _leaves(data: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
    for key, value in data.items():
        if isinstance(value, Mapping) and not ("data" in value and "rows" in value):
            yield from _leaves(value, (*above, str(key)))
        else:
            yield (*above, str(key)), value


def normal(name: str) -> str:
    """Return a name in small letters and digits."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def value_of(values: Values, kind: str) -> Any:
    """Return the value of a kind that needs no side; None: there is none."""
    return next((values[name] for name in KINDS[kind] if name in values), None)


def find_pair(values: Values, kind: str) -> tuple[str, str] | None:
    """Return the names of both cameras' ``kind``, whatever their spelling."""
    for left, right in SIDES:
        for name in KINDS[kind]:
            for pair in ((name + left, name + right), (left + name, right + name)):
                if pair[0] in values and pair[1] in values:
                    return pair
    return None


def array_of(value: Any, name: str, source: str) -> Float:
    """Return a float array of a matrix (its shape kept) or of nested lists (flat)."""
    if value is CONFLICT:
        raise RigFileError(f"{source}: {name} is given twice with different values")
    found = flat_numbers(value)
    if found is None:
        raise RigFileError(f"{source}: {name}: expected a matrix of numbers, got {shown(value)}")
    return found.reshape(value.shape) if isinstance(value, np.ndarray) else found


def names_found(values: Values) -> str:
    """Return the first names, for an error."""
    names = sorted(values)
    return (", ".join(names[:20]) or "nothing") + (", ..." if len(names) > 20 else "")
