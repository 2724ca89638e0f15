from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import sgm_reference as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from sgm_reference import random_pair
from support import textured_pair

from stereo.errors import ImageError, MatcherError
from stereo.frame import RectifiedPair
from stereo.matching import sgm
from stereo.matching.sgm import SgmMatcher, SgmParams

pytestmark = pytest.mark.skipif(not sgm.is_available(), reason="native matcher not built")

RAW = {"median": False, "speckle_size_px": 0, "threads": 1}


@st.composite
def cases(draw):
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 40))
    params = SgmParams(
        min_disparity=draw(st.integers(-9, 9)),
        num_disparities=draw(st.one_of(st.integers(1, 80), st.sampled_from([129, 257, 300]))),
        paths=draw(st.sampled_from([3, 4])),
        p1=draw(st.integers(0, 20)),
        p2=draw(st.integers(20, 190)),
        p2_width=draw(st.sampled_from([0, 1, 16])),
        gradient_cap=draw(st.integers(0, 40)),
        faint_levels=draw(st.sampled_from([-1, 20, 60, 120, 255])),
        **RAW,
    )
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    left, right = random_pair(draw(st.integers(0, 999)), height, width, 3, dtype)
    return left, right, params


@settings(max_examples=60, deadline=None)
@given(cases())
def test_cost_aggregation_and_winner_equal_the_reference_exactly(case):
    left, right, params = case
    expected = reference.winners(reference.total_cost(left, right, params))
    found = SgmMatcher(params)._matcher._winners(left, right)
    np.testing.assert_array_equal(found, expected)
    px = SgmMatcher(params).match(RectifiedPair(left, right)).px
    np.testing.assert_allclose(px, reference.disparity(expected, params), atol=1e-6)


FINGERPRINT = """
import hashlib, numpy as np
from stereo.frame import RectifiedPair
from stereo.matching.sgm import SgmMatcher, SgmParams, simd_level
digest = hashlib.sha256()
rng = np.random.default_rng(5)
sizes = (40, 97, 64, 0), (33, 200, 300, -20), (9, 70, 192, 7), (1, 3, 17, 0)
for height, width, count, low in sizes:
    for dtype in (np.uint8, np.uint16):
        scene = rng.integers(0, np.iinfo(dtype).max + 1, (height, width + 9)).astype(dtype)
        pair = RectifiedPair(scene[:, :width], scene[:, 5:5 + width])
        for paths, faint in ((3, 12), (4, 12), (4, 255)):
            results = set()
            for threads in (1, 2, 5):
                params = SgmParams(low, count, paths, faint_levels=faint, threads=threads)
                found = SgmMatcher(params).match(pair)
                results.add(found.px.tobytes() + found.confidence.tobytes())
            assert len(results) == 1, (height, width, count, paths)
            digest.update(results.pop())
print(simd_level(), digest.hexdigest())
"""


def fingerprint(simd: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", FINGERPRINT],
        env=os.environ | {"STEREO_SIMD": simd},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_instruction_set_and_thread_count_gives_the_same_bits():
    levels = ["baseline", "avx2", "avx512"]
    runs = [fingerprint(level) for level in levels[: levels.index(sgm.simd_level()) + 1]]
    for run in runs:
        assert run.returncode == 0, run.stderr
    assert len({run.stdout.split()[1] for run in runs}) == 1


def test_unknown_instruction_set_is_named():
    run = fingerprint("mmx")
    assert run.returncode != 0
    assert "STEREO_SIMD=mmx is not available here" in run.stderr


@pytest.mark.parametrize("paths", [3, 4])
@pytest.mark.parametrize("shift", [0, 4, 11, -6])
def test_a_shifted_texture_has_its_shift_as_disparity(shift, paths):
    left, right = random_pair(1, 60, 120, shift)
    params = SgmParams(-10, 32, paths, threads=2)
    found = SgmMatcher(params).match(RectifiedPair(left, right))
    seen = np.zeros(left.shape, bool)
    seen[:, max(shift, 0) + 5 : 120 + min(shift, 0) - 5] = True  # both cameras see it
    assert np.isfinite(found.px[seen]).mean() > 0.97
    assert np.nanmax(np.abs(found.px[seen] - shift)) < 1


def test_the_right_view_has_the_same_disparity_seen_from_the_right():
    left, right = random_pair(2, 50, 100, 7)
    found = SgmMatcher(SgmParams(0, 32)).match_right(RectifiedPair(left, right))
    assert abs(np.nanmedian(found.px[:, :-15]) - 7) < 0.2


def test_gain_exposure_and_bit_depth_hardly_matter():
    left, right = random_pair(3, 60, 120, 6)
    matcher = SgmMatcher(SgmParams(0, 32))
    plain = matcher.match(RectifiedPair(left, right)).px
    brighter = (right * 0.6 + 40).astype(np.uint8)
    changed = matcher.match(RectifiedPair(left, brighter)).px
    assert np.mean(np.abs(changed[np.isfinite(changed)] - 6) < 1) > 0.97
    deep = matcher.match(RectifiedPair(left.astype(np.uint16) * 16, right.astype(np.uint16) * 16))
    np.testing.assert_array_equal(deep.px, plain)  # 12 bits hold the same picture


@pytest.mark.parametrize(
    ("shape", "count"), [((1, 1), 64), ((1, 50), 16), ((50, 1), 16), ((5, 20), 200), ((3, 7), 1)]
)
def test_small_and_narrow_images_have_a_result(shape, count):
    left, right = random_pair(4, *shape, 0)
    found = SgmMatcher(SgmParams(0, count)).match(RectifiedPair(left, right))
    assert found.px.shape == shape
    valid = np.isfinite(found.px)
    assert np.all((found.px[valid] >= -0.5) & (found.px[valid] <= count))
    assert np.array_equal(found.confidence > 0, valid)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_constant_and_saturated_images_claim_nothing(value):
    flat = np.full((30, 60), value, np.uint8)
    found = SgmMatcher(SgmParams(0, 32)).match(RectifiedPair(flat, flat))
    assert np.isnan(found.px).all()
    assert not found.confidence.any()


def test_identical_images_are_infinitely_far():
    left, _ = random_pair(5, 40, 80, 0)
    found = SgmMatcher(SgmParams(0, 32)).match(RectifiedPair(left, left))
    assert np.mean(found.px == 0) > 0.97


def test_memory_layout_of_the_input_does_not_matter():
    left, right = random_pair(6, 40, 80, 5)
    matcher = SgmMatcher(SgmParams(0, 32))
    expected = matcher.match(RectifiedPair(left, right)).px
    for layout in (
        lambda a: np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3],
        np.asfortranarray,
        lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    ):
        pair = RectifiedPair(layout(left), layout(right))
        np.testing.assert_array_equal(matcher.match(pair).px, expected)


