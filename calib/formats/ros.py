"""ROS ``camera_info`` YAML, one file per camera, as ``camera_calibration`` writes it.

The messages of a running camera (``ros2 topic echo``: k, d, r, p) are read too. Neither R nor t is
stored: both cameras' rectifying rotations R1, R2 and the right projection matrix hold them,
``R = R2^T R1``, ``t = R2^T K'^-1 P[:, 3]`` (metres). Described at
http://wiki.ros.org/image_pipeline/CameraInfo.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from calib.camera import Camera, Model
from calib.checks import Float
from calib.errors import RigFileError
from calib.formats.beside import two
from calib.formats.fields import Fields, rotation, whole_size
from calib.formats.filestorage import parse
from calib.formats.reading import Stated, stated_metres
from calib.formats.rectifying import rectify, with_cameras
from calib.formats.writing import coefficients, numbers, write_text
from calib.rig import RectifiedRig, StereoRig

NAMES = ("left.yaml", "right.yaml")
_MODELS: dict[str, Model] = {
    "plumb_bob": "pinhole", "rational_polynomial": "pinhole", "equidistant": "fisheye",
    "fisheye": "fisheye", "none": "pinhole", "": "pinhole",
}  # fmt: skip
_KEYS = {
    "camera_matrix": ("camera_matrix", "K", "k"),
    "distortion_coefficients": ("distortion_coefficients", "D", "d"),
    "rectification_matrix": ("rectification_matrix", "R", "r"),
    "projection_matrix": ("projection_matrix", "P", "p"),
    "image_width": ("image_width", "width"),
    "image_height": ("image_height", "height"),
}  # fmt: skip


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file is a camera_info, or a message of one."""
    file = b"projection_matrix" in head and b"camera_matrix" in head
    message = re.search(rb"^[ \t]*[pP][ \t]*:", head, re.MULTILINE) and b"distortion_model" in head
    return file or (bool(message) and b"height" in head)


def read(files: tuple[Path, ...], stated: Stated) -> StereoRig | RectifiedRig:
    """Read the two files; RigFileError naming the file and the key."""
    left, right = (_fields(path) for path in two(files, "ROS camera_info"))
    notes = {}
    shift_left, shift_right = (_shift(each, stated) for each in (left, right))
    if np.linalg.norm(shift_left) > np.linalg.norm(shift_right) == 0:
        # the camera whose P has the baseline is the second one, whatever the files' names
        left, right, shift_right = right, left, shift_left
        notes["sides_assumed"] = (
            f"{Path(str(left.source)).name} is the left camera: the other file's projection_matrix "
            "holds the baseline"
        )
    if not np.any(shift_right):
        raise RigFileError(
            f"{right.source}: projection_matrix: the fourth column is 0 in both files: two cameras "
            "calibrated one by one, not as a stereo pair; calibrate them together"
        )
    R1, R2 = (_rotation(each) for each in (left, right))
    if stated.rectified:
        return _shown(left, right, float(-shift_right[0]))
    return StereoRig(_camera(left), _camera(right), R2.T @ R1, R2.T @ shift_right, notes=notes)


def _shown(left: Fields, right: Fields, baseline_m: float) -> RectifiedRig:
    """The geometry of the rectified images (image_rect)."""
    P_left, P_right = (each.matrix("projection_matrix", 3, 4) for each in (left, right))
    if P_left[0, 0] != P_right[0, 0] or P_left[1, 2] != P_right[1, 2]:
        raise RigFileError(
            f"{right.source}: projection_matrix: expected the focal length and row of the left "
            "camera's, as rectified images have"
        )
    size = _camera(left).size
    f, cy = P_left[0, 0], P_left[1, 2]
    return RectifiedRig(size, f, baseline_m, P_left[0, 2], P_right[0, 2], cy)


def _fields(path: Path) -> Fields:
    data = parse(path, first=True)
    for name, spellings in _KEYS.items():
        for spelling in spellings:
            if data.get(spelling) is not None:
                data.setdefault(name, data[spelling])
    return Fields(path, data)


def _rotation(fields: Fields) -> Float:
    if "rectification_matrix" not in fields:
        return np.eye(3)
    R = fields.matrix("rectification_matrix", 3, 3)
    return rotation(R, fields.source, "rectification_matrix")


def _shift(fields: Fields, stated: Stated) -> Float:
    """(3,) ``K'^-1 P[:, 3]``: the camera's place in the rectified axes, metres."""
    P = fields.matrix("projection_matrix", 3, 4)
    if abs(np.linalg.det(P[:, :3])) < 1e-9:
        raise RigFileError(
            f"{fields.source}: projection_matrix has no focal length: the camera is not calibrated"
        )
    if np.any(P[[0, 1, 2, 2], [1, 0, 0, 1]]) or P[2, 2] != 1:
        raise RigFileError(
            f"{fields.source}: projection_matrix: expected f 0 cx Tx / 0 f cy Ty / 0 0 1 0, as a "
            "rectified camera has; one that holds a rotation says nothing of the rectified pair"
        )
    shift = np.linalg.solve(P[:, :3], P[:, 3]) * stated_metres(stated, "m", fields.source)
    return np.asarray(shift)


def _camera(fields: Fields) -> Camera:
    name = fields.text("distortion_model") if "distortion_model" in fields else ""
    if name.lower() not in _MODELS:
        raise RigFileError(
            f"{fields.source}: distortion_model: {name!r:.40} is not supported; expected "
            "plumb_bob, rational_polynomial or equidistant"
        )
    for key in ("binning_x", "binning_y"):
        if key in fields and fields.number(key) > 1:
            raise RigFileError(f"{fields.source}: {key}: binned images are not supported")
    K = fields.matrix("camera_matrix", 3, 3)
    if K[0, 0] == 0:
        raise RigFileError(f"{fields.source}: camera_matrix is zero: the camera is not calibrated")
    D = np.zeros(0)
    if "distortion_coefficients" in fields and name:
        D = fields.numbers("distortion_coefficients")
    size = whole_size(
        fields.number("image_width"), fields.number("image_height"), fields.source, "image size"
    )
    return Camera(_MODELS[name.lower()], size, K, D)


def write(rig: StereoRig | RectifiedRig, paths: tuple[Path, ...]) -> None:
    """Write the two files.

    The rectifying rotations and projections are those of ``stereo rectify``. Raises RigWriteError
    for skew, or more than eight coefficients.
    """
    rig, shown = with_cameras(rig, "ROS camera_info"), rectify(rig, "ROS camera_info")
    texts = []
    for side, camera, R, P in (
        ("left", rig.left, shown.R_left, shown.P_left),
        ("right", rig.right, shown.R_right, shown.P_right),
    ):
        D = coefficients(camera, 8, "ROS camera_info", other="rig or opencv")
        model = "equidistant" if camera.model == "fisheye" else "rational_polynomial"
        if camera.model == "pinhole" and not np.any(D[5:]):
            D, model = D[:5], "plumb_bob"
        texts.append(
            f"image_width: {camera.size[0]}\nimage_height: {camera.size[1]}\n"
            f"camera_name: {side}\n"
            + _matrix("camera_matrix", camera.K)
            + f"distortion_model: {model}\n"
            + _matrix("distortion_coefficients", D[None])
            + _matrix("rectification_matrix", R)
            + _matrix("projection_matrix", P)
        )
    for path, text in zip(paths, texts, strict=True):
        write_text(path, text)


def _matrix(name: str, value: Float) -> str:
    rows, columns = value.shape
    return f"{name}:\n  rows: {rows}\n  cols: {columns}\n  data: {numbers(value.ravel())}\n"
