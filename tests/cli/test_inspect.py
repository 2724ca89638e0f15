"""``stereo inspect`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import Cli


def test_inspect_tells_the_depth_error(cli: Cli, sample_data: Path) -> None:
    rig = sample_data / "room" / "rig.yaml"
    facts = json.loads(cli("inspect", rig, "--disparity-noise-px", 0.5, "--json").out)
    assert [row["distance_m"] for row in facts["depth_error"]] == [0.5, 1, 2, 5, 10, 20]
    for row in facts["depth_error"]:
        sigma = row["distance_m"] ** 2 / (facts["rectified_focal_px"] * facts["baseline_m"]) * 0.5
        assert row["error_mm"] == pytest.approx(1000 * sigma, rel=1e-3, abs=0.01)
        assert row["error_percent"] == pytest.approx(100 * sigma / row["distance_m"], rel=1e-2)
    text = cli("inspect", rig).out
    assert "field of view" in text
    table = text[text.index("noise:") :].splitlines()[1:]
    assert table[0].split() == ["distance", "disparity", "error", "of", "distance"]
    assert [line.split()[:2] for line in table[1:]] == [
        [far, "m"] for far in ("0.5", "1", "2", "5", "10", "20")
    ]
    assert len({len(line) for line in table}) == 1  # aligned


def test_inspect_refuses_what_is_no_rig(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("schema: stereo-depth-rig\nversion: 1\nleft: {}\n")
    ended = cli("inspect", tmp_path / "a.yaml")
    assert ended.code == 2
    assert "a.yaml" in ended.err
    assert cli("inspect", tmp_path / "nope.yaml").code == 2
    assert cli("inspect", tmp_path / "a.yaml", "--disparity-noise-px", -1).code == 2
