"""The messages that depth consists of, each made of arrays: images, cameras, clouds, frames.

REP 103 (axes), REP 104 (camera_info), REP 118 (depth images). Frames: ``stereo_link`` (x forward,
y left, z up) > ``left_optical`` (x right, y down, z forward) > ``right_optical``
and, of a third camera, ``registered_optical``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from calib import Camera
from stereo.cloud import every_point
from stereo.frame import DepthFrame, Float, Image
from stereo.publishing.cdr import header, message

LINK, LEFT, RIGHT = "stereo_link", "left_optical", "right_optical"
REGISTERED = "registered_optical"
"""Names of the frames."""
IMAGE = "sensor_msgs/msg/Image"
INFO = "sensor_msgs/msg/CameraInfo"
CLOUD = "sensor_msgs/msg/PointCloud2"
DISPARITY = "stereo_msgs/msg/DisparityImage"
TF = "tf2_msgs/msg/TFMessage"
"""Kinds of messages."""

Matrix = NDArray[np.float64]
Pose = tuple[Matrix, Matrix]
"""(3, 3) axes and (3,) origin in metres, seen from another frame."""

_ENCODINGS = {
    ("uint8", 2): "mono8",
    ("uint8", 3): "rgb8",
    ("uint16", 2): "mono16",
    ("uint16", 3): "rgb16",
    ("float32", 2): "32FC1",
}
_FLOAT32 = 7  # sensor_msgs/PointField
_POINT_BYTES = 16
_OPTICAL_IN_LINK = (-0.5, 0.5, -0.5, 0.5)  # REP 103


def image_message(image: Image | Float, stamp_ns: int, frame_id: str) -> Any:
    """Return an Image; of float32 as REP 118 has it, NaN where unknown."""
    pixels = np.ascontiguousarray(image)
    return message(
        IMAGE,
        header=header(stamp_ns, frame_id),
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=_ENCODINGS[pixels.dtype.name, pixels.ndim],
        is_bigendian=0,
        step=pixels.strides[0],
        data=_bytes_of(pixels),
    )


@dataclass(frozen=True, eq=False, slots=True)
class Optics:
    """What a CameraInfo says of a camera (REP 104)."""

    model: str
    """ROS's name of the distortion."""
    distortion: Matrix
    """Its numbers."""
    K: Matrix
    """(3, 3) of the image as it is."""
    R: Matrix
    """(3, 3) turns the camera's axes into the rectified ones."""
    P: Matrix
    """(3, 4) projects from those."""

    @classmethod
    def rectified(cls, P: Matrix) -> Self:
        """Return those of a rectified image: no distortion, nothing to turn, K and P the same."""
        return cls("plumb_bob", np.zeros(5), P[:, :3], np.eye(3), P)

    @classmethod
    def raw(cls, camera: Camera, R: Matrix, P: Matrix) -> Self:
        """Return those of an image as the camera gave it."""
        return cls(_model(camera), camera.distortion, camera.K, R, P)


def info_message(optics: Optics, size: tuple[int, int], stamp_ns: int, frame_id: str) -> Any:
    """Return a CameraInfo of images of ``size`` = (width, height)."""
    return message(
        INFO,
        header=header(stamp_ns, frame_id),
        height=size[1],
        width=size[0],
        distortion_model=optics.model,
        d=np.asarray(optics.distortion, float),
        k=np.asarray(optics.K, float).ravel(),
        r=np.asarray(optics.R, float).ravel(),
        p=np.asarray(optics.P, float).ravel(),
        binning_x=0,
        binning_y=0,
        roi=_region(0, 0),
    )


def _model(lens: Camera) -> str:
    if lens.model == "fisheye":
        return "equidistant"
    return "plumb_bob" if len(lens.distortion) <= 5 else "rational_polynomial"


def disparity_message(
    px: Float, searched: tuple[float, float], focal_px: float, baseline_m: float, stamp_ns: int
) -> Any:
    """Return a DisparityImage: depth is ``f T / disparity``, NaN where unknown.

    ``searched``: the smallest and the largest disparity looked for, px.
    """
    height, width = px.shape
    return message(
        DISPARITY,
        header=header(stamp_ns, LEFT),
        image=image_message(px, stamp_ns, LEFT),
        f=focal_px,
        t=baseline_m,
        valid_window=_region(width, height),
        min_disparity=searched[0],
        max_disparity=searched[1],
        delta_d=0.0,  # nothing is rounded
    )


def cloud_message(
    depth: DepthFrame, stamp_ns: int, *, organised: bool, max_relative_sigma: float
) -> Any:
    """Return a PointCloud2 with x, y, z and rgb, in the left camera's optical frame.

    ``organised``: a point a pixel, NaN where unknown; else only those that are known. Points whose
    error bar exceeds that share of their depth count as unknown.
    """
    points = every_point(depth, max_relative_sigma=max_relative_sigma)
    if not organised:
        points = points.reshape(1, -1, 4)[:, np.isfinite(points[..., 2]).ravel()]
    height, width = points.shape[:2]
    return message(
        CLOUD,
        header=header(stamp_ns, LEFT),
        height=height,
        width=width,
        fields=[
            message(
                "sensor_msgs/msg/PointField", name=name, offset=offset, datatype=_FLOAT32, count=1
            )
            for name, offset in (("x", 0), ("y", 4), ("z", 8), ("rgb", 12))
        ],
        is_bigendian=False,
        point_step=_POINT_BYTES,
        row_step=width * _POINT_BYTES,
        data=_bytes_of(np.ascontiguousarray(points)),
        is_dense=not organised,
    )


def frames_message(cameras: Mapping[str, Pose]) -> Any:
    """Return the tree of frames, for ``tf_static``; ``cameras``: frame -> place."""
    transforms = [_transform(LINK, LEFT, _OPTICAL_IN_LINK, np.zeros(3))]
    for frame_id, (R, t) in cameras.items():
        transforms.append(_transform(LEFT, frame_id, _quaternion(R), t))
    return message(TF, transforms=transforms)


def _quaternion(R: Matrix) -> tuple[float, ...]:
    turn = cv2.Rodrigues(R)[0].ravel()  # axis times angle
    angle = float(np.linalg.norm(turn))
    axis = turn / angle if angle else turn
    return (*(float(part) for part in axis * np.sin(angle / 2)), float(np.cos(angle / 2)))


def _transform(parent: str, child: str, quaternion: tuple[float, ...], origin: Matrix) -> Any:
    x, y, z, w = quaternion
    turn = message("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w)
    place = dict(zip("xyz", map(float, origin), strict=True))
    move = message("geometry_msgs/msg/Vector3", **place)
    return message(
        "geometry_msgs/msg/TransformStamped",
        header=header(0, parent),  # holds at all times
        child_frame_id=child,
        transform=message("geometry_msgs/msg/Transform", translation=move, rotation=turn),
    )


def _region(width: int, height: int) -> Any:
    kind = "sensor_msgs/msg/RegionOfInterest"
    return message(kind, x_offset=0, y_offset=0, height=height, width=width, do_rectify=False)


def _bytes_of(array: NDArray[Any]) -> NDArray[np.uint8]:
    return array.reshape(-1).view(np.uint8)
