"""Gray levels for matching: any two images become two comparable 8-bit ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stereo.gray import gray8_pair, to_gray

RAMP = np.tile(np.arange(256, dtype=np.uint8), (16, 1))


@given(bits=st.integers(8, 16))
def test_every_sensor_depth_uses_the_whole_range(bits: int) -> None:
    deep = (RAMP.astype(np.float64) / 255 * (2**bits - 1)).astype(np.uint16)
    left, right = gray8_pair(deep, deep)
    assert left.dtype == np.uint8
    np.testing.assert_array_equal(left, right)
    np.testing.assert_allclose(left, RAMP, atol=4)  # the brightest thousandth may saturate


def test_two_deep_images_keep_their_ratio() -> None:
    """One exposure is half of the other: dividing each by its own maximum would hide that."""
    deep = RAMP.astype(np.uint16) * 16
    left, right = gray8_pair(deep, deep // 2)
    unsaturated = left < 255
    np.testing.assert_allclose(left[unsaturated] / 2, right[unsaturated], atol=1)


def test_small_values_in_16_bit_are_not_stretched() -> None:
    left, right = gray8_pair(RAMP.astype(np.uint16), RAMP)
    np.testing.assert_array_equal(left, RAMP)
    np.testing.assert_array_equal(right, RAMP)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colour_and_gray_mix(dtype: type) -> None:
    gray = RAMP.astype(dtype)
    colour = np.repeat(gray[..., None], 3, axis=2)
    np.testing.assert_array_equal(to_gray(colour), gray)
    left, right = gray8_pair(colour, gray)
    np.testing.assert_array_equal(left, right)


def test_one_bright_pixel_does_not_darken_the_image() -> None:
    deep = RAMP.astype(np.uint16) * 4
    deep[5, 5] = 65535
    np.testing.assert_allclose(gray8_pair(deep, deep)[0][8:], RAMP[8:], atol=4)
