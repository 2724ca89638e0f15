"""MCAP files that are cut, damaged, in the way, or more than the disk takes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from topics import NS, result

from calib import StereoRig
from stereo.errors import InputError, OutputError, StereoError
from stereo.frame import StereoFrame
from stereo.publishing.mcap import McapFile, McapPublisher, remove_unfinished
from stereo.publishing.messages import FrameMessages
from stereo.publishing.publish import Publishing, open_publisher
from stereo.publishing.recording import McapRecorder
from stereo.sources import Event, open_source
from stereo.sources.bag import choose_topics

reading = pytest.importorskip("mcap.reader", reason="extra `bags` is not installed")
pytest.importorskip("rosbags", reason="extra `bags` is not installed")


def frames_of(path: Path) -> list[StereoFrame]:
    with open_source(f"bag:{path}") as source:
        return list(source)


def played(path: Path) -> list[StereoFrame]:
    """What plays; none where the file is refused by its name."""
    frames: list[StereoFrame] = []
    try:
        with open_source(f"bag:{path}") as source:
            frames += source
    except StereoError as error:
        if str(path) not in str(error):
            raise
    return frames


def test_every_checksum_and_index_is_right(tmp_path: Path) -> None:
    """As ``mcap doctor`` looks: what the index names is there, and what is there is in it."""
    path = tmp_path / "out.mcap"
    with McapFile(path, attached={"a.txt": b"kept"}) as file:
        for number in range(3):
            McapPublisher(file).publish(FrameMessages(result(number), NS + number))
    with path.open("rb") as stream:
        reader = reading.SeekingReader(stream, validate_crcs=True)
        summary = reader.get_summary()
        assert summary is not None
        assert summary.statistics is not None
        assert (summary.statistics.message_start_time, summary.statistics.message_end_time) == (
            *(NS, NS + 2),
        )
        assert summary.statistics.chunk_count == len(summary.chunk_indexes)
        found = [(c.topic, m.log_time, m.data) for _, c, m in reader.iter_messages()]
        one = [m.data for _, _, m in reader.iter_messages(topics=["/depth"], starting_at=NS + 1)]
        assert [(a.name, a.data) for a in reader.iter_attachments()] == [("a.txt", b"kept")]
    with path.open("rb") as stream:
        streaming = reading.NonSeekingReader(stream, validate_crcs=True)
        again = [(c.topic, m.log_time, m.data) for _, c, m in streaming.iter_messages()]
    assert sorted(found) == sorted(again)
    assert len(found) == 3 * (len(FrameMessages(result(), NS).topics) - 1) + 1
    assert len(one) == 2
    assert one[1] == bytes(FrameMessages(result(2), NS + 2).encoded("depth"))
    qualities = [c.metadata for c in summary.channels.values() if c.topic == "/tf_static"]
    assert "durability: 1" in qualities[0]["offered_qos_profiles"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A recording of three small frames."""
    path = tmp_path_factory.mktemp("recorded") / "raw.mcap"
    with McapRecorder(path, calibration=rig()) as recorder:
        for number in range(3):
            pair = result(number).pair
            recorder.write(StereoFrame(pair.left, pair.right, number + 1.0))
    return path.read_bytes()


def rig() -> StereoRig:
    with open_source("synthetic:room") as source:
        assert isinstance(source.calibration, StereoRig)
        return source.calibration


def test_cut_at_any_byte_it_plays_what_is_whole_or_says_why_not(
    recorded: bytes, tmp_path: Path
) -> None:
    cut, before = tmp_path / "cut.mcap", 0
    for size in (*range(0, 40, 3), *range(40, len(recorded), 401), len(recorded) - 1):
        cut.write_bytes(recorded[:size])
        frames = played(cut)
        assert len(frames) >= before  # a longer piece never plays less
        before = len(frames)
        for number, frame in enumerate(frames):
            np.testing.assert_array_equal(frame.right, result(number).pair.right)
    assert before == 3


