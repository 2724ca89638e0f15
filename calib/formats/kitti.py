"""KITTI: ``calib_cam_to_cam.txt`` of the raw data, and ``calib.txt`` of odometry and object data.

Lines ``KEY: numbers``. In the raw file S, K, D, R, T describe raw cameras (R, T map camera 0 to
camera xx) and S_rect, R_rect, P_rect the rectified images that are usually downloaded; P0 to P3 of
the other file are rectified only. ``P[3] = -f b`` is relative to camera 0, in metres. Described in
Geiger et al. 2013, "Vision meets robotics".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from calib.camera import Camera
from calib.checks import Float, Size
from calib.errors import RigFileError
from calib.formats.fields import Fields, rotation, whole_size
from calib.formats.reading import Stated, read_text, stated_metres
from calib.formats.rectifying import rectify, with_cameras
from calib.formats.sides import chosen, from_poses, left_first
from calib.formats.writing import coefficients, exact, write_text
from calib.rig import RectifiedRig, StereoRig
from calib.words import length

_PAIRS = (("02", "03"), ("00", "01"))
"""Colour, gray."""
_HOLDER = "KITTI (k1 k2 p1 p2 k3)"


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file has lines such as ``P_rect_00:`` or ``P0:`` and ``P1:``."""
    keys = set(re.findall(rb"^(P0|P1|P_rect_\d\d)[ \t]*:", head, re.MULTILINE))
    return bool(keys - {b"P0", b"P1"}) or {b"P0", b"P1"} <= keys


def read(path: Path, stated: Stated) -> StereoRig | RectifiedRig:
    """Read either file; RigFileError naming the file and the key.

    Of a raw file that holds both geometries, ``stated.size`` or ``stated.rectified`` says which;
    without them it is the rectified one.
    """
    lines = key_lines(path)
    return _raw(lines, stated) if any("_" in key for key in lines.values) else _flat(lines, stated)


def key_lines(path: Path) -> Fields:
    """Return the ``KEY: numbers`` of a file; what is not all numbers (a date) is text."""
    values: dict[str, object] = {}
    for count, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, colon, rest = line.partition(":")
        key = key.strip()
        if not colon or not re.fullmatch(r"\w+", key):
            raise RigFileError(f"{path}: line {count}: expected KEY: numbers, got {line!r:.60}")
        if key in values:
            raise RigFileError(f"{path}: line {count}: {key} is given twice")
        values[key] = rest.split()
    return Fields(path, values)


def _raw(lines: Fields, stated: Stated) -> StereoRig | RectifiedRig:
    known = sorted(key[-2:] for key in lines.values if re.fullmatch(r"P_rect_\d\d", key))
    names, notes = _chosen(lines, known, stated)
    a, b = names
    has_raw = f"K_{a}" in lines and f"K_{b}" in lines
    sizes = [_size(lines, f"{kind}_{a}") for kind in (("S_rect", "S") if has_raw else ("S_rect",))]
    # of one size for both, the cameras say more
    is_raw = has_raw and (stated.size == sizes[1] or sizes[0] == sizes[1])
    if not is_raw or stated.rectified:
        if stated.size is not None and stated.size not in sizes:
            known_sizes = " and ".join(f"{w}x{h}" for w, h in sizes)
            raise RigFileError(
                f"{lines.source}: holds calibrations of raw and rectified images of {known_sizes}, "
                f"not of {stated.size[0]}x{stated.size[1]}"
            )
        return rectified(lines, (f"P_rect_{a}", f"P_rect_{b}"), sizes[0], stated, notes)
    metres = stated_metres(stated, "m", str(lines.source))
    left, right = (
        Camera(
            "pinhole",
            _size(lines, f"S_{name}"),
            lines.matrix(f"K_{name}", 3, 3),
            lines.numbers(f"D_{name}", 5),
        )
        for name in names
    )
    poses = [
        (
            rotation(lines.matrix(f"R_{name}", 3, 3), lines.source, f"R_{name}"),
            lines.numbers(f"T_{name}", 3) * metres,
        )
        for name in names
    ]
    R, t = from_poses(poses[0], poses[1])
    return left_first(StereoRig(left, right, R, t, notes=notes), (f"camera {a}", f"camera {b}"))


def _flat(lines: Fields, stated: Stated) -> RectifiedRig:
    known = sorted(key[1:].zfill(2) for key in lines.values if re.fullmatch(r"P\d", key))
    (a, b), notes = _chosen(lines, known, stated)
    return rectified(lines, (f"P{a[-1]}", f"P{b[-1]}"), stated.size, stated, notes)


