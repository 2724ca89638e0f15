"""Live calibration without a camera: stillness, what is taken, when it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.board import parse_board
from calib.detection.detection import Detection
from calib.detection.files import read_gray
from calib.outcome import Outcome
from stereo.errors import InputError
from stereo.live.calibration import Expected, LiveCalibration, Stillness, Target
from stereo.viewers.calibration import calibration_picture

CHARUCO = "charuco:11x8:30mm:22mm:DICT_5X5_100"
NO_BOARD = np.full((720, 960), 127, np.uint8)


def corners(shift: float = 0.0, *, ids: Sequence[int] = range(12)) -> Detection:
    points = np.array([(50.0 * (i % 4), 40.0 * (i // 4)) for i in ids]) + 100 + shift
    return Detection(points, np.array(ids, np.intp), (1000, 700))


@pytest.fixture(scope="session")
def pairs(sample_data: Path) -> list[tuple[Any, Any]]:
    folder = sample_data / "calibration" / "charuco"
    return [
        (read_gray(folder / f"left_{i:02d}.jpg"), read_gray(folder / f"right_{i:02d}.jpg"))
        for i in range(3)
    ]


def outcome(grade: str) -> Outcome:
    return Outcome(None, grade, grade, "tilt it", None, None, (), ())


def at_once(work: Callable[[], None]) -> None:
    work()


# -- targets ---------------------------------------------------------------------------------


@given(st.integers(1, 900), st.integers(1, 99))
def test_target_reads_what_it_writes(distance: int, percent: int) -> None:
    target = Target(distance / 10, percent / 10)
    assert Target.parse(str(target)) == target


@pytest.mark.parametrize("text", ["", "2m", "1%", "2:1", "2m:0%", "x2m:1%", "2..0m:1%", "1e9m:1%"])
def test_senseless_target_is_said(text: str) -> None:
    with pytest.raises(InputError, match="2m:1%"):
        Target.parse(text)


def test_target_in_metres_needs_a_board_of_known_length() -> None:
    with pytest.raises(InputError, match="board whose length is known"):
        LiveCalibration(parse_board("chessboard:9x6:1u"), [Target(2, 1)])


def test_too_few_views_are_refused() -> None:
    with pytest.raises(InputError, match="max_views must be 8 or more"):
        LiveCalibration(parse_board(CHARUCO), max_views=3)


# -- stillness -------------------------------------------------------------------------------


@given(st.lists(st.floats(-1.0, 1.0), min_size=5, max_size=5))
def test_board_that_hardly_moves_is_still_from_the_third_frame(shifts: list[float]) -> None:
    still = Stillness(max_motion_px=3.0)
    seen = [still.update(corners(shift), corners(-shift)) for shift in shifts]
    assert seen == [False, False, True, True, True]


@given(st.integers(0, 4), st.sampled_from(["left", "right"]))
def test_motion_in_either_image_starts_anew(when: int, side: str) -> None:
    still, where = Stillness(), {"left": 0.0, "right": 0.0}
    seen = []
    for number in range(8):
        if number == when:
            where[side] += 10
        seen.append(still.update(corners(where["left"]), corners(where["right"])))
    first = 2 if when == 0 else when + 2
    expected = [2 <= n < when or n >= first for n in range(8)]
    assert seen == expected


def test_lost_board_starts_anew_and_other_corners_are_no_evidence() -> None:
    still = Stillness()
    for _ in range(2):
        still.update(corners(), corners())
    assert not still.update(corners(), None)
    assert np.isnan(still.motion_px)
    assert not still.update(corners(), corners())
    assert not still.update(corners(ids=range(12, 24)), corners())
    assert still.motion_px == np.inf


@pytest.mark.parametrize("senseless", [{"max_motion_px": 0.0}, {"frames": 1}])
def test_senseless_stillness_is_said(senseless: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="above 0 px and 2 frames"):
        Stillness(**senseless)


# -- what is taken ---------------------------------------------------------------------------


def test_takes_a_still_board_once(pairs: list[tuple[Any, Any]]) -> None:
    live = LiveCalibration(parse_board(CHARUCO))
    left, right = pairs[0]
    blurred = cv2.GaussianBlur(left, (0, 0), 9), cv2.GaussianBlur(right, (0, 0), 9)
    shown = [(NO_BOARD, NO_BOARD), pairs[1], pairs[0], blurred, *[pairs[0]] * 4]
    steps = [live.feed(a, b) for a, b in shown]
    assert [s.doing for s in steps[:3]] == ["looking", "moving", "moving"]
    assert [s.doing for s in steps[-4:]] == ["moving", "moving", "taken", "known"]
    assert [s.feedback.views for s in steps] == [0] * 6 + [1, 1]
    assert "seen in either image" in steps[0].advice
    assert steps[1].advice == "hold the board still"
    assert steps[-1].advice.startswith("seen already; ")


def test_change_of_size_is_said(pairs: list[tuple[Any, Any]]) -> None:
    live = LiveCalibration(parse_board(CHARUCO))
    for _ in range(3):
        live.feed(*pairs[0])
    with pytest.raises(InputError, match="right image changed from 960x720 to 480x360"):
        live.feed(pairs[0][0], cv2.resize(pairs[0][1], (480, 360)))


# -- when it ends ----------------------------------------------------------------------------


BOARD = parse_board(CHARUCO)
BLANK = np.full((700, 1000), 127, np.uint8)


def view_of_board(number: int) -> Detection:
    """A board in a place, size and tilt of its own."""
    rng = np.random.default_rng(number)
    grid = BOARD.points[:, :2] / np.ptp(BOARD.points[:, :2], axis=0).max()
    size = 350 + 500 * rng.random()
    w = 1 + rng.uniform(-0.6, 0.6) * grid[:, :1]
    points = size * grid / w + rng.random(2) * (1000 - size)
    inside = np.all((points >= 0) & (points < (1000, 700)), axis=1)
    return Detection(points[inside], np.flatnonzero(inside), (1000, 700))


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[LiveCalibration, Any]]:
    """Shows one board after the other until it is over; solves say what the test wants."""

    def run(
        grade: str, *, percent: float = 9.0, matching: float = 0.1, **options: Any
    ) -> tuple[LiveCalibration, Any]:
        live = LiveCalibration(BOARD, solve=lambda *_: outcome(grade), start=at_once, **options)
        expected = tuple(Expected(target, percent, matching) for target in live.targets)
        monkeypatch.setattr(LiveCalibration, "_expect", lambda *_: expected)
        for number in range(200):
            seen = view_of_board(number // 3)
            monkeypatch.setattr("stereo.live.calibration.detect", lambda *_, seen=seen: seen)
            step = live.feed(BLANK, BLANK)
            if step.reason is not None:
                return live, step
        raise AssertionError("never over")

    return run


ASKED = [Target(2, 1), Target(5, 2)]


def test_ends_when_every_target_is_met(ending: Any) -> None:
    live, step = ending("usable", percent=0.9, targets=ASKED)
    assert step.reason == "target"
    assert 8 <= step.solved.views <= len(live.views) < 16
    assert step.doing == "done"


def test_one_target_missed_is_not_met(ending: Any) -> None:
    _, step = ending("usable", percent=1.5, targets=ASKED, max_views=14)
    assert step.reason == "limit"
    assert [e.met for e in step.solved.expected] == [False, True]


def test_untrusted_calibration_meets_nothing(ending: Any) -> None:
    assert ending("recalibrate", percent=0.1, targets=ASKED, max_views=14)[1].reason == "limit"


def test_without_target_ends_when_good_and_covered(ending: Any) -> None:
    _, step = ending("good")
    assert step.reason == "enough"
    assert step.feedback.enough


def test_target_below_matching_noise_is_said_to_be_out_of_reach(ending: Any) -> None:
    _, step = ending("good", percent=5.0, matching=4.9, targets=ASKED)
    assert step.reason == "unreachable"
    assert "longer baseline" in step.advice


def test_expected_nan_is_not_met() -> None:
    assert not Expected(Target(2, 1), float("nan"), float("nan")).met


def test_finish_solves_what_the_last_solve_did_not_see(ending: Any) -> None:
    live, step = ending("usable", max_views=11, solve_every=4)
    assert step.solved.views == 10
    assert live.finish() is not step.solved.outcome
    live, step = ending("usable", max_views=10, solve_every=4)
    assert live.finish() is step.solved.outcome


def test_failure_of_a_solve_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Outcome:
        raise MemoryError("no memory")

    live = LiveCalibration(BOARD, solve=broken, start=at_once)
    with pytest.raises(MemoryError, match="no memory"):  # noqa: PT012
        for number in range(60):
            seen = view_of_board(number // 3)
            monkeypatch.setattr("stereo.live.calibration.detect", lambda *_, seen=seen: seen)
            live.feed(BLANK, BLANK)


def test_finish_waits_for_the_solve_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, solves = threading.Event(), []

    def slow(views: Sequence[Any], _board: object) -> Outcome:
        gate.wait(20)
        solves.append(len(views))
        return outcome("good")

    live = LiveCalibration(BOARD, solve=slow, solve_every=1)
    for number in range(60):
        seen = view_of_board(number // 3)
        monkeypatch.setattr("stereo.live.calibration.detect", lambda *_, seen=seen: seen)
        step = live.feed(BLANK, BLANK)  # never waits
        if step.solving:
            break
    assert step.solved is None
    threading.Timer(0.2, gate.set).start()
    assert live.finish().grade == "good"
    assert solves == [len(live.views)]  # not solved twice


# -- the picture -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_picture_lightens_what_is_covered(
    pairs: list[tuple[Any, Any]], dtype: type[np.generic]
) -> None:
    live = LiveCalibration(BOARD)
    scale = 257 if dtype is np.uint16 else 1
    left, right = (np.asarray(image.astype(dtype) * scale, dtype) for image in pairs[0])
    before = calibration_picture(left, right, live.feed(left, right), width=800)
    for _ in range(2):
        step = live.feed(left, right)
    after = calibration_picture(left, right, step, width=800)
    assert step.doing == "taken"
    assert before.shape == after.shape == (52 + 300 + 130, 800, 3)
    assert after.dtype == np.uint8
    brightness = [float(picture[52:352].mean()) for picture in (before, after)]
    assert brightness[1] > 1.1 * brightness[0]
