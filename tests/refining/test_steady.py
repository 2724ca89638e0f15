"""Planes of a sequence: kept where nothing moves, made anew where anything does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from walls import SIZE, WALL, scene, slanted

from stereo.frame import DisparityMap
from stereo.native import find_native
from stereo.refining import steady
from stereo.refining.steady import KEPT_FRAMES, SteadySurfaces
from stereo.refining.surfaces import Gray, Regions, plane_surfaces, with_planes

needs_native = pytest.mark.skipif(find_native() is None, reason="native module not built")

Frame = tuple[DisparityMap, Gray, Gray]
THING = np.s_[70:100, 100:140]
THING_PX = 35.0


@pytest.fixture
def planed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many regions each frame had to look at."""
    counts: list[int] = []

    def counted(disparity: DisparityMap, left: Gray, right: Gray, regions: Regions) -> DisparityMap:
        counts.append(len(regions.doubtful))
        return with_planes(disparity, left, right, regions)

    monkeypatch.setattr(steady, "with_planes", counted)
    return counts


def same(one: DisparityMap, other: DisparityMap) -> None:
    np.testing.assert_array_equal(one.px, other.px)
    np.testing.assert_array_equal(one.confidence, other.confidence)


def wall(seed: int = 0) -> Frame:
    """Doubtful matches of a blank wall, others with every seed; the same two images."""
    disparity, left, right = scene(slanted(), answered=0.6, sure=0.4)
    rng = np.random.default_rng(seed)
    px = disparity.px + rng.normal(0, 0.2, disparity.px.shape).astype(np.float32)
    px[rng.random(px.shape) < 0.05] = np.nan
    return replace(disparity, px=px, confidence=disparity.confidence * np.isfinite(px)), left, right


def with_thing(frame: Frame) -> Frame:
    """Something textured in front of the wall, matched well."""
    disparity, left, right = frame
    px, confidence, left = disparity.px.copy(), disparity.confidence.copy(), left.copy()
    px[THING], confidence[THING] = THING_PX, 0.95
    left[THING] = np.random.default_rng(5).integers(0, 255, left[THING].shape)
    return DisparityMap(px, confidence), left, right


@needs_native
def test_a_sequence_of_one_frame_gives_what_that_frame_gives(planed: list[int]) -> None:
    frame, sequence = wall(), SteadySurfaces()
    expected = plane_surfaces(*frame)
    assert not np.array_equal(expected.px, frame[0].px, equal_nan=True)
    for _ in range(KEPT_FRAMES):
        same(sequence(*frame), expected)
    assert sum(planed) < 5  # regions, in fifteen frames


@needs_native
def test_a_standing_wall_flickers_less_and_is_as_right(planed: list[int]) -> None:
    truth, sequence = slanted(), SteadySurfaces()
    frames = [wall(seed) for seed in range(12)]
    kept = np.array([sequence(*frame).px[WALL] for frame in frames])
    each = np.array([plane_surfaces(*frame).px[WALL] for frame in frames])
    assert np.nanmean(np.nanstd(kept, axis=0)) < np.nanmean(np.nanstd(each, axis=0))
    assert np.isfinite(kept).mean() > 0.95
    off = [np.nanmean(np.abs(maps - truth[WALL]) > 1) for maps in (kept, each)]
    assert off[0] < off[1] + 0.01
    assert sum(planed) < 4


@needs_native
def test_a_kept_wall_is_looked_at_again_after_half_a_second(planed: list[int]) -> None:
    sequence = SteadySurfaces()
    for seed in range(2 * KEPT_FRAMES):
        sequence(*wall(seed))
    assert sum(count > 0 for count in planed[1:]) >= 1


@needs_native
def test_what_comes_before_a_wall_is_there_at_once_and_leaves_no_ghost() -> None:
    sequence = SteadySurfaces()
    for seed in range(3):
        sequence(*wall(seed))
    came = sequence(*with_thing(wall(3)))
    np.testing.assert_array_equal(came.px[THING], np.float32(THING_PX))
    sequence(*with_thing(wall(4)))
    left = sequence(*wall(5)).px[THING]
    assert np.nanmean(np.abs(left - slanted()[THING]) > 2) < 0.05


@needs_native
@pytest.mark.parametrize(
    "change",
    [
        lambda image: np.roll(image, 40, axis=1),  # a cut
        lambda image: np.clip(image.astype(int) + 30, 0, 255).astype(np.uint8),  # exposure
        lambda image: np.zeros_like(image),  # a covered lens
    ],
)
@pytest.mark.parametrize("side", [0, 1])
def test_after_a_cut_nothing_is_left_of_before(change: Callable[[Gray], Gray], side: int) -> None:
    sequence = SteadySurfaces()
    for seed in range(3):
        sequence(*wall(seed))
    disparity, *views = wall(9)
    views[side] = change(views[side])
    if side == 0 and np.array_equal(views[0], wall(9)[1]):
        pytest.skip("the scene looks the same")
    same(sequence(disparity, *views), plane_surfaces(disparity, *views))


@needs_native
def test_another_size_begins_anew() -> None:
    sequence = SteadySurfaces()
    sequence(*wall())
    disparity, left, right = wall(1)
    part = np.s_[: SIZE[0] - 7, : SIZE[1] - 11]
    smaller = DisparityMap(disparity.px[part], disparity.confidence[part])
    same(
        sequence(smaller, left[part], right[part]), plane_surfaces(smaller, left[part], right[part])
    )
    same(
        sequence(smaller, left[part], right[part]), plane_surfaces(smaller, left[part], right[part])
    )


@needs_native
def test_a_map_once_given_never_changes() -> None:
    sequence = SteadySurfaces()
    given = [sequence(*wall(seed)) for seed in range(4)]
    before = [(m.px.copy(), m.confidence.copy()) for m in given]
    for seed in range(4, 8):
        sequence(*with_thing(wall(seed)))
    for found, (px, confidence) in zip(given, before, strict=True):
        np.testing.assert_array_equal(found.px, px)
        np.testing.assert_array_equal(found.confidence, confidence)


def test_without_the_native_module_maps_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stereo.native._native", None)
    sequence = SteadySurfaces()
    for seed in range(3):
        disparity, left, right = wall(seed)
        same(sequence(disparity, left, right), disparity)
