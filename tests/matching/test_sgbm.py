"""OpenCV's matcher behind our protocol: no lost column, any range, clear refusals."""

from __future__ import annotations

import numpy as np
import pytest
from support import textured_pair

from stereo.errors import MatcherError
from stereo.frame import RectifiedPair
from stereo.matching import MATCHERS, SgbmMatcher, SgbmParams, make_matcher, sgm


@pytest.mark.parametrize("name", list(MATCHERS))
def test_known_disparity_is_found_to_a_quarter_pixel(name: str) -> None:
    if name.startswith("sgm") and not sgm.is_available():
        pytest.skip("native matcher not built")
    result = make_matcher(name, num_disparities=32).match(textured_pair(7.25))
    right = np.abs(result.px - 7.25) < 0.25
    assert right[:, 16:].mean() > 0.95


def test_left_border_is_not_lost() -> None:
    """A bare cv2.StereoSGBM answers nothing in the first num_disparities columns."""
    result = make_matcher("sgbm", num_disparities=64).match(textured_pair(4.0))
    strip = result.px[:, 8:64]
    assert np.isfinite(strip).mean() > 0.95
    assert np.nanmedian(np.abs(strip - 4.0)) < 0.1


@pytest.mark.parametrize("true", [-9.5, -3.0, 0.0, 5.5])
def test_negative_ranges_work(true: float) -> None:
    matcher = make_matcher("sgbm", min_disparity=-16, num_disparities=32)
    result = matcher.match(textured_pair(true))
    middle = result.px[:, 32:-32]
    assert np.mean(np.abs(middle - true) < 0.6) > 0.95  # SGBM locks half pixels to whole ones


def test_any_number_of_disparities_is_taken() -> None:
    result = make_matcher("sgbm", num_disparities=21).match(textured_pair(19.0))
    assert np.nanmedian(np.abs(result.px[:, 40:] - 19.0)) < 0.1


@pytest.mark.parametrize(
    ("dtype", "color"), [(np.uint8, True), (np.uint16, False), (np.uint16, True)]
)
def test_color_and_16_bit_match_like_gray(dtype: type, color: bool) -> None:
    pair = textured_pair(6.0, dtype=dtype, color=color)
    result = make_matcher("sgbm", num_disparities=32).match(pair)
    assert np.mean(np.abs(result.px[:, 16:] - 6.0) < 0.25) > 0.9


def test_gray_and_color_may_be_mixed() -> None:
    color, gray = textured_pair(6.0, color=True).left, textured_pair(6.0).right
    result = make_matcher("sgbm", num_disparities=32).match(RectifiedPair(color, gray))
    assert np.mean(np.abs(result.px[:, 16:] - 6.0) < 0.25) > 0.9


def test_confidence_is_high_where_right_and_zero_where_unknown() -> None:
    pair = textured_pair(7.0)
    noise = np.random.default_rng(0).integers(0, 255, pair.right.shape).astype(np.uint8)
    broken = pair.right.copy()
    broken[:60] = noise[:60]  # nothing to match in the upper half
    result = make_matcher("sgbm", num_disparities=32).match(RectifiedPair(pair.left, broken))
    assert result.confidence.min() >= 0
    assert result.confidence.max() <= 1
    assert np.all(result.confidence[np.isnan(result.px)] == 0)
    assert np.median(result.confidence[70:, 40:]) > 0.9
    wrong = np.isfinite(result.px[:55])
    assert np.median(result.confidence[:55][wrong]) < 0.6


def test_constant_images_give_a_defined_result() -> None:
    flat = np.full((40, 100), 128, np.uint8)
    result = make_matcher("sgbm", num_disparities=16).match(RectifiedPair(flat, flat))
    assert result.px.shape == (40, 100)
    assert np.all(np.isfinite(result.confidence))


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"num_disparities": 0}, "num_disparities must be between 1 and 2032"),
        ({"num_disparities": 5000}, "num_disparities"),
        ({"min_disparity": -4000}, "min_disparity"),
        ({"min_disparity": 2000, "num_disparities": 64}, "below 2048"),
        ({"block_size": 4}, "block_size must be odd"),
        ({"block_size": 21}, "block_size"),
        ({"p1": 500, "p2": 400}, "p1 < p2"),
        ({"uniqueness_percent": 101}, "uniqueness_percent"),
        ({"pre_filter_cap": 0}, "pre_filter_cap"),
        ({"max_memory_mb": 0}, "max_memory_mb"),
    ],
)
def test_impossible_parameters_are_refused_by_name(params: dict[str, int], says: str) -> None:
    with pytest.raises(MatcherError, match=says):
        SgbmParams(**params)  # type: ignore[arg-type]


def test_unknown_matcher_and_parameter_are_named() -> None:
    with pytest.raises(MatcherError, match=r"unknown matcher 'magic'.*sgbm"):
        make_matcher("magic")
    with pytest.raises(MatcherError, match=r"no parameter 'blocksize'.*block_size"):
        make_matcher("sgbm", blocksize=3)


def test_range_must_fit_the_width() -> None:
    with pytest.raises(MatcherError, match="320 px wide"):
        make_matcher("sgbm", num_disparities=320).match(textured_pair(3.0))


def test_too_much_memory_is_refused_before_it_is_taken() -> None:
    big = np.zeros((3000, 4000), np.uint8)
    matcher = SgbmMatcher(SgbmParams(mode="hh", num_disparities=1024))
    with pytest.raises(MatcherError, match=r"needs about \d+ MB.*max_memory_mb = 4096"):
        matcher.match(RectifiedPair(big, big))


def test_read_only_and_strided_images_are_taken() -> None:
    pair = textured_pair(6.0, size=(640, 120))
    thin = RectifiedPair(pair.left[:, ::2], pair.right[:, ::2])
    result = make_matcher("sgbm", num_disparities=16).match(thin)
    assert np.mean(np.abs(result.px[:, 16:] - 3.0) < 0.5) > 0.9
