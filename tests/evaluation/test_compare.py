"""Differences over pairs: what chance does is not called better."""

from __future__ import annotations

import numpy as np
import pytest
from support import textured_pair

from stereo.errors import InputError
from stereo.evaluation.compare import (
    differences,
    disagreement,
    interval,
    photometric_errors,
    unique_names,
)
from stereo.evaluation.estimates import Matching
from stereo.frame import RectifiedPair


def figures(first: np.ndarray, other: np.ndarray, name: str = "dense_2") -> list[tuple[dict, dict]]:
    return [({name: a}, {name: b}) for a, b in zip(first.tolist(), other.tolist(), strict=True)]


def test_the_interval_holds_the_true_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(60):
        low, high = interval(rng.normal(0.7, 2, 30))
        held += low <= 0.7 <= high
    assert 53 <= held <= 60  # 57 of 60 are 95 %


def test_the_interval_is_the_same_each_time_and_of_too_few_pairs_there_is_none() -> None:
    each = np.random.default_rng(0).normal(1, 1, 12)
    assert interval(each) == interval(each)
    assert np.isnan(interval(each[:4])).all()


def test_a_difference_is_called_better_only_where_chance_does_not_explain_it() -> None:
    rng = np.random.default_rng(1)
    first = rng.uniform(2, 9, 20)
    (better,) = differences(figures(first, first - 1), 1, ["dense_2"])
    assert (better.verdict, better.pairs, better.smaller, better.larger) == ("better", 20, 20, 0)
    assert better.mean == pytest.approx(-1)
    (worse,) = differences(figures(first, first - 1, "density"), 1, ["density"])
    assert worse.verdict == "worse"
    (bars,) = differences(figures(first, first - 1, "sigma_2"), 1, ["sigma_2"])
    assert bars.verdict == "smaller"
    (chance,) = differences(figures(first, first + rng.normal(0, 3, 20)), 1, ["dense_2"])
    assert chance.verdict == "no difference shown"
    (few,) = differences(figures(first[:4], first[:4] - 1), 1, ["dense_2"])
    assert few.verdict == "too few pairs"


def test_pairs_without_a_figure_are_left_out_of_it() -> None:
    first = np.array([1, np.nan, 3, 4, 5, 6, 7.0])
    (found,) = differences(figures(first, first + 1), 1, ["dense_2"])
    assert (found.pairs, found.mean) == (6, 1)
    assert differences(figures(first * np.nan, first), 1, ["dense_2"]) == []


def test_the_right_map_fits_the_images_best_whatever_their_exposure() -> None:
    pair = textured_pair(4.0)
    brighter = RectifiedPair(pair.left, (pair.right * 0.8 + 40).astype(np.uint8))
    right, wrong = (np.full(pair.left.shape, px, np.float32) for px in (4, 6))
    where = np.ones(pair.left.shape, bool)
    for seen in (pair, brighter):
        good, bad = photometric_errors(seen, [right, wrong], where)
        assert good < 0.5 * bad
    assert np.isnan(photometric_errors(pair, [right], ~where)).all()


def test_maps_disagree_where_both_know() -> None:
    first = np.float32([[1, 2, 3, np.nan]])
    other = np.float32([[1, 4, np.nan, 9]])
    assert disagreement(first, other) == 50
    assert disagreement(first * np.nan, other) == 0


def test_candidates_of_one_name_keep_the_name_they_were_given() -> None:
    two = [Matching("a", "sgm"), Matching("a", "sgbm")]
    assert unique_names(two, ["x/a.toml", "y/a.toml"]) == ["x/a.toml", "y/a.toml"]
    assert unique_names([two[0]], ["x/a.toml"]) == ["a"]
    with pytest.raises(InputError, match="given twice"):
        unique_names(two, ["sgm", "sgm"])
