"""Middlebury ``calib.txt`` (2014 and later; ETH3D two-view uses it too): rectified geometry only.

``cam0=[f 0 cx; 0 f cy; 0 0 1]``, ``cam1``, ``doffs``, ``baseline`` in millimetres, ``width``,
``height``, ``ndisp``. Described at https://vision.middlebury.edu/stereo/data/scenes2014/.
"""

from __future__ import annotations

import re
from pathlib import Path

from calib.errors import CameraError, RigFileError
from calib.formats.reading import Stated, number, read_text, stated_metres
from calib.formats.writing import write_text
from calib.rig import RectifiedRig
from calib.words import plain


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a line begins with ``cam0=[``."""
    return re.search(rb"^[ \t]*cam0[ \t]*=[ \t]*\[", head, re.MULTILINE) is not None


def read(path: Path, stated: Stated) -> RectifiedRig:
    """Read a calib.txt; the baseline is millimetres unless ``stated.unit`` says otherwise.

    Raises RigFileError naming the file and the key.
    """
    values = _key_values(read_text(path), path)
    left, right = _matrix(values, "cam0", path), _matrix(values, "cam1", path)
    if left[0] != right[0] or left[2] != right[2]:
        raise RigFileError(
            f"{path}: cam0 and cam1 must share focal length and row of the principal point, as "
            f"rectified cameras do, got f {plain(left[0])} and {plain(right[0])}, "
            f"cy {plain(left[2])} and {plain(right[2])}"
        )
    doffs, expected = _number(values, "doffs", path), right[1] - left[1]
    if abs(doffs - expected) > 0.01:  # the file rounds to three decimals
        raise RigFileError(
            f"{path}: doffs: expected cx of cam1 - cx of cam0 = {plain(expected)}, "
            f"got {plain(doffs)}"
        )
    width, height, ndisp = (
        _whole(values, key, path) if key in values else None for key in ("width", "height", "ndisp")
    )
    size = (width, height) if width and height else stated.size
    if ndisp is not None and size is not None and ndisp >= size[0]:
        ndisp = None  # ETH3D writes the image width there: that says nothing
    metres = stated_metres(stated, "mm", path)
    try:
        return RectifiedRig(
            size=size,
            focal_px=left[0],
            baseline_m=_number(values, "baseline", path) * metres,
            cx_left_px=left[1],
            cx_right_px=right[1],
            cy_px=left[2],
            num_disparities=ndisp,
        )
    except CameraError as error:
        raise RigFileError(f"{path}: {error}") from error


def write(rig: RectifiedRig) -> str:
    """Return the text of a calib.txt; ``read`` gives the rig back (baseline to a rounding)."""
    f, cy = rig.focal_px, rig.cy_px
    lines = [
        f"cam0=[{f!r} 0 {rig.cx_left_px!r}; 0 {f!r} {cy!r}; 0 0 1]",
        f"cam1=[{f!r} 0 {rig.cx_right_px!r}; 0 {f!r} {cy!r}; 0 0 1]",
        f"doffs={rig.doffs_px!r}",
        f"baseline={rig.baseline_m * 1e3!r}",
    ]
    if rig.size is not None:
        lines += [f"width={rig.size[0]}", f"height={rig.size[1]}"]
    if rig.num_disparities is not None:
        lines.append(f"ndisp={rig.num_disparities}")
    return "\n".join(lines) + "\n"


def save(rig: RectifiedRig, path: Path) -> None:
    """Write a calib.txt in one step. Raises RigWriteError."""
    write_text(path, write(rig))


def _key_values(text: str, path: Path) -> dict[str, str]:
    values: dict[str, str] = {}
    for count, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not key:
            raise RigFileError(f"{path}: line {count}: expected key=value, got {line!r:.60}")
        if key in values:
            raise RigFileError(f"{path}: line {count}: {key} is given twice")
        values[key] = value
    return values


def _number(values: dict[str, str], key: str, path: Path) -> float:
    if key not in values:
        raise RigFileError(f"{path}: {key} is missing")
    parsed = number(values[key])
    if parsed is None:
        raise RigFileError(f"{path}: {key}: expected a finite number, got {values[key]!r:.60}")
    return parsed


def _whole(values: dict[str, str], key: str, path: Path) -> int:
    parsed = _number(values, key, path)
    if parsed != int(parsed) or parsed < 1:
        raise RigFileError(f"{path}: {key}: expected a whole number > 0, got {values[key]}")
    return int(parsed)


def _matrix(values: dict[str, str], key: str, path: Path) -> tuple[float, float, float]:
    """(f, cx, cy) of ``[f 0 cx; 0 f cy; 0 0 1]``."""
    if key not in values:
        raise RigFileError(f"{path}: {key} is missing")
    inside = re.fullmatch(r"\[(.*)\]", values[key])
    rows = [[number(n) for n in row.split()] for row in inside[1].split(";")] if inside else []
    match rows:
        case [[float(f), 0, float(cx)], [0, float(f2), float(cy)], [0, 0, 1]] if f == f2:
            return f, cx, cy
    raise RigFileError(f"{path}: {key}: expected [f 0 cx; 0 f cy; 0 0 1], got {values[key]!r:.60}")
