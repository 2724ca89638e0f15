"""Which two images of two streams belong together, told by when they were taken.

Images are paired by capture times: true ones where a camera or driver stamps them, else those that
``phase.FrameClock`` proves from the arrivals. What is not proven is not paired.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np

from calib.words import plain
from stereo.sources.phase import FrameClock

T = TypeVar("T")
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")

_WAITING = 16  # images that wait for a partner, a side
_STRONG_BLUR = 0.5  # from here on a period may be found so wrong that a cycle slips:
_SAME_RATE = 1.2e-3  # periods nearer to a ratio of halves are right
_OTHER_RATE = 0.02  # and those farther from it are of cameras of other rates


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    """Two images of one moment."""

    left: T
    right: T
    time_s: float
    """When the left one was taken."""
    skew_s: float
    """How much later the right one was."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the pairing rests on: how late images come, and the room that leaves."""

    jitter_s: float = 0.0
    """How late images come at most, of the less steady stream."""
    margin: float = 1.0
    """Share of a frame period that no lateness reaches; pairs need a twentieth."""
    confidence: float = 1.0
    """Chance that neither image of a pair was late by more than that, by the lateness seen."""


class Pairing(Generic[T]):
    """Pairs two streams image by image. Not safe to share between threads."""

    def __init__(self, *, max_skew_s: float | None = None) -> None:
        """``max_skew_s`` None: nearly half a period of the faster camera.

        So free running cameras pair, but for images that lie halfway between two others.
        """
        self.max_skew_s = max_skew_s
        self.unpaired = dict.fromkeys(SIDES, 0)
        self._exact = dict.fromkeys(SIDES, False)
        self._clocks = {side: FrameClock() for side in SIDES}
        self._waiting: dict[Side, deque[tuple[float, T]]] = {side: deque() for side in SIDES}

    def reset(self, side: Side) -> None:
        """The stream was connected anew."""
        self._clocks[side].reset()
        self._drop(side, len(self._waiting[side]))

    def add(self, side: Side, time_s: float, image: T, *, exact: bool = False) -> Match[T] | None:
        """Take in an image; return the pair that it completes.

        ``exact``: the time is when it was taken, not when it arrived.
        """
        if exact != self._exact[side]:
            self._exact[side] = exact
            self._clocks[side].searches = not exact
            self.reset(side)
        taken = self._clocks[side].taken_s(time_s)
        if exact:
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

    @property
    def proof(self) -> Proof:
        """What pairs rest on now; true capture times leave no doubt."""
        clocks = self._guessing()
        return Proof(
            max((clock.jitter_s for clock in clocks), default=0.0),
            min((clock.margin for clock in clocks), default=1.0),
            max(0.0, 1 - sum(clock.risk for clock in clocks)),
        )

    def _guessing(self) -> list[FrameClock]:
        """Return the clocks of streams that only the arrivals are known of."""
        return [clock for side, clock in self._clocks.items() if not self._exact[side]]

    def _slipping(self) -> bool:
        """Whether one of the periods is off by too little to be another rate: then it is not true.

        Cameras of one rate differ by a few parts in ten thousand.
        """
        left, right = (clock.period_s for clock in self._clocks.values())
        clocks = self._guessing()
        if len(clocks) < 2 or left is None or right is None:
            return False
        if max(clock.blur for clock in clocks) < _STRONG_BLUR:
            return False
        ratio = max(left, right) / min(left, right)
        return _SAME_RATE < abs(2 * ratio / round(2 * ratio) - 1) < _OTHER_RATE

    def explain(self) -> str:
        """Why there is no pair, in words for people."""
        for side, clock in self._clocks.items():
            if clock.typical_s is None:
                return f"the {side} stream has given no images lately"
        for side, clock in self._clocks.items():
            if not self._exact[side] and not clock.proven:
                return f"the {side} images {_doubt(clock)}"
        if self._slipping():
            return "the two frame rates differ by less than can be told apart with such jitter"
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
        share = 0.5  # near it, jitter would make it a guess
        share -= 0.05 + 0.15 * max((clock.blur for clock in self._guessing()), default=-1 / 3)
        half = share * min(known, default=0.0)
        return half if self.max_skew_s is None else min(half, self.max_skew_s)

    def _drop(self, side: Side, count: int) -> None:
        for _ in range(count):
            self._waiting[side].popleft()
            self.unpaired[side] += 1


def _doubt(clock: FrameClock) -> str:
    """Why the images of a stream cannot be told apart in time, and what to do."""
    do = "use a cable or a nearer network, or fewer frames a second, or hardware-triggered cameras"
    if clock.period_s is None:
        return f"arrive too irregularly so far to tell when each was taken: {do}"
    return (
        f"arrive up to {plain(1000 * clock.jitter_s)} ms late at {plain(1000 * clock.period_s)} ms "
        f"a frame, which proves no pair: {do}"
    )
