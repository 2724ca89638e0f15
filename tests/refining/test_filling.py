"""Holes take the surface that goes on in the image, not what happens to be beside them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stereo.frame import DisparityMap
from stereo.native import find_native
from stereo.refining.filling import FILLED_CONFIDENCE, drop_islands, fill

SIZE = (120, 200)
Y, X = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
RNG = np.random.default_rng(0)
needs_native = pytest.mark.skipif(find_native() is None, reason="native module not built")


def a_map(px: np.ndarray) -> DisparityMap:
    known = np.isfinite(px)
    return DisparityMap(px.astype(np.float32), np.where(known, np.float32(0.9), np.float32(0)))


def painted(*surfaces: tuple[np.ndarray, int]) -> np.ndarray:
    """An image in which each mask has its gray level, with a little noise."""
    image = np.full(SIZE, 90, np.int64)
    for mask, level in surfaces:
        image[mask] = level
    return (image + RNG.integers(-2, 3, SIZE)).astype(np.uint8)


def with_holes(truth: np.ndarray, holes: np.ndarray) -> DisparityMap:
    return a_map(np.where(holes, np.nan, truth))


@needs_native
def test_a_wall_goes_on_behind_the_lamp_that_alone_was_matched_beside_it() -> None:
    lamp = (X > 80) & (X < 130) & (Y > 20)
    wall = 8 + 0.01 * X
    truth = np.where(lamp, 40, wall)
    holes = (X <= 80) & (Y > 20)  # its row neighbour is the lamp; the wall is above
    filled = fill(with_holes(truth, holes), painted((lamp, 180)))
    assert np.abs(filled.px - truth)[holes].max() < 1
    np.testing.assert_array_equal(filled.confidence[holes], np.float32(FILLED_CONFIDENCE))


@needs_native
def test_the_left_strip_of_a_slanted_floor_keeps_its_slope() -> None:
    floor = 5 + 0.2 * Y - 0.05 * X
    strip = floor > X
    error = np.abs(fill(with_holes(floor, strip), painted()).px - floor)[strip]
    assert error.max() < 0.9


@needs_native
def test_a_sphere_stays_round() -> None:
    inside = np.maximum(45**2 - (X - 100) ** 2 - (Y - 60) ** 2, 0)
    truth = np.where(inside > 0, 20 + 0.2 * np.sqrt(inside), 10)
    holes = (RNG.random(SIZE) < 0.6) & (inside > 300)
    holes[55:65, 90:110] = True
    error = np.abs(fill(with_holes(truth, holes), painted((inside > 0, 150))).px - truth)[holes]
    assert np.median(error) < 0.2
    assert error.max() < 1.5


@needs_native
def test_the_background_is_seen_through_a_railing() -> None:
    bars = X % 20 < 4
    truth = np.where(bars, 30, 8)
    holes = (RNG.random(SIZE) < 0.7) & (Y > 5)
    filled = fill(with_holes(truth, holes), painted((bars, 160)))
    right = np.abs(filled.px - truth)[holes] < 1
    assert right[bars[holes]].mean() > 0.9
    assert right[~bars[holes]].mean() > 0.97


@needs_native
def test_what_only_one_camera_sees_is_background_even_if_it_looks_like_what_hides_it() -> None:
    truth = np.where(X < 100, 10.0, 30.0)
    holes = (X >= 80) & (X < 100)
    filled = fill(with_holes(truth, holes), painted())
    np.testing.assert_allclose(filled.px[holes], 10, atol=0.5)


maps = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.integers(0, 7).map(float) | st.just(np.nan),
)


@given(maps, st.sampled_from([1, 2, 3]))
def test_what_is_known_stays_and_all_else_is_filled(px: np.ndarray, threads: int) -> None:
    image = np.arange(px.size * 3, dtype=np.uint8).reshape(*px.shape, 3)
    found = fill(a_map(px), image, threads=threads)
    known = np.isfinite(px)
    np.testing.assert_array_equal(found.px[known], px[known])
    assert np.isfinite(found.px).all() or not known.any()
    np.testing.assert_array_equal(found.px, fill(a_map(px), image, threads=1).px)


def test_without_the_native_module_the_row_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stereo.native._native", None)
    found = fill(a_map(np.array([[np.nan, 5, np.nan, 9]])), np.zeros((1, 4), np.uint8))
    np.testing.assert_array_equal(found.px, [[5, 5, 5, 9]])
    np.testing.assert_allclose(found.confidence, [[0.2, 0.9, 0.2, 0.9]])


def test_chance_matches_of_the_left_strip_go_and_small_things_elsewhere_stay() -> None:
    px = np.full(SIZE, 40.0)
    px[:, :40] = np.nan
    px[50:55, 10:18] = 3  # what lies here has its match outside of the right image
    px[80:100, 120:170] = np.nan
    px[85:92, 130:140] = 20
    kept = np.isfinite(drop_islands(a_map(px)).px)
    assert not kept[50:55, 10:18].any()
    assert kept[85:92, 130:140].all()


def test_a_small_thing_before_a_far_background_stays_also_at_the_left() -> None:
    px = np.full(SIZE, 4.0)
    px[50:70, 20:50] = np.nan
    px[55:62, 30:36] = 12
    px[:, 150:] = 90
    np.testing.assert_array_equal(drop_islands(a_map(px)).px, px.astype(np.float32))


@needs_native
def test_the_native_module_refuses_what_does_not_fit_together() -> None:
    native = find_native()
    assert native is not None
    px, image = np.zeros((3, 4), np.float32), np.zeros((3, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="same size"):
        native.fill_holes(px, px[:2].copy(), image, 1)
    with pytest.raises(ValueError, match="channels"):
        native.fill_holes(px, px, image[..., :2].copy(), 1)
    with pytest.raises(ValueError, match="threads"):
        native.fill_holes(px, px, image, 0)