def test_speckles_are_islands_smaller_than_asked():
    left, right = random_pair(8, 60, 120, 6)
    right[20:24, 40:44] = 255 - right[20:24, 40:44]
    raw = SgmMatcher(SgmParams(0, 64, speckle_size_px=0)).match(RectifiedPair(left, right)).px
    found = SgmMatcher(SgmParams(0, 64)).match(RectifiedPair(left, right)).px
    fixed = np.where(np.isnan(raw), -16, np.rint(raw * 16)).astype(np.int16)
    cv2.filterSpeckles(fixed, -16, 100, 32)
    assert np.mean(np.isnan(found) == (fixed < 0)) > 0.999  # differ by rounding to 1/16 px only


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_disparities": 0}, "num_disparities must be 1 to 4080, got 0"),
        ({"paths": 8}, "paths must be 3 or 4, got 8"),
        ({"p1": 90, "p2": 80}, "p1 must be 0 to 80, got 90"),
        ({"p2": 220}, "p2 must be at most 218"),
        ({"threads": 0}, "threads must be 1 to 256, got 0"),
    ],
)
def test_impossible_parameters_are_refused_by_name(wrong, message):
    with pytest.raises(MatcherError, match=message):
        SgmParams(**wrong)


def test_images_of_different_depths_are_made_comparable():
    left, right = random_pair(3, 30, 60, 3, np.uint8)
    alike = SgmMatcher(SgmParams(num_disparities=16)).match(RectifiedPair(left, right))
    deep = RectifiedPair(left, right.astype(np.uint16) * 16)
    mixed = SgmMatcher(SgmParams(num_disparities=16)).match(deep)
    both = np.isfinite(alike.px) & np.isfinite(mixed.px)
    assert both.mean() > 0.3
    assert np.median(np.abs(alike.px - mixed.px)[both]) < 0.5


def test_images_of_different_sizes_are_refused():
    with pytest.raises(ImageError, match="same size"):
        RectifiedPair(np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8))
    with pytest.raises(ValueError, match="same size"):
        SgmMatcher()._matcher.match(np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8))


def test_too_much_memory_is_refused_before_it_is_taken():
    left, right = random_pair(9, 100, 200, 0)
    matcher = SgmMatcher(SgmParams(0, 400, max_memory_mb=1))
    with pytest.raises(MatcherError, match=r"needs \d+ MB, more than max_memory_mb = 1"):
        matcher.match(RectifiedPair(left, right))


def test_one_pass_needs_a_fraction_of_the_memory():
    full, fast = (sgm.memory_bytes(1280, 720, SgmParams(paths=paths)) for paths in (4, 3))
    assert full < 52e6
    assert fast < 12e6


def test_fractions_of_a_slanted_surface_are_not_drawn_to_whole_pixels():
    width = 480
    truth = 20.0 + 0.05 * np.arange(width)
    pair = textured_pair(np.tile(truth, (60, 1)), size=(width, 60))
    found = SgmMatcher(SgmParams(0, 64)).match(pair).px[10:-10, 64:-10]
    error = found - truth[None, 64:-10]
    good = np.abs(error) < 1
    assert good.mean() > 0.97
    assert np.median(np.abs(error[good])) < 0.05  # a parabola: 0.14
    tenths = np.histogram(found[good] % 1, 10, (0, 1))[0]
    assert tenths.max() < 1.8 * tenths.mean()  # a parabola: 2.7
    tenth = (np.broadcast_to(truth[None, 64:-10], found.shape)[good] % 1 * 10).astype(int)
    bias = [abs(np.median(error[good][tenth == k])) for k in range(10)]
    assert max(bias) < 0.13  # a parabola: 0.22
