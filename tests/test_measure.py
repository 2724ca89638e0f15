"""Distances and their error bars, against geometry and against chance."""

from __future__ import annotations

import numpy as np
import pytest

from stereo.frame import DepthFrame, StereoGeometry
from stereo.measure import Measured, distance, length

GEOMETRY = StereoGeometry(300.0, 0.1, 31.5, 23.5)
SHAPE = (48, 64)


def depth_of(depth_m: np.ndarray, sigma_m: float | np.ndarray = 0.01) -> DepthFrame:
    depth = depth_m.astype(np.float32)
    sigma = np.where(np.isfinite(depth), np.float32(sigma_m), np.float32(np.nan))
    return DepthFrame(depth, sigma.astype(np.float32), np.zeros(SHAPE, np.uint8), GEOMETRY)


def test_distance_is_along_the_ray() -> None:
    found = distance(depth_of(np.full(SHAPE, 2.0)), (61, 3))
    assert found is not None
    ray = np.array([(61 - 31.5) / 300, (3 - 23.5) / 300, 1])
    assert found.value_m == pytest.approx(2 * np.linalg.norm(ray))
    assert found.sigma_m == pytest.approx(0.01 * np.linalg.norm(ray))


def test_length_of_a_wall_parallel_to_the_image_has_almost_no_error() -> None:
    found = length(depth_of(np.full(SHAPE, 3.0)), (10, 20), (40, 20))
    assert found is not None
    assert found.value_m == pytest.approx(30 * 3.0 / 300)
    assert found.sigma_m < 0.001


def test_error_bar_of_a_length_is_what_chance_gives() -> None:
    rng = np.random.default_rng(0)
    depth = np.full(SHAPE, 2.0)
    depth[:, 32:] = 3.0
    a, b, sigma = (5.0, 10.0), (60.0, 40.0), 0.02
    predicted = length(depth_of(depth, sigma), a, b)
    assert predicted is not None
    drawn = []
    for _ in range(4000):
        noisy = depth.copy()
        noisy[10, 5] += sigma * rng.standard_normal()
        noisy[40, 60] += sigma * rng.standard_normal()
        one = length(depth_of(noisy, sigma), a, b)
        assert one is not None
        drawn.append(one.value_m)
    assert np.std(drawn) == pytest.approx(predicted.sigma_m, rel=0.05)
    assert np.mean(drawn) == pytest.approx(predicted.value_m, rel=0.001)


def test_an_unknown_pixel_takes_its_nearest_known_neighbour() -> None:
    depth = np.full(SHAPE, np.nan)
    depth[20, 31] = 2.0
    depth[20, 28] = 5.0
    found = distance(depth_of(depth), (30, 20))
    assert found is not None
    assert found.value_m == pytest.approx(2.0, rel=0.01)
    assert distance(depth_of(depth), (10, 10)) is None
    assert length(depth_of(depth), (30, 20), (10, 10)) is None


@pytest.mark.parametrize("at", [(-1, 5), (5, -1), (64, 5), (5, 48)])
def test_outside_the_image_nothing_is_known(at: tuple[int, int]) -> None:
    assert distance(depth_of(np.full(SHAPE, 2.0)), at) is None


def test_words() -> None:
    assert str(Measured(0.4567, 0.0023)) == "457 ± 2.3 mm"
    assert str(Measured(2.5, 0.012)) == "2.500 ± 0.012 m"
