"""``stereo run`` on many pairs: what it says meanwhile and at the end, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import METRIC, Cli, textured_pair

from stereo.cli.progress import _duration
from stereo.files import outputs

FAST = ("--matcher", "sgbm", "--num-disparities", 32, "--no-surfaces", "--outputs", "depth,left")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Five rectified pairs."""
    for number in range(5):
        images = textured_pair(4.0 + number, seed=number)
        for side in ("left", "right"):
            (tmp_path / side).mkdir(exist_ok=True)
            outputs.write_image_png(tmp_path / side / f"{number}.png", getattr(images, side))
    return tmp_path / "left", tmp_path / "right"


def test_rate_and_time_left_are_said_line_by_line(
    cli: Cli, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    ended = cli("run", *folders, *METRIC, *FAST, "-o", tmp_path / "o")
    lines = ended.err.splitlines()
    assert len(lines) == 5
    assert re.fullmatch(r"1/5 0, [\d.]+ (pairs/s|s a pair), \d+ s left", lines[0])
    assert re.fullmatch(r"5/5 4, [\d.]+ (pairs/s|s a pair)", lines[4])
    again = cli("run", *folders, *METRIC, *FAST, "-o", tmp_path / "o")
    assert again.err.splitlines()[0] == "1/5 0 (done before)"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (89, "89 s"), (600, "10 min"), (9000, "2 h 30 min")]
)
def test_times_are_said_as_people_do(seconds: float, said: str) -> None:
    assert _duration(seconds) == said


def test_a_bar_on_a_terminal(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (folders[1] / "2.png").write_text("no image")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "stereo.cli.main", "run", *folders, *METRIC, *FAST]
    done = subprocess.run(
        [*map(str, command), "-o", str(tmp_path / "o")],
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=False,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
    )
    os.close(theirs)
    said = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 3
    assert re.search(r"5/5\S* [\d.]+ (pairs/s|s a pair)", said)
    assert "set aside: 2: " in said
    assert "1 of 5 pairs set aside" in said


def test_bad_pairs_are_set_aside_counted_and_named(
    cli: Cli, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    (folders[0] / "0.png").write_text("no image")
    (folders[1] / "3.png").write_text("no image")
    ended = cli("run", *folders, *METRIC, *FAST, "-o", tmp_path / "o")
    assert ended.code == 3
    assert "4/5 3 set aside: " in ended.err
    assert "2 of 5 pairs set aside, each for the reason above: 0, 3" in ended.err
    assert "3 pairs done, 0 done before, 2 set aside" in ended.out
    ended = cli("run", *folders, *METRIC, *FAST, "-o", tmp_path / "o", "--json")
    facts = json.loads(ended.out)
    assert [pair["name"] for pair in facts["pairs"]] == ["1", "2", "4"]
    assert [pair["name"] for pair in facts["set_aside"]] == ["0", "3"]
    assert "not an image" in facts["set_aside"][0]["reason"]


def test_where_every_pair_is_bad_the_run_ends_as_with_one(
    cli: Cli, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    ended = cli("run", *reversed(folders), *METRIC, *FAST, "-o", tmp_path / "o")
    assert ended.code == 2
    assert "none of 5 pairs could be used; the first: these images are swapped" in ended.err
    for path in folders[0].iterdir():
        path.write_text("no image")
    assert cli("run", *folders, *METRIC, *FAST, "-o", tmp_path / "o").code == 2


def test_a_damaged_image_of_a_source_is_set_aside_and_numbers_stay(
    cli: Cli, tmp_path: Path
) -> None:
    for number in range(4):
        images = textured_pair(5.0, seed=number)
        for side, folder in (("left", "cam0"), ("right", "cam1")):
            path = tmp_path / "in" / folder / f"{1403636579763555584 + number * 50_000_000}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            outputs.write_image_png(path, getattr(images, side))
            if number == 1:
                path.write_text("no image")
    ended = cli("run", tmp_path / "in", *METRIC, *FAST, "-o", tmp_path / "o", "--json")
    assert ended.code == 3
    facts = json.loads(ended.out)
    assert [pair["frame"] for pair in facts["pairs"]] == [0, 2, 3]
    names = [f"{1403636579763555584 + number * 50_000_000}" for number in (0, 2, 3)]
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == names
    assert len(facts["set_aside"]) == 1
    assert "4/4 " in ended.err


def test_one_warning_stands_for_many(cli: Cli, folders: tuple[Path, Path], tmp_path: Path) -> None:
    for path in folders[1].iterdir():
        if path.stem != "4":
            # rows are off by another number of pixels in each
            pair = textured_pair(4.0 + int(path.stem), seed=int(path.stem))
            outputs.write_image_png(path, np.roll(pair.right, 5 + int(path.stem), axis=0))
    ended = cli("run", *folders, *FAST, "-o", tmp_path / "o")
    assert ended.code == 3
    warnings = [line for line in ended.err.splitlines() if "not a rectified pair" in line]
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: 4 of 5 pairs, such as 0: the rows of left and right")


def test_missing_metres_are_said_of_many_pairs_too(
    cli: Cli, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    ended = cli("run", *folders, *FAST, "-o", tmp_path / "o")
    assert ended.code == 0
    assert "no metric depth: no calibration was given: --calib RIG" in ended.out
    assert "not written: depth" in ended.out


def test_quiet_says_only_what_went_wrong(
    cli: Cli, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    ended = cli("run", *folders, *FAST, "-o", tmp_path / "o", "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    (folders[0] / "3.png").write_text("no image")
    ended = cli("run", *folders, *FAST, "-o", tmp_path / "p", "-q")
    assert ended.code == 3
    assert ended.out == ""
    assert "set aside: 3: " in ended.err


def test_many_images_without_partners_are_one_line(
    cli: Cli, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    for number in range(1, 5):
        (folders[1] / f"{number}.png").unlink()
    ended = cli("run", *folders, *FAST, "-o", tmp_path / "o")
    assert ended.err.count("partner") == 1
    assert "4 images, such as" in ended.err


def test_many_frames_without_partners_are_counted(cli: Cli, tmp_path: Path) -> None:
    for number in range(20):
        images = textured_pair(5.0, size=(128, 96), seed=number)
        for side, folder in (("left", "cam0"), ("right", "cam1")):
            path = tmp_path / "in" / folder / f"{1403636579763555584 + number * 50_000_000}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            if side == "left" or number % 2 == 0:
                outputs.write_image_png(path, getattr(images, side))
    ended = cli("run", tmp_path / "in", *FAST, "-o", tmp_path / "o")
    assert ended.code == 0, ended.err
    assert ended.err.count("has no right image") == 5
    assert "10 images in all had no partner" in ended.err
