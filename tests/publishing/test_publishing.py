"""Topics: what they say, read back by readers that did not write them; files that were cut."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from topics import NS, result

from calib import StereoRig
from stereo.errors import InputError, MissingLibraryError
from stereo.frame import StereoFrame, StereoGeometry
from stereo.pipeline import StereoPipeline
from stereo.publishing.mcap import McapFile, McapPublisher
from stereo.publishing.messages import FrameMessages, MessageOptions, Stamps
from stereo.publishing.publish import Publishing, open_publisher
from stereo.publishing.recording import McapRecorder
from stereo.rectify import Rectification
from stereo.sources import Event, open_source

pytest.importorskip("mcap", reason="extra `bags` is not installed")
pytest.importorskip("rosbags", reason="extra `bags` is not installed")


def decoded(path: Path) -> dict[str, list[Any]]:
    """Every message by topic, with a decoder that shares nothing with what wrote them."""
    reader = pytest.importorskip("mcap_ros2.reader", reason="mcap-ros2-support is not installed")
    found: dict[str, list[Any]] = {}
    for one in reader.read_ros2_messages(path):
        found.setdefault(one.channel.topic, []).append(one.ros_msg)
    return found


def pixels(image: Any, kind: str) -> np.ndarray:
    return np.frombuffer(bytes(image.data), kind).reshape(image.height, image.width, -1).squeeze()


def test_an_independent_reader_sees_what_was_published(tmp_path: Path) -> None:
    path, made = tmp_path / "out.mcap", result()
    with McapFile(path, whole=True) as file:
        for number in range(2):
            McapPublisher(file).publish(FrameMessages(made, NS + number))
        assert not path.exists()  # it gets its name when it is whole
    found = decoded(path)
    assert set(found) == {f"/{topic}" for topic in FrameMessages(made, NS).topics}
    assert len(found["/tf_static"]) == 1
    assert len(found["/depth"]) == 2
    stamp = found["/depth"][0].header.stamp
    assert 10**9 * stamp.sec + stamp.nanosec == NS
    assert made.depth is not None
    for topic, values in (
        ("depth", made.depth.depth_m),
        ("sigma", made.depth.sigma_m),
        ("confidence", made.disparity.confidence),
    ):
        assert found[f"/{topic}"][0].encoding == "32FC1"
        np.testing.assert_array_equal(pixels(found[f"/{topic}"][0], "f4"), values)
    disparity = found["/disparity"][0]
    np.testing.assert_array_equal(pixels(disparity.image, "f4"), made.disparity.px)
    assert (disparity.f, disparity.T if hasattr(disparity, "T") else disparity.t) == (
        50.0,
        pytest.approx(0.1),
    )
    np.testing.assert_array_equal(pixels(found["/right/image_rect"][0], "u1"), made.pair.right)
    P = np.reshape(found["/right/camera_info"][0].p, (3, 4))
    assert P[0, 3] == -50.0 * 0.1
    cloud = found["/points"][0]
    points = np.frombuffer(bytes(cloud.data), "f4").reshape(24, 32, 4)
    np.testing.assert_array_equal(points[..., 2], made.depth.depth_m)
    assert points[10, 20, 0] == pytest.approx((20 - 15.5) * points[10, 20, 2] / 50, rel=1e-5)
    np.testing.assert_array_equal(points.view("u1")[..., 12:15][..., ::-1], made.pair.left)
    left, right = found["/tf_static"][0].transforms
    assert (left.header.frame_id, left.child_frame_id) == ("stereo_link", "left_optical")
    assert right.transform.translation.x == pytest.approx(0.1)


def test_a_dense_cloud_holds_known_points_only() -> None:
    made = result()
    assert made.depth is not None
    options = MessageOptions(organised=False)
    organised, dense = (
        FrameMessages(made, NS, options=each).encoded("points") for each in (None, options)
    )
    known = np.count_nonzero(np.isfinite(made.depth.depth_m))
    assert len(organised) - len(dense) == 16 * (made.depth.depth_m.size - known)


def test_without_a_calibration_there_is_no_depth_and_no_camera() -> None:
    topics = FrameMessages(result(geometry=None), NS).topics
    assert set(topics) == {"left/image_rect", "right/image_rect", "confidence", "disparity"}


def test_cameras_above_each_other_have_their_baseline_in_the_second_row() -> None:
    from stereo.publishing.messages import projections

    depth = result().depth
    assert depth is not None
    assert list(projections(depth, 1)[1][:2, 3]) == [0, -5]
    assert list(projections(depth, -1)[1][:2, 3]) == [0, 5]


def test_disparity_counts_from_infinity_as_ros_has_it() -> None:
    geometry = StereoGeometry(50.0, 0.1, 15.5, 11.5, doffs_px=2.0)
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    made = result(geometry=geometry)
    raw = bytes(FrameMessages(made, NS).encoded("disparity"))
    message: Any = store.deserialize_cdr(raw, "stereo_msgs/msg/DisparityImage")
    values = message.image.data.view("f4").reshape(24, 32)
    np.testing.assert_allclose(values, made.disparity.px + 2)


def sample() -> tuple[StereoRig, StereoFrame]:
    with open_source("synthetic:room") as source:
        frame = next(iter(source))
        assert isinstance(source.calibration, StereoRig)
        return source.calibration, replace(frame, name=str(NS), skew_s=0.001)


def test_a_round_trip_gives_the_same_rig_pair_and_disparity(tmp_path: Path) -> None:
    """The raw pair of a recording and the rectified pair of a result, through ``bag:``."""
    rig, frame = sample()
    raw, out = tmp_path / "raw.mcap", tmp_path / "out.mcap"
    with McapRecorder(raw, calibration=rig) as recorder:
        recorder.write(frame)
    with open_source(f"bag:{raw}") as source:
        (played,) = list(source)
        found = source.calibration
    assert isinstance(found, StereoRig)  # all of it, from the attached file
    np.testing.assert_array_equal(found.t_right_left, rig.t_right_left)
    np.testing.assert_array_equal(found.left.K, rig.left.K)
    assert played.name == frame.name
    assert played.skew_s == pytest.approx(0.001, abs=1e-6)
    np.testing.assert_array_equal(played.right, frame.right)

    expected = StereoPipeline(Rectification.from_rig(rig)).process(frame)
    again = StereoPipeline(Rectification.from_rig(found)).process(played)
    np.testing.assert_array_equal(again.disparity.px, expected.disparity.px)
    with McapFile(out, whole=True) as file:
        McapPublisher(file).publish(FrameMessages(expected, NS))
    with open_source(f"bag:{out}") as source:
        (played,) = list(source)
        assert source.calibration is not None
        rect = Rectification.from_calibration(source.calibration)
    assert rect.maps_left is None  # rectified already
    again = StereoPipeline(rect).process(played)
    np.testing.assert_array_equal(again.disparity.px, expected.disparity.px)


WRITE_FOR_EVER = """
import sys, itertools
from pathlib import Path
sys.path[:0] = {paths!r}
from stereo.publishing.mcap import McapFile, McapPublisher
from stereo.publishing.messages import FrameMessages
from topics import result
publisher = McapPublisher(McapFile(Path({path!r})))
made = result()
for number in itertools.count():
    publisher.publish(FrameMessages(made, 10**9 * (number + 1)))
    if number == 4:
        print("five", flush=True)
