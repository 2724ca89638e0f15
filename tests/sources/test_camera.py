"""Live streams over loopback, healthy and failing in every way that cameras do."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from streams import MjpegCamera, numbered, wait_for

from stereo.errors import InputError, SourceError, StreamLostError
from stereo.frame import StereoFrame
from stereo.sources import Event, SourceOptions, StereoSource, open_source
from stereo.sources.camera import parse
from stereo.sources.stream import Stream
from stereo.synthetic import read_frame_number

QUICK = SourceOptions(read_timeout_s=0.6, frozen_after_s=0.6, give_up_after_s=20)
BACK_S = 5.0  # three seconds are promised; five here, for machines that do other things as well
SIDE_BY_SIDE = numbered(200, views=2)


class Watch:
    """Reads a source in a thread and keeps what a test wants to know."""

    def __init__(self, spec: str, options: SourceOptions = QUICK) -> None:
        self.events: list[Event] = []
        self.numbers: list[tuple[int | None, int | None]] = []
        self.latencies: list[float] = []
        self.last: StereoFrame | None = None
        self.error: Exception | None = None
        self.source: StereoSource = open_source(spec, options, on_event=self.events.append)
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        try:
            for frame in self.source:
                assert frame.left.dtype == np.uint8
                self.latencies.append(time.monotonic() - frame.host_s)
                left, right = (read_frame_number(view) for view in (frame.left, frame.right))
                self.numbers.append((left, right))
                self.last = frame
        except Exception as error:
            self.error = error

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    def more(self, count: int = 5, timeout_s: float = 30.0) -> bool:
        """Whether so many more frames come in time."""
        wanted = len(self.numbers) + count
        return wait_for(lambda: len(self.numbers) >= wanted, timeout_s)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self.thread.join(5)
        assert not self.thread.is_alive()


@pytest.fixture
def both() -> Iterator[MjpegCamera]:
    with MjpegCamera(SIDE_BY_SIDE) as camera:
        yield camera


def all_equal(watch: Watch) -> bool:
    return all(left is not None and left == right for left, right in watch.numbers)


# --- healthy ------------------------------------------------------------------------------------


def test_one_stream_with_both_views(both: MjpegCamera) -> None:
    with Watch(both.url) as watch:
        assert watch.more(20)
        assert all_equal(watch)
        assert watch.last is not None
        assert watch.last.left.shape == (240, 320)
        assert watch.kinds() == ["connected"]
        assert np.median(watch.latencies) < 0.05


def test_a_slow_consumer_gets_the_newest_and_memory_stays(both: MjpegCamera) -> None:
    both.behaviour.fps = 50
    ages = []
    with open_source(both.url, QUICK) as source:
        for frame in source:
            ages.append(time.monotonic() - frame.host_s)
            time.sleep(0.2)
            if len(ages) == 10:
                break
        assert source.stats.superseded > 30
    assert max(ages) < 2 / 50 + 0.1  # never older than two frames, and a noisy machine's slack


# --- failing ------------------------------------------------------------------------------------


def test_a_killed_server_is_found_again(both: MjpegCamera) -> None:
    with Watch(both.url) as watch:
        assert watch.more()
        both.kill()
        assert wait_for(lambda: "lost" in watch.kinds())
        both.start()
        assert watch.more(timeout_s=BACK_S)
        assert watch.source.stats.reconnects == 1
        assert all_equal(watch)


def test_a_stalled_server_is_found_again(both: MjpegCamera) -> None:
    with Watch(both.url) as watch:
        assert watch.more()
        both.behaviour.stalled = True
        assert wait_for(lambda: "lost" in watch.kinds(), 3)
        both.behaviour.stalled = False
        assert watch.more(timeout_s=BACK_S)


def test_a_frozen_image_is_not_handed_out_for_ever(both: MjpegCamera) -> None:
    with Watch(both.url) as watch:
        assert watch.more()
        both.behaviour.frozen = True
        assert wait_for(lambda: watch.kinds().count("frozen") >= 2)
        seen = len(watch.numbers)
        assert not watch.more(1, timeout_s=0.5)
        assert len(watch.numbers) == seen
        both.behaviour.frozen = False
        assert watch.more(timeout_s=BACK_S)


def test_garbage_costs_only_itself(both: MjpegCamera) -> None:
    with Watch(both.url) as watch:
        assert watch.more()
        both.behaviour.garbage = True
        time.sleep(0.3)
        both.behaviour.garbage = False
        assert watch.more(timeout_s=BACK_S)
        assert all_equal(watch)


def test_a_cut_jpeg_is_no_image(both: MjpegCamera) -> None:
    both.behaviour.frames = [SIDE_BY_SIDE[0][:3000]]
    with pytest.raises(SourceError, match=r"gives no image|cannot be opened"):
        open_source(both.url, QUICK)


def test_a_changed_resolution_is_told_and_goes_on(both: MjpegCamera) -> None:
    with Watch(both.url) as watch:
        assert watch.more()
        both.behaviour.frames = numbered(50, (280, 210), views=2)
        assert wait_for(lambda: "resized" in watch.kinds())
        assert watch.more()
        assert watch.last is not None
        assert watch.last.left.shape == (210, 280)
        assert "640x240 and are now 560x210" in watch.events[-1].message


def test_a_stream_that_stays_away_ends_with_an_error(both: MjpegCamera) -> None:
    with Watch(both.url, SourceOptions(read_timeout_s=0.5, give_up_after_s=0.5)) as watch:
        assert watch.more()
        both.kill()
        assert wait_for(lambda: watch.error is not None)
        assert isinstance(watch.error, StreamLostError)
        assert both.url in str(watch.error)


def test_stops_at_once_while_the_stream_is_silent(both: MjpegCamera) -> None:
    with Watch(both.url, SourceOptions()) as watch:
        assert watch.more()
        both.behaviour.stalled = True
        time.sleep(0.2)
        start = time.monotonic()
        watch.source.close()
        watch.thread.join(5)
        assert time.monotonic() - start < 0.7


def test_closing_again_does_not_wait_again(
    both: MjpegCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wraps a source closes it too: four closes of a stalled stream took 1.6 s."""
    source = open_source(both.url)
    waited: list[float] = []

    def join(_stream: object, timeout_s: float) -> None:
        waited.append(timeout_s)
        time.sleep(timeout_s)  # as a thread that is blocked in its driver

    with monkeypatch.context() as patch:
        patch.setattr(Stream, "join", join)
        for _ in range(4):
            source.close()
    source.close()
    assert 0 < sum(waited) <= 0.41


