"""Bags written by rosbags itself: ROS 1, ROS 2 and MCAP give back the same pairs and rig."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from calib import StereoRig
from stereo.errors import ImageError, InputError, MissingLibraryError, SourceError
from stereo.frame import StereoFrame
from stereo.sources import Event, SourceOptions, open_source

rosbags = pytest.importorskip("rosbags", reason="extra `bags` is not installed")
from bags import KINDS, RIG, Bag  # noqa: E402


def gray(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (24, 32), dtype=np.uint8)


def play(
    spec: object, options: SourceOptions | None = None
) -> tuple[list[StereoFrame], list[Event]]:
    events: list[Event] = []
    with open_source(f"bag:{spec}", options, on_event=events.append) as source:
        return list(source), events


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_times_and_calibration_of_every_kind_of_bag(tmp_path: Path, kind: str) -> None:
    with Bag(tmp_path, kind) as bag:
        for side in ("left", "right"):
            bag.info(f"/stereo/{side}/camera_info", side)
        for k in range(8):
            bag.image("/stereo/left/image_raw", 100 + k / 20, gray(k), "mono8")
            if k != 3:
                at = 100.002 + k / 20
                bag.image("/stereo/right/image_raw", at, gray(100 + k), "mono8")
    frames, events = play(bag.path)
    kept = [0, 1, 2, 4, 5, 6, 7]
    assert len(frames) == len(kept)
    for frame, k in zip(frames, kept, strict=True):
        assert np.array_equal(frame.left, gray(k))
        assert np.array_equal(frame.right, gray(100 + k))
        assert frame.time_s == pytest.approx(100 + k / 20, abs=1e-6)  # the header's, not arrival's
        assert frame.skew_s == pytest.approx(0.002, abs=1e-6)
        assert len(frame.name) == 19
        assert int(frame.name) == pytest.approx(1e9 * (100 + k / 20), abs=1000)
    assert sum(event.kind == "unpaired" for event in events) == 1
    with open_source(f"bag:{bag.path}") as source:
        rig = source.calibration
    assert isinstance(rig, StereoRig)
    assert rig.R_right_left == pytest.approx(RIG.R_right_left, abs=1e-6)
    assert rig.t_right_left == pytest.approx(RIG.t_right_left, abs=1e-6)
    assert rig.left.distortion == pytest.approx(RIG.left.distortion)


def test_compressed_images_and_topics_by_name(tmp_path: Path) -> None:
    with Bag(tmp_path, "mcap") as bag:
        for topic in ("/a/compressed", "/b/compressed", "/c/compressed"):
            for k in range(2):
                png = cv2.imencode(".png", gray(k))[1].ravel()
                bag.write(topic, "CompressedImage", 1 + k / 10, format="png", data=png)
    with pytest.raises(InputError, match="topics of images are /a/compressed, /b/compressed, /c"):
        play(bag.path)
    frames, _ = play(f"{bag.path}?left=/b/compressed&right=/a/compressed")
    assert np.array_equal(frames[1].left, gray(1))
    with pytest.raises(InputError, match="has no images on /nowhere"):
        play(f"{bag.path}?left=/b/compressed&right=/nowhere")
    with pytest.raises(InputError, match="expected bag:FILE"):
        play(f"{bag.path}?top=/b")


rng = np.random.default_rng(5)
RGB = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
DEEP = rng.integers(0, 65536, (6, 8), dtype=np.uint16)
ALPHA = np.dstack([RGB, RGB[..., 0]])


@pytest.mark.parametrize(
    ("encoding", "stored", "expected"),
    [
        ("rgb8", RGB, RGB),
        ("bgr8", RGB[..., ::-1].copy(), RGB),
        ("rgba8", ALPHA, RGB),
        ("bgra8", ALPHA[..., [2, 1, 0, 3]].copy(), RGB),
        ("mono16", DEEP, DEEP),
        ("8UC1", RGB[..., 0].copy(), RGB[..., 0]),
    ],
)
def test_encodings(tmp_path: Path, encoding: str, stored: np.ndarray, expected: np.ndarray) -> None:
    with Bag(tmp_path, "ros2") as bag:
        for topic in ("/cam0/image_raw", "/cam1/image_raw"):
            bag.image(topic, 1.0, stored, encoding)
    frames, _ = play(bag.path)
    assert frames[0].left.dtype == expected.dtype
    assert np.array_equal(frames[0].left, expected)


@pytest.mark.parametrize(
    ("pattern", "order"), [("rggb", "RGGB"), ("bggr", "BGGR"), ("gbrg", "GBRG"), ("grbg", "GRBG")]
)
def test_bayer_patterns_give_the_right_colour(tmp_path: Path, pattern: str, order: str) -> None:
    colour = {"R": 200, "G": 120, "B": 40}
    tile = np.array([colour[letter] for letter in order], np.uint8).reshape(2, 2)
    with Bag(tmp_path, "mcap") as bag:
        for topic in ("/left", "/right"):
            bag.image(topic, 1.0, np.tile(tile, (6, 6)), f"bayer_{pattern}8")
    frames, _ = play(bag.path)
    assert frames[0].left[5, 5] == pytest.approx([200, 120, 40])


@pytest.mark.parametrize(("encoding", "order"), [("yuv422", "UYVY"), ("yuv422_yuy2", "YUYV")])
def test_yuv_gives_the_right_colour(tmp_path: Path, encoding: str, order: str) -> None:
    red = {"Y": 82, "U": 90, "V": 240}  # BT.601, limited range
    stored = np.tile(np.array([red[c] for c in order], np.uint8).reshape(1, 2, 2), (4, 3, 1))
    with Bag(tmp_path, "mcap") as bag:
        for topic in ("/left", "/right"):
            bag.image(topic, 1.0, stored, encoding)
    frames, _ = play(bag.path)
    assert frames[0].left.shape == (4, 6, 3)
    assert frames[0].left[2, 2].astype(int) == pytest.approx([255, 0, 0], abs=3)


def test_big_endian_images(tmp_path: Path) -> None:
    with Bag(tmp_path, "mcap") as bag:
        for topic in ("/left", "/right"):
            data = np.frombuffer(DEEP.astype(">u2").tobytes(), np.uint8)
            fields = {"height": 6, "width": 8, "encoding": "mono16", "step": 16, "data": data}
            bag.write(topic, "Image", 1.0, is_bigendian=1, **fields)
    frames, _ = play(bag.path)
    assert np.array_equal(frames[0].left, DEEP)


def test_an_unknown_encoding_and_a_short_message_are_named(tmp_path: Path) -> None:
    for encoding, words in (
        ("32FC1", "encoding '32FC1' is not known"),
        ("mono16", "768 bytes are too few"),
    ):
        folder = tmp_path / encoding
        folder.mkdir()
        with Bag(folder, "mcap") as bag:
            for topic in ("/left", "/right"):
                bag.image(topic, 1.0, gray(0), encoding)
        with pytest.raises(ImageError, match=words):
            play(bag.path)


def test_a_damaged_bag_is_said(tmp_path: Path) -> None:
    for name in ("a.bag", "b.mcap", "c.db3"):
        (tmp_path / name).write_bytes(b"#ROSBAG V2.0\n" + bytes(range(200)))
        with pytest.raises(SourceError, match="cannot be read as a bag"):
            play(tmp_path / name)
    with pytest.raises(InputError, match="no such bag"):
        play(tmp_path / "nowhere.bag")


def test_without_the_library_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.bag").write_bytes(b"#ROSBAG V2.0\n")
    real = builtins.__import__

    def absent(name: str, *more: Any) -> Any:
        if name.startswith("rosbags"):
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingLibraryError, match=r"stereo-depth\[bags\]"):
        play(tmp_path / "a.bag")
