"""LiveDepth: the newest result of a live source, every result of files, nothing hangs."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from streams import wait_for
from support import textured_pair

from calib import RectifiedRig
from stereo.errors import InputError, MatcherError, RectificationError, SourceError, StreamLostError
from stereo.frame import StereoFrame
from stereo.live.depth import LiveDepth
from stereo.live.pipeline import LivePipeline, LiveSettings
from stereo.live.region import Region
from stereo.matching import SearchRange
from stereo.matching.ranged import RANGE_EVERY
from stereo.rectify import Rectification
from stereo.sources import Event, SourceStats

SIZE = (160, 120)
RIG = RectifiedRig(SIZE, 200.0, 0.1, 79.5, 79.5, 59.5)
TRUE_DEPTH_M = 200 * 0.1 / 8
QUICK = LiveSettings(search=SearchRange(0, 16))


class Script:
    """A source that gives what a test tells it to."""

    def __init__(
        self,
        count: int | None,
        *,
        live: bool,
        period_s: float = 0.0,
        error: Exception | None = None,
    ) -> None:
        self.name, self.live, self.calibration = "script", live, None
        self.stats = SourceStats()
        self.given = 0
        self._count, self._period_s, self._error = count, period_s, error
        self._closed = threading.Event()
        pair = textured_pair(disparity=8, size=SIZE)
        self._images = pair.left, pair.right

    def __iter__(self) -> Iterator[StereoFrame]:
        while not self._closed.is_set() and (self._count is None or self.given < self._count):
            self._closed.wait(self._period_s)
            self.given += 1
            host_s = time.monotonic() if self.live else math.nan
            yield StereoFrame(*self._images, time_s=float(self.given), host_s=host_s)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self._closed.set()

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def test_files_give_every_frame_in_order() -> None:
    with LiveDepth(Script(12, live=False), RIG, QUICK) as live:
        frames = []
        for found in live:
            frames.append(found)
            time.sleep(0.01)  # a slow reader
    assert [found.number for found in frames] == list(range(12))
    assert [found.frame.time_s for found in frames] == [float(k) for k in range(1, 13)]
    assert math.isnan(frames[0].latency_s)
    depth = frames[-1].depth
    assert depth is not None
    assert np.nanmedian(depth.depth_m) == pytest.approx(TRUE_DEPTH_M, rel=0.02)
    stages = ["rectify", "range", "prepare", "match", "refine", "judge", "depth"]
    assert list(frames[0].stages_s) == stages


def test_a_slow_reader_of_a_live_source_gets_the_newest() -> None:
    source = Script(None, live=True, period_s=0.01)
    with LiveDepth(source, RIG, QUICK) as live:
        numbers, behind = [], []
        for found in live:
            numbers.append(found.number)
            behind.append(live.stats.processed - 1 - found.number)
            time.sleep(0.15)
            if len(numbers) == 6:
                break
        assert live.stats.superseded > 0
        assert live.stats.latency_s > 0
        assert live.stats.stages_ms["match"] > 0
        assert 0 < found.stages_s["wait"] < sum(found.stages_s.values()) <= found.latency_s
    assert numbers == sorted(set(numbers))
    assert max(behind) <= 1  # the last result, not one that waited while the reader slept


def test_a_cap_on_frames_a_second_holds_and_closing_does_not_wait_for_it() -> None:
    source = Script(None, live=True, period_s=0.001)
    with LiveDepth(source, RIG, replace(QUICK, max_fps=20.0)) as live:
        live.newest()  # the first frame takes longer
        done = [live.newest().done_s for _ in range(5)]
        live.change(max_fps=0.1)
        live.newest()  # with the cap before, or the one now: the worker rests for 10 s
        start_s = time.monotonic()
    assert time.monotonic() - start_s < 5
    assert done[-1] - done[0] >= 0.12  # four times 50 ms from begin to begin; a frame takes 5 ms


def test_newest_waits_and_then_says_that_there_is_none() -> None:
    with LiveDepth(Script(1, live=True), RIG, QUICK) as live:
        assert live.newest().number == 0
        with pytest.raises(SourceError, match="script: has ended"):
            live.newest()
    silent = Script(None, live=True, period_s=60)
    with (
        LiveDepth(silent, RIG, QUICK) as live,
        pytest.raises(SourceError, match=r"script: gave no depth for 0.2 s"),
    ):
        live.newest(timeout_s=0.2)


def test_waiting_in_vain_returns_in_time_and_says_whether_it_has_ended() -> None:
    with LiveDepth(Script(None, live=True, period_s=60), RIG, QUICK) as live:
        assert live.wait(0.05) is None
        assert not live.ended
    with LiveDepth(Script(1, live=True), RIG, QUICK) as live:
        assert live.wait(10) is not None
        assert wait_for(lambda: live.ended)
        assert live.wait(10) is None


def test_what_the_source_raises_reaches_the_reader() -> None:
    lost = StreamLostError("left: lost")
    with (
        LiveDepth(Script(2, live=False, error=lost), RIG, QUICK) as live,
        pytest.raises(StreamLostError, match="left: lost"),
    ):
        list(live)


def test_what_a_stage_raises_reaches_the_reader() -> None:
    wrong = RectifiedRig((320, 240), 200.0, 0.1, 79.5, 79.5, 59.5)
    with (
        LiveDepth(Script(None, live=True), wrong, QUICK) as live,
        pytest.raises(RectificationError, match="320x240"),
    ):
        live.newest()


def test_close_is_quick_whatever_the_source_does() -> None:
    live = LiveDepth(Script(None, live=True, period_s=0.01), RIG, QUICK)
    live.newest()
    start = time.monotonic()
    live.close()
    live.close()
    assert time.monotonic() - start < 0.6
    with pytest.raises(SourceError, match="has ended"):
        live.newest()


def test_no_thread_stays() -> None:
    before = threading.active_count()
    for _ in range(3):
        with LiveDepth(Script(None, live=True, period_s=0.001), RIG, QUICK) as live:
            live.newest()
    assert wait_for(lambda: threading.active_count() <= before, 3)


def test_settings_can_change_while_running() -> None:
    with LiveDepth(Script(None, live=True, period_s=0.01), RIG, QUICK) as live:
        live.newest()
        live.change(decimate=2, smooth=True)
        assert wait_for(lambda: live.newest().result.disparity.px.shape == (60, 80), 5)
        with pytest.raises(MatcherError, match="unknown matcher"):
            live.change(matcher="best")
        assert live.newest().result.disparity.px.shape == (60, 80)


NONSENSE: list[dict[str, Any]] = [
    *({"search": SearchRange(0, n)} for n in (10**9, -5, 0, 10**30)),
    *({"search": SearchRange(n, 16)} for n in (10**9, -(10**9))),
    *({"max_depth_m": m} for m in (math.nan, -1.0, 0.0, -math.inf, "far", None, 10**400)),
    *({"min_depth_m": m} for m in (math.nan, -1.0, math.inf)),
    *({"decimate": n} for n in (0, -1, 10**9, math.nan, "x")),
    *({"search": 5}, {"search": (0, 16)}, {"speed": 1}, {"matcher": None}, {"matcher": 7}),
    *({"matcher_params": p} for p in ({"uniqueness_percent": n} for n in (10**9, -1, "x", None))),
    *({"matcher_params": 3}, {"region": 4}, {"region": "x"}, {"refine": None}),
]


def test_no_setting_ends_it() -> None:
    """Refused at once, or as soon as a frame shows it; the last good settings hold."""
    heard: list[Event] = []
    source = Script(None, live=True, period_s=0.001)
    with LiveDepth(source, RIG, QUICK, on_event=heard.append) as live:
        live.newest(timeout_s=60)
        good = live.settings
        for changes in NONSENSE:
            try:
                live.change(**changes)
            except (InputError, MatcherError):
                assert live.settings is good
            else:  # only a frame can show it
                assert wait_for(lambda: bool(heard)), changes
                assert live.settings is good
                assert "those before hold again" in heard.pop().message
            assert live.newest(timeout_s=60).depth is not None, changes
        live.change(decimate=2)
        assert wait_for(lambda: live.newest().result.disparity.px.shape == (60, 80))
    assert not heard


def test_a_frame_that_no_stage_can_use_is_told_and_the_next_one_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, heard = LivePipeline.process, list[Event]()

    def process(self: LivePipeline, frame: StereoFrame) -> Any:
        if frame.time_s in (2.0, 3.0, 5.0):
            raise ZeroDivisionError("of a stage")
        return whole(self, frame)

    monkeypatch.setattr(LivePipeline, "process", process)
    with LiveDepth(Script(6, live=False), RIG, QUICK, on_event=heard.append) as live:
        assert [found.number for found in live] == [0, 3, 5]
    assert [event.kind for event in heard] == ["dropped", "dropped"]  # once while it lasts
    assert heard[0].message == "frame 1 could not be processed: ZeroDivisionError: of a stage"


def frame() -> StereoFrame:
    pair = textured_pair(disparity=8, size=SIZE)
    return StereoFrame(pair.left, pair.right)


@pytest.mark.parametrize("decimate", [1, 2])
def test_region_and_decimation_measure_the_same_depth(decimate: int) -> None:
    rect = Rectification.from_calibration(RIG)
    settings = LiveSettings(
        search=SearchRange(0, 16), region=Region(40, 20, 80, 60), decimate=decimate
    )
    result, _ = LivePipeline(rect, settings).process(frame())
    assert result.depth is not None
    assert result.depth.depth_m.shape == (60 // decimate, 80 // decimate)
    assert np.nanmedian(result.depth.depth_m) == pytest.approx(TRUE_DEPTH_M, rel=0.03)
    whole, _ = LivePipeline(rect, LiveSettings(search=SearchRange(0, 16))).process(frame())
    points, part = whole.cloud().points, result.cloud().points
    assert part[:, 0].min() > points[:, 0].min()  # the middle of the picture stays the middle
    assert part[:, :2].mean(axis=0) == pytest.approx([0, -0.12], abs=0.06)


def test_without_calibration_there_is_disparity_only() -> None:
    result, _ = LivePipeline(Rectification.already_rectified(), QUICK).process(frame())
    assert result.depth is None
    assert np.nanmedian(result.disparity.px) == pytest.approx(8, abs=0.1)


def test_the_range_is_searched_for_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    searches = []

    def fake(pair: object) -> SearchRange:
        searches.append(pair)
        return SearchRange(0, 16 * min(len(searches), 2))

    monkeypatch.setattr("stereo.matching.ranged.find_search_range", fake)
    pipeline = LivePipeline(Rectification.already_rectified(), LiveSettings())
    results = [pipeline.process(frame())[0] for _ in range(RANGE_EVERY + 1)]
    assert len(searches) == 2
    assert results[-2].disparity.searched == SearchRange(0, 16)
    assert results[-1].disparity.searched == SearchRange(0, 32)


def test_depths_of_interest_set_the_range() -> None:
    pipeline = LivePipeline(
        Rectification.from_calibration(RIG), LiveSettings(min_depth_m=1.0, decimate=2)
    )
    searched = pipeline.process(frame())[0].disparity.searched
    assert searched is not None
    assert 10 <= searched.max_disparity <= 16


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(InputError, match="decimate must be 1 to 16, got 0"):
        LiveSettings(decimate=0)
    with pytest.raises(MatcherError, match="has no parameter 'speed'"):
        LiveSettings(matcher_params={"speed": 3})
