"""V4L2 devices as the kernel's vivid driver and others behave; tools/vivid has real ones."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stereo.errors import SourceError
from stereo.sources import SourceOptions
from stereo.sources.capture import VideoCapture
from stereo.sources.jpeg import RejectedImage
from stereo.sources.sync import Pairing

WHAT_IT_GIVES = {
    cv2.CAP_PROP_FRAME_WIDTH: 320.0,
    cv2.CAP_PROP_FRAME_HEIGHT: 180.0,
    cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"Y16 ")),
}


class Driver:
    """Gives images whose stamps are so many seconds behind their arrival."""

    behind_s = 0.01

    def __init__(self, *_: object) -> None:
        self.released = False

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def grab(self) -> bool:
        return True

    def retrieve(self) -> tuple[bool, Any]:
        return True, np.zeros((180, 320, 3), np.uint8)

    def get(self, prop: int) -> float:
        if prop == cv2.CAP_PROP_POS_MSEC:
            return 1000 * (time.monotonic() - self.behind_s)
        return WHAT_IT_GIVES[prop]

    def release(self) -> None:
        self.released = True


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(cv2, "VideoCapture", Driver)
    monkeypatch.setattr(Driver, "behind_s", 0.01)
    path = tmp_path / "video0"
    path.touch()
    return str(path)


def behind(capture: VideoCapture) -> float:
    """By how much the next image's time is behind now, seconds."""
    found = capture.read()
    assert found is not None
    return time.monotonic() - found[1]


@pytest.mark.parametrize("behind_s", [0.01, 8.0, -0.2])
def test_kernel_stamps_are_the_time_though_some_lie_ahead(device: str, behind_s: float) -> None:
    """Vivid stamps the end of an exposure, which is yet to come when it hands the image over."""
    capture = VideoCapture(device, SourceOptions())
    Driver.behind_s = behind_s
    assert behind(capture) == pytest.approx(behind_s, abs=0.1)
    assert capture.exact


def test_one_odd_stamp_costs_its_image_and_many_are_another_clock(device: str) -> None:
    capture = VideoCapture(device, SourceOptions())
    behind(capture)
    Driver.behind_s = 1e6
    with pytest.raises(RejectedImage, match="odd time stamp"):
        capture.read()
    Driver.behind_s = 0.01
    behind(capture)
    Driver.behind_s = 1e6
    for _ in range(4):
        with pytest.raises(RejectedImage, match="odd time stamp"):
            capture.read()
    assert behind(capture) < 5  # now the arrival counts
    assert not capture.exact
    assert capture.stamp is not None
    Driver.behind_s = 0.01
    for _ in range(5):
        behind(capture)
    assert capture.exact


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (SourceOptions(size=(333, 222)), "gives Y16 320x180, not 333x222; stereo doctor --cam"),
        (
            SourceOptions(pixel_format="MJPG"),
            "gives Y16 320x180, not MJPG; stereo doctor --cameras",
        ),
        (SourceOptions(pixel_format="Y16", size=(640, 360)), "not Y16 640x360; stereo doctor --c"),
    ],
)
def test_a_driver_that_chooses_for_itself_is_found_out(
    device: str, options: SourceOptions, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        VideoCapture(device, options)


def test_what_was_asked_for_and_given_is_fine(device: str) -> None:
    VideoCapture(device, SourceOptions(pixel_format="Y16", size=(320, 180)))


def test_no_phase_is_looked_for_in_true_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cost up to 0.4 s an image on a slow computer, with the other stream locked out."""

    def search(*_: object) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr("stereo.sources.phase.find_period", search)
    pairing: Pairing[int] = Pairing()
    pairs = [
        match
        for number in range(100)
        for side in ("left", "right")
        if (match := pairing.add(side, 1000 + number / 30, number, exact=True)) is not None  # type: ignore[arg-type]
    ]
    assert len(pairs) > 95
    assert all(match.left == match.right for match in pairs)
