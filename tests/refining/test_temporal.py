"""Averaging over time: noise falls where nothing moves, nothing smears where it does."""

from __future__ import annotations

import numpy as np
import pytest

from stereo.frame import DisparityMap
from stereo.refining.temporal import KEPT_FRAMES, TemporalFilter

SHAPE = (40, 60)


def disparity(px: np.ndarray) -> DisparityMap:
    px = px.astype(np.float32)
    return DisparityMap(px, np.where(np.isfinite(px), np.float32(0.8), np.float32(0)))


def gray(level: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(level + rng.normal(0, 4, SHAPE), 0, 255).astype(np.uint8)


def test_noise_of_a_standing_scene_falls() -> None:
    rng = np.random.default_rng(0)
    steady = TemporalFilter()
    for _ in range(12):
        found = steady.apply(disparity(20 + rng.normal(0, 0.2, SHAPE)), gray(100, rng))
    assert found.px.std() < 0.2 / 2
    assert found.px.mean() == pytest.approx(20, abs=0.02)
    assert steady.changed_share > 0.95


def test_a_moving_object_leaves_no_trace() -> None:
    rng = np.random.default_rng(1)
    steady = TemporalFilter()
    for k in range(10):
        px = np.full(SHAPE, 5.0)
        image = gray(60, rng)
        px[:, 5 * k : 5 * k + 10] = 20.0
        image[:, 5 * k : 5 * k + 10] = 200
        found = steady.apply(disparity(px), image)
        assert np.array_equal(found.px == 20.0, px == 20.0)
        assert np.isin(found.px, (5.0, 20.0)).all()


def test_moving_texture_at_the_same_depth_is_not_averaged_with_the_past() -> None:
    rng = np.random.default_rng(2)
    steady = TemporalFilter()
    steady.apply(disparity(np.full(SHAPE, 5.0)), gray(50, rng))
    found = steady.apply(disparity(np.full(SHAPE, 5.8)), gray(120, rng))
    assert np.all(found.px == np.float32(5.8))
    assert steady.changed_share == 0.0


def test_what_flickers_off_is_kept_for_a_while_only() -> None:
    rng = np.random.default_rng(3)
    steady = TemporalFilter()
    full, hole = np.full(SHAPE, 7.0), np.full(SHAPE, np.nan)
    for _ in range(3):
        steady.apply(disparity(full), gray(90, rng))
    for _ in range(KEPT_FRAMES):
        found = steady.apply(disparity(hole), gray(90, rng))
        assert np.isfinite(found.px).mean() > 0.99
        assert found.confidence.max() <= 0.4
    assert np.isnan(steady.apply(disparity(hole), gray(90, rng)).px).all()


def test_another_size_starts_anew() -> None:
    rng = np.random.default_rng(4)
    steady = TemporalFilter()
    steady.apply(disparity(np.full(SHAPE, 7.0)), gray(90, rng))
    small = np.full((4, 4), 3.0)
    assert np.all(steady.apply(disparity(small), np.zeros((4, 4), np.uint8)).px == 3.0)
