"""Textureless regions get planes where matching guessed, and nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest
from walls import SIZE, WALL, scene, slanted

from stereo.frame import DisparityMap
from stereo.refining import surfaces
from stereo.refining.surfaces import PLANE_CONFIDENCE, plane_surfaces


def test_a_slanted_blank_wall_is_recovered_to_half_a_pixel() -> None:
    truth = slanted()
    disparity, left, right = scene(truth, answered=0.6, sure=0.4)
    result = plane_surfaces(disparity, left, right)
    before = np.abs(disparity.px - truth)[WALL]
    after = np.abs(result.px - truth)[WALL]
    assert np.nanmean(before > 2) > 0.25
    assert np.isfinite(after).mean() > 0.95
    assert np.nanpercentile(after, 95) < 1.01  # matches within a pixel of the plane are kept
    assert np.median(after) < 0.5


def test_pixels_given_a_plane_say_so_by_a_lower_confidence() -> None:
    disparity, left, right = scene(slanted(), answered=0.6, sure=0.4)
    result = plane_surfaces(disparity, left, right)
    new = np.isnan(disparity.px) & np.isfinite(result.px)
    assert new.sum() > 1000
    np.testing.assert_allclose(result.confidence[new], PLANE_CONFIDENCE)
    same = result.px == disparity.px
    np.testing.assert_array_equal(result.confidence[same], disparity.confidence[same])


def test_what_the_matcher_is_sure_of_stays_also_where_it_is_curved() -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    curved = 20 - ((x - 125) / 40.0) ** 2 - ((y - 80) / 40.0) ** 2
    disparity, left, right = scene(curved, answered=0.98, sure=0.9)
    result = plane_surfaces(disparity, left, right)
    np.testing.assert_array_equal(result.px, disparity.px)


def test_a_plane_is_not_extrapolated_to_where_nothing_was_matched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One smooth region: a wall on the left, other opinions beside it, no match far right."""
    monkeypatch.setattr(surfaces, "_rim_agreement", lambda *_: 0.5)  # a blank image has no rim
    height, width = 200, 900
    y, x = np.mgrid[:height, :width].astype(np.float32)
    image = np.full((height, width), 128, np.uint8)
    px = 20 + 0.01 * x
    px[:, 300:500] += np.where(y[:, 300:500] < 100, 4, -4)  # opinions differ: not one plane
    px[:, 500:] = np.nan
    known = np.isfinite(px)
    disparity = DisparityMap(px, np.where(known, np.float32(0.5), np.float32(0)))
    result = plane_surfaces(disparity, image, image)
    assert (result.px != px)[:, :500].any()
    assert np.isnan(result.px[:, 700:]).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_wall_is_recovered_whatever_the_noise(seed: int) -> None:
    truth = slanted()
    disparity, left, right = scene(truth, answered=0.6, sure=0.4, seed=seed)
    error = np.abs(plane_surfaces(disparity, left, right).px - truth)[WALL]
    assert np.nanmean(error > 2) < 0.02
    assert np.nanmedian(error) < 0.5


def test_textured_images_are_left_alone() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, SIZE).astype(np.uint8)
    px = rng.uniform(0, 40, SIZE).astype(np.float32)
    disparity = DisparityMap(px, np.full(SIZE, 0.1, np.float32))
    np.testing.assert_array_equal(plane_surfaces(disparity, image, image).px, px)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (40, 60)])
def test_nothing_known_stays_unknown(shape: tuple[int, int]) -> None:
    flat = np.full(shape, 128, np.uint8)
    nothing = DisparityMap(np.full(shape, np.nan, np.float32), np.zeros(shape, np.float32))
    assert np.isnan(plane_surfaces(nothing, flat, flat).px).all()


def test_the_same_input_gives_the_same_output() -> None:
    disparity, left, right = scene(slanted(), answered=0.6, sure=0.4)
    first = plane_surfaces(disparity, left, right)
    np.testing.assert_array_equal(first.px, plane_surfaces(disparity, left, right).px)
