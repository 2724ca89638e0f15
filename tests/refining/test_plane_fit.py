"""The plane fit in native code and the one in numpy give the same."""

from __future__ import annotations

from dataclasses import asdict

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from walls import WALL, scene, slanted

from stereo.native import find_native
from stereo.refining import plane_fit
from stereo.refining.plane_fit import RULES, Matches, Places, Rules, Views, best_plane, costs
from stereo.refining.surfaces import plane_surfaces

PLANE = np.array([0.05, -0.02, 9.0])
needs_native = pytest.mark.skipif(find_native() is None, reason="native module not built")


def textured_views(seed: int, *, size: tuple[int, int] = (90, 140)) -> Views:
    """A surface of noise at ``PLANE``."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    right = cv2.GaussianBlur(rng.uniform(0, 255, size).astype(np.float32), (0, 0), 1.5)
    right = cv2.normalize(right, None, 0, 255, cv2.NORM_MINMAX)
    there = (x - (PLANE[0] * x + PLANE[1] * y + PLANE[2])).astype(np.float32)
    left = cv2.remap(right, there, y, cv2.INTER_LINEAR).astype(np.uint8)
    slope = np.asarray(cv2.Sobel(left, cv2.CV_16S, 1, 0, ksize=3), np.int16)
    return Views.of(left, right.astype(np.uint8), slope)


def some_places(views: Views, count: int, rng: np.random.Generator) -> Places:
    height, width = views.gray.shape
    return rng.integers(0, height, count), rng.integers(20, width, count)


def noisy_matches(at: Places, rng: np.random.Generator, *, wrong: float) -> Matches:
    rows, columns = (values.astype(np.float32) for values in at)
    d = PLANE[0] * columns + PLANE[1] * rows + PLANE[2] + rng.normal(0, 0.2, len(rows))
    d += np.where(rng.random(len(rows)) < wrong, rng.uniform(-8, 8, len(rows)), 0)
    weight = rng.uniform(0.1, 1, len(rows)).astype(np.float32)
    return Matches(columns, rows, d.astype(np.float32), weight)


@needs_native
@given(
    seed=st.integers(0, 1000),
    planes=st.lists(
        st.tuples(st.floats(-0.7, 0.7), st.floats(-0.7, 0.7), st.floats(-300, 300)), min_size=1
    ),
)
def test_costs_are_those_of_numpy(seed: int, planes: list[tuple[float, float, float]]) -> None:
    views = textured_views(seed)
    at = some_places(views, 50, np.random.default_rng(seed))
    table = np.array(planes)
    np.testing.assert_allclose(views.costs(at, table), costs(views, at, table), atol=0.05)


@needs_native
@pytest.mark.parametrize("seed", range(8))
def test_the_plane_is_that_of_numpy_and_the_true_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    views = textured_views(seed)
    at = some_places(views, 300, rng)
    matches = noisy_matches(some_places(views, 400, rng), rng, wrong=0.5)
    corners = np.array([[20, 0, 1], [139, 0, 1], [20, 89, 1], [139, 89, 1]], float)
    found, in_numpy = views.best_plane(at, matches), best_plane(views, at, matches)
    assert found is not None
    assert in_numpy is not None
    np.testing.assert_allclose(corners @ found, corners @ in_numpy, atol=1e-4)
    np.testing.assert_allclose(corners @ found, corners @ PLANE, atol=0.15)


@needs_native
def test_the_rules_are_those_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plane_fit, "RULES", Rules(cost_cap=2.0, fewest_matches=10**6))
    rng = np.random.default_rng(0)
    views = textured_views(0)
    at = some_places(views, 300, rng)
    matches = noisy_matches(some_places(views, 400, rng), rng, wrong=0.5)
    far = np.add(PLANE, (0, 0, 20))[None]
    assert views.costs(at, far).max() == costs(views, at, far).max() == 4.0
    found, in_numpy = views.best_plane(at, matches), best_plane(views, at, matches)
    np.testing.assert_allclose(found, in_numpy, atol=1e-6)
    assert found is not None
    off = np.abs(found[0] * matches.x + found[1] * matches.y + found[2] - matches.d)
    assert np.count_nonzero(off < 1e-4) >= 3  # not fitted again: through its triple


@pytest.mark.parametrize("native", [pytest.param(True, marks=needs_native), False])
def test_matches_that_make_no_triangle_make_no_plane(
    native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not native:
        monkeypatch.setattr("stereo.native._native", None)
    rng = np.random.default_rng(0)
    views = textured_views(0)
    line = np.arange(30, dtype=np.float32)
    in_a_row = Matches(line, np.full_like(line, 5), line, np.ones_like(line))
    assert views.best_plane(some_places(views, 40, rng), in_a_row) is None


def test_without_the_native_module_a_wall_is_recovered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = slanted()
    disparity, left, right = scene(truth, answered=0.6, sure=0.4)
    usual = plane_surfaces(disparity, left, right).px
    monkeypatch.setattr("stereo.native._native", None)
    found = plane_surfaces(disparity, left, right).px
    np.testing.assert_allclose(found, usual, atol=1e-3)
    error = np.abs(found - truth)[WALL]
    assert np.nanmean(error > 2) < 0.02
    assert np.nanmedian(error) < 0.5


@needs_native
def test_the_native_module_refuses_what_does_not_fit_together() -> None:
    native = find_native()
    assert native is not None
    views = textured_views(0)
    rules = native.PlaneRules(**asdict(RULES))
    images = rules, views.gray, views.slope, views.right, views.right_slope
    inside, outside = np.array([3], np.int32), np.array([500], np.int32)
    plane = np.zeros((1, 3))
    with pytest.raises(ValueError, match="outside the image"):
        native.plane_costs(*images, inside, outside, plane)
    with pytest.raises(ValueError, match="same width"):
        native.plane_costs(*images[:4], images[4][:, :5].copy(), inside, inside, plane)
    with pytest.raises(ValueError, match="as many rows as columns"):
        native.plane_costs(*images, inside, np.zeros(2, np.int32), plane)
    table, draws = np.ones((4, 5), np.float32), np.full((3, 2), 0.5)
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        native.best_plane(*images, inside, inside, table, draws + 0.5, np.zeros(2))
