"""The calibration that a bag's camera_info holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from calib import Camera, RectifiedRig, StereoRig

INFO_TYPE = "sensor_msgs/msg/CameraInfo"


def rig_beside(bag: Any, topics: tuple[str, str]) -> StereoRig | RectifiedRig | None:
    """Return the rig of the camera_info beside two image topics; None when there is none.

    Topics named ``image_rect`` hold rectified images, of which P alone speaks. Raises CameraError.
    """
    left, right = (_first_info(bag, topic) for topic in topics)
    if not left or not right:
        return None
    if all(topic.rpartition("/")[2].startswith("image_rect") for topic in topics):
        return rectified_rig_of(left, right) or rig_of(left, right)
    return rig_of(left, right)


def rectified_rig_of(left: Any, right: Any) -> RectifiedRig | None:
    """Return the rig of images that are rectified already; None unless they lie side by side.

    Raises CameraError.
    """
    P1, P2 = (_matrix(info, "p", (3, 4)) for info in (left, right))
    if P2[0, 0] == 0 or P2[0, 3] >= 0 or P2[1, 3] != 0:
        return None
    return RectifiedRig(
        (int(left.width), int(left.height)),
        float(P1[0, 0]),
        float(-P2[0, 3] / P2[0, 0]),
        float(P1[0, 2]),
        float(P2[0, 2]),
        float(P1[1, 2]),
    )


def _first_info(bag: Any, topic: str) -> Any | None:
    """The first camera_info beside an image topic; None when there is none."""
    beside = {f"{parent}/camera_info" for parent in _parents(topic)}
    found = [c for c in bag.connections if c.topic in beside and c.msgtype == INFO_TYPE]
    for connection, _, raw in bag.messages(found) if found else ():
        return bag.deserialize(raw, connection.msgtype)
    return None


def _parents(topic: str) -> list[str]:
    parts = topic.split("/")
    return ["/".join(parts[:end]) for end in range(len(parts) - 1, 1, -1)]


def rig_of(left: Any, right: Any) -> StereoRig | None:
    """Return the rig of two CameraInfo messages; None when they hold no baseline.

    R and t are not in them, but follow from the rectification: ``R = R2^T R1`` and
    ``t = R2^T [P2[0,3] / P2[0,0], P2[1,3] / P2[1,1], 0]`` (ROS REP 104 and image_geometry; the
    second is that of cameras above each other). Raises CameraError.
    """
    R1, R2 = (_matrix(info, "r", (3, 3)) for info in (left, right))
    P2 = _matrix(right, "p", (3, 4))
    if P2[0, 0] == 0 or P2[1, 1] == 0 or not P2[:2, 3].any():
        return None
    identity = np.eye(3)
    R1, R2 = (R if R.any() else identity for R in (R1, R2))
    return StereoRig(
        left=_camera(left),
        right=_camera(right),
        R_right_left=R2.T @ R1,
        t_right_left=R2.T @ np.array([P2[0, 3] / P2[0, 0], P2[1, 3] / P2[1, 1], 0]),
    )


def _camera(info: Any) -> Camera:
    fisheye = info.distortion_model in ("equidistant", "fisheye")
    distortion = np.asarray(_field(info, "d"), float)
    return Camera(
        model="fisheye" if fisheye else "pinhole",
        size=(int(info.width), int(info.height)),
        K=_matrix(info, "k", (3, 3)),
        distortion=distortion if distortion.size else np.zeros(4 if fisheye else 5),
    )


def _field(info: Any, name: str) -> Any:
    """ROS 1 writes D, K, R, P; ROS 2 d, k, r, p."""
    return getattr(info, name) if hasattr(info, name) else getattr(info, name.upper())


def _matrix(info: Any, name: str, shape: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(_field(info, name), float).reshape(shape)
