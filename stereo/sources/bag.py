"""``bag:FILE``: the image pairs of a ROS 1 bag, a ROS 2 bag (folder, .db3) or an MCAP file.

Topics are found when the bag holds two of images, or one named left and one right; else they are
named: ``bag:FILE?left=/cam0/image_raw&right=/cam1/image_raw``. Read by rosbags (extra ``bags``), no
ROS needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs

import cv2
import numpy as np

from calib.errors import CalibrationError
from calib.nearby import near_path
from stereo.errors import ImageError, InputError, MissingLibraryError, SourceError
from stereo.frame import Image
from stereo.sources.bag_rig import rig_beside
from stereo.sources.mcap import CutMcap, attached_rig, is_cut
from stereo.sources.sequence import (
    Labelled,
    SequenceSource,
    Still,
    Tell,
    pair_by_time,
    stamp_name,
    together,
)
from stereo.sources.source import Event, OnEvent, SourceOptions

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
SIDE_WORDS = {
    "left": r"left|cam_?0|camera_?0|infra_?1|image_?0",
    "right": r"right|cam_?1|camera_?1|infra_?2|image_?1",
}

_DTYPES = {"mono8": "u1", "8UC1": "u1", "mono16": "u2", "16UC1": "u2", "rgb16": "u2"}
_COLORS = {
    "rgb8": None,
    "8UC3": cv2.COLOR_BGR2RGB,
    "bgr8": cv2.COLOR_BGR2RGB,
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
    # OpenCV names a pattern by its second row
    "bayer_rggb8": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr8": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg8": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg8": cv2.COLOR_BayerGB2RGB,
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,
}


def open(spec: str, options: SourceOptions, on_event: OnEvent) -> SequenceSource:
    """Open a bag; see ``open_source``.

    Raises InputError naming the topics when left and right cannot be told, SourceError for a
    damaged bag, MissingLibraryError.
    """
    path, asked = _parse(spec)
    with opened(path) as bag:
        topics = choose_topics(
            path, image_topics(bag), {**options.extra.get("topics", {}), **asked}
        )
        counts = [sum(c.msgcount for c in _connections(path, bag, topic)) for topic in topics]
        if isinstance(bag, CutMcap):
            on_event(Event("note", spec, "was never finished: it plays up to where it ends", 0.0))
        try:
            calibration = attached_rig(path) or rig_beside(bag, topics)
        except CalibrationError as error:
            on_event(Event("note", spec, f"its camera_info is of no use: {error}", 0.0))
            calibration = None
    frames = partial(_frames, path, topics, options)
    return SequenceSource(
        spec, frames, options, on_event, calibration=calibration, expected=min(counts)
    )


def _parse(spec: str) -> tuple[Path, dict[str, str]]:
    name, _, query = spec.removeprefix("bag:").partition("?")
    asked = {key: values[-1] for key, values in parse_qs(query).items()}
    if set(asked) - {"left", "right"} or not name:
        raise InputError(f"{spec}: expected bag:FILE, or bag:FILE?left=/topic&right=/topic")
    path = Path(name)
    try:
        known = path.is_dir() or (path.is_file() and _begins_as_bag(path))
        if not known and not path.exists():
            raise InputError(f"{name}: no such bag{near_path(name)}")
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error
    if not known:
        raise InputError(f"{name}: is no bag (.bag, .db3, .mcap, or its folder)")
    return path, asked


def _begins_as_bag(path: Path) -> bool:
    with path.open("rb") as it:
        return it.read(16).startswith((b"#ROSBAG", b"SQLite format 3", b"\x89MCAP0"))


def _rosbags() -> tuple[ModuleType, ModuleType]:
    try:
        from rosbags import highlevel, typesys
    except ImportError as error:
        raise MissingLibraryError(
            "bags are read by rosbags, which is not installed: pip install 'stereo-depth[bags]'"
        ) from error
    return highlevel, typesys


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Give an ``AnyReader``. Raises SourceError when the bag is damaged, here or while reading."""
    highlevel, typesys = _rosbags()
    try:
        # ROS 2 bags of before Iron hold no definitions of their messages
        store = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE)
        if is_cut(path):
            yield CutMcap(path)
            return
        with highlevel.AnyReader([path], default_typestore=store) as bag:
            yield bag
    except (SourceError, InputError, GeneratorExit):
        raise
    except Exception as error:  # whatever a damaged file makes of the libraries below
        raise SourceError(
            f"{path}: cannot be read as a bag: {error}; is it damaged, or still being written "
            "(rosbag reindex, ros2 bag reindex, mcap recover)?"
        ) from error


# --- which topics ---------------------------------------------------------------------------------


def image_topics(bag: Any) -> list[str]:
    """Return the topics that hold images; a compressed one only where it has no raw sister."""
    held = {c.topic for c in bag.connections if c.msgtype in IMAGE_TYPES and c.msgcount}
    return sorted(t for t in held if not any(o != t and t.startswith(f"{o}/") for o in held))


