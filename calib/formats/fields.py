"""Values of a foreign file by their keys, each checked once; what else the file holds is its own.

Every error names the file, the key as a path such as ``cam1.intrinsics``, what was expected and
what was there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calib.checks import Float, Size
from calib.errors import RigFileError
from calib.formats.reading import number

_SAME_ROTATION = 1e-3
"""A matrix written with few digits is off by less; what is further off is no rotation."""


class Fields:
    """One mapping of a foreign file."""

    def __init__(self, source: Path | str, value: Any, where: str = "") -> None:
        self.source, self.where = source, where
        if not isinstance(value, Mapping):
            raise RigFileError(f"{source}: {where or 'file'}: expected keys with values")
        self.values = value

    def name(self, key: str) -> str:
        """Return the key as a path from the file's top."""
        return f"{self.where}.{key}" if self.where else key

    def wrong(self, key: str, expected: str, value: Any) -> RigFileError:
        """Return the error for a value that is not what was expected."""
        return RigFileError(
            f"{self.source}: {self.name(key)}: expected {expected}, got {shown(value)}"
        )

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def take(self, key: str) -> Any:
        """Return a value that must be there."""
        if key not in self:
            raise RigFileError(f"{self.source}: {self.name(key)} is missing")
        return self.values[key]

    def section(self, key: str) -> Fields:
        """Return a mapping inside this one."""
        return Fields(self.source, self.take(key), self.name(key))

    def text(self, key: str) -> str:
        """Return text; a number is text too."""
        value = self.take(key)
        if isinstance(value, Mapping | list | np.ndarray):
            raise self.wrong(key, "text", value)
        return str(value).strip()

    def number(self, key: str) -> float:
        """Return a finite number."""
        value = self.take(key)
        found = number(value.item() if isinstance(value, np.ndarray) and value.size == 1 else value)
        if found is None:
            raise self.wrong(key, "a finite number", value)
        return found

    def numbers(self, key: str, *counts: int) -> Float:
        """Return (n,) finite numbers, n one of ``counts`` (none: any), row by row if nested."""
        value = self.take(key)
        found = flat_numbers(value)
        if found is None or (counts and found.size not in counts):
            wanted = " or ".join(map(str, counts))
            raise self.wrong(key, f"{wanted} finite numbers".strip(), value)
        return found

    def matrix(self, key: str, rows: int, columns: int) -> Float:
        """Return (rows, columns) finite numbers."""
        return self.numbers(key, rows * columns).reshape(rows, columns)

    def size(self, key: str) -> Size:
        """Return (width, height)."""
        width, height = self.numbers(key, 2)
        return whole_size(width, height, self.source, self.name(key))

    def motion(self, key: str) -> tuple[Float, Float]:
        """Return the rotation (3, 3) and translation (3,) of a rigid 4 x 4 matrix."""
        T = self.matrix(key, 4, 4)
        if np.abs(T[3] - [0, 0, 0, 1]).max() > 1e-6:
            raise self.wrong(key, "0 0 0 1 as the last row of a motion", T[3].tolist())
        return rotation(T[:3, :3], self.source, self.name(key)), T[:3, 3]


def flat_numbers(value: Any) -> Float | None:
    """Return (n,) of nested lists, an array, ``{rows, cols, data}`` or one number; None: it is
    something else, or holds what is no finite number.
    """
    if isinstance(value, np.ndarray):
        return value.astype(float).ravel() if np.isfinite(value).all() else None
    if isinstance(value, Mapping):
        value = value.get("data")
    items, found = [value], []
    while items:  # no recursion: depth is not bounded in every kind of file
        item = items.pop()
        if isinstance(item, list | tuple):
            items.extend(reversed(item))
        elif (parsed := number(item)) is not None:
            found.append(parsed)
        else:
            return None
    return np.array(found, float)


def shown(value: Any) -> str:
    """Return the beginning of a value, for an error."""
    return f"{value!r:.80}"


def whole_size(width: float, height: float, source: Path | str, where: str) -> Size:
    """Return (width, height) in whole pixels; RigFileError naming ``where`` otherwise."""
    if not (width >= 1 and height >= 1 and width % 1 == 0 and height % 1 == 0):
        raise RigFileError(
            f"{source}: {where}: expected width and height in whole pixels, "
            f"got {width:g} {height:g}"
        )
    return int(width), int(height)


def rotation(R: Float, source: Path | str, where: str) -> Float:
    """Return the rotation that a matrix is, where it was written with few digits.

    Raises RigFileError when it is none.
    """
    if np.isfinite(R).all():
        if np.abs(R @ R.T - np.eye(3)).max() < 1e-12 and np.linalg.det(R) > 0:
            return R  # the same bits
        U, _, Vt = np.linalg.svd(R)
        nearest = np.asarray(U @ Vt)
        if np.abs(nearest - R).max() < _SAME_ROTATION and np.linalg.det(nearest) > 0:
            return nearest
    raise RigFileError(
        f"{source}: {where}: expected a rotation matrix, got {shown(np.round(R, 4).tolist())}"
    )


def from_rotvec(turn: Sequence[float] | Float) -> Float:
    """Return the rotation matrix (3, 3) of a rotation vector, radians."""
    from scipy.spatial.transform import Rotation  # slow to load, seldom needed

    return np.asarray(Rotation.from_rotvec(np.asarray(turn, float)).as_matrix())


def to_rotvec(R: Float) -> Float:
    """Return the rotation vector of a rotation matrix; ``cv2.Rodrigues`` drops angles < 1e-5."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_matrix(R).as_rotvec())


def camera_matrix(fx: float, fy: float, cx: float, cy: float) -> Float:
    """Return K (3, 3)."""
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
