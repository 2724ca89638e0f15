"""``stereo calibrate`` and ``stereo board`` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from boards import random_poses, random_rig, rendered
from click.testing import CliRunner, Result

from calib import StereoRig, load_rig
from stereo.cli.board import board_command
from stereo.cli.calibrate import calibrate_command

BOARD = ["--board", "chessboard:9x6:25mm", "--model", "pinhole5", "--warp", "flat", "--no-cache"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(calibrate_command, [str(a) for a in arguments], standalone_mode=False)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six rendered pairs in left/ and right/, and one left image too many."""
    folder = tmp_path_factory.mktemp("session")
    rng = np.random.default_rng(31)
    rig = random_rig(rng)
    for i, (R, t) in enumerate(random_poses(rng, rig, 6)):
        for side, image in zip(("left", "right"), rendered(rig, R, t), strict=True):
            (folder / side).mkdir(exist_ok=True)
            cv2.imwrite(str(folder / side / f"{i:02d}.png"), image)
    cv2.imwrite(str(folder / "left" / "77.png"), image)
    return folder


def test_folders_become_a_rig_a_report_and_json(session: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "rig.yaml", tmp_path / "report.html"
    done = run(session, *BOARD, "-o", out, "--report", report, "--json")
    assert done.exception is None
    answer = json.loads(done.stdout)
    assert done.return_value == (0 if answer["grade"] != "recalibrate" else 3)
    assert answer["views_used"] == 6
    assert [r["name"] for r in answer["views_rejected"]] == ["77.png"]
    assert answer["reprojection_rms_px"]["joint"] < 0.15
    assert report.stat().st_size > 10_000
    rig = load_rig(out)
    assert isinstance(rig, StereoRig)
    assert rig.baseline_m == pytest.approx(answer["baseline_m"])
    again = run(session / "left", session / "right", "--continue", out, *BOARD[2:], "--json")
    assert json.loads(again.stdout)["views_used"] == 6  # the same images are not counted twice


def test_side_by_side_images_are_split(session: Path, tmp_path: Path) -> None:
    for i in range(3):
        pair = [cv2.imread(str(session / side / f"{i:02d}.png")) for side in ("left", "right")]
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.hstack([p for p in pair if p is not None]))
    answer = json.loads(run(tmp_path, *BOARD, "--json").stdout)
    assert answer["pairs_offered"] == 3
    assert answer["baseline_m"] > 0.03


def test_swapped_sides_end_with_code_3(session: Path) -> None:
    done = run(session / "right", session / "left", *BOARD)
    assert done.return_value == 3
    assert "swapped" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere*", "nowhere*", *BOARD], "no images found"),
        (["a", "b", "c", *BOARD], "in quotes"),
        (["nowhere", *BOARD], "expected a folder"),
        (["a", "b"], "give --board"),
    ],
)
def test_callers_mistakes_are_named(arguments: list[str], expected: str) -> None:
    done = run(*arguments)
    assert isinstance(done.exception, ValueError)
    assert expected in str(done.exception)


def test_board_is_written_with_the_command_to_use_it(tmp_path: Path) -> None:
    out = tmp_path / "board.pdf"
    arguments = ["--type", "charuco", "--squares", "11x8", "--square-mm", "30", "-o", str(out)]
    done = CliRunner().invoke(board_command, arguments, standalone_mode=False)
    assert done.exception is None
    assert "--board charuco:11x8:30mm:22.5mm:DICT_5X5_50" in done.stdout
    assert "larger than A4" in done.stderr
    assert out.read_bytes().startswith(b"%PDF")
