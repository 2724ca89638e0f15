"""Tuning on small painted pairs whose truth is known."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from stereo.errors import InputError, MissingLibraryError
from stereo.frame import RectifiedPair
from stereo.matching import MATCHERS, SearchRange, matcher_for_range
from stereo.tuning.cases import Case, Truth, case_of
from stereo.tuning.gain import gain_of, safer
from stereo.tuning.judges import StandInJudge, TruthJudge
from stereo.tuning.knobs import defaults_of, knobs_of, typed
from stereo.tuning.search import Search, parts, pool_of


def painted(seed: int, *, name: str = "") -> Case:
    """A textured wall at 6 px with a square at 14 px before it, noisy."""
    random = np.random.default_rng(seed)
    truth = np.full((64, 120), 6, np.float32)
    truth[20:44, 50:80] = 14
    paint = cv2.GaussianBlur(random.uniform(0, 255, (64, 160)).astype(np.float32), (0, 0), 1.2)
    columns, rows = np.meshgrid(np.arange(120, dtype=np.float32), np.arange(64, dtype=np.float32))
    left = cv2.remap(paint, columns + 20, rows, cv2.INTER_LINEAR)
    right = cv2.remap(paint, columns + 26, rows, cv2.INTER_LINEAR)
    square = random.uniform(0, 255, (24, 30)).astype(np.float32)
    left[20:44, 50:80], right[20:44, 36:66] = square, square
    views = [
        np.clip(view + random.normal(0, 2, view.shape), 0, 255).astype(np.uint8)
        for view in (left, right)
    ]
    known = Truth(truth, np.ones(truth.shape, np.bool_), 2.0)
    return Case(name or f"painted {seed}", RectifiedPair(*views), SearchRange(0, 24), known)


BAD = {"p1": 1500, "p2": 9000, "block_size": 11}


@pytest.mark.parametrize("matcher", list(MATCHERS))
def test_every_matcher_can_be_tuned_from_its_defaults(matcher: str) -> None:
    defaults = defaults_of(matcher)
    for knob in knobs_of(matcher):
        assert knob.low <= defaults[knob.name] <= knob.high
        assert knob.effect.endswith(".")


def test_the_pool_begins_with_the_start_and_all_of_it_runs() -> None:
    pool = pool_of("sgbm", {"block_size": 5})
    assert pool[0]["block_size"] == 5
    assert len(pool) > 5
    for values in pool:
        matcher_for_range("sgbm", SearchRange(0, 16), **typed("sgbm", values))


@pytest.mark.parametrize("judge", [TruthJudge(), StandInJudge(pool_of("sgbm")[:3])])
def test_both_judges_see_that_a_fattened_map_is_worse(judge: TruthJudge | StandInJudge) -> None:
    case, good = painted(1), defaults_of("sgbm")
    worse = judge.score(case, "sgbm", {**good, **BAD})
    assert worse > 1.02 * judge.score(case, "sgbm", good)


def test_the_stand_in_gives_nothing_for_holes() -> None:
    case, judge, values = painted(2), StandInJudge(pool_of("sgbm")[:3]), defaults_of("sgbm")
    few = judge.score(case, "sgbm", {**values, "uniqueness_percent": 40})
    assert few > 0.9 * judge.score(case, "sgbm", values)


def test_a_gain_that_one_pair_of_many_has_is_noise() -> None:
    before = {f"{k}": 10.0 for k in range(8)}
    assert not gain_of(before, {**before, "3": 1.0, "4": 11.0}).real
    assert gain_of(before, {name: 8.0 + 0.1 * int(name) for name in before}).real
    assert safer(before, before) == 0


def test_what_is_left_out_is_left_out_once() -> None:
    cases = [painted(k) for k in range(6)]
    assert [c.name for part in parts(cases) for c in part] == [c.name for c in cases]


def test_a_search_finds_back_from_bad_parameters_and_goes_on(tmp_path: Path) -> None:
    cases = [painted(k) for k in range(4)]
    pool = pool_of("sgbm", BAD, size=3)
    assert pool[0]["p2"] == 9000
    pool.insert(1, defaults_of("sgbm"))
    told: list[int] = []
    for rounds in (2, 4):
        search = Search("sgbm", cases, TruthJudge(), pool, tmp_path / "s.sqlite3")
        search.run(
            minutes=5, rounds=rounds, tell=lambda number, _left, _search: told.append(number)
        )
    assert told == [0, 1, 2, 3]
    assert search.gain().real
    assert search.best() != pool[0]
    with pytest.raises(InputError, match="another matcher"):
        Search("sgbm-5", cases, TruthJudge(), pool, tmp_path / "s.sqlite3")


def test_too_few_pairs_and_no_optuna_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases, pool = [painted(k) for k in range(3)], pool_of("sgbm")
    with pytest.raises(InputError, match="at least 3 pairs, got 2"):
        Search("sgbm", cases[:2], TruthJudge(), pool, tmp_path / "a.sqlite3")
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingLibraryError, match=r"stereo-depth\[tune\]"):
        Search("sgbm", cases, TruthJudge(), pool, tmp_path / "b.sqlite3")


def test_a_pair_is_reduced_and_its_range_found() -> None:
    pair = painted(5).pair
    case = case_of("a", pair, width=100)
    assert case.pair.left.shape == (53, 100)
    assert case.search.num_disparities < 100
