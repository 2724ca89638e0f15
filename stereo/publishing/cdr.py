"""ROS 2 messages as bytes, without ROS: rosbags knows their definitions and encodes them (CDR).

rosbags rather than mcap-ros2-support, because ``bag:`` needs it anyway; the other parses
definitions and walks numbers one by one, so it is what the tests read our files with. What a
message mostly consists of, the array of an image or a cloud, is not copied into it: a file or a
socket takes the pieces one after the other.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from stereo.errors import MissingLibraryError

_MARK = b"the array's place"[:16]
"""Stands for an array while the rest is encoded. A multiple of 8 bytes: no alignment is larger."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A message as bytes that lie in several places."""

    pieces: tuple[memoryview, ...]
    """One after the other they are the message; each of single bytes."""

    def __len__(self) -> int:
        return sum(len(piece) for piece in self.pieces)

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces)


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


def encoded(found: Any) -> Encoded:
    """Return the bytes of a message; its array, or that of its image, must not change any more."""
    holder = getattr(found, "image", found)
    data = getattr(holder, "data", None)
    if data is None:
        return Encoded((_serialized(found),))
    stand_in = np.frombuffer(_MARK + bytes(len(data) % 8), np.uint8)
    short = replace(holder, data=stand_in)
    raw = _serialized(short if holder is found else replace(found, image=short))
    begin = raw.tobytes().index(_MARK)
    before = bytearray(raw[:begin])
    struct.pack_into("<I", before, begin - 4, len(data))
    pieces = memoryview(before).toreadonly(), memoryview(data), raw[begin + len(stand_in) :]
    return Encoded(tuple(piece for piece in pieces if len(piece)))


def _serialized(found: Any) -> memoryview:
    made: memoryview = _store().serialize_cdr(found, found.__msgtype__, little_endian=True)
    return made


def definition(kind: str) -> bytes:
    """Return the text that defines a kind of message, with those it consists of (ros2msg)."""
    text, _ = _store().generate_msgdef(kind, ros_version=2)
    return str(text).encode()


def header(stamp_ns: int, frame_id: str) -> Any:
    """Return a header. ``stamp_ns``: nanoseconds, not below 0."""
    seconds, nanoseconds = divmod(stamp_ns, 10**9)
    stamp = message("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
    return message("std_msgs/msg/Header", stamp=stamp, frame_id=frame_id)
