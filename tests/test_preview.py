"""Pictures for people: right colours, right scale, readable at any size."""

from __future__ import annotations

import numpy as np
import pytest

from stereo.cloud import PointCloud
from stereo.preview import (
    _depth_ticks,
    _round_ticks,
    confidence_preview,
    depth_preview,
    disparity_preview,
    lines_preview,
)
from stereo.render import BACKGROUND, render_cloud


def ramp(low: float, high: float) -> np.ndarray:
    return np.tile(np.linspace(low, high, 400, dtype=np.float32), (100, 1))


def test_near_is_warm_far_is_cold_unknown_is_gray() -> None:
    depth = ramp(1, 5)
    depth[:50, 200] = np.nan
    picture = depth_preview(depth).astype(int)
    assert picture[50, 10, 0] > picture[50, 10, 2]  # red over blue: near
    assert picture[50, 390, 2] > picture[50, 390, 0]
    assert np.ptp(picture[10, 200]) < 10
    flipped = disparity_preview(ramp(1, 50)).astype(int)
    assert flipped[50, 390, 0] > flipped[50, 390, 2]


def test_the_scale_stands_below_and_leaves_the_picture_alone() -> None:
    picture = depth_preview(ramp(1, 5))
    assert picture.shape[0] > 100
    assert picture.shape[1] == 400
    assert (picture[100:] < 100).any()  # ink
    assert confidence_preview(ramp(0, 1)).shape[0] > 100


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (30, 2000)])
def test_any_size_can_be_drawn(shape: tuple[int, int]) -> None:
    values = np.full(shape, 2.5, np.float32)
    assert depth_preview(values).shape[1] == shape[1]
    assert disparity_preview(values * np.float32(np.nan)).shape == (*shape, 3)


@pytest.mark.parametrize(
    ("near", "far"),
    [(0.4, 1.4), (1.8, 30), (6, 130), (2.0, 2.1), (2.021, 2.079), (0.13, 0.9), (2, 1e4)],
)
def test_depth_ticks_are_inside_rising_and_several(near: float, far: float) -> None:
    ticks = _depth_ticks(near, far)
    assert all(near <= tick <= far for tick in ticks)
    assert ticks == sorted(ticks)
    assert 3 <= len(ticks) <= 9
    assert len({f"{tick:g}" for tick in ticks}) == len(ticks)


def test_the_roundest_depths_are_chosen() -> None:
    assert _depth_ticks(0.9, 12) == [1, 1.2, 1.5, 2, 3, 10]


def test_round_ticks_are_round() -> None:
    np.testing.assert_allclose(_round_ticks(3, 61), [10, 20, 30, 40, 50, 60])


def test_lines_cross_both_halves() -> None:
    gray = np.full((160, 200), 90, np.uint8)
    picture = lines_preview(gray, gray)
    assert picture.shape == (160, 400, 3)
    row = next(y for y in range(160) if not np.all(picture[y, 20] == 90))
    assert np.any(picture[row, 380] != 90)
    deep = lines_preview(gray.astype(np.uint16) * 100, gray.astype(np.uint16) * 100)
    assert deep.dtype == np.uint8


def test_nearer_points_hide_farther_ones() -> None:
    rng = np.random.default_rng(0)
    flat = rng.uniform(-1, 1, (60000, 2))
    near = np.column_stack([flat, np.full(60000, 2.0)])
    points = np.concatenate([near, near * 2]).astype(np.float32)
    colors = np.repeat(np.array([[200, 0, 0], [0, 200, 0]], np.uint8), 60000, axis=0)
    picture = render_cloud(PointCloud(points, colors), size=(200, 200), yaw_deg=0, pitch_deg=0)
    middle = picture[60:140, 60:140]
    drawn = middle[np.any(middle != BACKGROUND, axis=-1)]
    assert (drawn[:, 0] == 200).mean() > 0.95


def test_an_empty_cloud_cannot_be_drawn() -> None:
    empty = PointCloud(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8))
    with pytest.raises(ValueError, match="no points"):
        render_cloud(empty)
