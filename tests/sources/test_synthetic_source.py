"""The rendered source: starts soon, is numbered, keeps the clock, ends at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from calib import StereoRig
from stereo.errors import InputError
from stereo.sources import SourceOptions, StereoSource, open_source
from stereo.synthetic import read_frame_number


@pytest.fixture(scope="module")
def room() -> Iterator[StereoSource]:
    with open_source("synthetic:room", SourceOptions(fps=50)) as source:
        yield source


def test_pairs_are_numbered_and_stamped_by_the_clock(room: StereoSource) -> None:
    frames = list(islice(room, 8))
    numbers = [read_frame_number(frame.left) for frame in frames]
    assert numbers == [read_frame_number(frame.right) for frame in frames]
    assert None not in numbers
    for earlier, later, n, m in zip(frames, frames[1:], numbers, numbers[1:], strict=False):
        assert later.time_s - earlier.time_s == pytest.approx((m - n) / 50, abs=1e-6)
    assert frames[-1].host_s <= time.monotonic()
    assert room.stats.delivered >= 8
    assert room.live


def test_carries_the_rig_of_its_size(room: StereoSource) -> None:
    frame = next(iter(room))
    assert isinstance(room.calibration, StereoRig)
    assert frame.left.shape == (240, 320, 3)
    assert room.calibration.left.size == (320, 240)
    assert frame.left.std() > 20  # a room, not a gray card


def test_a_slow_consumer_gets_the_newest_pair_and_skipped_ones_are_counted(
    room: StereoSource,
) -> None:
    frames = iter(room)
    before = room.stats.superseded
    first = next(frames)
    deadline = time.monotonic() + 10
    while time.monotonic() < first.time_s + 0.2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert next(frames).time_s >= first.time_s + 0.19
    assert room.stats.superseded >= before + 8


def test_swap_exchanges_the_views_and_drops_the_calibration() -> None:
    small = (256, 192)
    with open_source("synthetic:room", SourceOptions(swap=True, size=small)) as source:
        assert source.calibration is None
        swapped = next(iter(source))
    with open_source("synthetic:room", SourceOptions(size=small)) as source:
        plain = next(iter(source))
    below = np.s_[12:]  # the frame number
    assert np.array_equal(swapped.left[below], plain.right[below])
    assert np.array_equal(swapped.right[below], plain.left[below])


def test_close_ends_the_iteration_also_while_rendering() -> None:
    source = open_source("synthetic:room", SourceOptions(size=(640, 480)))
    start = time.monotonic()
    source.close()
    assert time.monotonic() - start < 5
    assert list(source) == []


@pytest.mark.parametrize(
    ("spec", "size", "words"),
    [
        ("synthetic:attic", None, "synthetic:room"),
        ("synthetic:room", (300, 200), "4:3"),
        ("synthetic:room", (240, 180), "at least 256 px"),
    ],
)
def test_nonsense_is_refused(spec: str, size: tuple[int, int] | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_source(spec, SourceOptions(size=size))
