"""What our own files share: a camera written out, plain data, and a text that is written whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from calib.atomic import replace_whole
from calib.camera import Camera
from calib.errors import CameraError, RigFileError, RigWriteError
from calib.formats.reading import MAX_BYTES, load_yaml
from calib.formats.section import Section


def opened(text: str, path: Path, schema: str, version: int) -> Section:
    """Return the file's keys after its schema and version; RigFileError for another one."""
    top = Section(path, "", load_yaml(text, path))
    top.constant("schema", schema)
    found = top.take("version")
    if found != version or isinstance(found, bool):
        raise top.wrong("version", f"{version}; a newer version needs a newer stereo-depth", found)
    return top


def camera_of(section: Section) -> Camera:
    """Return the camera that a section describes; RigFileError naming the key."""
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


def plain_camera(camera: Camera) -> dict[str, Any]:
    """Return what ``camera_of`` reads."""
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


def plain(value: Any) -> Any:
    """Return notes as YAML takes them: dicts and lists."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def write_own(
    data: Mapping[str, Any], header: str, path: Path, check: Callable[[str, Path], object]
) -> None:
    """Write plain data in one step, once ``check`` (the reader) has read its text back.

    Raises RigWriteError, leaving what was there, when the folder, the disk or the notes do not
    allow it.
    """
    text = header + yaml.dump(
        dict(data),
        Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper),
        sort_keys=False,
        default_flow_style=None,  # matrices and lists of numbers on one line
        allow_unicode=True,
        width=100,
    )
    raw = text.encode()
    if len(raw) > MAX_BYTES:
        raise RigWriteError(
            f"{path}: it takes {len(raw) / 1e6:.1f} MB, more than the {MAX_BYTES / 1e6:g} MB a "
            "calibration file may have; shorten its notes"
        )
    try:
        check(text, path)  # what could not be read back must not be written
    except RigFileError as error:
        raise RigWriteError(f"{path}: it would not read back: {error}") from error
    target = path.resolve()
    try:
        replace_whole(target, raw)
    except OSError as error:
        raise RigWriteError(f"{target}: cannot be written: {error.strerror or error}") from error
