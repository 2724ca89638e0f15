"""The files of one OpenCV calibration: one, two (intrinsics, extrinsics), or a set by sides.

Sets are such as ``left_calibration.xml``, ``right_calibration.xml``, ``stereo_calibration.xml``:
a file of one camera holds its matrices without a side, which the file's name has.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from calib.errors import RigFileError
from calib.formats import arrays
from calib.formats.filestorage import looks_like as is_filestorage
from calib.formats.filestorage import parse as parse_text
from calib.formats.naming import CONFLICT, SIDES, Values, find_pair, flat, value_of
from calib.formats.reading import load_json, read_text

_ENDINGS = (".yml", ".yaml", ".xml", ".json", ".npz")
_ROLE = re.compile(
    r"left|right|stereo|intrinsics?|extrinsics?|calib(ration|rated)?|cameras?|cam|params?"
    r"|parameters?|[^a-z0-9]"
)


def values_in(path: Path) -> Values:
    """Return what a file holds by normalised name; RigFileError when it is not a right one."""
    with path.open("rb") as file:
        head = file.read(4096)
    if arrays.looks_like(head):
        return flat(arrays.parse(path))
    if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") and not is_filestorage(head):
        data: Any = load_json(read_text(path), path)
    else:
        data = parse_text(path)
    if not isinstance(data, dict):
        raise RigFileError(f"{path}: expected keys with values")
    return flat(data)


def gather(files: tuple[Path, ...]) -> Values:
    """Return the values of all files; those of a file of one camera get its side as prefix."""
    merged: Values = {}
    for i, path in enumerate(files):
        values = values_in(path)
        if len(files) > 1 and find_pair(values, "K") is None and value_of(values, "K") is not None:
            side = _side(path) or (SIDES[0][i] if i < 2 else None)
            values = {f"{side}{name}": value for name, value in values.items()} if side else values
        for name, value in values.items():
            merged.setdefault(name, value)
    return merged


def complete(path: Path) -> tuple[Path, ...]:
    """Return the file, or the set it belongs to by its name; what is broken stands alone."""
    other, several = companion(path), _set_of(path)
    if several is None and not (other and other.is_file()):
        return (path,)  # nothing to look into the file for
    try:
        values = values_in(path)
    except (RigFileError, OSError):
        return (path,)
    if find_pair(values, "K") and all(value_of(values, kind) is not None for kind in "RT"):
        return (path,)
    if other is not None and other.is_file():
        return tuple(sorted((path, other), key=lambda p: "extrinsic" in p.name))
    return several or (path,)


def companion(path: Path) -> Path | None:
    """Return the extrinsics file beside an intrinsics file, or the reverse, by its name."""
    for word, other in (("intrinsic", "extrinsic"), ("extrinsic", "intrinsic")):
        if word in path.name:
            return path.with_name(path.name.replace(word, other))
    return None


def _set_of(path: Path) -> tuple[Path, ...] | None:
    """The left, right and (if there is one) joint file whose names differ by their roles only."""
    beside = [p for p in sorted(path.parent.iterdir()) if p.suffix in _ENDINGS and p.is_file()]
    same = [p for p in beside[:200] if _rest(p) == _rest(path)]
    sides = {side: [p for p in same if _side(p) == side] for side in ("left", "right")}
    joint = [p for p in same if _side(p) is None]
    if len(sides["left"]) != 1 or len(sides["right"]) != 1 or len(joint) > 1:
        return None
    return (*sides["left"], *sides["right"], *joint)


def _rest(path: Path) -> str:
    return _ROLE.sub("", path.stem.lower())


def _side(path: Path) -> str | None:
    """Return the side in a file's name."""
    words = re.findall(r"left|right", path.stem.lower())
    return words[0] if len(set(words)) == 1 else None


def without_fisheye_mark(values: Values) -> tuple[Values, bool]:
    """Return the values with names such as ``D_LEFT_FE`` (ZED) as ``D_LEFT``, and if there were."""
    marked = {n[:-2]: v for n, v in values.items() if re.fullmatch(r"[a-z]+(left|right)fe", n)}
    return {**values, **marked}, "dleft" in marked


def one_camera(values: Values) -> Any:
    """Return the camera matrix of a file that holds a single camera; None: it does not."""
    found = value_of(values, "K")
    return None if found is CONFLICT else found


def holds_cameras(path: Path) -> bool:
    """Tell whether a small text of keys and values has two cameras under names that are known."""
    if path.suffix.lower() not in _ENDINGS or path.stat().st_size > 200_000:
        return False
    try:
        values = values_in(path)
    except (RigFileError, OSError):
        return False
    return find_pair(values, "K") is not None
