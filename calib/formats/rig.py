"""Our own rig file: YAML, versioned, nothing assumed, nothing lost.

Numbers are written as Python's shortest exact text, so reading gives back the same bits. The
reader is strict: a missing, unknown, doubled or ill-typed key is refused by its path, such as
``left.K.fx``. Writing replaces the file in one step or leaves the old one untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from calib.atomic import replace_whole
from calib.camera import Camera
from calib.errors import CameraError, RigFileError, RigWriteError
from calib.formats.reading import MAX_BYTES, Stated, load_yaml, metres_per_unit, number, read_text
from calib.notes import Notes
from calib.rig import StereoRig

SCHEMA, VERSION = "stereo-depth-rig", 1
DIRECTION = "x_right = R x_left + t"
_HEADER = """\
# A calibrated stereo rig, written by stereo-depth. The top-left pixel's centre is (0, 0).
"""


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file begins as ours does."""
    return SCHEMA.encode() in head and b"schema" in head


# -- reading ---------------------------------------------------------------------------------


def read(path: Path, stated: Stated) -> StereoRig:
    """Read a rig file; RigFileError naming the file and the key when it is not a right one.

    The file says everything itself: ``stated`` is checked against it where a wrong guess would
    be silent (unit, model); the size in the file holds.
    """
    return _parse(read_text(path), path, stated)


def _parse(text: str, path: Path, stated: Stated) -> StereoRig:
    top = _Section(path, "", load_yaml(text, path))
    top.constant("schema", SCHEMA)
    version = top.take("version")
    if version != VERSION or isinstance(version, bool):
        raise top.wrong(
            "version", f"{VERSION}; a newer version needs a newer stereo-depth", version
        )
    top.constant("length_unit", "m")
    motion = top.section("right_from_left")
    motion.constant("meaning", DIRECTION)
    quality = top.section("quality")
    try:
        rig = StereoRig(
            name=top.text_or_none("name"),
            left=_camera(top.section("left")),
            right=_camera(top.section("right")),
            R_right_left=np.array(motion.matrix("R", 3)),
            t_right_left=np.array(motion.numbers("t", 3)),
            reprojection_rms_px=quality.number_or_none("reprojection_rms_px"),
            row_error_px=quality.number_or_none("row_error_px"),
            notes=Notes(top.section("notes").rest()),
        )
    except CameraError as error:
        raise RigFileError(f"{path}: {error}") from error
    for section in (motion, quality, top):
        section.close()
    _check_stated(rig, path, stated)
    return rig


def _camera(section: _Section) -> Camera:
    K = section.section("K")
    fx, fy, cx, cy = (K.number(key) for key in ("fx", "fy", "cx", "cy"))
    skew = K.number("skew") if "skew" in K else 0.0  # few cameras have one
    K.close()
    try:
        camera = Camera(
            model=section.take("model"),
            size=section.take("size"),
            K=np.array([[fx, skew, cx], [0, fy, cy], [0, 0, 1]]),
            distortion=np.array(section.numbers("distortion", None)),
        )
    except CameraError as error:
        raise RigFileError(f"{section.path}: {section.where}.{error}") from error
    section.close()
    return camera


def _check_stated(rig: StereoRig, path: Path, stated: Stated) -> None:
    if stated.unit is not None and metres_per_unit(stated.unit, path) != 1.0:
        raise RigFileError(f"{path}: lengths are metres, not {stated.unit!r}; omit the unit")
    if stated.model is not None and stated.model != rig.model:
        raise RigFileError(f"{path}: the cameras are {rig.model}, not {stated.model!r}")