def choose_topics(path: Path, topics: list[str], asked: Mapping[str, str]) -> tuple[str, str]:
    """Return the left and the right topic. Raises InputError listing what there is."""
    named = {
        side: [t for t in topics if re.search(words, t, re.IGNORECASE)]
        for side, words in SIDE_WORDS.items()
    }
    if asked:
        chosen = asked.get("left"), asked.get("right")
    elif all(len(found) == 1 for found in named.values()) and named["left"] != named["right"]:
        chosen = named["left"][0], named["right"][0]
    elif len(topics) == 2:
        chosen = topics[0], topics[1]
    else:
        chosen = None, None
    left, right = chosen
    if len(topics) < 2:
        raise InputError(
            f"{path}: a pair takes images on two topics; in it are "
            f"{f'only those on {topics[0]}' if topics else 'none'}"
        )
    if left is None or right is None or left == right:
        raise InputError(
            f"{path}: name the left and the right topic: bag:{path}?left=/topic&right=/topic; "
            f"topics of images are {', '.join(topics) or 'not in it'}"
        )
    return left, right


def _connections(path: Path, bag: Any, topic: str) -> list[Any]:
    found = [c for c in bag.connections if c.topic == topic and c.msgtype in IMAGE_TYPES]
    if not found:
        raise InputError(
            f"{path}: has no images on {topic}; topics of images are "
            f"{', '.join(image_topics(bag)) or 'not in it'}"
        )
    return found


# --- images ---------------------------------------------------------------------------------------


def _frames(
    path: Path, topics: tuple[str, str], options: SourceOptions, tell: Tell
) -> Iterator[Labelled]:
    with opened(path) as left_bag, opened(path) as right_bag:
        bags = (left_bag, right_bag)  # one each: the two streams are read independently
        chosen = [_connections(path, b, topic) for b, topic in zip(bags, topics, strict=True)]
        streams = [_stills(b, connections) for b, connections in zip(bags, chosen, strict=True)]
        periods = [_period_s(b, connections) for b, connections in zip(bags, chosen, strict=True)]
        limit = options.max_skew_s or 0.4 * min(periods)
        for left, right in pair_by_time(*streams, max_skew_s=limit, tell=tell):
            yield together(left, right)


def _period_s(bag: Any, connections: list[Any]) -> float:
    """Typical time between a topic's first images, as they were received."""
    received_ns = [stamp for _, stamp, _ in islice(bag.messages(connections), 100)]
    return float(np.median(np.diff(received_ns))) * 1e-9 if len(received_ns) > 1 else 1.0


def _stills(bag: Any, connections: list[Any]) -> Iterator[Still]:
    for number, (connection, received_ns, raw) in enumerate(bag.messages(connections)):
        message = bag.deserialize(raw, connection.msgtype)
        stamp = message.header.stamp
        taken_ns = stamp.sec * 10**9 + stamp.nanosec or received_ns
        label = f"message {number} of {connection.topic}"
        load, name = partial(decode, message, label), stamp_name(taken_ns)
        yield Still(taken_ns / 10**9, label, load, name)


def decode(message: Any, label: str) -> Image:
    """Return the image of an Image or CompressedImage message, gray or RGB.

    Raises ImageError naming the message and its encoding.
    """
    if hasattr(message, "format"):
        image = cv2.imdecode(message.data, cv2.IMREAD_UNCHANGED)
        if image is None or image.dtype not in (np.uint8, np.uint16):
            raise ImageError(f"{label}: a {message.format!r} image that cannot be decoded")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if image.ndim == 3 else image  # type: ignore[return-value]
    kind = message.encoding
    if kind not in _DTYPES and kind not in _COLORS:
        known = ", ".join([*_DTYPES, *_COLORS])
        raise ImageError(f"{label}: encoding {kind!r} is not known; known are {known}")
    plain = _DTYPES.get(kind)
    width_bytes = message.width * _channels(kind)
    if message.step < width_bytes or message.data.size < message.height * message.step:
        raise ImageError(f"{label}: {message.data.size} bytes are too few for what its header says")
    whole = message.data[: message.height * message.step].reshape(message.height, message.step)
    rows = np.ascontiguousarray(whole[:, :width_bytes])
    if plain:
        dtype = np.dtype((">" if message.is_bigendian else "<") + plain)
        values = rows.view(dtype).astype(dtype.newbyteorder("="))
        return values.reshape(*values.shape[:1], -1, 3) if kind == "rgb16" else values
    pixels = rows.reshape(message.height, message.width, _channels(kind))
    code = _COLORS[kind]
    single = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    return single.copy() if code is None else cv2.cvtColor(single, code)  # type: ignore[return-value]


def _channels(kind: str) -> int:
    """Bytes a pixel of an encoding."""
    if kind in _DTYPES:
        return np.dtype(_DTYPES[kind]).itemsize * (3 if kind == "rgb16" else 1)
    return 1 if kind.startswith("bayer") else 2 if kind.startswith("yuv") else 3 + ("a8" in kind)
