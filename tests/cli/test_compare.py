"""``stereo compare`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from manifests import make_manifest
from support import Cli, textured_pair

from stereo.files import outputs


def six_pairs(folder: Path) -> Path:
    """A manifest of six pairs that share one truth, but not their images."""
    entry = json.loads(make_manifest(folder).read_text())["pairs"][0]
    entries = []
    for seed in range(6):
        pair = textured_pair(4.0, seed=seed)
        names = {"left": f"l{seed}.png", "right": f"r{seed}.png"}
        outputs.write_image_png(folder / names["left"], pair.left)
        outputs.write_image_png(folder / names["right"], pair.right)
        entries.append({**entry, **names, "name": f"p{seed}"})
    (folder / "pairs.json").write_text(json.dumps({"pairs": entries}))
    return folder / "pairs.json"


def predictions(folder: Path, value: float) -> Path:
    folder.mkdir()
    for seed in range(6):
        px = np.full((120, 320), value, np.float32)
        px[:, : 40 + 3 * seed] += 3
        outputs.write_disparity_pfm(folder / f"p{seed}.pfm", px)
    return folder


def test_a_matcher_a_file_and_predictions_side_by_side(cli: Cli, tmp_path: Path) -> None:
    manifest, maps = six_pairs(tmp_path), predictions(tmp_path / "theirs", 4)
    toml = tmp_path / "mine.toml"
    toml.write_text('matcher = "sgbm"\n[matcher_params]\nblock_size = 7\n')
    page, figures = tmp_path / "c.html", tmp_path / "c.csv"
    asked = "compare", "sgbm", toml, maps, "--on", manifest
    ended = cli(*asked, "--html", page, "--csv", figures)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[1].split() == ["pair", "sgbm", "mine", "theirs"]
    assert "theirs against sgbm, over 6 pairs" in ended.out
    assert page.read_text().count("<img") == 4 * 6
    assert len(figures.read_text().splitlines()) == 1 + 3 * 6
    facts = json.loads(cli(*asked, "--json").out)
    found = facts["differences"]["theirs"]["dense_2"]
    assert found["verdict"] == "worse"
    assert found["low"] <= found["mean"] <= found["high"]
    assert found["mean"] == pytest.approx(found["other"] - found["first"])


def test_pairs_without_truth_show_disagreement_and_photometric_error(
    cli: Cli, tmp_path: Path
) -> None:
    six_pairs(tmp_path)
    good, bad = predictions(tmp_path / "good", 4), predictions(tmp_path / "bad", 9)
    lines = (
        json.dumps({"name": f"p{i}", "left": f"l{i}.png", "right": f"r{i}.png"}) for i in range(6)
    )
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    page = tmp_path / "c.html"
    ended = cli("compare", good, bad, "--on", tmp_path / "pairs.jsonl", "--html", page)
    assert ended.code == 0, ended.err
    assert ended.out.startswith("photometric, gray levels of each pair")
    assert "they differ by more than 1 px on 100.00 % of the pixels" in ended.out
    assert "images fit less" in ended.out
    assert "apart by more than 1 px" in page.read_text()
    images = "--left", tmp_path / "l?.png", "--right", tmp_path / "r?.png"
    (tmp_path / "mine.toml").write_text('matcher = "sgbm"\nsurfaces = false\n')
    ended = cli("compare", "sgbm", tmp_path / "mine.toml", *images)
    assert ended.code == 0, ended.err
    assert "mine against sgbm, over 6 pairs" in ended.out


def test_mistakes_are_named(cli: Cli, tmp_path: Path) -> None:
    manifest = six_pairs(tmp_path)
    for arguments, message in (
        (("sgbm", "--on", manifest), "needs two candidates"),
        (("sgbm", "sgbmm", "--on", manifest), "'sgbmm' is no candidate; did you mean"),
        (("sgbm", "none.toml", "--on", manifest), "none.toml"),
        (("sgbm", "sgbm", "--on", manifest), "given twice"),
        (("sgbm", tmp_path, "--on", manifest), "no prediction for 6 of 6 pairs"),
        (("sgbm", tmp_path), "say on which pairs"),
        (("sgbm", tmp_path, "--on", manifest, "--metric", "dense_9"), "no prediction"),
    ):
        ended = cli("compare", *arguments)
        assert ended.code == 2, arguments
        assert message in ended.err, ended.err
    predictions(tmp_path / "maps", 4)
    ended = cli("compare", "sgbm", tmp_path / "maps", "--on", manifest, "--metric", "dense_9")
    assert ended.code == 2
    assert "--metric 'dense_9': known here are" in ended.err