"""


def test_a_file_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "killed.mcap"
    script = WRITE_FOR_EVER.format(paths=[str(Path(__file__).parents[1])], path=str(path))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"five\n"
        os.kill(child.pid, signal.SIGKILL)
    events: list[Event] = []
    with open_source(f"bag:{path}", on_event=events.append) as source:
        frames = list(source)
    assert len(frames) >= 5
    np.testing.assert_array_equal(frames[4].left, result().pair.left)
    assert any("never finished" in event.message for event in events)


def test_a_cut_anywhere_leaves_what_is_before_it(tmp_path: Path) -> None:
    path, cut = tmp_path / "whole.mcap", tmp_path / "cut.mcap"
    with McapFile(path) as file:
        ends = []
        for number in range(3):
            McapPublisher(file).publish(FrameMessages(result(number), 10**9 * (number + 1)))
            ends.append(path.stat().st_size)
    data = path.read_bytes()
    cuts = ((ends[0], 1), (ends[1] - 500, 1), (ends[1] + 5000, 2), (len(data) - 1, 3))
    for size, kept in cuts:
        cut.write_bytes(data[:size])
        with open_source(f"bag:{cut}") as source:
            frames = list(source)
        assert len(frames) == kept
        for number, frame in enumerate(frames):
            np.testing.assert_array_equal(frame.left, result(number).pair.left)


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "there.mcap").write_bytes(b"precious")
    with pytest.raises(InputError, match="is there already"):
        open_publisher(f"mcap:{tmp_path / 'there.mcap'}")


def test_a_failed_job_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyError), McapFile(tmp_path / "a.mcap", whole=True):
        raise KeyError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("spec", ["mcap:", "nobody", "foxglove:nine", "foxglove:99999", "ros2:x"])
def test_what_cannot_be_published_to_is_said(spec: str) -> None:
    with pytest.raises(InputError, match="say"):
        open_publisher(spec)


class Slow:
    every_frame, note = False, ""

    def __init__(self) -> None:
        import threading

        self.go, self.seen, self.closed = threading.Event(), [], False  # type: ignore[var-annotated]

    def publish(self, messages: FrameMessages) -> None:
        self.go.wait(10)
        self.seen.append(messages.stamp_ns)

    def close(self) -> None:
        self.closed = True


def test_a_slow_publisher_gets_the_newest_and_nobody_waits() -> None:
    slow, frame = Slow(), StereoFrame(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8))
    with Publishing([("slow", slow)], live=True) as publishing:
        for number in range(50):
            publishing.offer(StereoFrame(frame.left, frame.right, float(number)), result())
        slow.go.set()
    stats = publishing.stats["slow"]
    assert slow.closed
    assert slow.seen[-1] == 49 * 10**9
    assert stats.published == len(slow.seen) <= 2
    assert stats.dropped == 50 - stats.published


def test_a_file_gets_every_frame_of_what_can_wait(tmp_path: Path) -> None:
    path, black = tmp_path / "all.mcap", np.zeros((24, 32), np.uint8)
    publisher = open_publisher(f"mcap:{path}")
    with Publishing([("mcap", publisher)], live=False) as publishing:
        for number in range(20):
            publishing.offer(StereoFrame(black, black, number + 1.0), result(number))
    assert publishing.stats["mcap"].dropped == 0
    assert len(decoded(path)["/depth"]) == 20


def test_stamps_of_a_camera_are_this_computers_time_without_jitter() -> None:
    stamps, black = Stamps(), np.zeros((2, 2), np.uint8)
    now_s = time.monotonic()
    first = stamps.of(StereoFrame(black, black, 5.0, host_s=now_s))
    late = stamps.of(StereoFrame(black, black, 5.1, host_s=now_s + 0.12))
    assert abs(first - time.time_ns()) < 10**9
    assert late - first == pytest.approx(10**8, abs=1000)
    restarted = stamps.of(StereoFrame(black, black, 0.0, host_s=now_s + 1))
    assert restarted - first == pytest.approx(10**9, abs=2 * 10**7)


def test_without_the_libraries_the_way_to_them_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("rclpy", "websockets", "mcap"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingLibraryError, match="apt-get install ros-"):
        open_publisher("ros2")
    with pytest.raises(MissingLibraryError, match=r"stereo-depth\[foxglove\]"):
        open_publisher("foxglove")
    with pytest.raises(MissingLibraryError, match=r"stereo-depth\[bags\]"):
        open_publisher(f"mcap:{tmp_path / 'a.mcap'}")
