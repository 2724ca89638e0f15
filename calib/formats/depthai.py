"""DepthAI (OAK) EEPROM as JSON: ``cameraData`` of numbered sockets, lengths in centimetres.

``extrinsics`` of socket A with ``toCameraSocket`` B give ``x_B = R x_A + t``; the chain of them
leads from one camera to another. Described in depthai's ``EepromData.hpp`` and ``CameraInfo.hpp``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from calib.camera import Camera
from calib.checks import Float
from calib.errors import RigFileError
from calib.formats.fields import Fields, rotation, whole_size
from calib.formats.reading import Stated, load_json, number, read_text, stated_metres
from calib.formats.sides import chosen, left_first
from calib.rig import StereoRig

_LENSES = {0: "pinhole", 1: "fisheye"}


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file has cameraData."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and b'"cameraData"' in head


def read(path: Path, stated: Stated) -> StereoRig:
    """Read the stereo pair: the sockets that the file names, or the first two that are joined.

    Raises RigFileError naming the file and the key.
    """
    top = Fields(path, load_json(read_text(path), path))
    sockets = _sockets(top)
    stated_names = stated.cameras and tuple(_socket(name) for name in stated.cameras)
    stereo = _stereo(top, sockets)
    names = Stated(cameras=stated_names)  # type: ignore[arg-type]
    (a, b), _ = chosen(names, list(sockets), stereo, path)
    R, t = _motion(sockets, a, b, stated, path)
    rig = StereoRig(_camera(sockets[a]), _camera(sockets[b]), R, t)
    return left_first(rig, (f"socket {a}", f"socket {b}"))


def _socket(name: str) -> str:
    """A socket's number: "1" or "CAM_B"."""
    letter = re.fullmatch(r"(?:cam_)?([a-h])", name.strip().lower())
    return str(ord(letter[1]) - ord("a")) if letter else name.strip()


def _sockets(top: Fields) -> dict[str, Fields]:
    data = top.take("cameraData")
    pairs = list(data.items()) if isinstance(data, dict) else data
    found = {}
    for i, pair in enumerate(pairs if isinstance(pairs, list) else []):
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise top.wrong(f"cameraData[{i}]", "[socket, camera]", pair)
        found[str(pair[0])] = Fields(top.source, pair[1], f"cameraData[{pair[0]}]")
    if len(found) < 2:
        raise RigFileError(
            f"{top.source}: DepthAI calibration of {len(found)} camera; a stereo pair needs two"
        )
    return found


def _stereo(top: Fields, sockets: dict[str, Fields]) -> tuple[str, str]:
    """The sockets that the file itself calls left and right, else 1 and 2, else the first two."""
    if "stereoRectificationData" in top:
        data = top.section("stereoRectificationData")
        keys = "leftCameraSocket", "rightCameraSocket"
        named = [str(int(n)) for key in keys if (n := number(data.values.get(key))) is not None]
        if len(set(named)) == 2 and set(named) <= set(sockets):
            return named[0], named[1]
    first = ("1", "2") if {"1", "2"} <= set(sockets) else tuple(sockets)[:2]
    return first[0], first[1]


def _motion(
    sockets: dict[str, Fields], a: str, b: str, stated: Stated, path: Path
) -> tuple[Float, Float]:
    """The motion from socket a to b along the chain of extrinsics, metres."""
    paths: dict[str, tuple[Float, Float]] = {a: (np.eye(3), np.zeros(3))}
    waiting = [a]
    while waiting and b not in paths:
        here = waiting.pop(0)
        for one, other in _links(sockets):
            if here not in (one, other):
                continue
            there = other if here == one else one
            if there in paths:
                continue
            R, t = _extrinsics(sockets[one], stated, path)
            if here != one:
                R, t = R.T, -R.T @ t
            paths[there] = R @ paths[here][0], R @ paths[here][1] + t
            waiting.append(there)
    if b not in paths:
        raise RigFileError(
            f"{path}: no extrinsics lead from socket {a} to {b}: the device is not calibrated"
        )
    return paths[b]


def _links(sockets: dict[str, Fields]) -> list[tuple[str, str]]:
    found = []
    for name, camera in sockets.items():
        if "extrinsics" in camera:
            to: Any = number(camera.section("extrinsics").values.get("toCameraSocket"))
            if to is not None and str(int(to)) in sockets:
                found.append((name, str(int(to))))
    return found


def _extrinsics(camera: Fields, stated: Stated, path: Path) -> tuple[Float, Float]:
    fields = camera.section("extrinsics")
    place = fields.section("translation")
    t = np.array([place.number(axis) for axis in "xyz"])
    R = rotation(fields.matrix("rotationMatrix", 3, 3), path, fields.name("rotationMatrix"))
    return R, t * stated_metres(stated, "cm", path)


def _camera(fields: Fields) -> Camera:
    kind = int(fields.number("cameraType")) if "cameraType" in fields else 0
    if kind not in _LENSES:
        raise RigFileError(
            f"{fields.source}: {fields.name('cameraType')}: expected 0 (perspective) or 1 "
            f"(fisheye), got {kind}"
        )
    size = whole_size(
        fields.number("width"), fields.number("height"), fields.source, fields.name("width, height")
    )
    D = fields.numbers("distortionCoeff", 0, 4, 5, 8, 12, 14)
    D = D[:4] if _LENSES[kind] == "fisheye" else D
    return Camera(_LENSES[kind], size, fields.matrix("intrinsicMatrix", 3, 3), D)  # type: ignore[arg-type]