def test_a_process_blocked_in_a_driver_ends_without_abort(both: MjpegCamera) -> None:
    script = (
        "import sys, time\n"
        "from stereo.sources import open_source\n"
        "source = open_source(sys.argv[1]); next(iter(source))\n"
        "print('ready', flush=True); time.sleep(0.5); source.close()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, both.url], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        both.behaviour.stalled = True
        assert process.wait(10) == 0


# --- what cannot be opened ----------------------------------------------------------------------


def test_nobody_listening() -> None:
    with pytest.raises(SourceError, match=r"http://127.0.0.1:9/x: cannot be opened"):
        open_source("http://127.0.0.1:9/x", QUICK)


def test_no_such_device() -> None:
    with pytest.raises(SourceError, match=r"/dev/video99: no such camera"):
        open_source("sbs:99")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("sbs:0,1", "expected sbs:0"),
        ("pair:0", "expected pair:0,2"),
        ("pair:1,1", "the same stream twice"),
        ("webcam:0", "unknown kind of source"),
        ("", "empty"),
    ],
)
def test_a_spec_that_makes_no_sense(spec: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_source(spec)


def test_layout_must_fit_the_streams(both: MjpegCamera) -> None:
    with pytest.raises(InputError, match="layout two does not fit 1 stream"):
        open_source(both.url, SourceOptions(layout="two"))


def test_specs_are_taken_apart() -> None:
    assert parse("sbs:2") == ["/dev/video2"]
    assert parse("pair:/dev/a, 3") == ["/dev/a", "/dev/video3"]
    assert parse("rtsp://a/1,rtsp://b/2") == ["rtsp://a/1", "rtsp://b/2"]


def test_log_of_opencv_stays_quiet(capfd: pytest.CaptureFixture[str], both: MjpegCamera) -> None:
    both.kill()
    with pytest.raises(SourceError):
        open_source(both.url, QUICK)
    assert capfd.readouterr().err == ""
    assert cv2.utils.logging.getLogLevel() == cv2.utils.logging.LOG_LEVEL_ERROR
