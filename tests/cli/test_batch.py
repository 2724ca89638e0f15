"""``stereo batch`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import METRIC, Cli, textured_pair

from stereo.files import outputs

FAST = (
    *("--matcher", "sgbm", "--num-disparities", 32, "--no-surfaces", "--outputs", "depth,preview"),
    *("--workers", 1),
)


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Four pairs in a CSV list, of which one is damaged."""
    rows = ["left,right,name"]
    for number in range(4):
        images = textured_pair(4.0 + number, seed=number)
        for side in ("left", "right"):
            outputs.write_image_png(tmp_path / f"{side}{number}.png", getattr(images, side))
        rows.append(f"left{number}.png,right{number}.png,pair{number}")
    (tmp_path / "right2.png").write_text("no image")
    (tmp_path / "list.csv").write_text("\n".join(rows))
    return tmp_path / "list.csv"


def test_a_list_is_done_and_a_rerun_goes_on(cli: Cli, listed: Path, tmp_path: Path) -> None:
    call = ("batch", listed, *METRIC, *FAST, "-o", tmp_path / "out")
    dry = cli(*call, "--dry-run")
    assert dry.out == f"4 pairs: 0 done before, 4 to do -> {tmp_path / 'out'}\n"
    assert not (tmp_path / "out").exists()

    ended = cli(*call)
    assert ended.code == 3, ended.err
    assert "3 pairs done, 0 done before, 1 set aside" in ended.out
    assert "right2.png" in ended.err
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count("<figure") == 3
    assert "right2.png" in page
    assert json.loads((tmp_path / "out" / "batch.json").read_text())["set_aside"] == 1

    outputs.write_image_png(tmp_path / "right2.png", textured_pair(6.0, seed=2).right)
    again = cli(*call, "--json")
    assert again.code == 0
    facts = json.loads(again.out)
    assert (facts["done"], facts["done_before"], facts["set_aside"]) == (1, 3, 0)
    assert cli(*call, "--dry-run").out.startswith("4 pairs: 4 done before, 0 to do")


def test_fail_fast_ends_with_the_reason(cli: Cli, listed: Path, tmp_path: Path) -> None:
    ended = cli("batch", listed, *METRIC, *FAST, "-o", tmp_path / "out", "--fail-fast")
    assert ended.code == 2
    assert "pair2" in ended.err
    assert "right2.png" in ended.err


@pytest.mark.parametrize("kind", ["folders", "globs", "one folder", "json lines", "file URL"])
def test_every_kind_of_input(cli: Cli, tmp_path: Path, kind: str) -> None:
    for side in ("left", "right"):
        (tmp_path / "in" / side).mkdir(parents=True)
        for number in range(2):
            image = getattr(textured_pair(4.0 + number, seed=number), side)
            outputs.write_image_png(tmp_path / "in" / side / f"{number}.png", image)
    left, right = tmp_path / "in" / "left", tmp_path / "in" / "right"
    lines = [{"left": f"in/left/{k}.png", "right": f"in/right/{k}.png"} for k in range(2)]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    told = {
        "folders": (left, right),
        "globs": (left / "*.png", right / "*.png"),
        "one folder": (tmp_path / "in",),
        "json lines": (tmp_path / "list.jsonl",),
        "file URL": (left, right),
    }[kind]
    out = f"file://{tmp_path / 'out'}" if kind == "file URL" else tmp_path / "out"
    ended = cli("batch", *told, *METRIC, *FAST, "-o", out, "--ledger", tmp_path / "desk", "--json")
    assert json.loads(ended.out)["done"] == 2, ended.err
    assert len(list((tmp_path / "out").glob("*/summary.json"))) == 2
    assert (tmp_path / "desk" / "index.html").exists()
