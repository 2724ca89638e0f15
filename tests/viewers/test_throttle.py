"""Saving and recording, seldom enough."""

from __future__ import annotations

import threading

import pytest

from stereo.errors import InputError
from stereo.viewers.throttle import Throttle


def test_a_thousand_presses_in_ten_seconds_save_ten_frames() -> None:
    time_s, saved = [0.0], []

    def save(frame: int) -> str:
        saved.append(frame)
        return "there"

    throttled = Throttle(save, 1.0, now=lambda: time_s[0])
    refused = 0
    for press in range(1000):
        time_s[0] = press / 100
        try:
            throttled(press)
        except InputError:
            refused += 1
    assert len(saved) == 10
    assert refused == 990


def test_an_end_may_be_asked_for_at_once() -> None:
    asked: list[bool] = []
    record = Throttle(lambda on: asked.append(on) or "", 5.0, free=False, now=lambda: 0.0)
    record(True)
    record(False)
    with pytest.raises(InputError, match="wait a moment"):
        record(True)
    assert asked == [True, False]


def test_what_fails_counts_and_what_is_not_done_is_not_begun_again() -> None:
    began, go_on = threading.Event(), threading.Event()

    def save(_frame: int) -> str:
        began.set()
        go_on.wait(60)
        raise OSError("the disk is full")

    throttled = Throttle(save, 0.0)
    failed: list[Exception] = []

    def press() -> None:
        try:
            throttled(1)
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=press)
    thread.start()
    assert began.wait(60)
    with pytest.raises(InputError, match="not done yet"):
        throttled(2)
    go_on.set()
    thread.join(60)
    assert len(failed) == 1
