"""Splitting one image into two views, and turning them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stereo.errors import ImageError, InputError
from stereo.sources import SourceOptions
from stereo.sources.layout import FLIPS, Flip, Layout, arrange, split

images = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 9), st.integers(1, 9))
    | st.tuples(*[st.integers(1, 7)] * 2, st.just(3)),
)


def join(left: np.ndarray, right: np.ndarray, layout: Layout) -> np.ndarray:
    if layout == "side-by-side":
        return np.concatenate([left, right], axis=1)
    if layout == "top-bottom":
        return np.concatenate([left, right], axis=0)
    if layout == "bumblebee":
        return (left.astype(np.uint16) << 8) | right
    return np.stack([left, right], axis=2).reshape(
        left.shape[0], 2 * left.shape[1], *left.shape[2:]
    )


@given(left=images, layout=st.sampled_from(["side-by-side", "top-bottom", "interlaced-columns"]))
def test_split_undoes_join(left: np.ndarray, layout: Layout) -> None:
    right = 255 - left
    found = split(join(left, right, layout), layout)
    assert np.array_equal(found[0], left)
    assert np.array_equal(found[1], right)
    assert all(view.flags.c_contiguous for view in found)


def test_side_by_side_splits_in_the_middle() -> None:
    both = np.random.default_rng(0).integers(0, 255, (5, 8, 3), dtype=np.uint8)
    left, right = split(both, "side-by-side")
    np.testing.assert_array_equal(np.hstack([left, right]), both)
    with pytest.raises(ImageError, match="even"):
        split(both[:, :-1], "side-by-side")


def test_bumblebee_is_two_bytes_of_a_word_or_two_channels() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 256, (2, 4, 5), dtype=np.uint8)
    for image in (join(left, right, "bumblebee"), np.dstack([left, right])):
        found = split(image, "bumblebee")
        assert np.array_equal(found[0], left)
        assert np.array_equal(found[1], right)


@pytest.mark.parametrize(
    ("shape", "layout", "words"),
    [
        ((4, 5), "side-by-side", "cam0: 5 px wide"),
        ((5, 4), "top-bottom", "cam0: 5 px high"),
        ((4, 5), "interlaced-columns", "cam0: 5 px wide"),
        ((4, 4, 3), "bumblebee", "16 bit gray or two 8 bit channels"),
        ((4, 4), "two", "two streams"),
    ],
)
def test_an_image_that_holds_no_two_views_is_named(
    shape: tuple[int, ...], layout: Layout, words: str
) -> None:
    with pytest.raises(ImageError, match=words):
        split(np.zeros(shape, np.uint8), layout, name="cam0")


@pytest.mark.parametrize("flip", FLIPS)
def test_flipping_twice_gives_the_image_back(flip: Flip) -> None:
    left = np.arange(12, dtype=np.uint8).reshape(3, 4)
    right = left[::-1].copy()
    once = arrange(left, right, flip=flip)
    assert (flip == "none") == np.array_equal(once[0], left)
    twice = arrange(*once, flip=flip)
    assert np.array_equal(twice[0], left)
    assert np.array_equal(twice[1], right)


def test_swap_exchanges_the_sides() -> None:
    left, right = np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8)
    assert arrange(left, right, swap=True)[0] is right


def test_options_name_what_makes_no_sense() -> None:
    with pytest.raises(InputError, match="layout must be one of two, side-by-side"):
        SourceOptions(layout="diagonal")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="fps must be above 0, got -3"):
        SourceOptions(fps=-3)
    with pytest.raises(InputError, match="four letters"):
        SourceOptions(pixel_format="MJPEG")
