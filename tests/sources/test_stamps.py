"""Capture times from a camera's own stamps and numbers."""

from __future__ import annotations

import numpy as np
import pytest

from stereo.sources.stamps import Stamp, StampClock, stamp_of

PERIOD_S = 0.05


@pytest.mark.parametrize("unit", [1.0, 1e-3, None], ids=["seconds", "ms", "numbers"])
def test_times_are_free_of_jitter_and_of_losses(unit: float | None) -> None:
    rng = np.random.default_rng(0)
    clock, off = StampClock(), []
    for number in np.flatnonzero(rng.random(400) > 0.2):
        taken = 1000 + number * PERIOD_S
        told = clock.taken_s(
            taken + rng.uniform(0, 0.04), Stamp(5e5 + number * PERIOD_S / (unit or PERIOD_S), unit)
        )
        if told is not None:
            off.append((abs(told - taken), clock.error_s))
    assert len(off) > 250
    assert all(error <= bound for error, bound in off)
    assert off[-1][1] < 0.1 * PERIOD_S


def test_a_backlog_after_connecting_is_not_taken_for_jitter() -> None:
    clock, off = StampClock(), []
    for k in range(100):
        taken = 1000 + k * PERIOD_S
        told = clock.taken_s(max(1001 + k * 0.02, taken), Stamp(k * PERIOD_S, 1.0))
        off.append(0.0 if told is None else told - taken)
        assert told is not None or k < 80
    assert off == pytest.approx(100 * [0.0], abs=2e-3)


@pytest.mark.parametrize("stall_s", [0.06, 0.08, 0.1, 0.2])
@pytest.mark.parametrize("at", [3, 8, 12])
def test_an_early_stall_is_forgotten(stall_s: float, at: int) -> None:
    rng = np.random.default_rng(at)
    clock, told_at = StampClock(), []
    for k in range(80):
        taken = 1000 + k * PERIOD_S
        arrival = taken + rng.uniform(0, 0.01)
        if k >= at:  # what came in the meantime comes at once
            arrival = max(arrival, 1000 + at * PERIOD_S + stall_s + 0.001 * (k - at))
        told = clock.taken_s(arrival, Stamp(1000 * k * PERIOD_S, 1e-3))
        if told is not None:
            told_at.append(k)
            assert abs(told - taken) <= clock.error_s < PERIOD_S / 2
    late = at + stall_s / PERIOD_S
    assert min(k for k in told_at if k > late) < late + 20  # a second
    assert told_at[-30:] == [*range(50, 80)]


@pytest.mark.parametrize("left_out", [4, 5, 7])
def test_numbers_of_what_was_sent_are_not_believed(left_out: int) -> None:
    """A server that leaves one of some images out, and numbers the rest."""
    clock, sent, wrong = StampClock(), 0, 0
    rng = np.random.default_rng(left_out)
    for k in range(2000):
        if k % left_out:
            sent += 1
            taken = 1000 + k * PERIOD_S
            told = clock.taken_s(taken + rng.uniform(0, 0.005), Stamp(sent))
            wrong += told is not None and abs(told - taken) > PERIOD_S / 2
    assert wrong == 0


@pytest.mark.parametrize("stamps", [np.zeros(90), np.arange(90) % 9, 1.3 ** np.arange(90)])
def test_stamps_that_say_nothing_are_not_believed(stamps: np.ndarray) -> None:
    clock = StampClock()
    for k, stamp in enumerate(stamps):
        assert clock.taken_s(1000 + k * PERIOD_S, Stamp(float(stamp))) is None
        assert not clock.proven


def test_headers() -> None:
    assert stamp_of({"x-frame-number": "17"}) == Stamp(17)
    assert stamp_of({"x-ustreamer-grab-time": "3.5", "x-frame": "2"}) == Stamp(3.5, 1.0)
    assert stamp_of({"x-frame": "nan"}) is None
    assert stamp_of({"x-timestamp": "12.5"}) is None  # of sending, with some servers
