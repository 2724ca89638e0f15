"""Matching in time: what stands is kept, what changed is matched at once, all of it in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stereo.frame import DisparityMap, RectifiedPair, SearchRange
from stereo.matching import (
    AutoRangeMatcher,
    FollowingMatcher,
    SteadyRange,
    default_matcher,
    following,
    matcher_for_range,
)
from stereo.matching.following import BANDS, EVERY, SETTLING

Gray = NDArray[np.uint8]
WIDTH, HEIGHT, FAR_PX, NEAR_PX = 320, 288, 8, 20
SEARCH = SearchRange(0, 32)
THING = np.s_[120:170, 150:210]
INSIDE = np.s_[126:164, 158:202]


def texture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Gray:
    return np.random.default_rng(seed).integers(20, 235, (height, width)).astype(np.uint8)


def scene(noise: int | None = None, *, thing: int | None = None, seed: int = 0) -> RectifiedPair:
    """A wall, and before it a thing of its own texture; ``noise`` is the seed of the sensor's."""
    wide = texture(seed, width=WIDTH + FAR_PX)
    left, right = wide[:, :WIDTH].copy(), wide[:, FAR_PX:].copy()
    if thing is not None:
        rows, columns = THING
        look = texture(thing, 50, 60)
        left[THING] = look
        right[rows, columns.start - NEAR_PX : columns.stop - NEAR_PX] = look
    if noise is not None:
        rng = np.random.default_rng(noise)
        left, right = (
            np.clip(np.rint(view + rng.normal(0, 1.2, view.shape)), 0, 255).astype(np.uint8)
            for view in (left, right)
        )
    return RectifiedPair(left, right)


class Counting:
    """The default matcher, and how many pixels each call had."""

    def __init__(self, search: SearchRange = SEARCH) -> None:
        self.areas: list[int] = []
        self._matcher = matcher_for_range(default_matcher(), search)

    def match(self, pair: RectifiedPair) -> DisparityMap:
        self.areas.append(pair.left.size)
        return self._matcher.match(pair)


def alone(pair: RectifiedPair) -> DisparityMap:
    return Counting().match(pair)


def watching(frames: int = 0) -> FollowingMatcher:
    """One that has seen so many frames of the standing wall."""
    matcher = FollowingMatcher(Counting(), SEARCH)
    for noise in range(frames):
        matcher.match(scene(noise))
    return matcher


def same(one: DisparityMap, other: DisparityMap) -> None:
    np.testing.assert_array_equal(one.px, other.px)
    np.testing.assert_array_equal(one.confidence, other.confidence)


def off(px: NDArray[np.float32], truth_px: float) -> float:
    """Share that is missing or wrong by a pixel."""
    return float(np.mean(~(np.abs(px - truth_px) <= 1)))


def test_the_first_frame_is_matched_as_any_pair() -> None:
    same(watching().match(scene(0)), alone(scene(0)))


def test_a_standing_picture_is_matched_in_bands_and_wholly_in_turn() -> None:
    counting = Counting()
    matcher = FollowingMatcher(counting, SEARCH)
    maps = [matcher.match(scene(noise)) for noise in range(1 + SETTLING + BANDS * EVERY)]
    later = maps[SETTLING:]
    kept = sum(one is other for one, other in pairwise(later))
    assert kept == BANDS * (EVERY - 1)
    new = np.any([one.px != other.px for one, other in pairwise(later)], axis=0)
    assert new.any(axis=1).all()  # each row
    assert sum(counting.areas[1 + SETTLING :]) < 0.5 * BANDS * EVERY * WIDTH * HEIGHT


def test_a_standing_picture_flickers_less_and_is_as_right() -> None:
    matcher = watching(4)
    frames = [scene(noise) for noise in range(100, 116)]
    kept = np.array([matcher.match(frame).px for frame in frames])[:, :, 40:]
    each = np.array([alone(frame).px for frame in frames])[:, :, 40:]
    flicker = [float(np.nanmedian(np.nanstd(maps, axis=0))) for maps in (kept, each)]
    assert flicker[0] < 0.7 * flicker[1]
    assert off(kept, FAR_PX) <= off(each, FAR_PX)
    assert np.nanmean(np.abs(kept - FAR_PX)) <= np.nanmean(np.abs(each - FAR_PX))


