"""ROS 2 messages as bytes, without ROS: rosbags knows their definitions and encodes them (CDR).

rosbags rather than mcap-ros2-support, because ``bag:`` needs it anyway and it takes an array of
numpy as it is (1 ms for a cloud of 5 MB); the other parses definitions and walks numbers one by
one, so it is what the tests read our files with.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from stereo.errors import MissingLibraryError


@cache
def _store() -> Any:
    try:
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise MissingLibraryError(
            "ROS messages are encoded by rosbags, which is not installed: "
            "pip install 'stereo-depth[bags]'"
        ) from error
    return get_typestore(Stores.ROS2_HUMBLE)  # ours are the same in every ROS 2 since Foxy


def message(kind: str, **fields: Any) -> Any:
    """Return a message of a kind such as ``sensor_msgs/msg/Image``.

    Raises MissingLibraryError without rosbags.
    """
    return _store().types[kind](**fields)


def encoded(found: Any) -> memoryview:
    """Return the bytes of a message."""
    return memoryview(_store().serialize_cdr(found, found.__msgtype__))


def definition(kind: str) -> bytes:
    """Return the text that defines a kind of message, with those it consists of (ros2msg)."""
    text, _ = _store().generate_msgdef(kind, ros_version=2)
    return str(text).encode()


def header(stamp_ns: int, frame_id: str) -> Any:
    """Return a header. ``stamp_ns``: nanoseconds, not below 0."""
    seconds, nanoseconds = divmod(stamp_ns, 10**9)
    stamp = message("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
    return message("std_msgs/msg/Header", stamp=stamp, frame_id=frame_id)
