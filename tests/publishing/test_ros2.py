"""ROS 2: with a stand-in for rclpy everywhere, and with the real one where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from topics import NS, result

from stereo.errors import OutputError
from stereo.publishing.messages import TOPICS, FrameMessages
from stereo.publishing.publish import open_publisher

pytest.importorskip("rosbags", reason="extra `bags` is not installed")


class FakeNode:
    def __init__(self, name: str) -> None:
        self.sent: dict[str, list[bytes]] = {}
        self.qos: dict[str, Any] = {}

    def create_publisher(self, kind: Any, topic: str, qos: Any) -> Any:
        self.qos[topic] = qos
        sent = self.sent.setdefault(topic, [])
        heard = 0 if topic == "sigma" else 1
        return SimpleNamespace(publish=sent.append, get_subscription_count=lambda: heard)

    def destroy_node(self) -> None:
        self.qos.clear()


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakeNode]]:
    """Every node that a stand-in for ROS 2 makes; at the end it must have been shut down."""
    made: list[FakeNode] = []
    running: list[bool] = []
    rclpy: Any = ModuleType("rclpy")
    rclpy.ok, rclpy.shutdown = lambda: bool(running), running.clear
    rclpy.init = lambda **_: running.append(True)
    rclpy.create_node = lambda name: made.append(FakeNode(name)) or made[-1]
    qos: Any = ModuleType("rclpy.qos")
    qos.qos_profile_sensor_data = "sensors"
    qos.DurabilityPolicy = SimpleNamespace(TRANSIENT_LOCAL="latched")
    qos.QoSProfile = lambda depth, durability: (depth, durability)
    signals: Any = ModuleType("rclpy.signals")
    signals.SignalHandlerOptions = SimpleNamespace(NO=0)
    fakes = {"rclpy": rclpy, "rclpy.qos": qos, "rclpy.signals": signals}
    for kind in TOPICS.values():
        package, _, title = kind.split("/")
        fakes.setdefault(package, ModuleType(package))
        module: Any = fakes.setdefault(f"{package}.msg", ModuleType(f"{package}.msg"))
        setattr(module, title, title)
    for name, module in fakes.items():
        monkeypatch.setitem(sys.modules, name, module)
    yield made
    assert not running


def test_the_same_bytes_by_the_usual_names(nodes: list[FakeNode]) -> None:
    publisher, messages = open_publisher("ros2"), FrameMessages(result(), NS)
    (node,) = nodes
    for _ in range(2):
        publisher.publish(messages)
    assert not publisher.note
    assert node.qos["/tf_static"] == (1, "latched")
    assert node.qos["left/image_rect"] == node.qos["points"] == "sensors"
    assert len(node.sent["/tf_static"]) == 1
    assert node.sent["depth"] == 2 * [bytes(messages.encoded("depth"))]
    assert not node.sent["sigma"]  # nobody listens
    publisher.close()


def test_uncalibrated_there_are_fewer_topics(nodes: list[FakeNode]) -> None:
    publisher = open_publisher("ros2")
    publisher.publish(FrameMessages(result(geometry=None), NS))
    sent = {topic for topic, all_of_it in nodes[0].sent.items() if all_of_it}
    assert sent == {"left/image_rect", "right/image_rect", "confidence", "disparity"}
    publisher.close()


def test_without_tf2_msgs_the_rest_is_published(
    nodes: list[FakeNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2_msgs", None)
    monkeypatch.setitem(sys.modules, "tf2_msgs.msg", None)
    publisher = open_publisher("ros2")
    publisher.publish(FrameMessages(result(), NS))
    assert "no tf_static" in publisher.note
    assert nodes[0].sent["depth"]
    assert "/tf_static" not in nodes[0].sent
    publisher.close()


def test_a_ros_that_does_not_start_is_said(
    nodes: list[FakeNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("no domain left")

    monkeypatch.setattr(sys.modules["rclpy"], "init", fail)
    with pytest.raises(OutputError, match="does not start: no domain left"):
        open_publisher("ros2")


LISTEN = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from stereo_msgs.msg import DisparityImage
from stereo.publishing.messages import FrameMessages
from stereo.publishing.ros2 import Ros2Publisher
from topics import NS, result

kinds = {kind.__name__: kind for kind in (CameraInfo, Image, PointCloud2, DisparityImage)}
publisher, made, heard = Ros2Publisher(), result(size=(480, 640)), {}
topics = FrameMessages(made, NS).topics
context = rclpy.Context()
rclpy.init(context=context)
listener = rclpy.create_node("listener", context=context)
for topic, kind in topics.items():
    if (known := kinds.get(kind.rpartition("/")[2])) is not None:
        listener.create_subscription(
            known, topic, lambda said, topic=topic: heard.update({topic: said}),
            qos_profile_sensor_data,
        )
executor = SingleThreadedExecutor(context=context)
executor.add_node(listener)
threading.Thread(target=executor.spin, daemon=True).start()
deadline = time.monotonic() + 30
while len(heard) < len(topics) - 1 and time.monotonic() < deadline:
    publisher.publish(FrameMessages(made, NS))
    time.sleep(0.1)
publisher.close()
assert len(heard) == len(topics) - 1, sorted(heard)
depth, cloud, disparity = heard["depth"], heard["points"], heard["disparity"]
stamp = depth.header.stamp
assert 10**9 * stamp.sec + stamp.nanosec == NS
values = np.frombuffer(depth.data, "f4").reshape(depth.height, depth.width)
np.testing.assert_array_equal(values, made.depth.depth_m)
points = np.frombuffer(cloud.data, "f4").reshape(cloud.height, cloud.width, 4)
np.testing.assert_array_equal(points[..., 2], made.depth.depth_m)
assert (disparity.f, disparity.valid_window.width) == (50.0, 640)
np.testing.assert_allclose(disparity.t, 0.1, rtol=1e-6)
assert heard["right/camera_info"].p[3] == -50.0 * 0.1
assert list(heard["camera_info"].k) == list(heard["left/camera_info"].k)
print("heard all")
"""


@pytest.mark.skipif(find_spec("rclpy") is None, reason="needs a ROS 2: docs/robots.md says how")
def test_a_real_ros_hears_all_of_it() -> None:
    """In a process of its own, since rclpy outlives what it was used for; on this computer only."""
    done = subprocess.run(
        [sys.executable, "-c", LISTEN, str(Path(__file__).parents[1])],
        env=os.environ | {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout.endswith("heard all\n"), done.stderr
