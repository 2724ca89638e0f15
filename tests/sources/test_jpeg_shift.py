"""A spoilt mean of one block moves all that follow: found, and never in a sound image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stereo.sources.jpeg import Decoder, RejectedImage
from stereo.sources.jpeg_shift import find_shift

WIDE, HIGH = 40, 20


def scene(seed: int, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.integers(40, 200, (15, 20, channels)).astype(np.uint8)
    return np.squeeze(cv2.resize(small, (16 * WIDE, 16 * HIGH)))


def moved(image: np.ndarray, row: int, column: int, levels: int) -> np.ndarray:
    found = image.astype(np.int16)
    found[16 * row : 16 * (row + 1), 16 * column :] += levels
    found[16 * (row + 1) :] += levels
    return np.clip(found, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("levels", [-20, -8, 8, 20])
def test_the_place_is_found(channels: int, levels: int) -> None:
    for seed in range(5):
        found = find_shift(moved(scene(seed, channels), 4 + seed, 15, levels), (16, 16))
        assert found is not None
        assert found.row == 4 + seed
        assert abs(found.column - 15) <= 4


def test_nothing_is_found_in_sound_images() -> None:
    for seed in range(20):
        image = scene(seed)
        assert find_shift(image, (16, 16)) is None
        image[96:] //= 2  # an edge along a whole row of blocks, as of a table
        assert find_shift(image, (16, 16)) is None
        image[:, 320:] //= 2
        assert find_shift(image, (16, 16)) is None
    assert find_shift(np.zeros((16, 16), np.uint8), (16, 16)) is None
    assert find_shift(np.zeros((480, 640, 3), np.uint8), (16, 16)) is None


def test_a_stream_drops_it_once_and_takes_what_stays_for_the_scene() -> None:
    decoder, rejected = Decoder(), []
    good = scene(0)
    for k, image in enumerate([good, moved(good, 5, 15, 20), good, *3 * [moved(good, 9, 20, 20)]]):
        data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        try:
            decoder.decode(data)
        except RejectedImage as error:
            rejected.append((k, error.reason))
    assert rejected == [(1, "damaged"), (3, "damaged")]
