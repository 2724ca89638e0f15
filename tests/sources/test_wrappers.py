"""Sources around a source lose nothing, pass on what is raised, and leave no thread behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from streams import wait_for

from stereo.closing import Closing
from stereo.errors import SourceError, StreamLostError
from stereo.frame import StereoFrame
from stereo.sources import SourceStats
from stereo.sources.wrappers import WithFirstFrame, WithListener

IMAGE = np.zeros((6, 8), np.uint8)


class Script(Closing):
    """So many frames, numbered by their time, and then an error if there is one."""

    name, calibration, stats = "script", None, SourceStats()

    def __init__(self, count: int, *, live: bool, error: Exception | None = None) -> None:
        self.live, self._count, self._error = live, count, error
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[StereoFrame]:
        for number in range(self._count):
            if self.closed.is_set():
                return
            yield StereoFrame(IMAGE, IMAGE, float(number))
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self.closed.set()


def test_the_first_frame_is_known_and_not_lost() -> None:
    with WithFirstFrame(Script(3, live=False)) as source:
        assert source.first.time_s == 0
        assert source.view_size == (8, 6)
        assert [frame.time_s for frame in source] == [0, 1, 2]


def test_a_source_without_frames_is_named() -> None:
    with pytest.raises(SourceError, match="script: holds no frames"):
        WithFirstFrame(Script(0, live=False))


@pytest.mark.parametrize("live", [False, True])
def test_the_listener_hears_every_frame(live: bool) -> None:
    heard: list[float] = []
    lost = StreamLostError("script: lost")
    script = Script(50, live=live, error=lost)
    seen: list[float] = []
    with WithListener(script, lambda frame: heard.append(frame.time_s)) as source:
        with pytest.raises(StreamLostError, match="script: lost"):
            seen.extend(frame.time_s for frame in source)
        assert heard == list(range(50))
        assert seen == heard or (live and seen == sorted(set(seen)))
    assert script.closed.is_set()


def test_closing_ends_the_listening_thread() -> None:
    before = threading.active_count()
    source = WithListener(Script(10**9, live=True), lambda _: None)
    next(iter(source))
    source.close()
    assert wait_for(lambda: threading.active_count() <= before, 5)
    assert next(iter(source), None) is None


@pytest.mark.parametrize("live", [False, True])
def test_what_only_the_listener_got_is_counted(live: bool) -> None:
    drained = threading.Event()

    def take(frame: StereoFrame) -> None:
        if frame.time_s == 49:
            drained.set()

    with WithListener(Script(50, live=live), take) as source:
        frames = iter(source)
        next(frames)
        if live:
            assert drained.wait(20)
        seen = 1 + sum(1 for _ in frames)
        stats = source.stats
    assert stats.delivered == seen
    assert stats.delivered + stats.superseded == 50
    assert (stats.superseded > 0) == live