class _Section:
    """One mapping of the file: each key is taken once, and what is left over is refused."""

    def __init__(self, path: Path, where: str, value: Any) -> None:
        self.path, self.where = path, where
        if not isinstance(value, dict):
            raise RigFileError(f"{path}: {where or 'file'}: expected keys with values")
        self._left = dict(value)

    def name(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def wrong(self, key: str, expected: str, value: Any) -> RigFileError:
        return RigFileError(
            f"{self.path}: {self.name(key)}: expected {expected}, got {value!r:.80}"
        )

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def take(self, key: str) -> Any:
        if key not in self._left:
            raise RigFileError(f"{self.path}: {self.name(key)} is missing")
        return self._left.pop(key)

    def constant(self, key: str, expected: str) -> None:
        value = self.take(key)
        if value != expected:
            raise self.wrong(key, repr(expected), value)

    def section(self, key: str) -> _Section:
        return _Section(self.path, self.name(key), self.take(key))

    def text_or_none(self, key: str) -> str | None:
        value = self.take(key)
        if value is not None and not isinstance(value, str):
            raise self.wrong(key, "text (in quotes) or null", value)
        return value

    def number(self, key: str) -> float:
        value = self.take(key)
        parsed = number(value)
        if parsed is None:
            raise self.wrong(key, "a finite number", value)
        return parsed

    def number_or_none(self, key: str) -> float | None:
        if self._left.get(key, 0) is None:
            return self.take(key)  # type: ignore[no-any-return]
        return self.number(key)

    def numbers(self, key: str, count: int | None) -> list[float]:
        return self._numbers(key, self.take(key), count)

    def matrix(self, key: str, size: int) -> list[list[float]]:
        rows = self.take(key)
        if not isinstance(rows, list) or len(rows) != size:
            raise self.wrong(key, f"{size} rows", rows)
        return [self._numbers(f"{key}[{i}]", row, size) for i, row in enumerate(rows)]

    def _numbers(self, key: str, value: Any, count: int | None) -> list[float]:
        expected = "a list of numbers" if count is None else f"{count} finite numbers"
        if not isinstance(value, list) or (count is not None and len(value) != count):
            raise self.wrong(key, expected, value)
        parsed = [number(item) for item in value]
        if None in parsed:
            raise self.wrong(f"{key}[{parsed.index(None)}]", "a finite number", value)
        return [item for item in parsed if item is not None]

    def rest(self) -> dict[str, Any]:
        return self._left

    def close(self) -> None:
        if self._left:
            unknown = ", ".join(self.name(str(key)) for key in self._left)
            raise RigFileError(f"{self.path}: unknown key {unknown}")


# -- writing ---------------------------------------------------------------------------------


def write(rig: StereoRig, path: Path) -> None:
    """Write a rig file in one step.

    Raises RigWriteError, leaving what was there, when the folder, the disk or the notes do not
    allow it.
    """
    text = _HEADER + yaml.dump(
        _plain_rig(rig),
        Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper),
        sort_keys=False,
        default_flow_style=None,  # matrices and lists of numbers on one line
        allow_unicode=True,
        width=100,
    )
    raw = text.encode()
    if len(raw) > MAX_BYTES:
        raise RigWriteError(
            f"{path}: the rig takes {len(raw) / 1e6:.1f} MB, more than the {MAX_BYTES / 1e6:g} MB "
            "a rig file may have; shorten its notes"
        )
    try:
        _parse(text, path, Stated())  # what could not be read back must not be written
    except RigFileError as error:
        raise RigWriteError(f"{path}: the rig would not read back: {error}") from error
    target = path.resolve()
    try:
        replace_whole(target, raw)
    except OSError as error:
        raise RigWriteError(f"{target}: cannot be written: {error.strerror or error}") from error


def _plain_rig(rig: StereoRig) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "name": rig.name,
        "length_unit": "m",
        "left": _plain_camera(rig.left),
        "right": _plain_camera(rig.right),
        "right_from_left": {
            "meaning": DIRECTION,
            "R": rig.R_right_left.tolist(),
            "t": rig.t_right_left.tolist(),
        },
        "quality": {
            "reprojection_rms_px": rig.reprojection_rms_px,
            "row_error_px": rig.row_error_px,
        },
        "notes": _plain(rig.notes),
    }


def _plain_camera(camera: Camera) -> dict[str, Any]:
    K = camera.K
    return {
        "model": camera.model,
        "size": list(camera.size),
        "K": {
            "fx": float(K[0, 0]),
            "fy": float(K[1, 1]),
            "cx": float(K[0, 2]),
            "cy": float(K[1, 2]),
            **({"skew": float(K[0, 1])} if K[0, 1] else {}),
        },
        "distortion": camera.distortion.tolist(),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
