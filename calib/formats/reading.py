"""What every reader of a calibration file needs: bounded text, safe YAML, length units.

Calibration files come from strangers. Nothing here follows an alias, a tag or an entity, and a
file that is too large or nested too deeply is refused before anything is built from it.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from calib.camera import Model
from calib.checks import Size
from calib.errors import RigFileError
from calib.units import METRES_PER

MAX_BYTES = 4_000_000  # a hundred views with all corners and residuals take 3 MB
MAX_DEPTH = 32
MAX_VALUES = 500_000  # 4 MB of single digits would take 8 s to build
MOST_FOREIGN = 100_000  # half a second; the image points of fifty views of two cameras


@dataclass(frozen=True, slots=True)
class Stated:
    """What the caller states about a file that does not say it itself."""

    size: Size | None = None
    """(width, height) of the calibration images, pixels."""
    unit: str | float | None = None
    """Length unit of the file: a name in ``METRES_PER``, or metres per unit (a board square)."""
    model: Model | None = None
    """Lens model of both cameras."""
    resolution: str | None = None
    """Which of a file's resolutions, by the file's own name for it ("HD" in a ZED conf)."""
    cameras: tuple[str, str] | None = None
    """Which two of a file's cameras are left and right, by the file's own names for them."""
    rectified: bool = False
    """The images are rectified: a file that holds both geometries gives the rectified one."""


def read_text(path: Path) -> str:
    """Text of a file of at most ``MAX_BYTES``; RigFileError naming the file otherwise."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RigFileError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise RigFileError(
            f"{path}: larger than {MAX_BYTES / 1e6:g} MB, which no calibration file needs"
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RigFileError(f"{path}: not text (UTF-8 expected, byte {error.start})") from error


class StrictLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader that refuses a key given twice instead of taking the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Build one mapping."""
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else "")
        return super().construct_mapping(node, deep=deep)


def load_yaml(text: str, path: Path, *, loader: Any = StrictLoader, most: int = MAX_VALUES) -> Any:
    """Plain data of at most so many values in a YAML text; else RigFileError with file and line."""
    try:
        _check_events(text, path, most)
        return yaml.load(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise RigFileError(f"{path}: not valid YAML: {line}{error.problem}") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        if isinstance(error, RigFileError):
            raise
        raise RigFileError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from error


def load_json(text: str, path: Path) -> Any:
    """Plain data in a JSON text; RigFileError naming the file and line otherwise."""
    if text.count("[") + text.count("{") > MOST_FOREIGN:
        raise RigFileError(f"{path}: more than {MOST_FOREIGN} lists and objects")
    try:
        return json.loads(text, object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise RigFileError(
            f"{path}: not valid JSON: line {error.lineno}: {error.msg} (cut off?)"
        ) from error
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise RigFileError(f"{path}: not valid JSON: {why:.120}") from error


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {doubled!r:.60} is given twice")
    return data


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a finite number")


def _check_events(text: str, path: Path, most: int) -> None:
    """Refuse deep nesting, aliases and floods while nothing but events exists."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=StrictLoader)):
        if isinstance(event, yaml.AliasEvent):
            line = f"line {event.start_mark.line + 1}: " if event.start_mark else ""
            raise RigFileError(f"{path}: {line}YAML aliases (*) are not accepted")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise RigFileError(f"{path}: nested more than {MAX_DEPTH} levels deep")
        if count > most:
            raise RigFileError(f"{path}: more than {most} values")


_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)


_LONGEST_NUMBER = 100  # a stranger's million digits would keep a pattern busy for hours
_UNIT = re.compile(r"(\d+\.?\d*(?:e[-+]?\d+)?|\.\d+)?\s*([a-z]+)?")


def number(value: Any) -> float | None:
    """Return a finite number, or None. YAML reads ``1e-5`` as text: it is a number here."""
    if isinstance(value, str) and len(value) < _LONGEST_NUMBER and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        value = float(value)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def metres_per_unit(unit: str | float, source: Path | str) -> float:
    """Length of one unit, metres; RigFileError for an unknown one.

    A unit is a name ("mm"), so many of one ("25mm": the side of a board's square), or metres.
    """
    metres = number(unit)
    if (
        isinstance(unit, str)
        and len(unit) < 40
        and (found := _UNIT.fullmatch(unit.strip().lower()))
    ):
        metres = float(found[1] or 1) * METRES_PER.get(found[2] or "m", math.nan)
    if metres is None or not 0 < metres < math.inf:
        raise RigFileError(
            f"{source}: unknown length unit {unit!r}; expected m, cm, mm, in, metres per unit, or "
            "the length of one, such as 25mm"
        )
    return metres


def stated_metres(stated: Stated, default: str, source: Path | str) -> float:
    """Metres per unit of a format whose unit is ``default`` unless the caller states another."""
    return metres_per_unit(default if stated.unit is None else stated.unit, source)