@pytest.mark.parametrize("frames", range(3, 3 + EVERY))  # a band is due, or none
def test_what_comes_is_there_at_once_and_what_leaves_is_gone_at_once(frames: int) -> None:
    matcher = watching(frames)
    assert off(matcher.match(scene(50, thing=7)).px[INSIDE], NEAR_PX) < 0.02
    for noise in range(51, 51 + frames):
        matcher.match(scene(noise, thing=7))
    assert off(matcher.match(scene(60)).px[INSIDE], FAR_PX) < 0.02


def test_what_only_the_right_image_shows_is_seen_too() -> None:
    """The thing is gone from the right image alone: nothing of it may be kept."""
    matcher = watching(3)
    first, then = scene(50, thing=7), scene(50)
    for _ in range(3):
        matcher.match(first)
    found = matcher.match(RectifiedPair(first.left, then.right)).px[INSIDE]
    assert off(found, NEAR_PX) > 0.5


def test_a_camera_that_moves_gives_what_each_frame_gives() -> None:
    matcher = watching(3)
    for shift in range(1, 6):
        frame = scene(shift)
        moved = RectifiedPair(
            np.roll(frame.left, 5 * shift, axis=0), np.roll(frame.right, 5 * shift, axis=0)
        )
        found, expected = matcher.match(moved).px, alone(moved).px
        assert np.mean((found != expected) & ~(np.isnan(found) & np.isnan(expected))) < 0.01


CHANGES: dict[str, Callable[[Gray], Gray]] = {
    "cut": lambda image: image[::-1].copy(),
    "exposure": lambda image: (image * 0.6).astype(np.uint8),
    "covered": lambda image: np.zeros_like(image),
    "a finger": lambda image: np.full_like(image, 180),
}


@pytest.mark.parametrize("sides", ["left", "right", "both"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_cut_begins_anew(change: str, sides: str) -> None:
    matcher, pair = watching(5), scene(90)
    left, right = (
        CHANGES[change](view) if sides in (side, "both") else view
        for view, side in ((pair.left, "left"), (pair.right, "right"))
    )
    other = RectifiedPair(left, right)
    same(matcher.match(other), alone(other))
    same(matcher.match(pair), alone(pair))  # and back


def test_another_size_begins_anew() -> None:
    matcher, pair = watching(4), scene(9)
    part = RectifiedPair(pair.left[:200], pair.right[:200])
    same(matcher.match(part), alone(part))


def test_a_dropped_second_begins_anew() -> None:
    matcher = FollowingMatcher(Counting(), SEARCH)
    for frame in range(5):
        matcher.match(replace(scene(frame), time_s=frame / 30))
    late = replace(scene(90), time_s=5 / 30 + 1)
    same(matcher.match(late), alone(late))


def test_the_range_of_a_sequence_is_found_from_it() -> None:
    matcher = AutoRangeMatcher(partial(following, default_matcher()), range_of=SteadyRange().of)
    for frame in range(4):
        found = matcher.match(scene(frame, thing=7))
        assert off(found.px[INSIDE], NEAR_PX) < 0.02
    assert found.searched is not None
    assert found.searched.found


@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(40, 90),
    low=st.integers(-20, 20),
    deep=st.booleans(),
    seed=st.integers(0, 9),
)
def test_any_size_range_and_depth(height: int, width: int, low: int, deep: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = (rng.integers(0, 255, (height, width)).astype(np.uint8) for _ in range(2))
    if deep:
        left, right = (np.asarray(view * np.uint16(200), np.uint16) for view in (left, right))
    search = SearchRange(low, 16)
    matcher = FollowingMatcher(Counting(search), search)
    for frame in range(6):
        if frame in (3, 4):
            left = left.copy()
            left[: height // 2, : width // 3] //= 2
        found = matcher.match(RectifiedPair(left, right))
        known = np.isfinite(found.px)
        assert found.px.shape == (height, width)
        assert ((found.px[known] >= low - 1) & (found.px[known] <= low + 16)).all()
        assert ((found.confidence > 0) == known).all()
