"""Smaller and cut images must measure the same metres."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import textured_pair

from stereo.depth import DisparityVariance
from stereo.errors import InputError
from stereo.frame import DisparityMap, RectifiedPair, StereoFrame, StereoGeometry
from stereo.live.pipeline import LivePipeline, LiveSettings
from stereo.live.region import (
    Region,
    crop_geometry,
    crop_pair,
    crop_variance,
    shrink_geometry,
    shrink_pair,
    shrink_variance,
    trim,
)
from stereo.matching import SearchRange, SgbmMatcher, SgbmParams
from stereo.rectify import Rectification
from stereo.refining.refine import RefineParams

GEOMETRY = StereoGeometry(500.0, 0.1, 159.5, 119.5, 3.0)


def back_project(geometry: StereoGeometry, x: float, y: float, disparity: float) -> np.ndarray:
    z = geometry.focal_px * geometry.baseline_m / (disparity + geometry.doffs_px)
    f = geometry.focal_px
    return np.array([(x - geometry.cx_px) * z / f, (y - geometry.cy_px) * z / f, z])


@given(
    factor=st.integers(1, 8),
    x=st.floats(0, 300),
    y=st.floats(0, 200),
    disparity=st.floats(1, 60),
)
def test_shrinking_keeps_the_point(factor: int, x: float, y: float, disparity: float) -> None:
    small = back_project(
        shrink_geometry(GEOMETRY, factor),
        (x + 0.5) / factor - 0.5,
        (y + 0.5) / factor - 0.5,
        disparity / factor,
    )
    np.testing.assert_allclose(small, back_project(GEOMETRY, x, y, disparity), rtol=1e-9, atol=1e-9)


@given(x=st.integers(0, 300), y=st.integers(0, 200), disparity=st.floats(1, 60))
def test_cropping_keeps_the_point(x: int, y: int, disparity: float) -> None:
    part = back_project(crop_geometry(GEOMETRY, Region(x, y, 5, 5)), 1, 2, disparity)
    np.testing.assert_allclose(part, back_project(GEOMETRY, x + 1, y + 2, disparity), atol=1e-9)


def test_a_region_is_matched_as_the_whole_is() -> None:
    pair = textured_pair(disparity=12, size=(320, 240))
    matcher = SgbmMatcher(SgbmParams(num_disparities=32))
    region = Region(100, 60, 80, 50)
    part = crop_pair(pair, region, max_disparity=31)
    disparity, trimmed = trim(matcher.match(part), part, region)
    assert disparity.px.shape == trimmed.left.shape == (50, 80)
    assert np.array_equal(trimmed.left, pair.left[60:110, 100:180])
    assert np.isfinite(disparity.px).mean() > 0.95  # nothing lost at the region's left side
    assert np.nanmedian(np.abs(disparity.px - 12)) < 0.1


def test_a_region_at_the_left_border_has_nothing_to_its_left() -> None:
    pair = textured_pair(disparity=4, size=(64, 48))
    part = crop_pair(pair, Region(2, 0, 10, 48), max_disparity=31)
    assert part.left.shape == (48, 12)


def test_masks_are_shrunk_to_what_is_wholly_seen() -> None:
    mask = np.ones((4, 6), bool)
    mask[1, 1] = False
    image = np.zeros((4, 6), np.uint8)
    small = shrink_pair(RectifiedPair(image, image, mask, None), 2)
    assert small.valid_left is not None
    assert small.valid_left.tolist() == [[False, True, True], [True, True, True]]


def test_what_does_not_fit_is_named() -> None:
    pair = textured_pair(disparity=4, size=(64, 48))
    with pytest.raises(InputError, match=r"region 60,0,10,5 does not fit .* 64x48"):
        crop_pair(pair, Region(60, 0, 10, 5), max_disparity=4)
    with pytest.raises(InputError, match="X,Y,WIDTH,HEIGHT"):
        Region(0, 0, 0, 5)
    with pytest.raises(InputError, match="64x48 divided by 100 is empty"):
        shrink_pair(pair, 100)


def test_trim_takes_the_map_along() -> None:
    px = np.arange(12, dtype=np.float32).reshape(2, 6)
    image = np.zeros((2, 6), np.uint8)
    found, _ = trim(
        DisparityMap(px, np.ones_like(px)), RectifiedPair(image, image), Region(3, 0, 2, 2)
    )
    assert found.px.tolist() == [[4, 5], [10, 11]]


def test_the_calibrations_variance_shrinks_and_is_cut_with_the_image() -> None:
    rng = np.random.default_rng(0)
    planes = [np.full((12, 16), value, np.float32) for value in rng.uniform(0.1, 1, 3)]
    whole = DisparityVariance(*planes)
    disparity = np.full((12, 16), 8, np.float32)
    small = shrink_variance(whole, 4)
    found = small.at(np.full((3, 4), 2, np.float32))  # the same depth at a quarter of the size
    np.testing.assert_allclose(found, whole.at(disparity)[:3, :4] / 16, rtol=1e-6)
    ramp = DisparityVariance(*(np.arange(192, dtype=np.float32).reshape(12, 16) for _ in range(3)))
    part = crop_variance(ramp, Region(3, 2, 5, 4))
    assert np.array_equal(part.offset, ramp.offset[2:6, 3:8])


def test_a_region_of_a_live_frame_has_the_error_bar_of_the_whole() -> None:
    pair = textured_pair(disparity=12, size=(320, 240))
    flat = [np.full((240, 320), value, np.float32) for value in (0.5, 0.01, 0.001)]
    rect = replace(
        Rectification.already_rectified(GEOMETRY), calibration_px2=DisparityVariance(*flat)
    )
    frame = StereoFrame(pair.left, pair.right)
    settings = LiveSettings(search=SearchRange(0, 32), refine=RefineParams(surfaces=False))
    whole, _ = LivePipeline(rect, settings).process(frame)
    part, _ = LivePipeline(rect, replace(settings, region=Region(100, 60, 80, 50))).process(frame)
    assert whole.depth is not None
    assert part.depth is not None
    ratio = part.depth.sigma_m / whole.depth.sigma_m[60:110, 100:180]
    assert np.nanmedian(ratio) == pytest.approx(1, rel=0.02)
    bare, _ = LivePipeline(replace(rect, calibration_px2=None), settings).process(frame)
    assert bare.depth is not None
    assert np.nanmedian(bare.depth.sigma_m) < 0.5 * np.nanmedian(whole.depth.sigma_m)
