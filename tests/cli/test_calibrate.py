"""``stereo calibrate`` and ``stereo board`` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from boards import random_poses, random_rig, rendered
from click.testing import CliRunner, Result

from calib import CalibratedCamera, StereoRig, load_camera, load_rig, save_camera, save_rig
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


def test_one_camera_at_a_time_then_the_rig_then_a_knocked_one(
    session: Path, tmp_path: Path
) -> None:
    """Each file is what the next command takes."""
    cameras = []
    for side in ("left", "right"):
        out = tmp_path / f"{side}.yaml"
        done = run("--single", session / side, *BOARD, "-o", out, "--json")
        assert done.exception is None
        answer = json.loads(done.stdout)
        assert done.return_value == (0 if answer["grade"] != "recalibrate" else 3)
        assert answer["views_used"] >= 6
        assert answer["reprojection_rms_px"]["held_out"] < 0.6  # of so few
        assert answer["projection_error"]["median_px"] < 1
        cameras.append(load_camera(out))
    solve = [a for a in BOARD if a not in ("--model", "pinhole5")]
    names = f"{tmp_path / 'left.yaml'},{tmp_path / 'right.yaml'}"
    rig = tmp_path / "rig.yaml"
    done = run(session, *solve, "--intrinsics", names, "-o", rig)
    assert done.exception is None
    made = load_rig(rig)
    assert isinstance(made, StereoRig)
    np.testing.assert_array_equal(made.right.K, cameras[1].camera.K)
    again = run(session, "--from", rig, "--warp", "flat", "--no-cache", "--json")
    answer = json.loads(again.stdout)
    assert answer["board"] == "chessboard:9x6:25mm"  # of the rig's own calibration
    assert answer["moved"]["rotation_deg"] < 0.01
    assert answer["moved"]["right_camera_mm"] < 0.05
    said = run(session, "--from", rig, "--warp", "flat", "--no-cache").stdout
    assert "moved     the right camera is turned by 0.00" in said


def test_too_few_images_of_one_camera_end_with_code_3(session: Path) -> None:
    images = [session / "left" / f"{i:02d}.png" for i in (0, 1)]
    done = run("--single", *images, *BOARD)
    assert done.return_value == 3
    assert done.stdout.startswith("RECALIBRATE. No calibration: only 2 image(s) show it")
    assert "STOP      too_few" in done.stdout


def test_options_about_known_lenses_contradict_each_other(session: Path, tmp_path: Path) -> None:
    rig, camera = tmp_path / "rig.yaml", tmp_path / "camera.yaml"
    lens = random_rig(np.random.default_rng(31))
    save_rig(lens, rig)
    save_camera(CalibratedCamera(lens.left), camera)
    for arguments, says in (
        (["--from", rig, "--intrinsics", rig], "give --from RIG or --intrinsics, not both"),
        (["--from", rig, "--model", "fisheye"], "--model contradicts lenses that are kept"),
        (["--from", rig], "give --board"),  # the file does not say which board it was
        (["--from", camera], "holds one camera; give both with a comma"),
        (["--intrinsics", camera], "give both with a comma"),
        (["--intrinsics", f"{camera},{rig}"], "not a camera file"),
        (["--intrinsics", "a,b,c"], "got 3 names"),
        (["--intrinsics", f"{camera},{tmp_path / 'nowhere.yaml'}"], "no such file"),
        (["--model", "pinhole5,fish"], "unknown lens model 'fish'"),
        (["--model", "pinhole5,fisheye,auto"], "one lens model or two"),
        (["--single", "--from", rig], "--from is for two cameras"),
        (["--single", "--intrinsics", rig], "--intrinsics is for two cameras"),
        (["--single", "--live", "synthetic:room"], "--live is for two cameras"),
        (["--single"], "give --board"),
        (["--single", "--model", "pinhole5,fisheye", *BOARD[:2]], "names two lens models"),
    ):
        done = run(session, *arguments)
        assert isinstance(done.exception, ValueError), arguments
        assert says in str(done.exception)
    other = run(session, *BOARD[:2], "--from", _scaled(lens, tmp_path))
    assert "the lens to be kept was calibrated at 1280x960" in str(other.exception)


def _scaled(rig: StereoRig, folder: Path) -> Path:
    save_rig(rig.scaled((1280, 960)), folder / "large.yaml")
    return folder / "large.yaml"
