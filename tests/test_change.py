"""Where a picture changed, and whether the camera did."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stereo.change import STEP, camera_moved, coarse, differs

Gray = NDArray[np.uint8]


def picture(seed: int = 0) -> Gray:
    """Blotches of 8 px and a blank wall to the right."""
    blotches = np.random.default_rng(seed).integers(20, 230, (40, 60)).astype(np.uint8)
    wide = cv2.resize(blotches, (480, 320), interpolation=cv2.INTER_LINEAR)
    wide[:, 320:] = 120
    return np.asarray(wide, np.uint8)


def noisy(image: Gray, seed: int, levels: float = 2.0) -> Gray:
    noise = np.random.default_rng(seed).normal(0, levels, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def moved(image: Gray, px: float) -> Gray:
    motion = np.array([[1.0, 0, px], [0, 1, 0]])
    return np.asarray(cv2.warpAffine(image, motion, image.shape[::-1]), np.uint8)


def test_noise_is_no_change() -> None:
    means = [coarse(noisy(picture(), seed)) for seed in range(10)]
    for now in means[1:]:
        assert not differs(now, means[0]).any()
        assert not camera_moved(now, means[0])


def test_a_thing_changes_the_steps_that_it_covers_and_is_no_camera() -> None:
    before, after = picture(), picture()
    after[100:180, 40:140] = picture(5)[100:180, 40:140]
    there = np.zeros(coarse(before).shape, np.bool_)
    there[100 // STEP : 180 // STEP, 40 // STEP : 140 // STEP] = True
    found = differs(coarse(after), coarse(before))
    assert not found[~there].any()
    assert found[there].mean() > 0.8
    assert not camera_moved(coarse(after), coarse(before))


@pytest.mark.parametrize("px", [0.7, 2, 30])
def test_a_camera_that_moves_is_noticed_though_a_wall_looks_the_same(px: float) -> None:
    before, after = coarse(picture()), coarse(noisy(moved(picture(), px), 1, 1))
    assert not differs(after, before)[:, 360 // STEP : 470 // STEP].any()
    assert camera_moved(after, before)


def test_a_blank_picture_tells_of_no_camera() -> None:
    blank = coarse(np.full((90, 120), 7, np.uint8))
    assert not camera_moved(coarse(picture()[:90, :120]), blank)


def test_the_last_steps_may_be_smaller() -> None:
    assert coarse(np.zeros((9, 5), np.uint8)).shape == (3, 2)
    assert not camera_moved(np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8))
