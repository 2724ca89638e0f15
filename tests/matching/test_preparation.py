"""A pair made easier to match: noise, rows and brightness measured and taken out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from support import levels, shifted_pair, texture

from stereo.frame import RectifiedPair
from stereo.matching import (
    SteadyAlignment,
    SteadyDenoising,
    align,
    denoise,
    make_matcher,
    preparation,
    sgm,
)
from stereo.matching.preparation import ALIGN_EVERY, Difference, difference, noise_level
from stereo.matching.rows import LEAST_PX, RowError, row_error
from stereo.matching.tracks import find_tracks


@pytest.fixture(params=["native", "opencv"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "opencv":
        monkeypatch.setattr("stereo.native._native", None)
    elif not sgm.is_available():
        pytest.skip("native matcher not built")


@pytest.mark.parametrize("sigma", [0, 2, 4, 8])
def test_noise_is_measured_to_a_tenth_and_a_bit(sigma: float) -> None:
    image = np.full((160, 240), 120.0) + np.linspace(0, 40, 240)
    noisy = levels(image + np.random.default_rng(3).normal(0, sigma, image.shape))
    assert noise_level(noisy) == pytest.approx(sigma, rel=0.2, abs=0.4)


def test_noise_of_black_saturated_or_tiny_images_is_none() -> None:
    for image in (np.zeros((64, 64)), np.full((64, 64), 255), np.full((5, 64), 100)):
        assert noise_level(levels(image)) == 0


def row_error_of(pair: RectifiedPair) -> RowError | None:
    return row_error(find_tracks(np.asarray(pair.left), np.asarray(pair.right)))


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(("rows_px", "tilt_px"), [(0.3, 0), (0.5, 0), (1, 0), (-1, 0.8), (2, 0)])
def test_row_error_is_measured_to_a_tenth_of_a_pixel(rows_px: float, tilt_px: float) -> None:
    pair = shifted_pair(5, 12, rows_px, tilt_px)
    found = difference(pair).rows
    assert found is not None
    assert found.clear
    assert found.middle_px == pytest.approx(rows_px, abs=0.1)
    assert found.across_px == pytest.approx(tilt_px, abs=0.2)
    assert found.down_px == pytest.approx(0, abs=0.2)
    assert found.sigma_px < 0.1


def test_a_row_error_of_large_images_is_in_their_own_pixels() -> None:
    small = shifted_pair(6, 9, 1.0)
    large = [cv2.resize(np.asarray(v), None, fx=5, fy=5) for v in (small.left, small.right)]
    found = difference(RectifiedPair(large[0], large[1])).rows
    assert found is not None
    assert found.middle_px == pytest.approx(5, abs=0.3)


def test_nothing_to_follow_means_no_row_error() -> None:
    flat = np.full((160, 240), 90, np.uint8)
    other = levels(texture(9, 160, 240))
    unrelated = levels(texture(8, 160, 240))
    for left, right in ((flat, flat), (unrelated, other), (other[:20], other[:20])):
        pair = RectifiedPair(left, right)
        assert row_error_of(pair) is None
        assert align(pair) is pair


@pytest.mark.parametrize("seed", range(4))
def test_a_good_pair_passes_through_untouched(seed: int) -> None:
    pair = shifted_pair(seed, 9, noise=1)
    assert align(denoise(pair)) is pair
    assert difference(pair).levels is None


def test_a_small_row_error_is_left_alone() -> None:
    assert LEAST_PX > 0.1
    pair = shifted_pair(6, 9, 0.1)
    assert align(pair) is pair


def test_a_row_error_must_be_larger_than_it_is_uncertain() -> None:
    assert RowError(0.3, 0, 0, sigma_px=0.05).clear
    assert not RowError(0.3, 0, 0, sigma_px=0.15).clear
    assert not RowError(0.1, 0, 0, sigma_px=0.01).clear
    assert RowError(0, 1.2, 0, sigma_px=0.01).rms_px == pytest.approx(1.2 / 12**0.5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("gain", "power"), [(0.7, 1), (0.6, 1), (1, 1.4), (1, 0.8)])
def test_a_view_of_other_brightness_is_made_alike(dtype: type, gain: float, power: float) -> None:
    pair = shifted_pair(8, 9)
    unit = 1 if dtype is np.uint8 else 16
    left, right = (np.asarray(view, float) for view in (pair.left, pair.right))
    other = 255 * (gain * right / 255) ** power
    images = [(unit * np.clip(np.rint(view), 0, 255)).astype(dtype) for view in (left, other)]
    found = align(RectifiedPair(images[0], images[1]))
    np.testing.assert_array_equal(found.left, images[0])
    assert found.right.dtype == dtype
    off = np.abs(np.asarray(found.right, float) / unit - right)
    assert off.mean() < 3.5
    assert off.mean() < 0.25 * np.abs(other - right).mean()


def test_a_sequence_is_looked_at_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    shifted, good = shifted_pair(5, 12, 1.0), shifted_pair(5, 12)
    right = align(shifted).right
    looks = []

    def looked(pair: RectifiedPair) -> Difference:
        looks.append(pair)
        return difference(pair)

    monkeypatch.setattr("stereo.matching.preparation.difference", looked)
    steady = SteadyAlignment()
    moved = [steady(shifted) for _ in range(ALIGN_EVERY)]
    assert len(looks) == 1
    np.testing.assert_array_equal(moved[0].right, right)
    np.testing.assert_array_equal(moved[-1].right, moved[0].right)
    for _ in range(3 * ALIGN_EVERY):
        steady(good)
    assert steady(good) is good  # the rig was mended, and most looks say so
    assert len(looks) == 5
    smaller = RectifiedPair(shifted.left[:120], shifted.right[:120])
    assert steady(smaller) is not smaller
    assert len(looks) == 6


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("color", [False, True])
def test_aligned_rows_correspond_and_left_pixels_stay(dtype: type, color: bool) -> None:
    pair = shifted_pair(7, 9, rows_px=1.5)
    scale = 257 if dtype is np.uint16 else 1
    images = [np.asarray(image).astype(dtype) * dtype(scale) for image in (pair.left, pair.right)]
    if color:
        images = [np.repeat(image[..., None], 3, axis=2) for image in images]
    mask = np.ones((160, 280), bool)
    mask[:20] = False
    found = align(RectifiedPair(images[0], images[1], valid_right=mask))
    np.testing.assert_array_equal(found.left, images[0])
    assert found.right.dtype == dtype
    assert found.right.shape == images[1].shape
    straight = np.asarray(shifted_pair(7, 9).right).astype(float)
    moved = np.asarray(found.right if not color else found.right[..., 0]).astype(float) / scale
    inner = (slice(8, -8), slice(8, -8))
    assert np.abs(moved - straight)[inner].mean() < 1.5  # before: over 20 levels
    assert found.valid_right is not None
    rows = found.valid_right.all(axis=1)  # moved up with the image; nothing was below it
    assert not rows[:18].any()
    assert rows[20:157].all()
    assert not rows[159]


def test_noise_is_taken_out_and_outlines_are_kept() -> None:
    y, x = np.mgrid[:120, :160]
    disk = np.hypot(x - 80, y - 60) < 35
    clean = np.where(disk, 160.0, 70.0)
    rng = np.random.default_rng(4)
    noisy = [levels(clean + rng.normal(0, 6, clean.shape)) for _ in range(2)]
    smooth = denoise(RectifiedPair(noisy[0], noisy[1]))
    before, after = (np.asarray(image, float) - clean for image in (noisy[0], smooth.left))
    assert np.abs(after).mean() < 0.5 * np.abs(before).mean()
    rim = cv2.dilate(disk.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~disk
    assert abs(after[rim].mean()) < 5  # of a step of 90


@pytest.mark.parametrize("bits", [8, 12])
def test_a_noisy_pair_is_matched_better_once_it_is_smoothed(bits: int) -> None:
    clean = shifted_pair(6, 9)
    assert denoise(clean) is clean
    rng = np.random.default_rng(0)
    dtype, unit = (np.uint8, 1) if bits == 8 else (np.uint16, 16)
    faint = [100 + 0.15 * np.asarray(image, float) for image in (clean.left, clean.right)]
    noisy = [
        np.clip((image + rng.normal(0, 6, image.shape)) * unit, 0, 256 * unit - 1).astype(dtype)
        for image in faint
    ]
    seen = np.ones(noisy[0].shape, np.bool_)
    pair = RectifiedPair(noisy[0], noisy[1], valid_right=seen)
    smooth = denoise(pair)
    assert smooth.left.dtype == smooth.right.dtype == dtype
    assert smooth.valid_right is not None
    matcher = make_matcher("sgbm", num_disparities=32)
    wrong = [np.mean(~(np.abs(matcher.match(p).px[:, 40:] - 9) < 1)) for p in (pair, smooth)]
    assert wrong[1] < 0.7 * wrong[0]


def test_a_sequences_noise_is_looked_at_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clean = shifted_pair(5, 12)
    rng = np.random.default_rng(0)
    noisy = RectifiedPair(
        *(
            np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
            for image in (clean.left, clean.right)
        )
    )
    looks = []
    measured = preparation.pair_noise

    def looked(pair: RectifiedPair) -> float:
        looks.append(pair)
        return measured(pair)

    expected = denoise(noisy)
    monkeypatch.setattr(preparation, "pair_noise", looked)
    steady = SteadyDenoising()
    found = [steady(noisy) for _ in range(ALIGN_EVERY)]
    assert len(looks) == 1
    for pair in (found[0], found[-1]):
        np.testing.assert_array_equal(pair.left, expected.left)
        np.testing.assert_array_equal(pair.right, expected.right)
    for _ in range(3 * ALIGN_EVERY):
        steady(clean)
    assert steady(clean) is clean
    assert len(looks) == 5
    smaller = RectifiedPair(noisy.left[:120], noisy.right[:120])
    assert steady(smaller) is not smaller  # the noise of another part is looked at at once
    assert len(looks) == 6
