"""``stereo calibrate --live`` as a user runs it, with a source that plays the sample boards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import click
import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from calib import StereoRig, load_rig
from calib.detection.files import read_gray
from stereo.cli import calibrate_live as live_module
from stereo.cli.calibrate import calibrate_command
from stereo.errors import InputError, StreamLostError
from stereo.frame import StereoFrame
from stereo.live.calibration import REASONS
from stereo.sources import SourceStats

BOARD = ["--board", "charuco:11x8:30mm:22mm:DICT_5X5_100", "--model", "pinhole5", "--warp", "flat"]
BASELINE_M = 0.159685


def shown(path: Path) -> NDArray[np.uint8]:
    """A sample image at two thirds of its size, which takes half of the time."""
    gray = read_gray(path)
    assert gray is not None
    return np.asarray(cv2.resize(gray, (640, 480), interpolation=cv2.INTER_AREA), np.uint8)


class Played:
    """Shows each pair of the sample boards for three frames, with a blurred one in between."""

    name, live, calibration, stats = "played", False, None, SourceStats()

    def __init__(self, folder: Path, pairs: int, then: BaseException | None = None) -> None:
        self.folder, self.pairs, self.then = folder, pairs, then

    def __iter__(self) -> Iterator[StereoFrame]:
        for number in range(self.pairs):
            left, right = (
                shown(self.folder / f"{side}_{number:02d}.jpg") for side in ("left", "right")
            )
            yield StereoFrame(*(np.asarray(cv2.blur(x, (41, 1)), np.uint8) for x in (left, right)))
            for _ in range(3):
                yield StereoFrame(left, right)
        if self.then is not None:
            raise self.then

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def play(sample_data: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(*arguments: object, pairs: int, then: BaseException | None = None) -> Result:
        source = Played(sample_data / "calibration" / "charuco", pairs, then)
        monkeypatch.setattr(live_module, "open_source", lambda *_, **__: source)
        words = ["--live", "played", *BOARD, "--view", "none", *map(str, arguments)]
        return CliRunner().invoke(calibrate_command, words, standalone_mode=False)

    return run


def test_boards_shown_to_the_camera_become_a_rig(
    play: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # at once instead of in a thread, so that it ends with the same view on any machine
    monkeypatch.setattr("stereo.live.calibration._in_background", lambda work: work())
    out, report, keep = tmp_path / "rig.yaml", tmp_path / "report.html", tmp_path / "views"
    files = ["-o", out, "--report", report, "--keep", keep]
    done = play(*files, "--target", "2m:1%", "--json", pairs=14)
    assert done.exception is None
    *events, answer = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.return_value == 0
    assert answer["baseline_m"] == pytest.approx(BASELINE_M, abs=0.0005)
    rig = load_rig(out)
    assert isinstance(rig, StereoRig)
    assert rig.baseline_m == pytest.approx(BASELINE_M, abs=0.0005)
    views = [event["views"] for event in events if event["event"] == "view"]
    assert views == list(range(1, len(views) + 1))
    assert len(views) == 10  # the first solve with enough views, four after the one from six
    solved = [event for event in events if event["event"] == "solved"]
    assert [event["views"] for event in solved] == [6, 10]
    assert solved[-1]["expected"][0]["met"]
    assert events[-1]["event"] == "over"
    assert events[-1]["why"] == REASONS["target"]
    assert answer["views_used"] + len(answer["views_rejected"]) == len(views)
    kept = sorted(path.name for path in keep.iterdir())
    assert kept == [f"{side}_{n:03d}.png" for side in ("left", "right") for n in range(len(views))]
    first = cv2.imread(str(keep / "left_000.png"), cv2.IMREAD_UNCHANGED)
    sample = Path(__file__).parents[2] / "sample_data" / "calibration" / "charuco"
    assert np.array_equal(first, shown(sample / "left_00.jpg"))  # the sharp one, lossless
    assert "live000" in report.read_text()


def test_ctrl_c_solves_with_what_is_there(play: Any, tmp_path: Path) -> None:
    out = tmp_path / "rig.yaml"
    done = play("-o", out, pairs=5, then=KeyboardInterrupt())
    assert done.return_value in (0, 3)
    assert "press Ctrl-C again to quit" in done.stderr
    rig = load_rig(out)
    assert isinstance(rig, StereoRig)
    assert rig.baseline_m == pytest.approx(BASELINE_M, abs=0.002)


def test_ctrl_c_before_there_is_enough_just_ends(play: Any) -> None:
    assert isinstance(play(pairs=1, then=KeyboardInterrupt()).exception, click.Abort)


def test_lost_camera_loses_no_views(play: Any, tmp_path: Path) -> None:
    keep = tmp_path / "views"
    done = play("--keep", keep, pairs=4, then=StreamLostError("played: silent for 60 s"))
    assert "played: silent for 60 s; calibrating from 4 views" in done.stderr
    assert len(list(keep.iterdir())) == 8


def test_lost_camera_without_views_is_an_error(play: Any) -> None:
    done = play(pairs=1, then=StreamLostError("played: silent for 60 s"))
    assert isinstance(done.exception, StreamLostError)


def test_folder_of_an_earlier_session_is_not_mixed_up(play: Any, tmp_path: Path) -> None:
    (tmp_path / "left_000.png").touch()
    done = play("--keep", tmp_path, pairs=1)
    assert isinstance(done.exception, InputError)
    assert "holds images of views already" in str(done.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--live", "sbs:0"], "--live needs the board"),
        (["--live", "sbs:0", "--board", "auto"], "--live needs the board"),
        (["--live", "sbs:0", "images", *BOARD], "drop IMAGES"),
        (["--live", "sbs:0", *BOARD, "--target", "soon"], "soon: expected a distance"),
        (["--live", "sbs:0", *BOARD, "--view", "window"], "no display"),
        ([*BOARD], "give the images of the board, or --live SOURCE"),
        (["a", "b", *BOARD, "--target", "2m:1%"], "--target needs --live"),
        (["a", "b", *BOARD, "--keep", "here"], "--keep needs --live"),
    ],
)
def test_mistakes_are_said(words: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    done = CliRunner().invoke(calibrate_command, words, standalone_mode=False)
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)
