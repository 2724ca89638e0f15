"""EuRoC (ASL) ``sensor.yaml``, one file per camera, in folders cam0 and cam1.

``T_BS`` maps the sensor's axes to the body's, metres: ``T_right_left = T_BS_right^-1 T_BS_left``.
Described in Burri et al. 2016, "The EuRoC micro aerial vehicle datasets".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib.camera import Camera, Model
from calib.checks import Float
from calib.errors import RigFileError
from calib.formats.beside import two
from calib.formats.fields import Fields, camera_matrix
from calib.formats.filestorage import parse
from calib.formats.reading import Stated, stated_metres
from calib.formats.sides import from_poses, inverse, left_first
from calib.formats.writing import coefficients, numbers, write_text
from calib.rig import StereoRig

NAMES = ("cam0/sensor.yaml", "cam1/sensor.yaml")
_MODELS: dict[str, Model] = {
    "radial-tangential": "pinhole", "radtan": "pinhole", "plumb_bob": "pinhole",
    "equidistant": "fisheye", "none": "pinhole",
}  # fmt: skip


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file has T_BS and intrinsics."""
    return b"T_BS" in head and b"intrinsics" in head


def read(files: tuple[Path, ...], stated: Stated) -> StereoRig:
    """Read the two files; RigFileError naming the file and the key."""
    paths = two(files, "EuRoC sensor.yaml")
    left, right = (Fields(path, parse(path)) for path in paths)
    poses = [inverse(each.motion("T_BS")) for each in (left, right)]
    R, t = from_poses(poses[0], poses[1])
    if not np.any(np.abs(t) > 1e-9):
        raise RigFileError(
            f"{right.source}: T_BS: the same place as in {left.source}; each camera needs its own"
        )
    metres = stated_metres(stated, "m", paths[1])
    rig = StereoRig(_camera(left), _camera(right), R, t * metres)
    return left_first(rig, (_name(paths[0], paths[1]), _name(paths[1], paths[0])))


def _name(path: Path, other: Path) -> str:
    return path.name if path.name != other.name else f"{path.parent.name}/{path.name}"


def _camera(fields: Fields) -> Camera:
    lens = fields.text("camera_model").lower() if "camera_model" in fields else "pinhole"
    model = fields.text("distortion_model").lower() if "distortion_model" in fields else "none"
    if lens != "pinhole" or model not in _MODELS:
        raise RigFileError(
            f"{fields.source}: the lens model {lens} with {model} is not supported; expected "
            "pinhole with radial-tangential or equidistant"
        )
    D = np.zeros(0) if model == "none" else fields.numbers("distortion_coefficients", 4, 5)
    K = camera_matrix(*fields.numbers("intrinsics", 4))
    return Camera(_MODELS[model], fields.size("resolution"), K, D)


def write(rig: StereoRig, paths: tuple[Path, ...]) -> None:
    """Write the two files, the left camera as the body.

    Raises RigWriteError for what they cannot hold: skew, or more than k1 k2 p1 p2.
    """
    here = np.eye(3), np.zeros(3)
    right = inverse((rig.R_right_left, rig.t_right_left))
    texts = [_text(rig.left, here), _text(rig.right, right)]
    for path, text in zip(paths, texts, strict=True):
        write_text(path, text)


def _text(camera: Camera, pose: tuple[Float, Float]) -> str:
    D = coefficients(camera, 4, "EuRoC's radial-tangential (k1 k2 p1 p2)", other="rig, opencv, ros")
    T = np.block([[pose[0], pose[1][:, None]], [np.array([[0, 0, 0, 1.0]])]])
    K = camera.K
    model = "equidistant" if camera.model == "fisheye" else "radial-tangential"
    return (
        "# T_BS maps the sensor's axes to the body's; the body is the left camera.\n"
        f"sensor_type: camera\nT_BS:\n  cols: 4\n  rows: 4\n  data: {numbers(T.ravel())}\n"
        f"resolution: [{camera.size[0]}, {camera.size[1]}]\ncamera_model: pinhole\n"
        f"intrinsics: {numbers([K[0, 0], K[1, 1], K[0, 2], K[1, 2]])}\n"
        f"distortion_model: {model}\ndistortion_coefficients: {numbers(D)}\n"
    )
