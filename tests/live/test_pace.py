"""How often frames are worked on, and how old they may be: in a time of its own."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from calib import RectifiedRig
from stereo.errors import InputError
from stereo.frame import StereoFrame
from stereo.live.pace import Pace, Paced
from stereo.sources import SourceStats

IMAGE = np.zeros((2, 2), np.uint8)
FRAME_S = 1 / 30
DELAY_S = 0.012
"""From capture to arrival."""


class Time:
    """A ``stereo.threads.Clock`` of one thread."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def now(self) -> float:
        return self.now_s

    def wait(self, told: threading.Event | threading.Condition, timeout_s: float) -> None:
        self.now_s += timeout_s


class Camera:
    """Gives the newest image that it has not given; where there is none, time passes."""

    name, live = "camera", True
    calibration: RectifiedRig | None = None
    stats = SourceStats()

    def __init__(self, time: Time, *, live: bool = True) -> None:
        self._time, self._live = time, live

    def __iter__(self) -> Iterator[StereoFrame]:
        start_s, given = self._time.now_s, -1
        while True:
            newest = math.floor((self._time.now_s - start_s - DELAY_S) / FRAME_S + 1e-9)
            if newest <= given:
                newest = given + 1
                self._time.now_s = max(self._time.now_s, start_s + newest * FRAME_S + DELAY_S)
            given = newest
            captured_s = start_s + newest * FRAME_S
            yield StereoFrame(IMAGE, IMAGE, host_s=captured_s if self._live else math.nan)

    def close(self) -> None:
        pass

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def run(pace: Pace, work_s: float, *, live: bool = True) -> tuple[float, np.ndarray, int]:
    """Frames a second, the age of each when its work was done in frame times, how many were passed
    over.
    """
    time = Time()
    paced = Paced(Camera(time, live=live), lambda: pace, time)
    ages, start_s = [], time.now_s
    for frame in paced:
        time.now_s += work_s
        ages.append(time.now_s - frame.host_s)
        if len(ages) == 200:
            break
    return 200 / (time.now_s - start_s), np.array(ages) / FRAME_S, paced.passed_over


@pytest.mark.parametrize("work", [1.3, 1.6, 2.4])
def test_latency_is_bought_with_frames(work: float) -> None:
    """``work`` in frame times: whoever is ready within a frame finds one that has waited."""
    fps, ages, passed = run(Pace(), work * FRAME_S)
    fewer, fresh, more_passed = run(Pace(latency=True), work * FRAME_S)
    least = work + DELAY_S / FRAME_S
    assert (passed, more_passed > 0) == (0, True)
    assert np.percentile(fresh, 95) <= least + 0.26
    assert np.percentile(ages, 95) > least + 0.7
    assert np.median(fresh) < np.median(ages)
    assert 0.5 * fps < fewer < fps


def test_latency_costs_nothing_where_matching_keeps_up() -> None:
    fps, ages, _ = run(Pace(), 0.6 * FRAME_S)
    same, fresh, passed = run(Pace(latency=True), 0.6 * FRAME_S)
    assert (same, passed) == (fps, 0)
    np.testing.assert_array_equal(fresh, ages)


def test_of_files_no_frame_is_passed_over() -> None:
    _, _, passed = run(Pace(latency=True), 2.4 * FRAME_S, live=False)
    assert passed == 0


@pytest.mark.parametrize("max_fps", [2, 7, 10, 14.5, 25])
@pytest.mark.parametrize("work_s", [0.001, 0.03])
def test_no_more_frames_a_second_than_asked_and_hardly_fewer(max_fps: float, work_s: float) -> None:
    fps, ages, _ = run(Pace(max_fps=max_fps), work_s)
    assert fps <= max_fps * 1.01
    assert fps >= max_fps * 0.93
    assert ages.max() * FRAME_S <= work_s + DELAY_S + FRAME_S + 1e-6


def test_a_pace_may_change_between_two_frames() -> None:
    time, paces = Time(), [Pace(max_fps=1), Pace()]
    frames = iter(Paced(Camera(time), lambda: paces[0], time))
    begin = [(next(frames), time.now_s)[1] for _ in range(3)]
    paces.pop(0)
    begin += [(next(frames), time.now_s)[1] for _ in range(3)]
    steps = np.diff(begin)
    assert steps[:2].min() >= 0.5 - 1e-9
    assert steps[:2].mean() == pytest.approx(1, abs=0.3)
    assert steps[3:] == pytest.approx([FRAME_S, FRAME_S], abs=1e-6)


def test_closing_ends_the_wait() -> None:
    time = Time()
    paced = Paced(Camera(time), lambda: Pace(max_fps=0.01), time)
    frames = iter(paced)
    next(frames)
    paced.close()
    before_s = time.now_s
    next(frames)
    assert time.now_s - before_s < 1


@pytest.mark.parametrize("max_fps", [0, -1, math.nan])
def test_a_pace_that_makes_no_sense(max_fps: float) -> None:
    with pytest.raises(InputError, match=r"max_fps must be at least 0\.01"):
        Pace(max_fps=max_fps)
