"""The judge of sequences says of a way that is known to be wrong what is wrong with it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from stereo.frame import DisparityMap, Float
from stereo.synthetic import Shot

FRAMES, SHAPE = 14, (90, 120)


def load() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "tally.py"
    spec = spec_from_file_location("tally", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["tally"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


tally = load()


def shots() -> list[Shot]:
    """A thing passes before a wall that comes nearer by a quarter of a pixel a frame."""
    image = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)
    found = []
    for k in range(FRAMES):
        truth = np.full(SHAPE, 10 + 0.25 * k, np.float32)
        mover = np.full(SHAPE, -1, np.int16)
        thing = np.s_[20:70, 6 * k : 6 * k + 30]
        truth[thing], mover[thing] = 30.0, 0
        found.append(Shot(image, image, truth, np.ones(SHAPE, np.bool_), mover))
    return found


def judged(spoil: Callable[[list[Float]], Float]) -> Any:
    """The truth as found alone, and what ``spoil`` makes of all truths so far as found in time."""
    counter, past = tally.Counter(), []
    for number, shot in enumerate(shots()):
        past.append(shot.truth_px)
        maps = [DisparityMap(px, np.ones_like(px)) for px in (shot.truth_px, spoil(past))]
        counter.add(number, shot, maps)
    return counter.tally


def test_the_truth_is_right_both_ways() -> None:
    found = judged(lambda past: past[-1])
    assert np.max(found.dense) == np.max(found.wanting) == 0
    assert found.ghost_frames == 0
    assert found.late_frames == 0


def test_the_frame_before_is_late_by_one() -> None:
    found = judged(lambda past: past[max(len(past) - 2, 0)])
    assert found.late_frames == pytest.approx(1.0)
    assert found.ghost_frames == 1
    assert found.off(found.edges)[1] > found.off(found.edges)[0] == 0


def test_what_stays_for_four_frames_is_a_ghost_of_four() -> None:
    assert judged(lambda past: np.max(past[-5:], axis=0)).ghost_frames == 4


def test_an_average_over_time_lags_by_half_of_its_length() -> None:
    found = judged(lambda past: (past[-1] + past[max(len(past) - 2, 0)]) / 2)
    assert found.late_frames == pytest.approx(0.5)


def test_a_jump_is_no_lag_and_all_is_followed_after_it() -> None:
    counter = tally.Counter((1,))
    first, _, _, *later = shots()
    for number, shot in enumerate((first, later[-1])):
        maps = [DisparityMap(shot.truth_px, np.ones_like(shot.truth_px))] * 2
        counter.add(number, shot, maps)
    assert np.isnan(counter.tally.late_frames)
    assert counter.tally.changed[0, 0] == first.truth_px.size


def test_flicker_is_compared_on_pixels_that_both_ways_know() -> None:
    rng = np.random.default_rng(0)
    noisy = [rng.normal(10, 0.2, SHAPE).astype(np.float32) for _ in range(30)]
    steady = [10 + (px - 10) / 2 for px in noisy]
    for k, px in enumerate(noisy):
        px[:9] = np.nan if k % 2 else 50.0  # a tenth comes and goes
        steady[k][:9] = 10 + k
    alone, in_time = tally.flicker(list(zip(noisy, steady, strict=True)))
    assert alone.median_px == pytest.approx(0.2, rel=0.05)
    assert in_time.median_px == pytest.approx(0.1, rel=0.05)
    assert (alone.come_and_go, in_time.come_and_go) == (pytest.approx(10), 0)
