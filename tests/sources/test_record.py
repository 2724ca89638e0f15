"""A recording gives back what was put in, whatever ends it: a signal, a full disk, kill -9."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import stereo.sources.record
from calib import RectifiedRig, StereoRig
from stereo.cli.main import cli
from stereo.errors import ImageError, InputError, OutputError
from stereo.frame import StereoFrame
from stereo.sources import Event, SourceOptions, StereoSource, open_source
from stereo.sources.record import Recorder
from stereo.synthetic import make_sample_rig, read_frame_number

STEREO = [sys.executable, "-m", "stereo.cli.main"]


def frame(number: int, *, size: tuple[int, int] = (64, 48)) -> StereoFrame:
    rng = np.random.default_rng(number)
    left, right = rng.integers(0, 256, (2, size[1], size[0], 3), dtype=np.uint8)
    return StereoFrame(left, right, 100 + number / 30, 0.001 * number, 5.0)


def record(folder: Path, count: int, **options: object) -> None:
    with Recorder(folder, **options) as recorder:  # type: ignore[arg-type]
        for number in range(count):
            assert recorder.write(frame(number))


def replay(
    folder: Path, options: SourceOptions | None = None
) -> tuple[list[StereoFrame], list[Event]]:
    events: list[Event] = []
    with open_source(f"recording:{folder}", options, on_event=events.append) as source:
        return list(source), events


def same(found: StereoFrame, put_in: StereoFrame) -> bool:
    return (
        found.left.dtype == put_in.left.dtype
        and np.array_equal(found.left, put_in.left)
        and np.array_equal(found.right, put_in.right)
        and (found.time_s, found.skew_s) == (put_in.time_s, put_in.skew_s)
    )


def images(shape: tuple[int, ...], dtype: type) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(dtype, shape)


@st.composite
def frames(draw: st.DrawFn) -> StereoFrame:
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    shape += draw(st.sampled_from([(), (3,)]))  # type: ignore[arg-type]
    left, right = draw(images(shape, dtype)), draw(images(shape, dtype))
    times = st.floats(allow_nan=False, allow_infinity=False)
    return StereoFrame(left, right, draw(times), draw(times), draw(times | st.just(math.nan)))


@given(put_in=st.lists(frames(), min_size=1, max_size=4), queue_bytes=st.sampled_from([1, 10**6]))
def test_what_is_read_is_what_was_written(put_in: list[StereoFrame], queue_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with Recorder(folder, NotLive(), queue_bytes=queue_bytes) as recorder:
            for pair in put_in:
                recorder.write(pair)
        found, _ = replay(Path(folder))
        assert len(found) == len(put_in)
        assert all(map(same, found, put_in))
        assert all(math.isnan(pair.host_s) for pair in found)


class NotLive:
    """Just enough of a source."""

    name, live, calibration = "files", False, None


@pytest.mark.parametrize("rig", [make_sample_rig(), RectifiedRig((64, 48), 70.0, 0.1, 31, 33, 24)])
def test_the_calibration_comes_with_it(tmp_path: Path, rig: StereoRig | RectifiedRig) -> None:
    record(tmp_path / "r", 1, calibration=rig)
    with open_source(f"recording:{tmp_path / 'r'}") as source:
        assert type(source.calibration) is type(rig)
        if isinstance(rig, StereoRig):
            assert np.array_equal(source.calibration.t_right_left, rig.t_right_left)  # type: ignore[union-attr]
        else:
            assert source.calibration == rig
    meta = json.loads((tmp_path / "r" / "recording.json").read_text())
    assert {"stereo-depth", "opencv", "python"} <= set(meta["versions"])


def test_a_full_queue_drops_counts_and_never_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    write_new = stereo.sources.record._write_new

    def slow(path: Path, data: bytes) -> int:
        assert gate.wait(30)
        return write_new(path, data)

    monkeypatch.setattr(stereo.sources.record, "_write_new", slow)
    one = frame(0)
    with Recorder(tmp_path / "r", queue_bytes=3 * 2 * one.left.nbytes) as recorder:
        accepted = [recorder.write(frame(number)) for number in range(8)]
        gate.set()
    assert accepted == [True] * 3 + [False] * 5
    stats = recorder.stats
    assert (stats.written, stats.dropped) == (3, 5)
    found, _ = replay(tmp_path / "r")
    assert all(map(same, found, map(frame, range(3))))


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="is not empty"):
        Recorder(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        Recorder(tmp_path / "mine.txt")
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_too_little_space_is_refused_before_and_ends_it_while_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    with pytest.raises(OutputError, match="MB free, less than"):
        Recorder(tmp_path / "no", min_free_bytes=usage.free * 2)
    assert not (tmp_path / "no" / "recording.json").exists()
    with Recorder(tmp_path / "r", NotLive(), queue_bytes=1) as recorder:  # type: ignore[arg-type]
        for number in range(3):
            recorder.write(frame(number))
        wait_until(lambda: recorder.stats.written == 3)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10))
        recorder.write(frame(3))
        with pytest.raises(OutputError, match=r"0 MB free.*\(3 pairs are recorded\)"):
            recorder.close()
        recorder._error = None  # said already
    found, _ = replay(tmp_path / "r")
    assert len(found) == 3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_disk_that_is_full_ends_it_and_every_pair_in_the_index_is_whole(small_disk: Path) -> None:
    def fill() -> None:
        with Recorder(small_disk / "r", NotLive(), min_free_bytes=0) as recorder:  # type: ignore[arg-type]
            for number in range(100):
                recorder.write(frame(number))

    with pytest.raises(OutputError, match=r"No space left.*pairs are recorded"):
        fill()
    found, events = replay(small_disk / "r")
    assert 5 < len(found) < 30
    assert all(map(same, found, map(frame, range(100))))
    assert [event.kind for event in events] == ["ended"]


# --- damage ---------------------------------------------------------------------------------------


def test_what_is_damaged_is_told_and_the_rest_plays(tmp_path: Path) -> None:
    record(tmp_path, 6)
    (tmp_path / "frames" / "000001_left.png").unlink()
    cut = tmp_path / "frames" / "000003_right.png"
    cut.write_bytes(cut.read_bytes()[:-50])
    index = tmp_path / "index.jsonl"
    index.write_bytes(index.read_bytes()[:-30])  # the last line was being written
    found, events = replay(tmp_path)
    assert all(map(same, found, map(frame, [0, 2, 4])))
    assert len(found) == 3
    told = [event.message for event in events if event.kind == "dropped"]
    assert len(told) == 3
    assert "000001_left.png" in told[0]
    assert "000003_right.png: the file ends too early" in told[1]
    assert "pair 5" in told[2]
    assert any("3 of 6 pairs are lost" in event.message for event in events)


@pytest.mark.parametrize("line", ["7", "{}", '{"left": 3}', "\x00\xff", '{"time_s": "x"}', "[" * 9])
def test_any_line_in_the_index_is_only_itself_lost(tmp_path: Path, line: str) -> None:
    record(tmp_path, 2)
    with (tmp_path / "index.jsonl").open("ab") as file:
        file.write(line.encode("latin-1") + b"\n")
    found, events = replay(tmp_path)
    assert len(found) == 2
    assert sum(event.kind == "dropped" for event in events) == 1


def test_frames_are_called_by_their_stamp_with_all_digits(tmp_path: Path) -> None:
    record(tmp_path, 1)
    index = tmp_path / "index.jsonl"
    entry = json.loads(index.read_text())
    stamps = {
        1403636579.763555584: 1403636579763555500,
        0.05: 50_000_000,
        12.000000001: 12000000001,
    }
    lines = [{**entry, "time_s": time_s} for time_s in stamps]
    lines.append({**entry, "name": "1403636579763555584"})
    index.write_text("".join(json.dumps(line) + "\n" for line in lines))
    names = [found.name for found in replay(tmp_path)[0]]
    assert [int(name) for name in names[:3]] == list(stamps.values())
    assert {len(name) for name in names} == {19}
    assert names[3] == "1403636579763555584"


def test_an_index_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    record(tmp_path / "other", 1)
    record(tmp_path / "r", 1)
    index = tmp_path / "r" / "index.jsonl"
    entry = json.loads(index.read_text())
    entry["left"] = "../other/frames/000000_left.png"
    index.write_text(json.dumps(entry) + "\n")
    with pytest.raises(ImageError, match=r"pair 0 of .* is damaged"):
        replay(tmp_path / "r")


def test_no_recording_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"it has no recording\.json"):
        replay(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        replay(tmp_path / "nowhere")
    (tmp_path / "recording.json").write_text('{"format": 9}')
    with pytest.raises(InputError, match="has format 9"):
        replay(tmp_path)
    (tmp_path / "recording.json").write_text("{")
    with pytest.raises(InputError, match="is the file damaged"):
        replay(tmp_path)


def test_pace_is_that_of_the_recording(tmp_path: Path) -> None:
    record(tmp_path, 4)
    start = time.monotonic()
    replay(tmp_path, SourceOptions(pace=True))
    assert time.monotonic() - start >= 0.1


# --- the command ----------------------------------------------------------------------------------


def wait_until(condition: object, *, for_s: float = 40) -> None:
    deadline = time.monotonic() + for_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def lines(folder: Path) -> int:
    index = folder / "index.jsonl"
    return index.read_bytes().count(b"\n") if index.exists() else 0


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    small = ("--size", "256x192")  # soon rendered
    args = [*STEREO, "record", "synthetic:room", *small, "-o", str(folder), "--json", *more]
    return subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_kill_9_leaves_every_finished_pair(tmp_path: Path) -> None:
    process = start(tmp_path / "r", "--fps", "60")
    with process:
        wait_until(lambda: lines(tmp_path / "r") >= 10)
        os.kill(process.pid, signal.SIGKILL)
    finished = lines(tmp_path / "r")
    found, events = replay(tmp_path / "r")
    assert len(found) == finished >= 10
    assert not [event for event in events if event.kind == "dropped"]
    numbers = [read_frame_number(pair.left) for pair in found]
    assert numbers == [read_frame_number(pair.right) for pair in found]
    assert None not in numbers


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_count(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path / "r")
    with process:
        wait_until(lambda: lines(tmp_path / "r") >= 3)
        process.send_signal(number)
        out, errors = process.communicate(timeout=40)
    assert process.returncode == 0, errors
    assert json.loads(out)["pairs"] == len(replay(tmp_path / "r")[0]) >= 3
    assert "stopping" in errors


def run(*args: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, args)
    return done.exit_code, done.stdout, str(done.exception or "")


def test_a_video_is_recorded_whole_and_the_rig_file_kept(tmp_path: Path, sample_data: Path) -> None:
    clip, rig = sample_data / "clip" / "room.mp4", sample_data / "clip" / "rig.yaml"
    folder = tmp_path / "r"
    args = ("record", str(clip), "-o", str(folder), "--calib", str(rig), "--max-frames", "9")
    code, out, _ = run(*args)
    assert code == 0
    assert out.startswith("9 pairs, ")
    with open_source(f"recording:{folder}") as source:
        assert isinstance(source.calibration, StereoRig)
        recorded = list(source)
    with open_source(str(clip)) as source:
        assert all(map(same, recorded, first(source, 9)))


def first(source: StereoSource, count: int) -> list[StereoFrame]:
    return [pair for pair, _ in zip(source, range(count), strict=False)]


def test_duration_ends_it(tmp_path: Path) -> None:
    code, out, _ = run(
        *("record", "synthetic:room", "--size", "256x192", "-o", str(tmp_path / "r")),
        *("--duration-s", "1", "--json"),
    )
    assert code == 0
    assert json.loads(out)["pairs"] == len(replay(tmp_path / "r")[0])
    assert json.loads(out)["elapsed_s"] >= 1


def test_a_rectified_calibration_from_a_file_is_kept_with_what_was_assumed(tmp_path: Path) -> None:
    rig = RectifiedRig((64, 48), 500.0, 0.1, 32.0, 33.0, 24.0, notes={"unit_assumed": "mm: ..."})
    record(tmp_path / "r", 1, calibration=rig)
    with open_source(f"recording:{tmp_path / 'r'}") as source:
        assert source.calibration == rig
        assert dict(source.calibration.notes) == dict(rig.notes)
