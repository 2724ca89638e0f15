from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sgm_reference import hamming, learned

from stereo.errors import MatcherError
from stereo.frame import RectifiedPair
from stereo.matching import sgm
from stereo.matching.code import CODE_BITS, CODE_TAPS, WEIGHTS, learned_code
from stereo.matching.sgm import SgmMatcher, SgmParams

ROOT = Path(__file__).parents[2]
TRAINING = ROOT / "training"


def test_the_weights_are_those_that_the_model_card_names():
    digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    assert digest in (ROOT / "docs" / "learned-cost.md").read_text()


def test_each_filter_fits_its_arithmetic_and_cancels_an_offset():
    code = learned_code().astype(int)
    assert code.shape == (CODE_BITS, CODE_TAPS, 3)
    weights = code[..., 2]
    assert not weights.sum(axis=1).any()
    assert np.maximum(weights, 0).sum(axis=1).max() * 1023 <= 32767
    assert np.abs(code[..., :2]).max() <= 5


def test_the_code_does_not_change_with_gain_and_offset():
    image = np.random.default_rng(0).integers(20, 60, (40, 50))
    codes = (learned(v, 1.0, learned_code()) for v in (image, 3 * image + 20))
    # the smoothed image is rounded to quarters of a level
    assert np.mean(np.logical_xor(*codes)) < 0.02


def test_a_faint_texture_in_noise_is_told_apart_better_than_by_chance():
    rng = np.random.default_rng(1)
    scene = np.repeat(np.repeat(rng.normal(0, 4, (12, 60)), 4, axis=0), 4, axis=1)
    left, right = (
        np.rint(100 + scene[:, k : k + 200] + rng.normal(0, 1.5, (48, 200))).astype(int)
        for k in (0, 6)
    )
    codes = [learned(v, 1.0, learned_code()) for v in (left, right)]
    column = np.clip(np.arange(200)[:, None] - np.arange(20), 0, 199)
    found = hamming(*codes, column)[8:-8, 40:-20].argmin(axis=-1)
    assert np.mean(found == 6) > 0.5


def test_other_weights_can_be_named_and_wrong_ones_are_refused(tmp_path, monkeypatch):
    other = json.loads(WEIGHTS.read_text())
    other["filters"] = other["filters"][::-1]
    path = tmp_path / "other.json"
    path.write_text(json.dumps(other))
    monkeypatch.setenv("STEREO_LEARNED_CODE", str(path))
    np.testing.assert_array_equal(learned_code()[0], read_filter(other["filters"][0]))
    for name, filters in (("few", other["filters"][1:]), ("wide", [[[0, 0, 1, 2]]] * CODE_BITS)):
        wrong = tmp_path / f"{name}.json"
        wrong.write_text(json.dumps({"filters": filters}))
        monkeypatch.setenv("STEREO_LEARNED_CODE", str(wrong))
        with pytest.raises(MatcherError, match=f"{name}.json: expected 40 filters"):
            learned_code()


def read_filter(taps):
    return np.array(taps + [[0, 0, 0]] * (CODE_TAPS - len(taps)), np.int16)


@pytest.mark.skipif(not sgm.is_available(), reason="native matcher not built")
def test_a_faint_noisy_wall_is_matched_better_with_the_code_than_without():
    rng = np.random.default_rng(2)
    scene = np.repeat(np.repeat(rng.normal(0, 1.5, (30, 60)), 5, axis=0), 5, axis=1)
    left, right = (
        np.rint(120 + scene[:, k : k + 250] + rng.normal(0, 3, (150, 250))).astype(np.uint8)
        for k in (0, 9)
    )
    right_share = []
    for levels in (-1, 16):
        params = SgmParams(num_disparities=32, faint_levels=levels, threads=1)
        px = SgmMatcher(params).match(RectifiedPair(left, right)).px[:, 32:]
        right_share.append(np.mean(np.abs(px - 9) < 1))
    assert right_share[1] > right_share[0] + 0.2
    assert right_share[1] > 0.8


@pytest.mark.skipif(find_spec("torch") is None, reason="torch (the extra `train`) is not installed")
def test_the_training_script_trains(tmp_path):
    rng = np.random.default_rng(3)
    scene = rng.integers(0, 255, (60, 260)).astype(np.uint8)
    (tmp_path / "pairs").mkdir()
    np.savez(
        tmp_path / "pairs" / "cones.npz",
        left=scene[:, :240],
        right=scene[:, 7:247],
        disparity=np.full((60, 240), 7, np.float32),
    )
    out = tmp_path / "code.json"
    command = [sys.executable, str(TRAINING / "train.py"), str(tmp_path / "pairs"), str(out)]
    subprocess.run([*command, "--iterations", "4"], check=True, capture_output=True, timeout=120)
    filters = json.loads(out.read_text())["filters"]
    assert len(filters) == CODE_BITS
    assert all(sum(weight for *_, weight in taps) == 0 for taps in filters)