def test_a_damaged_byte_gives_no_other_images(recorded: bytes, tmp_path: Path) -> None:
    path, rng = tmp_path / "damaged.mcap", np.random.default_rng(0)
    expected = [result(number).pair.left for number in range(3)]
    for at in rng.integers(8, len(recorded), 25):
        data = bytearray(recorded)
        data[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(data))
        for frame in played(path):
            assert any(np.array_equal(frame.left, image) for image in expected), at


def test_a_damaged_rig_is_not_taken(recorded: bytes, tmp_path: Path) -> None:
    """A digit of its focal length is wrong: nothing but the checksum tells."""
    path, events = tmp_path / "rig.mcap", list[Event]()
    begin = recorded.index(b"fx: ")
    at = next(i for i in range(begin, len(recorded)) if recorded[i : i + 1].isdigit())
    data = bytearray(recorded)
    data[at] = ord("7") if data[at] != ord("7") else ord("3")
    path.write_bytes(bytes(data))
    with open_source(f"bag:{path}", on_event=events.append) as source:
        assert source.calibration is None
    assert any("rig attached to it is damaged" in event.message for event in events)


def test_one_topic_of_images_is_no_pair() -> None:
    for topics in ([], ["/left/image_raw"]):
        with pytest.raises(InputError, match="a pair takes images on two topics"):
            choose_topics(Path("a.mcap"), topics, {})


class Disk:
    """A disk that takes so many bytes more, the last of them in the middle of a call."""

    def __init__(self, room: int) -> None:
        self.room = room

    def writev(self, descriptor: int, pieces: Sequence[memoryview]) -> int:
        data = b"".join(pieces)[: self.room]
        if not data:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(data)
        return os.write(descriptor, data)


def offer_ten(publishing: Publishing) -> None:
    black = np.zeros((24, 32), np.uint8)
    with publishing:
        for number in range(10):
            publishing.offer(StereoFrame(black, black, number + 1.0), result(number))


@pytest.mark.parametrize("room", [10, 60_000, 100_000, 160_000])
def test_a_full_disk_leaves_every_frame_before(
    room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, path = Disk(10**9), tmp_path / "full.mcap"
    monkeypatch.setattr(os, "writev", disk.writev)
    publisher = open_publisher(f"mcap:{path}")
    disk.room = room
    publishing = Publishing([("mcap", publisher)], live=False)
    with pytest.raises(OutputError, match=r"full.mcap: cannot be written: No space.*free some"):
        offer_ten(publishing)
    kept = frames_of(path) if room > 10 else []
    assert (len(kept) > 0) == (room > 10)
    for number, frame in enumerate(kept):
        np.testing.assert_array_equal(frame.left, result(number).pair.left)


def test_what_is_in_the_way_stays(tmp_path: Path) -> None:
    there, folder = tmp_path / "there.mcap", tmp_path / "folder.mcap"
    there.write_bytes(b"precious")
    folder.mkdir()
    for path in (there, folder):
        for whole in (True, False):
            with pytest.raises(InputError, match="is there already"):
                McapFile(path, whole=whole)
    with pytest.raises(OutputError, match="a file is in the way"):
        McapFile(there / "in.mcap")
    assert there.read_bytes() == b"precious"
    assert sorted(tmp_path.iterdir()) == [folder, there]


WRITE = """
import sys
from pathlib import Path
from stereo.publishing.mcap import McapFile
McapFile(Path(sys.argv[1]), whole=True)
print("open", flush=True)
sys.stdin.readline()
"""


def test_what_a_killed_run_left_is_removed_and_what_another_writes_stays(tmp_path: Path) -> None:
    path = tmp_path / "odd [1].mcap"
    command = [sys.executable, "-c", WRITE, str(path)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as killed, subprocess.Popen(command, **pipes) as other:
        for child in (killed, other):
            assert child.stdout is not None
            assert child.stdout.readline() == b"open\n"
        assert len(list(tmp_path.iterdir())) == 2
        killed.kill()
        killed.wait()
        assert remove_unfinished(path) > 0
        assert len(list(tmp_path.iterdir())) == 1
        assert remove_unfinished(path) == 0
        other.kill()
