"""Kalibr's camchain YAML: pinhole cameras with radtan or equidistant distortion.

``T_cn_cnm1`` (4 x 4, metres) maps camera n-1 to camera n, which is our R and t; where it is
missing, each camera's ``T_cam_imu`` (or ``T_imu_cam``, as OpenVINS writes it) says the same.
Described at https://github.com/ethz-asl/kalibr/wiki/yaml-formats.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from calib.camera import Camera
from calib.checks import Float
from calib.errors import RigFileError
from calib.formats.fields import Fields, camera_matrix
from calib.formats.filestorage import parse
from calib.formats.reading import Stated, stated_metres
from calib.formats.sides import chosen, from_poses, inverse, left_first
from calib.formats.writing import coefficients, numbers, write_text
from calib.rig import StereoRig

_OTHERS = {
    "omni": "the omnidirectional model (xi)", "ds": "the double-sphere model",
    "eucm": "the extended unified camera model",
}  # fmt: skip
_MODELS = {"radtan": "pinhole", "plumb_bob": "pinhole", "equidistant": "fisheye", "none": "pinhole"}


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file has sections cam0, cam1 with Kalibr's keys."""
    return (
        re.search(rb"^[ \t]*[\"']?cam\d+[\"']?[ \t]*:", head, re.MULTILINE) is not None
        and b"camera_model" in head
        and b"intrinsics" in head
    )


def read(path: Path, stated: Stated) -> StereoRig:
    """Read a camchain; RigFileError naming the file and the key."""
    top = Fields(path, parse(path))
    known = sorted(
        (key for key in top.values if re.fullmatch(r"cam\d+", str(key))), key=lambda k: int(k[3:])
    )
    if len(known) < 2:
        raise RigFileError(
            f"{path}: Kalibr camchain of {len(known)} camera; a stereo rig needs cam0 and cam1"
        )
    names, notes = chosen(stated, known, (known[0], known[1]), path)
    R, t = _motion(top, known, names)
    left, right = (_camera(top.section(name)) for name in names)
    metres = stated_metres(stated, "m", path)
    return left_first(StereoRig(left, right, R, t * metres, notes=notes), names)


def _motion(top: Fields, known: list[str], names: tuple[str, str]) -> tuple[Float, Float]:
    first, second = (known.index(name) for name in names)
    low, high = min(first, second), max(first, second)
    R, t = np.eye(3), np.zeros(3)
    for before, name in zip(known[low:high], known[low + 1 : high + 1], strict=True):
        step_R, step_t = _step(top, before, name)
        R, t = step_R @ R, step_R @ t + step_t
    return (R, t) if first < second else inverse((R, t))


def _step(top: Fields, before: str, name: str) -> tuple[Float, Float]:
    """The motion from one camera to the next."""
    section = top.section(name)
    if "T_cn_cnm1" in section:
        return section.motion("T_cn_cnm1")
    poses = []
    for each in (top.section(before), section):
        if "T_cam_imu" in each:
            poses.append(each.motion("T_cam_imu"))
        elif "T_imu_cam" in each:
            poses.append(inverse(each.motion("T_imu_cam")))
        else:
            raise RigFileError(
                f"{top.source}: {name}.T_cn_cnm1 is missing (and there is no T_cam_imu): the file "
                "does not say how the cameras stand"
            )
    return from_poses(poses[0], poses[1])


def _camera(section: Fields) -> Camera:
    model = section.text("camera_model").lower()
    lens, _, joined = model.partition("-")  # "pinhole-radtan" on Kalibr's command line
    if lens != "pinhole":
        what = _OTHERS.get(lens, "a lens model")
        raise RigFileError(
            f"{section.source}: {section.name('camera_model')}: Kalibr's {model} is {what}, which "
            "has no exact counterpart here; calibrate again with --models pinhole-radtan or "
            "pinhole-equi"
        )
    distortion = joined or section.text("distortion_model").lower()
    distortion = "equidistant" if distortion == "equi" else distortion
    if distortion not in _MODELS:
        raise RigFileError(
            f"{section.source}: {section.name('distortion_model')}: Kalibr's {distortion!r:.30} is "
            "not supported; expected radtan, equidistant or none"
        )
    D = np.zeros(0) if distortion == "none" else section.numbers("distortion_coeffs", 4)
    K = camera_matrix(*section.numbers("intrinsics", 4))
    return Camera(_MODELS[distortion], section.size("resolution"), K, D)  # type: ignore[arg-type]


def write(rig: StereoRig, paths: tuple[Path, ...]) -> None:
    """Write a camchain.

    Raises RigWriteError for what it cannot hold: skew, or more than k1 k2 p1 p2.
    """
    lines = []
    for i, camera in enumerate((rig.left, rig.right)):
        D = coefficients(camera, 4, "Kalibr's radtan (k1 k2 p1 p2)", other="rig, opencv or ros")
        model = "equidistant" if camera.model == "fisheye" else "radtan"
        K = camera.K
        lines += [
            f"cam{i}:",
            f"  cam_overlaps: [{1 - i}]",
            "  camera_model: pinhole",
            f"  distortion_coeffs: {numbers(D)}",
            f"  distortion_model: {model}",
            f"  intrinsics: {numbers([K[0, 0], K[1, 1], K[0, 2], K[1, 2]])}",
            f"  resolution: [{camera.size[0]}, {camera.size[1]}]",
            f"  rostopic: /cam{i}/image_raw",
        ]
    T = np.block([[rig.R_right_left, rig.t_right_left[:, None]], [np.array([[0, 0, 0, 1.0]])]])
    lines += ["  T_cn_cnm1:", *(f"  - {numbers(row)}" for row in T)]
    write_text(paths[0], "\n".join(lines) + "\n")
