"""``stereo check`` as a user runs it: what it says, writes, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support import Cli

from calib import StereoRig, load_rig, save_rig
from calib.health.motion import moved
from stereo.files.images import read_image

CLIP = ("--pairs", 4)


@pytest.fixture
def turned(sample_data: Path, tmp_path: Path) -> Path:
    """The clip's rig file, its right camera turned by 0.2 degrees about x."""
    rig = load_rig(sample_data / "clip" / "rig.yaml")
    assert isinstance(rig, StereoRig)
    change = np.zeros(6)
    change[0] = np.radians(0.2)
    save_rig(moved(rig, change), tmp_path / "turned.yaml")
    return tmp_path / "turned.yaml"


def test_a_good_rig_ends_with_0_and_a_picture(cli: Cli, sample_data: Path, tmp_path: Path) -> None:
    room = sample_data / "room"
    drawn = tmp_path / "rows.png"
    ended = cli(
        "check", room / "rig.yaml", room / "left.png", room / "right.png", "--picture", drawn
    )
    assert ended.code == 0, ended.err
    assert ended.out.startswith("Good: rows differ by")
    assert "10 m" in ended.out
    assert read_image(drawn).shape[1] == 960


def test_a_turned_rig_ends_with_3_and_is_mended(
    cli: Cli, sample_data: Path, turned: Path, tmp_path: Path
) -> None:
    clip, new = sample_data / "clip" / "room.mp4", tmp_path / "new.yaml"
    before = turned.read_bytes()
    ended = cli("check", turned, clip, *CLIP, "--json")
    assert ended.code == 3
    facts = json.loads(ended.out)
    assert not facts["trusted"]
    assert facts["pairs"] == len(facts["names"]) == 4
    assert facts["pattern"]["change"]["pitch"]["degrees"] == pytest.approx(-0.2, abs=0.05)
    ended = cli("check", turned, clip, *CLIP, "--repair", "-o", new)
    assert ended.code == 0, ended.err
    assert str(new) in ended.out
    assert "baseline's length was kept" in ended.err
    assert turned.read_bytes() == before
    assert cli("check", new, clip, *CLIP).code == 0


def test_what_cannot_be_mended_is_not(
    cli: Cli, sample_data: Path, turned: Path, tmp_path: Path
) -> None:
    clip, new = sample_data / "clip" / "room.mp4", tmp_path / "new.yaml"
    ended = cli("check", turned, clip, "--pairs", 2, "--repair", "-o", new)
    assert ended.code == 3
    assert "too few" in ended.err
    assert not new.exists()
    ended = cli("check", turned, clip, *CLIP, "--swap")
    assert ended.code == 3
    assert "exchanged" in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give a rig file and images"),
        (("R",), "give a rig file and images"),
        (("R", "L", "R", "L"), "several such pairs"),
        (("R", "L", "R", "--repair"), "--repair needs -o"),
        (("R", "L", "R", "-o", "x.yaml"), "give --repair too"),
        (("R", "L", "R", "--hfov-deg", "60"), "are for --uncalibrated"),
        (("--uncalibrated",), "give images"),
        (("--uncalibrated", "L", "R", "--repair"), "need a rig file"),
        (("--uncalibrated", "L", "R", "--baseline-m", "0.1"), "needs --hfov-deg"),
    ],
)
def test_wrong_calls_are_explained(
    cli: Cli, sample_data: Path, arguments: tuple[str, ...], said: str
) -> None:
    room = sample_data / "room"
    paths = {"L": room / "left.png", "R": room / "right.png"}
    ended = cli("check", *(paths.get(a, a) for a in arguments))
    assert ended.code == 2
    assert said in ended.err


def test_files_named_by_the_shell_are_paired_by_their_side(
    cli: Cli, sample_data: Path, tmp_path: Path
) -> None:
    room = sample_data / "room"
    named: list[Path] = []
    for side in ("left", "right"):
        for number in (1, 2):
            named.append(tmp_path / f"{side}_{number}.png")
            named[-1].symlink_to((room / f"{side}.png").resolve())
    ended = cli("check", room / "rig.yaml", *named, "--json")
    assert json.loads(ended.out)["pairs"] == 2
    assert json.loads(ended.out)["trusted"]
    by_turns = [named[0], named[2], named[1], named[3]]
    assert json.loads(cli("check", room / "rig.yaml", *by_turns, "--json").out)["trusted"]


def test_a_pair_without_rig_file_gets_rows_that_match(
    cli: Cli, sample_data: Path, tmp_path: Path
) -> None:
    room, out = sample_data / "room", tmp_path / "self"
    images = room / "left.png", room / "right.png"
    ended = cli("check", "--uncalibrated", *images, "-o", out)
    assert ended.code == 0, ended.err
    assert "up to scale and shape" in ended.err
    assert not (out / "calib.txt").exists()
    facts = json.loads((out / "rectification.json").read_text())
    assert facts["row_error_median_px"] < 0.5
    assert np.array(facts["H_left"]).shape == (3, 3)
    assert read_image(out / "left.png").shape == read_image(images[0]).shape
    rough = cli(
        "check", "--uncalibrated", *images, "-o", out, "--hfov-deg", 67, "--baseline-m", 0.16
    )
    assert "rough guess" in rough.err
    assert (out / "calib.txt").is_file()
