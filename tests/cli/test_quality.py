"""``stereo quality`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from evaluation.painted_walls import GEOMETRY, painted_wall
from support import Cli

from stereo.files import outputs

RIG = (
    *("--rectified", "--focal-px", GEOMETRY.focal_px, "--baseline-m", GEOMETRY.baseline_m),
    *("--cx-px", GEOMETRY.cx_px, "--cy-px", GEOMETRY.cy_px),
)


@pytest.fixture
def walls(tmp_path: Path) -> tuple[Path, Path]:
    """Two frames of a wall at 1 m and one at 2 m."""
    for number, (distance, seed) in enumerate([(1.0, 0), (1.0, 1), (2.0, 2)]):
        pair, _ = painted_wall(distance, noise=1, seed=seed)
        for side, image in (("left", pair.left), ("right", pair.right)):
            (tmp_path / side).mkdir(exist_ok=True)
            outputs.write_image_png(tmp_path / side / f"{number}.png", image)
    return tmp_path / "left", tmp_path / "right"


def test_a_table_a_page_and_json(cli: Cli, walls: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    ended = cli("quality", *walls, *RIG, "--distance-m", "1,2", "--html", page)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0].split()[:3] == ["wall", "frames", "distance"]
    assert [line.split()[:2] for line in lines[1:3]] == [["0", "2"], ["2", "1"]]
    assert lines[3].startswith("the error bars hold: plane-fit RMS is 0.")
    assert "<h2>Against distance</h2>" in page.read_text()
    facts = json.loads(cli("quality", *walls, *RIG, "--distance-m", "1,2", "--json").out)
    near, far = facts["stands"]
    assert near["distance_m"] == pytest.approx(1, abs=0.005)
    assert abs(far["accuracy"]["percent"]) < 1
    assert facts["error_bars_hold"] is True


def test_mistakes_are_said(cli: Cli, walls: tuple[Path, Path]) -> None:
    for arguments, words in (
        ((*walls,), "measured in metres: give --calib RIG"),
        ((*walls, *RIG, "--distance-m", "1"), "names 1 distances, but the frames show 2 walls"),
        ((*walls, *RIG, "--distance-m", "0"), "--distance-m wants metres"),
        ((*walls, *RIG, "--region", "1,2"), "--region wants X,Y,WIDTHxHEIGHT"),
        ((*walls, *RIG, "--region", "300,0,100x100"), "lies outside of the image of 320x240"),
    ):
        ended = cli("quality", *arguments)
        assert ended.code == 2, ended.out
        assert words in ended.err


def test_what_is_no_wall_is_refused(cli: Cli, sample_data: Path) -> None:
    room = sample_data / "room"
    told = ("--calib", room / "rig.yaml", "--region", "0,0,40x40", "--max-depth-m", "0.5")
    ended = cli("quality", room / "left.png", room / "right.png", *told)
    assert ended.code == 2
    assert "no wall: only 0 pixels have a depth" in ended.err
