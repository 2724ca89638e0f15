"""Our own file of a pair that is rectified already: YAML, versioned, as strict as the rig file."""

from __future__ import annotations

from pathlib import Path

from calib.errors import RigFileError
from calib.formats.fields import Fields
from calib.formats.reading import Stated, load_yaml, read_text
from calib.formats.writing import exact, write_text
from calib.rig import RectifiedRig

SCHEMA, VERSION = "stereo-depth-rectified", 1
_KEYS = {
    *("schema", "version", "length_unit", "size", "focal_px", "baseline", "cx_left_px"),
    *("cx_right_px", "cy_px", "num_disparities"),
}


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file begins as ours does."""
    return SCHEMA.encode() in head and b"schema" in head


def read(path: Path, stated: Stated) -> RectifiedRig:
    """Read the file; RigFileError naming the file and the key when it is not a right one."""
    top = Fields(path, load_yaml(read_text(path), path))
    for key, expected in (("schema", SCHEMA), ("version", VERSION), ("length_unit", "m")):
        if (value := top.take(key)) != expected:
            raise top.wrong(key, repr(expected), value)
    if unknown := set(map(str, top.values)) - _KEYS:
        raise RigFileError(f"{path}: unknown key {', '.join(sorted(unknown))}")
    size = top.size("size") if "size" in top else stated.size
    disparities = top.number("num_disparities") if "num_disparities" in top else None
    return RectifiedRig(
        size,
        top.number("focal_px"),
        top.number("baseline"),
        top.number("cx_left_px"),
        top.number("cx_right_px"),
        top.number("cy_px"),
        None if disparities is None else int(disparities),
    )


def write(rig: RectifiedRig, path: Path) -> None:
    """Write the file in one step. Raises RigWriteError."""
    lines = [
        "# A rectified stereo pair: Z = focal_px * baseline / (disparity + cx_right - cx_left).",
        f"schema: {SCHEMA}",
        f"version: {VERSION}",
        "length_unit: m",
        *([] if rig.size is None else [f"size: [{rig.size[0]}, {rig.size[1]}]"]),
        f"focal_px: {exact(rig.focal_px)}",
        f"baseline: {exact(rig.baseline_m)}",
        f"cx_left_px: {exact(rig.cx_left_px)}",
        f"cx_right_px: {exact(rig.cx_right_px)}",
        f"cy_px: {exact(rig.cy_px)}",
        *([] if rig.num_disparities is None else [f"num_disparities: {rig.num_disparities}"]),
    ]
    write_text(path, "\n".join(lines) + "\n")
