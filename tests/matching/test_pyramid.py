"""Coarse-to-fine matching: finds what matching at once finds, in less memory."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import Cli, textured_pair

from stereo.errors import MatcherError
from stereo.evaluation.evaluate import evaluate
from stereo.evaluation.manifest import load_manifest
from stereo.files.outputs import write_image_png
from stereo.frame import RectifiedPair
from stereo.matching import (
    SgmMatcher,
    SgmParams,
    make_matcher,
    pyramid,
    sgm,
)
from stereo.matching.pyramid import PyramidMatcher

pytestmark = pytest.mark.skipif(not sgm.is_available(), reason="native matcher not built")
PAIRS = Path(__file__).resolve().parents[2].parent / "shared/data/pairs.json"


def pyramid_matcher(**params: object) -> PyramidMatcher:
    return PyramidMatcher(SgmParams(coarse_to_fine=True, **params))  # type: ignore[arg-type]


def pole_before_wall(pole_px: int, *, near: int = 200, far: int = 20) -> RectifiedPair:
    """A wall at ``far`` px; at column 450 a pole at ``near`` px over its full height."""
    rng = np.random.default_rng(3)
    wall = cv2.GaussianBlur(rng.uniform(0, 255, (300, 1840)).astype(np.float32), (0, 0), 1.0)
    wall = cv2.normalize(wall, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    pole = rng.integers(0, 256, (300, pole_px)).astype(np.uint8)
    left, right = wall[:, :1800].copy(), wall[:, far : far + 1800].copy()
    left[:, 450 : 450 + pole_px] = pole
    right[:, 450 - near : 450 - near + pole_px] = pole
    return RectifiedPair(left, right)


@pytest.mark.parametrize("pole_px", [3, 4, 6, 12])
def test_a_thin_pole_before_a_far_wall_is_kept(
    pole_px: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyramid, "_PIXEL_COST", 0)  # many small tiles
    matcher = pyramid_matcher(num_disparities=256)
    pair = pole_before_wall(pole_px)
    tiles = matcher._plan(pair.left, pair.right)
    assert {tile.num_disparities for tile in tiles} == {64, 256}
    found = matcher.match(pair).px
    pole = found[:, 451 : 449 + pole_px]
    assert np.mean(np.abs(pole - 200) < 1) > 0.9
    assert np.mean(np.abs(found[:, 500:] - 20) < 1) > 0.98


def test_no_seam_shows_where_tiles_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slanted floor: errors beside the borders of tiles are those of the whole image."""
    monkeypatch.setattr(pyramid, "_PIXEL_COST", 0)
    y, x = np.mgrid[:960, :640].astype(float)
    truth = 20 + 0.2 * y + 0.05 * x
    pair = textured_pair(truth, size=(640, 960))
    matcher = pyramid_matcher(num_disparities=256)
    tiles = matcher._plan(pair.left, pair.right)
    assert len(tiles) > 2
    error = np.abs(matcher.match(pair).px - truth)
    wrong = ~(error < 1)
    inner = np.s_[8:-8, 250:-8]  # what the right image shows
    beside = np.zeros(wrong.shape, bool)
    for tile in tiles:
        for row in (tile.top * 32, tile.bottom * 32):
            beside[max(row - 3, 0) : row + 3, tile.left * 32 : tile.right * 32] = True
        for column in (tile.left * 32, tile.right * 32):
            beside[tile.top * 32 : tile.bottom * 32, max(column - 3, 0) : column + 3] = True
    assert beside[inner].any()
    assert wrong[inner].mean() < 0.02
    assert wrong[inner][beside[inner]].mean() < 0.03


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 12),
    columns=st.integers(1, 16),
    count=st.integers(1, 700),
    first=st.integers(-200, 200),
    seed=st.integers(0, 999),
)
def test_tiles_cover_every_cell_once_and_what_it_shows(rows, columns, count, first, seed):
    rng = np.random.default_rng(seed)
    shown = np.sort(rng.uniform(first, first + count - 1, (2, rows, columns)), axis=0)
    empty = rng.random((rows, columns)) < 0.2
    low = np.where(empty, np.inf, shown[0]).astype(np.float32)
    high = np.where(empty, -np.inf, shown[1]).astype(np.float32)
    params = SgmParams(min_disparity=first, num_disparities=count)
    times = np.zeros((rows, columns), int)
    for tile in pyramid.plan_tiles(low, high, params):
        cells = np.s_[tile.top : tile.bottom, tile.left : tile.right]
        times[cells] += 1
        assert (np.where(empty, np.inf, low)[cells] >= tile.min_disparity).all()
        assert (
            np.where(empty, -np.inf, high)[cells] < tile.min_disparity + tile.num_disparities
        ).all()
    assert (times == 1).all()


