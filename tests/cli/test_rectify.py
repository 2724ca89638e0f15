"""``stereo rectify`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import Cli

from calib import load_rig


def test_rectify_writes_a_pair_that_runs_as_rectified(
    cli: Cli, sample_data: Path, tmp_path: Path
) -> None:
    room = sample_data / "room"
    ended = cli(
        "rectify", room / "left.png", room / "right.png", "--calib", room / "rig.yaml",
        "-o", tmp_path / "r", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    facts = json.loads(ended.out)
    assert facts["row_error_px"] < 0.5
    ended = cli(
        "run", tmp_path / "r" / "left.png", tmp_path / "r" / "right.png",
        "--calib", tmp_path / "r" / "calib.txt", "-o", tmp_path / "o", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["baseline_m"] == pytest.approx(
        load_rig(room / "rig.yaml").baseline_m
    )
