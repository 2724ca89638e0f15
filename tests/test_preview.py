"""Pictures for people: right colours, right scale, readable at any size."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from stereo.cloud import PointCloud
from stereo.preview import (
    _UNKNOWN,
    COLORMAPS,
    _colorize,
    _depth_ticks,
    _placed,
    _round_ticks,
    _Text,
    confidence_preview,
    depth_preview,
    disparity_preview,
    lines_preview,
    sigma_preview,
)
from stereo.render import BACKGROUND, frame_cloud, render_cloud


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


@pytest.mark.parametrize("colormap", COLORMAPS)
def test_unknown_has_a_colour_that_no_value_has(colormap: str) -> None:
    """Least of all that of 0."""
    colors = _colorize(np.linspace(0, 1, 256, dtype=np.float32)[None], 0, 1, colormap)[0]
    away = np.linalg.norm(colors.astype(int) - _UNKNOWN[colormap], axis=1)
    assert away.min() > 40


def test_a_pixel_that_was_not_matched_is_no_pixel_of_no_confidence() -> None:
    confidence = np.zeros((60, 400), np.float32)
    known = np.ones(confidence.shape, np.bool_)
    known[:, :200] = False
    picture = confidence_preview(confidence, known).astype(int)
    assert np.linalg.norm(picture[30, 100] - picture[30, 300]) > 40
    assert tuple(picture[30, 100]) == _UNKNOWN["turbo"]


def test_the_ends_of_a_scale_have_their_labels_and_none_runs_into_another() -> None:
    text = _Text(0.5)
    marks = [(0.0, "1.87"), (1.0, "4.19"), *((share / 40, "2") for share in range(41))]
    placed = _placed(text, marks, 100, 500)
    assert [label for _, _, label in placed[:2]] == ["1.87", "4.19"]
    spans = sorted((start, start + text.width(label)) for _, start, label in placed)
    assert len(spans) > 5
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(spans))


def test_error_bars_small_are_dark_large_are_bright() -> None:
    sigma = (10.0 ** ramp(-3, -1)).astype(np.float32)
    picture = sigma_preview(sigma).astype(int)
    assert picture[50, 390].sum() > picture[50, 10].sum() + 200
    assert sigma_preview(np.full((4, 4), np.nan, np.float32)).shape == (4, 4, 3)


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


def test_a_few_points_far_out_do_not_shrink_the_rest_to_a_speck() -> None:
    rng = np.random.default_rng(0)
    room = np.column_stack([rng.uniform(-1, 1, (20000, 2)), rng.uniform(2, 3, 20000)])
    far = np.column_stack([rng.uniform(50, 60, (20, 2)), np.full(20, 600.0)])
    points = np.concatenate([room, far]).astype(np.float32)
    cloud = PointCloud(points, np.full(points.shape, 200, np.uint8))
    view = frame_cloud(cloud, size=(400, 300))
    z = view.seen(points.astype(float))[:, 2]
    assert np.all(z[:20000] < view.far_m)
    assert np.all(z[20000:] > view.far_m)
    drawn = np.argwhere(np.any(render_cloud(cloud, size=(400, 300)) != BACKGROUND, axis=-1))
    assert np.ptp(drawn[:, 0]) > 250  # fills the height
    middle = drawn.mean(axis=0)
    np.testing.assert_allclose(middle, (150, 200), atol=30)
    np.testing.assert_allclose(view.R_view_cloud @ view.R_view_cloud.T, np.eye(3), atol=1e-12)
