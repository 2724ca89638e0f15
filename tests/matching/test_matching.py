"""Choosing a matcher, and finding the search range of each pair."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from manifests import make_manifest
from support import textured_pair

from stereo.cli.eval import eval_command
from stereo.errors import InputError, MatcherError
from stereo.files import outputs
from stereo.matching import (
    MATCHERS,
    SearchRange,
    default_matcher,
    make_matcher,
    sgm,
)


@pytest.mark.parametrize("name", list(MATCHERS))
def test_every_matcher_finds_a_known_disparity(name: str) -> None:
    if name.startswith("sgm") and not sgm.is_available():
        pytest.skip("native matcher not built")
    result = make_matcher(name, num_disparities=32).match(textured_pair(7.0))
    assert np.mean(np.abs(result.px[:, 16:] - 7) < 0.5) > 0.95


def test_the_default_is_ours_where_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stereo.native._native", ModuleType("_native"))
    assert default_matcher() == "sgm"
    monkeypatch.setattr("stereo.native._native", None)
    assert default_matcher() == "sgbm"


def test_a_text_where_a_number_belongs_is_named() -> None:
    with pytest.raises(MatcherError, match="takes numbers, got num_disparities='many'"):
        make_matcher("sgbm", num_disparities="many")


@pytest.mark.parametrize("true", [3.0, 40.0, 90.0])
def test_the_range_is_found_from_the_pair(true: float) -> None:
    matcher = make_matcher(default_matcher(), num_disparities="auto")
    result = matcher.match(textured_pair(true, size=(480, 200)))
    middle = result.px[:, 100:-20]
    assert np.nanmedian(np.abs(middle - true)) < 0.5
    assert result.searched is not None
    assert result.searched.found
    assert result.searched.min_disparity < true < result.searched.max_disparity


def test_the_result_does_not_depend_on_the_pairs_before() -> None:
    near, far = (textured_pair(d, size=(480, 200)) for d in (90.0, 5.0))
    alone = make_matcher(default_matcher(), num_disparities="auto").match(far)
    later = make_matcher(default_matcher(), num_disparities="auto")
    later.match(near)
    np.testing.assert_array_equal(later.match(far).px, alone.px)


def test_auto_names_wrong_parameters_at_once() -> None:
    with pytest.raises(MatcherError, match="no parameter 'blocks'"):
        make_matcher("sgbm", num_disparities="auto", blocks=3)
    with pytest.raises(MatcherError, match="min_disparity=3 needs num_disparities as a number"):
        make_matcher("sgbm", num_disparities="auto", min_disparity=3)


@pytest.mark.parametrize("count", [32, "auto"])
@pytest.mark.parametrize("name", list(MATCHERS))
def test_matchers_can_be_pickled(name: str, count: int | str) -> None:
    """So that several processes can match."""
    if name.startswith("sgm") and not sgm.is_available():
        pytest.skip("native matcher not built")
    pair = textured_pair(7.0)
    matcher = make_matcher(name, num_disparities=count)
    before = matcher.match(pair)
    after = pickle.loads(pickle.dumps(matcher)).match(pair)
    np.testing.assert_array_equal(after.px, before.px)


@pytest.mark.parametrize("name", list(MATCHERS))
def test_the_result_names_the_range_that_was_searched(name: str) -> None:
    if name.startswith("sgm") and not sgm.is_available():
        pytest.skip("native matcher not built")
    searched = (
        make_matcher(name, min_disparity=-3, num_disparities=32).match(textured_pair(7.0)).searched
    )
    assert searched == SearchRange(-3, 32)


def test_eval_scores_and_saves_every_pair(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = make_manifest(tmp_path)
    out = tmp_path / "maps"
    eval_command.main(
        [str(manifest), "--save", str(out), "--json"], "stereo eval", standalone_mode=False
    )
    report = json.loads(capsys.readouterr().out)
    assert report["pairs"]["a"]["dense_2"] < 3
    assert report["mean"]["density"] > 90
    assert 0 <= report["mean"]["ause_px"] == report["pairs"]["a"]["ause_px"] < 0.1
    assert (out / "a.pfm").is_file()
    eval_command.main([str(manifest)], "stereo eval", standalone_mode=False)
    shown = capsys.readouterr().out
    assert "geometric mean" in shown
    assert "ause, px" in shown.splitlines()[0]


def test_eval_refuses_a_truth_of_another_size(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path)
    outputs.write_image_png(tmp_path / "t.png", np.full((7, 9), 32, np.uint8))
    with pytest.raises(InputError, match="pair 'a': the truth is 9x7, the images are 320x120"):
        eval_command.main([str(manifest)], "stereo eval", standalone_mode=False)