@pytest.mark.parametrize("low", [-40, 0, 30])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_range_and_depth_of_image(low: int, dtype: type) -> None:
    pair = textured_pair(float(low + 13), size=(320, 100), dtype=dtype)
    found = pyramid_matcher(min_disparity=low, num_disparities=70).match(pair).px
    seen = found[:, 50:-50]
    assert np.mean(np.abs(seen - low - 13) < 0.5) > 0.97


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (7, 1), (33, 65), (200, 3)])
def test_tiny_images_give_a_map_of_their_size(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, size[::-1]).astype(np.uint8)
    found = pyramid_matcher(num_disparities=100).match(RectifiedPair(image, image))
    assert found.px.shape == image.shape
    assert (found.confidence[np.isnan(found.px)] == 0).all()


def test_a_blank_pair_is_searched_whole_and_gives_no_error() -> None:
    blank = np.full((80, 120), 90, np.uint8)
    assert pyramid_matcher().match(RectifiedPair(blank, blank)).px.shape == blank.shape


def test_the_result_is_the_same_for_any_number_of_threads_and_again() -> None:
    pair = pole_before_wall(12)
    results = set()
    for threads in (1, 2, 3):
        matcher = pyramid_matcher(num_disparities=256, threads=threads)
        for _ in range(2):
            found = matcher.match(pair)
            results.add(found.px.tobytes() + found.confidence.tobytes())
    assert len(results) == 1


def test_what_fits_in_memory_is_matched_at_once() -> None:
    pair = pole_before_wall(12)
    found = make_matcher("sgm", num_disparities=256).match(pair)
    np.testing.assert_array_equal(
        found.px, SgmMatcher(SgmParams(num_disparities=256)).match(pair).px
    )


def test_too_large_for_memory_goes_coarse_to_fine_unless_forbidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pyramid, "_AT_ONCE_MB", 5)
    pair = pole_before_wall(12)
    automatic = make_matcher("sgm", num_disparities=256).match(pair)
    forced = pyramid_matcher(num_disparities=256).match(pair)
    np.testing.assert_array_equal(automatic.px, forced.px)
    forbidden = make_matcher("sgm", num_disparities=256, coarse_to_fine=False, max_memory_mb=5)
    with pytest.raises(MatcherError, match="coarse to fine"):
        forbidden.match(pair)


def test_a_range_found_from_the_pair_goes_on_to_the_tiles() -> None:
    pair = pole_before_wall(60)  # thinner ones the search for a range does not see
    found = make_matcher("sgm", num_disparities="auto", coarse_to_fine=True).match(pair)
    assert np.mean(np.abs(found.px[:, 452:508] - 200) < 1) > 0.9


def test_run_takes_the_flag(tmp_path: Path, cli: Cli) -> None:
    pair = textured_pair(9.0, size=(200, 100))
    for name in ("left", "right"):
        write_image_png(tmp_path / f"{name}.png", getattr(pair, name))
    arguments = (str(tmp_path / "left.png"), str(tmp_path / "right.png"), "--num-disparities", "32")
    done = cli("run", *arguments, "-o", str(tmp_path / "a"), "--coarse-to-fine")
    assert done.code == 0, done.err
    refused = cli(
        *("run", *arguments, "-o", str(tmp_path / "b"), "--matcher", "sgbm", "--coarse-to-fine")
    )
    assert refused.code == 2
    assert "coarse_to_fine" in refused.err


@pytest.mark.skipif(not PAIRS.is_file(), reason="../shared/data is not there")
@pytest.mark.parametrize("name", ["motorcycle_q", "aloe", "reindeer"])
def test_real_pairs_lose_less_than_half_a_point(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyramid, "_PIXEL_COST", 0)
    item = next(pair for pair in load_manifest(PAIRS) if pair.name == name)
    pair, truth = item.pair(), item.truth()
    params = SgmParams(num_disparities=item.num_disparities, coarse_to_fine=True)
    scores = [
        evaluate(matcher.match(pair).px, truth, visible=item.visible(truth))
        for matcher in (SgmMatcher(params), PyramidMatcher(params))
    ]
    assert scores[1].dense_2 < scores[0].dense_2 + 0.5
    assert scores[1].density > scores[0].density - 1.5
