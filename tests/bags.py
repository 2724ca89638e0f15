"""Bags of either ROS, written by rosbags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rosbags import rosbag1, rosbag2
from rosbags.typesys import Stores, get_typestore

from stereo.rectify import Rectification
from stereo.synthetic import make_sample_rig

RIG = make_sample_rig((320, 240))
KINDS = ("ros1.bag", "ros2", "mcap")


class Bag:
    """Writes messages of either ROS."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.one = kind == "ros1.bag"
        self.path = folder / kind
        self.store = get_typestore(Stores.ROS1_NOETIC if self.one else Stores.ROS2_HUMBLE)
        self.types = self.store.types
        if self.one:
            self.writer: Any = rosbag1.Writer(self.path)
        else:
            plugin = rosbag2.StoragePlugin.MCAP if kind == "mcap" else rosbag2.StoragePlugin.SQLITE3
            self.writer = rosbag2.Writer(self.path, version=9, storage_plugin=plugin)
        self.connections: dict[str, Any] = {}

    def __enter__(self) -> Bag:
        self.writer.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def header(self, time_s: float) -> Any:
        ns = round(time_s * 1e9)
        stamp = self.types["builtin_interfaces/msg/Time"](sec=ns // 10**9, nanosec=ns % 10**9)
        more = {"seq": 0} if self.one else {}
        return self.types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera", **more)

    def write(self, topic: str, kind: str, time_s: float, **fields: Any) -> None:
        name = f"sensor_msgs/msg/{kind}"
        if topic not in self.connections:
            self.connections[topic] = self.writer.add_connection(topic, name, typestore=self.store)
        message = self.types[name](header=self.header(time_s), **fields)
        to_bytes = self.store.serialize_ros1 if self.one else self.store.serialize_cdr
        received_ns = round((time_s + 0.01) * 1e9)
        self.writer.write(self.connections[topic], received_ns, to_bytes(message, name))

    def image(self, topic: str, time_s: float, image: np.ndarray, encoding: str) -> None:
        step = image.strides[0]
        data = np.frombuffer(image.tobytes(), np.uint8)
        size = {"height": image.shape[0], "width": image.shape[1]}
        fields = {**size, "encoding": encoding, "is_bigendian": 0, "step": step, "data": data}
        self.write(topic, "Image", time_s, **fields)

    def info(self, topic: str, side: str) -> None:
        camera = getattr(RIG, side)
        rect = Rectification.from_rig(RIG)
        assert rect.geometry is not None
        f, cx, cy = rect.geometry.focal_px, rect.geometry.cx_px, rect.geometry.cy_px
        R = rect.R_rect_left if side == "left" else rect.R_rect_right
        tx = -f * rect.geometry.baseline_m if side == "right" else 0.0
        P = np.array([[f, 0, cx, tx], [0, f, cy, 0], [0, 0, 1, 0]])
        letters = "DKRP" if self.one else "dkrp"
        arrays = (camera.distortion, camera.K.ravel(), np.asarray(R, float).ravel(), P.ravel())
        roi = self.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
        self.write(
            topic,
            "CameraInfo",
            1.0,
            height=240,
            width=320,
            distortion_model="plumb_bob",
            binning_x=0,
            binning_y=0,
            roi=roi,
            **dict(zip(letters, arrays, strict=True)),
        )
