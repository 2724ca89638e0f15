"""``stereo eval`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from evaluation import datasets
from manifests import make_manifest
from support import Cli

from stereo.files import outputs


def test_columns_have_units_and_stay_aligned(cli: Cli, tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, name="a_pair_with_quite_a_long_name")
    ended = cli("eval", manifest, "--matcher", "sgbm")
    assert ended.code == 0, ended.err
    *table, bars, took, mean = ended.out.splitlines()
    assert len(table) == 3
    assert len({len(line) for line in table}) == 1
    assert all(word.strip().endswith((", %", ", px")) for word in table[0].split("  ")[1:] if word)
    assert bars.startswith("truth within 1 / 2 / 3 error bars: ")
    assert took.startswith("time: ")
    assert mean.endswith(" %")


def test_a_page_a_csv_and_chosen_columns(cli: Cli, tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, focal_px=300, baseline_m=0.1, name="a<b")
    wanted = "--matcher", "sgbm", "--columns", "dense_2,a90_px,depth_mae_m", "--all-metrics"
    ended = cli(
        "eval", manifest, *wanted, "--csv", tmp_path / "e.csv", "--html", tmp_path / "e.html"
    )
    assert ended.code == 0, ended.err
    first = ended.out.splitlines()[0].split("  ")
    assert [word.strip() for word in first if word][1:] == ["dense_2, %", "a90, px", "depth_mae, m"]
    assert "worst pair" in ended.out
    assert "depth, where calibrated: mean error " in ended.out
    header, row, mean = (line.split(",") for line in (tmp_path / "e.csv").read_text().splitlines())
    assert (row[0], mean[0]) == ("a<b", "mean")
    assert float(row[header.index("dense_2")]) == float(mean[header.index("dense_2")]) < 3
    page = (tmp_path / "e.html").read_text()
    assert page.count("<img") == 3
    assert "a&lt;b: left image" in page
    assert "a<b" not in page


def test_a_data_set_and_predictions_are_scored(cli: Cli, tmp_path: Path) -> None:
    datasets.kitti_2015(tmp_path / "kitti")
    (tmp_path / "maps").mkdir()
    asked = "eval", tmp_path / "kitti", "--predictions", tmp_path / "maps"
    ended = cli(*asked)
    assert ended.code == 2
    assert "no prediction for 1 of 1 pairs: 000007_10" in ended.err
    px = np.full(datasets.SHAPE, datasets.SHIFT, np.float32)
    px[40:] += 5
    outputs.write_disparity_png16(tmp_path / "maps" / "000007_10.png", px)
    ended = cli(*asked, "--json")
    assert ended.code == 0, ended.err
    facts = json.loads(ended.out)["pairs"]["000007_10"]
    expected = 100 * (px[5:] > datasets.SHIFT).mean()
    assert facts["d1_fg"] == facts["d1_all"] == facts["dense_4"] == pytest.approx(expected)
    assert facts["d1_bg"] is facts["time_s"] is None
    outputs.write_disparity_png16(tmp_path / "maps" / "000007_10.png", px / 16)
    ended = cli(*asked)
    assert ended.code == 2
    assert "predictions look 16 times too small" in ended.err


def test_mistakes_are_named(cli: Cli, tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path)
    ended = cli("eval", manifest, "--columns", "dense_22")
    assert (ended.code, "did you mean" in ended.err) == (2, True)
    (tmp_path / "empty").mkdir()
    ended = cli("eval", tmp_path / "empty")
    assert ended.code == 2
    assert "holds no pairs with ground truth" in ended.err
    ended = cli("eval", make_manifest(tmp_path, ground_truth_divisor=2), "--matcher", "sgbm")
    assert ended.code == 2
    assert "the truth looks 4 times too large: ground_truth_divisor 8? It is 2" in ended.err
    for more in (["--dataset", "eth3d"], ["--predictions", tmp_path / "empty", "--quality"]):
        assert cli("eval", manifest, *more).code == 2


def test_a_damaged_pair_is_set_aside_and_the_others_are_scored(cli: Cli, tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path)
    good = json.loads(manifest.read_text())["pairs"][0]
    (tmp_path / "cut.png").write_bytes((tmp_path / "l.png").read_bytes()[:500])
    bad = {**good, "name": "b", "left": "cut.png"}
    manifest.write_text(json.dumps({"pairs": [bad, good]}))
    for command in (
        ["eval", manifest],
        ["compare", "sgbm", tmp_path / "mine.toml", "--on", manifest],
    ):
        (tmp_path / "mine.toml").write_text('matcher = "sgbm"\nsurfaces = false\n')
        ended = cli(*command, "--json")
        assert ended.code == 3
        assert "set aside: b: " in ended.err
        facts = json.loads(ended.out)
        assert (list(facts["pairs"]), list(facts["set_aside"])) == (["a"], ["b"])
    manifest.write_text(json.dumps({"pairs": [bad]}))
    ended = cli("eval", manifest)
    assert (ended.code, "none of the 1 pairs could be read" in ended.err) == (2, True)
