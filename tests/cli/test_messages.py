"""What a running command says."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from stereo.cli import messages
from stereo.cli.messages import LiveMessages, _ending, _status
from stereo.live.watch import RigState
from stereo.sources import Event

FRAME = {
    "fps": 12.34,
    "valid_share": 0.714,
    "median_depth_m": 3.2,
    "latency_ms": 45.4,
    "skew_ms": 1.23,
    "smoothed_share": 0.0,
}
END = {
    "frames": 47,
    "fps": 15.3,
    "dropped": 1,
    "damaged": 0,
    "unpaired_left": 0,
    "unpaired_right": 0,
    "reconnects": 0,
}


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(messages, "time", found)
    return found


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "12.3 fps, 71% matched, median 3.20 m, latency 45 ms, skew 1.2 ms"),
        ({"fps": 0.0, "latency_ms": math.nan, "skew_ms": -0.01}, "71% matched, median 3.20 m"),
    ],
)
def test_status_says_what_is_known(changed: dict[str, Any], said: str) -> None:
    assert _status(FRAME | changed) == said


@pytest.mark.parametrize(
    ("changed", "live", "said"),
    [
        ({}, True, "47 frames, 15.3 fps, 1 dropped for newer ones"),
        ({"frames": 1, "fps": 0.0, "dropped": 0}, False, "1 frame"),
        (
            {"unpaired_left": 2, "unpaired_right": 1, "reconnects": 1},
            True,
            "47 frames, 15.3 fps, 1 dropped for newer ones, 3 images without partner, "
            "1 reconnection",
        ),
        ({"damaged": 2}, False, "47 frames, 15.3 fps, 2 pairs damaged"),
    ],
)
def test_end_counts(changed: dict[str, Any], live: bool, said: str) -> None:
    assert _ending(END | changed, live=live) == said


def test_silence_is_said_after_a_second_and_why_where_it_is_known(clock: Clock) -> None:
    one = LiveMessages(as_json=False)
    clock.now += 0.5
    assert one.waiting() == "waiting for the first frame"
    clock.now += 2
    assert one.waiting() == "nothing new for 2 s"
    one.event(Event("lost", "left", "no more images", 0.0))
    assert one.waiting() == "nothing new for 2 s (lost: left: no more images)"


def test_a_pause_is_no_silence(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    one = LiveMessages(as_json=False)
    clock.now += 10
    one.paused()
    clock.now += 0.5
    assert "nothing new" not in one.waiting()
    assert capsys.readouterr().err == "paused\n"


def test_a_rig_that_has_moved_is_an_event_and_stays_in_the_status(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = LiveMessages(as_json=True)
    said.rig("sbs:0", RigState(True, 0.812, 5))
    event = json.loads(capsys.readouterr().out)
    assert (event["kind"], event["stream"]) == ("moved", "sbs:0")
    assert "rows differ by 0.81 px" in event["message"]


def test_rejected_images_are_said_and_no_password_is_shown() -> None:
    said = messages._rejections({"http://me:secret@cam/s": {"damaged": 3, "too large": 1}})
    assert said == ["images of http://me:secret@cam/s rejected: 3 damaged, 1 too large"]
    shown = messages._without_login(said[0])
    assert shown == "images of http://cam/s rejected: 3 damaged, 1 too large"