def _chosen(
    lines: Fields, known: list[str], stated: Stated
) -> tuple[tuple[str, str], dict[str, str]]:
    default = next((pair for pair in _PAIRS if set(pair) <= set(known)), None)
    if default is None:
        raise RigFileError(f"{lines.source}: KITTI calibration of {len(known)} camera; two needed")
    if stated.cameras:
        a, b = stated.cameras
        names, _ = chosen(Stated(cameras=(a.zfill(2), b.zfill(2))), known, default, Path())
        return names, {}
    if len(known) < 4:
        return default, {}
    return default, {
        "cameras_assumed": "02 and 03, the colour pair ("
        + _baseline(lines, "02", "03")
        + " apart);"
        " the gray pair is --camera-pair 00,01 (" + _baseline(lines, "00", "01") + ")"
    }


def _baseline(lines: Fields, a: str, b: str) -> str:
    form = "P_rect_{}" if f"P_rect_{a}" in lines else "P{}"
    P = [lines.matrix(form.format(name if "_" in form else name[-1]), 3, 4) for name in (a, b)]
    return length(abs(P[0][0, 3] - P[1][0, 3]) / max(P[0][0, 0], 1e-9), 4)


def _size(lines: Fields, key: str) -> Size:
    width, height = lines.numbers(key, 2)
    return whole_size(width, height, lines.source, key)


def rectified(
    lines: Fields, keys: tuple[str, str], size: Size | None, stated: Stated, notes: dict[str, str]
) -> RectifiedRig:
    """Return the rectified rig of two 3 x 4 projections; RigFileError naming what is wrong."""
    P_left, P_right = (lines.matrix(key, 3, 4) for key in keys)
    f = P_left[0, 0]
    aligned = (P_left[1, 1], P_right[0, 0], P_right[1, 1], f), (P_left[1, 2], P_right[1, 2])
    if f < 1 or np.ptp(aligned[0]) > 1e-6 * f or np.ptp(aligned[1]) > 0.01:
        raise RigFileError(
            f"{lines.source}: {keys[0]} and {keys[1]}: expected one focal length and one row of "
            f"the principal point, got f {', '.join(f'{v:g}' for v in aligned[0])} and cy "
            f"{aligned[1][0]:g}, {aligned[1][1]:g}"
        )
    metres = stated_metres(stated, "m", str(lines.source))
    apart = (P_left[0, 3] - P_right[0, 3]) / f * metres
    if apart <= 0:
        raise RigFileError(
            f"{lines.source}: {keys[1]} stands {length(abs(apart))} to the left of {keys[0]}; give "
            "the two the other way round (--camera-pair)"
        )
    return RectifiedRig(size, f, apart, P_left[0, 2], P_right[0, 2], P_left[1, 2], notes=notes)


def write(rig: StereoRig | RectifiedRig, paths: tuple[Path, ...]) -> None:
    """Write a ``calib_cam_to_cam.txt`` of cameras 00 and 01; what is rectified without raw cameras.

    Raises RigWriteError for what it cannot hold: fisheye lenses, skew, more than five
    coefficients, an unknown size.
    """
    shown = rectify(rig, _HOLDER)
    cameras = with_cameras(rig, _HOLDER)
    turns = (shown.R_left, shown.P_left), (shown.R_right, shown.P_right)
    poses = (np.eye(3), np.zeros(3)), (cameras.R_right_left, cameras.t_right_left)
    lines = ["calib_time: 01-Jan-2000 00:00:00", "corner_dist: 0"]
    for name, camera, pose, (R_rect, P) in zip(
        ("00", "01"), (cameras.left, cameras.right), poses, turns, strict=True
    ):
        raw = _raw_values(camera, pose) if isinstance(rig, StereoRig) else {}
        values = {**raw, "S_rect": np.array(camera.size), "R_rect": R_rect, "P_rect": P}
        for key, value in values.items():
            lines.append(f"{key}_{name}: " + " ".join(map(exact, np.ravel(value))))
    write_text(paths[0], "\n".join(lines) + "\n")


def _raw_values(camera: Camera, pose: tuple[Float, Float]) -> dict[str, Float]:
    D = coefficients(camera, 5, _HOLDER, other="rig, opencv and ros", models=("pinhole",))
    return {"S": np.array(camera.size, float), "K": camera.K, "D": D, "R": pose[0], "T": pose[1]}
