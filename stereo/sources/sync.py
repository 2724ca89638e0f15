"""Which two images of two streams belong together, told by when they were taken.

Images are paired by capture times: true ones where a driver stamps them, else those that
``stamps.StampClock`` tells from the camera's own stamps or numbers, else those that
``phase.FrameClock`` proves from the arrivals; where that leaves a doubt, ``motion.MotionJudge``
asks what the images show. What is not proven is not paired.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np

from calib.words import plain
from stereo.proof import Proof
from stereo.sources.motion import REACH, Look, MotionJudge
from stereo.sources.phase import FrameClock
from stereo.sources.stamps import Stamp, StampClock

T = TypeVar("T")
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")

_WAITING = 16  # images that wait for a partner, a side
_STRONG_BLUR = 0.5  # from here on a period may be found so wrong that a cycle slips:
_SAME_RATE = 1.2e-3  # periods nearer to a ratio of halves are right
_LATER = 0.15  # share of a period
_SAFE = 0.2  # margin, above which what images show is not asked
_ALIKE = 0.05  # share that the rates may differ by where images are counted
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
        self._stamps = {side: StampClock() for side in SIDES}
        self._waiting: dict[Side, deque[tuple[float, T]]] = {side: deque() for side in SIDES}
        self._judge = MotionJudge()
        self._seen: dict[Side, deque[tuple[float, T]]] = {
            side: deque(maxlen=REACH + 1) for side in SIDES
        }
        self._by_motion = False

    def reset(self, side: Side) -> None:
        """The stream was connected anew."""
        self._clocks[side].reset()
        self._stamps[side].reset()
        self._drop(side, len(self._waiting[side]))
        self._stop_looking()

    @property
    def in_doubt(self) -> bool:
        """Whether ``add`` has a use for an image's look."""
        return any(clock.margin < _SAFE for clock in self._guessing())

    def add(
        self,
        side: Side,
        time_s: float,
        image: T,
        *,
        exact: bool = False,
        stamp: Stamp | None = None,
        seen: Look | None = None,
    ) -> Match[T] | None:
        """Take in an image; return the pair that it completes.

        ``exact``: the time is when it was taken, not when it arrived. ``stamp``: what the camera
        itself says of when, or its number. ``seen``: what it shows, if ``in_doubt``.
        """
        if exact != self._exact[side]:
            self._exact[side] = exact
            self._clocks[side].searches = not exact
            self.reset(side)
        taken = self._clocks[side].taken_s(time_s)
        if exact:
            taken = time_s
        elif stamp is not None:
            told = self._stamps[side].taken_s(time_s, stamp)
            taken = told if self._is_told(side) else taken
        shown = self._partner_shown(side, time_s, image, seen)
        if taken is None:
            self.unpaired[side] += 1
        else:
            queue = self._waiting[side]
            queue.append((taken, image))
            self._drop(side, len(queue) - _WAITING)
        match = self._complete(side, taken) if taken is not None else None
        if match is not None:
            self._by_motion = False
            return match if shown is None or _same(match, shown) else None
        proven = all(clock.proven for clock in self._guessing())
        self._by_motion = shown is not None and not proven and self.max_skew_s is None
        if shown is None or not self._by_motion:
            return None
        self._take_back(shown)
        return shown

    def _partner_shown(
        self, side: Side, time_s: float, image: T, seen: Look | None
    ) -> Match[T] | None:
        """Return the pair that what the images show leaves no doubt about."""
        if seen is None:
            if any(self._seen.values()):
                self._stop_looking()
            return None
        self._judge.add(side, seen)
        self._seen[side].append((time_s, image))
        other: Side = "right" if side == "left" else "left"
        rates = [clock.typical_s for clock in self._clocks.values()]
        if None in rates or abs(rates[0] / rates[1] - 1) > _ALIKE:  # type: ignore[operator]
            return None
        at = self._judge.partner(side)
        if at is None or at >= len(self._seen[other]):
            return None
        pair = {side: (time_s, image), other: self._seen[other][-1 - at]}
        return Match(pair["left"][1], pair["right"][1], pair["left"][0], 0.0)

    def _stop_looking(self) -> None:
        self._judge.reset()
        for images in self._seen.values():
            images.clear()

    def _take_back(self, match: Match[T]) -> None:
        """Let a pair's images wait no longer, nor count as unpaired."""
        for side, image in zip(SIDES, (match.left, match.right), strict=True):
            waiting = self._waiting[side]
            at = next((k for k, (_, other) in enumerate(waiting) if other is image), None)
            if at is None:
                self.unpaired[side] -= 1
            else:
                del waiting[at]

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
        if self._by_motion:
            clear = 1 - self._judge.left_over
            return Proof(max(clock.jitter_s for clock in self._guessing()), clear, clear, "motion")
        clocks: list[FrameClock | StampClock] = [*self._guessing(), *self._told()]
        return Proof(
            max((clock.jitter_s for clock in clocks), default=0.0),
            min((clock.margin for clock in clocks), default=1.0),
            max(0.0, 1 - sum(clock.risk for clock in clocks)),
            "arrivals" if self._guessing() else "stamps" if clocks else "capture times",
        )

    def _guessing(self) -> list[FrameClock]:
        """Return the clocks of streams that only the arrivals are known of."""
        return [
            clock
            for side, clock in self._clocks.items()
            if not self._exact[side] and not self._is_told(side)
        ]

    def _told(self) -> list[StampClock]:
        """Return the clocks of streams whose images say when they were taken."""
        return [
            clock
            for side, clock in self._stamps.items()
            if not self._exact[side] and self._is_told(side)
        ]

    def _is_told(self, side: Side) -> bool:
        """Whether stamps may be believed: not where arrivals prove that images come less late."""
        told, seen = self._stamps[side], self._clocks[side]
        if not told.proven or not seen.proven:
            return told.proven
        return told.jitter_s < seen.jitter_s + _LATER * (seen.period_s or 0.0)

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
            if clock in self._guessing() and not clock.proven:
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
        half = share * min(known, default=0.0) - sum(clock.error_s for clock in self._told())
        return half if self.max_skew_s is None else min(half, self.max_skew_s)

    def _drop(self, side: Side, count: int) -> None:
        for _ in range(count):
            self._waiting[side].popleft()
            self.unpaired[side] += 1


def _same(one: Match[T], two: Match[T]) -> bool:
    return one.left is two.left and one.right is two.right


def _doubt(clock: FrameClock) -> str:
    """Why the images of a stream cannot be told apart in time, and what to do."""
    do = (
        "use a cable or a nearer network, or fewer frames a second, or hardware-triggered cameras, "
        "or let something move in view"
    )
    if clock.period_s is None:
        return f"arrive too irregularly so far to tell when each was taken: {do}"
    return (
        f"arrive up to {plain(1000 * clock.jitter_s)} ms late at {plain(1000 * clock.period_s)} ms "
        f"a frame, which proves no pair: {do}"
    )
