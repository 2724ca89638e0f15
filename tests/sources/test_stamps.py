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
