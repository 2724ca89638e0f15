"""``--publish ros2``: the same topics in a running ROS 2, where ``import rclpy`` works.

rclpy takes a message that is encoded already, so nothing is converted here: the bytes are those of
the MCAP file. The topics are relative, so a node's namespace and remappings hold.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from stereo.errors import MissingLibraryError, OutputError
from stereo.publishing.messages import STATIC, TOPICS, FrameMessages

INSTALL = (
    "apt-get install ros-jazzy-rclpy ros-jazzy-sensor-msgs ros-jazzy-stereo-msgs "
    "ros-jazzy-tf2-msgs, then: source /opt/ros/jazzy/setup.bash"
)
"""What brings it, for Ubuntu 24.04; of Ubuntu 22.04 it is humble."""


class Ros2Publisher:
    """Publishes results as a node does; see ``Publisher``."""

    every_frame = False

    def __init__(self, name: str = "stereo") -> None:
        """``name`` of the node.

        Raises MissingLibraryError where there is no ROS 2, OutputError when it does not start.
        """
        try:
            self._rclpy: Any = import_module("rclpy")
            self._qos: Any = import_module("rclpy.qos")
            self._signals: Any = import_module("rclpy.signals")
            kinds = {topic: _kind(kind) for topic, kind in TOPICS.items() if topic != STATIC}
        except ImportError as error:
            raise MissingLibraryError(
                f"--publish ros2 needs a ROS 2 that this Python sees ({error}): {INSTALL}"
            ) from error
        self.note = ""
        try:
            kinds[STATIC] = _kind(TOPICS[STATIC])
        except ImportError:  # no part of ROS as PyPI has it
            self.note = "ROS 2: no tf_static, because there is no tf2_msgs"
        try:
            self._start(name, kinds)
        except Exception as error:  # whatever a middleware says
            raise OutputError(f"--publish ros2: ROS 2 does not start: {error}") from error

    def _start(self, name: str, kinds: dict[str, Any]) -> None:
        self._ours = not self._rclpy.ok()
        if self._ours:  # Ctrl-C stays ours, and ends the camera first
            handlers = self._signals.SignalHandlerOptions.NO
            self._rclpy.init(signal_handler_options=handlers)
        self._node = self._rclpy.create_node(name)
        self._kinds = kinds
        self._publishers: dict[str, Any] = {}
        self._said = b""

    def publish(self, messages: FrameMessages) -> None:
        """See ``Publisher``."""
        for topic in messages.topics:
            if topic not in self._kinds:
                continue
            if topic not in self._publishers:
                self._publishers[topic] = self._publisher(topic)
            if topic == STATIC:
                self._say_once(bytes(messages.encoded(topic)))
            elif self._publishers[topic].get_subscription_count():
                self._publishers[topic].publish(bytes(messages.encoded(topic)))

    def _publisher(self, topic: str) -> Any:
        kind, qos = self._kinds[topic], self._qos
        if topic != STATIC:
            return self._node.create_publisher(kind, topic, qos.qos_profile_sensor_data)
        latched = qos.QoSProfile(depth=1, durability=qos.DurabilityPolicy.TRANSIENT_LOCAL)
        return self._node.create_publisher(kind, f"/{topic}", latched)  # one for all of a robot

    def _say_once(self, frames: bytes) -> None:
        if frames != self._said:
            self._said = frames
            self._publishers[STATIC].publish(frames)

    def close(self) -> None:
        """See ``Publisher``."""
        self._node.destroy_node()
        if self._ours:
            self._rclpy.shutdown()


def _kind(name: str) -> Any:
    """The class of a kind such as ``sensor_msgs/msg/Image``."""
    module, _, title = name.replace("/", ".").rpartition(".")
    return getattr(import_module(module), title)
