"""Which two images of two streams belong together, told by time.

Cameras seldom share a clock: all that is known of an image is when it arrived, and arrivals jitter
by tens of milliseconds, as much as a frame. But a camera is periodic, and an image can only be
late, never early. So for each stream the period is found, and the earliest arrivals give the phase:
the image of cycle k was taken at ``start + k * period`` (a minimum-delay filter as in Olson, "A
passive solution to the sensor synchronization problem", IROS 2010). Images are paired by these
times, not by arrival.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")

_WINDOW = 120  # arrivals that the phase is found from
_FEWEST = 6  # arrivals before a phase is looked for
_FEWEST_SLOW = 3  # the same for cameras slower than this:
_SLOW_S = 0.2
_LEAST_GAP = 0.08  # share of a period that lateness must leave free
_HOPELESS = 100  # arrivals without a phase after which the arrivals themselves must do
_WAITING = 16  # images that wait for a partner, a side
_DOUBTS = 3  # images in a row that fell in a taken cycle, after which no phase is believed
_STRONG_BLUR = 0.5  # from here on a period may be found so wrong that a cycle slips:
_SAME_RATE = 8e-4  # periods nearer to a whole ratio are right
_OTHER_RATE = 0.02  # and those farther from it are of cameras of different rates
_LONG_PAUSE = 8  # periods without an image after which the phase is found anew


class FrameClock:
    """Tells from when images arrive when they were taken.

    Give it the arrivals of one stream in order. ``period_s`` is None until it and the phase are
    found.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything, as after a reconnection."""
        self.period_s: float | None = None
        self._start_s = 0.0
        self._margin = 0.0
        self._doubts = 0
        self._arrivals: deque[float] = deque(maxlen=_WINDOW)
        self._cycles: deque[int] = deque(maxlen=_WINDOW)

    @property
    def irregular(self) -> bool:
        """Whether enough images came to find a phase, and there is none."""
        return self.period_s is None and len(self._arrivals) >= _HOPELESS

    @property
    def blur(self) -> float:
        """How late images come at most, as a share of the period; 0 while no phase is known."""
        return 1 - 2 * self._margin if self.period_s is not None else 0.0

    @property
    def typical_s(self) -> float | None:
        """Period, or the median interval of a stream without one; None: too early to tell."""
        if self.period_s is not None or len(self._arrivals) < 2:
            return self.period_s
        return float(np.median(np.diff(self._arrivals)))

    def taken_s(self, arrival_s: float) -> float | None:
        """When the image that arrived now was taken, seconds; None while that is not known.

        Constant delays of camera and network cannot be known and are part of it.
        """
        if self._arrivals and self._silent_until(arrival_s):
            self.reset()
        self._arrivals.append(arrival_s)
        if self.period_s is None:
            if not self._find_phase():
                return arrival_s if self.irregular else None
        elif not self._next_cycle(arrival_s):
            return None
        assert self.period_s is not None
        return self._start_s + self._cycles[-1] * self.period_s

    def _silent_until(self, arrival_s: float) -> bool:
        typical = self.typical_s
        return typical is not None and arrival_s - self._arrivals[-1] > max(
            _LONG_PAUSE * typical, 0.5
        )

    def _find_phase(self) -> bool:
        arrivals = np.array(self._arrivals)
        typical = self.typical_s
        fewest = _FEWEST_SLOW if typical is not None and typical > _SLOW_S else _FEWEST
        if typical is None or typical <= 0 or len(arrivals) < fewest:
            return False
        if len(arrivals) > 20 and len(arrivals) % 4:
            return False  # the search takes a millisecond or more
        period, start, gap = find_period(arrivals, typical)
        if gap < enough_gap(len(arrivals)):
            return False
        cycles = np.floor((arrivals - start) / period + gap / 2).astype(int)
        if np.diff(cycles).min() < 1:
            return False
        self.period_s, self._start_s, self._margin = period, start, gap / 2
        self._cycles = deque((int(cycle) for cycle in cycles), maxlen=_WINDOW)
        return self._refine() and bool(cycles[-1] - cycles[-2] == 1)

    def _next_cycle(self, arrival_s: float) -> bool:
        """Put the new arrival in its cycle; False while it is doubtful which one that is.

        After an empty cycle an image may be the one of this cycle, or the missing one, late: that
        shows when the next one arrives, in the same cycle or in its own.
        """
        assert self.period_s is not None
        place = (arrival_s - self._start_s) / self.period_s
        cycle = int(np.floor(place + self._margin))
        step = cycle - self._cycles[-1]
        if step > 0:
            self._cycles.append(cycle)
            self._doubts = 0 if step == 1 else 1
            return self._refine() and step == 1
        self._doubts += 1
        if self._doubts > _DOUBTS:
            self._forget_phase()
            return False
        del self._arrivals[-2]  # the image before was a late one of an earlier cycle
        self._cycles[-1] = cycle
        return False

    def _refine(self) -> bool:
        """Period from all cycles, start from the earliest arrival, and the room lateness leaves.

        False, and no phase any more, when no room is left.
        """
        cycles, arrivals = np.array(self._cycles), np.array(self._arrivals)
        self.period_s, self._start_s = fit_phase(cycles, arrivals)
        late = arrivals - cycles * self.period_s - self._start_s
        gap = 1 - late.max() / self.period_s
        if gap < _LEAST_GAP:
            self._forget_phase()
            return False
        self._margin = float(gap) / 2
        return True

    def _forget_phase(self) -> None:
        last = self._arrivals[-1]
        self.reset()
        self._arrivals.append(last)


def find_period(arrivals: NDArray[np.float64], typical_s: float) -> tuple[float, float, float]:
    """Return (period s, start s, gap) of arrivals that are late by less than a period.

    At the right period the arrivals' phases leave part of the circle empty: ``gap`` is its share,
    1 for arrivals without jitter. The longest period with nearly the largest gap is taken. Images
    may be missing.
    """
    origin = arrivals[0]
    since = arrivals - origin
    count = len(arrivals)
    span = max(float(since[-1]), typical_s)
    # finer than the change that moves the last phase by a fortieth of the circle
    frequencies = np.arange(1 / (1.15 * typical_s), 1 / (0.45 * typical_s), 1 / (40 * span))
    phases = np.sort(since[None] * frequencies[:, None] % 1, axis=1)
    gaps = np.diff(phases, axis=1, append=phases[:, :1] + 1)
    largest = gaps.max(axis=1)
    best = int(np.argmax(largest >= largest.max() - 0.5 / count))  # the lowest frequency of them
    while best + 1 < len(largest) and largest[best + 1] > largest[best]:
        best += 1
    after = (int(gaps[best].argmax()) + 1) % count
    period = 1 / float(frequencies[best])
    return period, float(origin + phases[best, after] * period), float(largest[best])


def fit_phase(cycles: NDArray[np.int64], arrivals: NDArray[np.float64]) -> tuple[float, float]:
    """Return (period s, start s) of the line below all arrivals that lies nearest to them.

    Images are late, never early; least squares alone would be off three times as far.
    """
    centred = cycles - cycles.mean()
    square = float(centred @ centred)
    slope = float(centred @ (arrivals - arrivals.mean())) / square
    rest = arrivals - slope * cycles
    reach = 4 * float(rest.std()) / math.sqrt(square)
    slopes = slope + reach * np.linspace(-1, 1, 81)
    above = arrivals[None] - slopes[:, None] * centred
    best = int(np.argmin(above.mean(axis=1) - above.min(axis=1)))
    period = float(slopes[best])
    return period, float(np.min(arrivals - period * cycles))


def enough_gap(count: int) -> float:
    """Gap above which ``count`` arrivals are believed to be periodic, not so by chance.

    Simulated, wrong periods reach 0.92 with 6 arrivals, 0.57 with 20, 0.41 with 40, 0.26 with 60.
    So a stream without jitter is understood after 6 images, one whose jitter is four fifths of its
    period after about 80.
    """
    return min(0.93, 0.06 + 12 / count)


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    """Two images of one moment."""

    left: T
    right: T
    time_s: float
    """When the left one was taken."""
    skew_s: float
    """How much later the right one was."""


class Pairing(Generic[T]):
    """Pairs two streams image by image. Not safe to share between threads."""

    def __init__(self, *, max_skew_s: float | None = None, exact: bool = False) -> None:
        """``exact``: the times given are true capture times, not arrivals.

        ``max_skew_s`` None: half a period of the faster camera, so that free running cameras
        always pair.
        """
        self.max_skew_s = max_skew_s
        self.unpaired = dict.fromkeys(SIDES, 0)
        self.exact = exact
        self._clocks = {side: FrameClock() for side in SIDES}
        self._waiting: dict[Side, deque[tuple[float, T]]] = {side: deque() for side in SIDES}

    def reset(self, side: Side) -> None:
        """The stream was connected anew."""
        self._clocks[side].reset()
        self._drop(side, len(self._waiting[side]))

    def add(self, side: Side, time_s: float, image: T) -> Match[T] | None:
        """Take in an image; return the pair that it completes."""
        taken = self._clocks[side].taken_s(time_s)
        if self.exact:
            taken = time_s
        if taken is None:
            self.unpaired[side] += 1
            return None
        queue = self._waiting[side]
        queue.append((taken, image))
        self._drop(side, len(queue) - _WAITING)
        return self._complete(side, taken)

    def _complete(self, side: Side, taken: float) -> Match[T] | None:
        other: Side = "right" if side == "left" else "left"
        waiting = self._waiting[other]
        if not waiting:
            return None
        at = min(range(len(waiting)), key=lambda k: abs(waiting[k][0] - taken))
        if abs(waiting[at][0] - taken) > self._tolerance_s() or self._slipping():
            return None
        # within half a period of both: no later image can fit better
        self._drop(other, at)
        self._drop(side, len(self._waiting[side]) - 1)
        pair = {name: self._waiting[name].popleft() for name in SIDES}
        (left_s, left), (right_s, right) = pair["left"], pair["right"]
        return Match(left, right, left_s, right_s - left_s)

    def _slipping(self) -> bool:
        """Whether one of the periods is off by too little to be another rate: then it is not true.

        Cameras of one rate differ by a few parts in ten thousand.
        """
        left, right = (clock.period_s for clock in self._clocks.values())
        if self.exact or left is None or right is None:
            return False
        if max(clock.blur for clock in self._clocks.values()) < _STRONG_BLUR:
            return False
        ratio = max(left, right) / min(left, right)
        return _SAME_RATE < abs(ratio / round(ratio) - 1) < _OTHER_RATE

    def explain(self) -> str:
        """Why there is no pair, in words for people."""
        for side, clock in self._clocks.items():
            if clock.typical_s is None:
                return f"the {side} stream has given no images lately"
        if any(clock.period_s is None for clock in self._clocks.values()) and not self.exact:
            return (
                "images arrive too irregularly to tell which belong together; use a cable or "
                "a nearer network, or fewer frames a second"
            )
        limit_ms = 1000 * self._tolerance_s()
        apart = [
            1000 * min(abs(a - b) for b, _ in self._waiting["right"])
            for a, _ in self._waiting["left"]
            if self._waiting["right"]
        ]
        how_far = f"{np.median(apart):.0f} ms apart" if apart else "never at the same time"
        return (
            f"left and right images are taken {how_far}, more than {limit_ms:.0f} ms: trigger the "
            "cameras together, connect them anew, or raise --max-skew-ms"
        )

    def _tolerance_s(self) -> float:
        periods = [clock.typical_s for clock in self._clocks.values()]
        known = [period for period in periods if period is not None]
        share = 0.5
        if not self.exact:  # near half a period, jitter would make it a guess
            share -= 0.15 * max(clock.blur for clock in self._clocks.values())
            share /= 2 if any(clock.irregular for clock in self._clocks.values()) else 1
        half = share * min(known, default=0.0)
        return half if self.max_skew_s is None else min(half, self.max_skew_s)

    def _drop(self, side: Side, count: int) -> None:
        for _ in range(count):
            self._waiting[side].popleft()
            self.unpaired[side] += 1
