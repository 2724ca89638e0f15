"""``stereo tune``."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import cv2
import numpy as np
from click.testing import CliRunner

from stereo.cli.main import cli
from stereo.errors import InputError


def test_tune_without_truth_writes_what_config_reads(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for side in ("left", "right"):
        (tmp_path / side).mkdir()
    for number in range(3):
        paint = random.integers(0, 255, (48, 100), np.uint8)
        cv2.imwrite(str(tmp_path / "left" / f"{number}.png"), paint[:, :90])
        cv2.imwrite(str(tmp_path / "right" / f"{number}.png"), paint[:, 5:95])
    out = tmp_path / "tuned.toml"
    told = [str(tmp_path / "left"), str(tmp_path / "right"), "-o", str(out), "--json"]
    done = CliRunner().invoke(
        cli,
        ["tune", *told, "--matcher", "sgbm", "--trials", "2"],
        standalone_mode=False,
        catch_exceptions=False,
    )
    told_json = json.loads(done.stdout)
    assert done.return_value == (0 if told_json["gain"]["real"] else 3)
    assert ("no gain beyond noise" in out.read_text()) == (done.return_value == 3)
    written = tomllib.loads(out.read_text())
    assert written["matcher"] == "sgbm"
    assert written["matcher_params"] == told_json["matcher_params"]


def test_without_truth_only_what_the_stand_in_ranks_is_tuned(tmp_path: Path) -> None:
    left, right = (str(tmp_path / name) for name in ("l.png", "r.png"))
    for image in (left, right):
        cv2.imwrite(image, np.zeros((40, 90), np.uint8))
    told = ["tune", left, right, "-o", str(tmp_path / "o.toml"), "--matcher", "sgm-fast"]
    done = CliRunner().invoke(cli, told, standalone_mode=False)
    assert isinstance(done.exception, InputError)
    assert "--matcher sgbm" in str(done.exception)
