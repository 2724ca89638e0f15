"""When images were taken, told from the stamps or numbers that the camera itself gives them.

A stamp says how much time lies between two images, a number how many frames: neither says when, as
no clock is shared. The earliest arrivals do: of images late by J at most one of n comes, in all
likelihood, within ``12 * J / n`` of being on time (else with a chance of ``exp(-12)``). So an image
that was lost shifts nothing, and jitter may be as large as it likes.

Not every number counts exposures: some servers number what they send. Where such a one leaves an
image out, all later ones seem late by a frame; so an image that is as late as that is not believed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stereo.sources.phase import correlation, fit_phase

# the moment of capture, seconds (uStreamer's, by version); what is sent with X-Timestamp and the
# like may be the moment of sending, which jitters: see mjpeg.py
_SECONDS = "x-ustreamer-grab-begin-time", "x-ustreamer-grab-time", "x-ustreamer-grab-timestamp"
_NUMBERS = (
    *("x-frame-number", "x-framenumber", "x-frame-id", "x-frameid", "x-frame-index", "x-frame"),
    *("x-frame-seq", "x-frame-sequence", "x-sequence-number", "x-sequence", "x-seq"),
)
_WINDOW = 240
_FEWEST = 10
_QUARTERS = 4  # of the window, in each of which some image must have been nearly
_ON_TIME = 0.25  # of a period; a server that left out an image before numbering breaks that
_TOO_LATE = 0.95  # of a period: so late seem images after one that got no number
_IRREGULAR = 0.2  # of a period, by which stamps may be off a whole number of periods
_LOST_S = 1.5  # without one image on time, after which the clock is found anew
_FASTER = 0.1  # share, by which images come so; numbers do not tell, so they need
_SPAN_S = 1.0  # of images
_SURE = 12.0  # see above
_SLANT = 1.5  # times the error of the middle of a window is that of its ends
_SMALL, _LARGE = 0.4, 2.0  # lateness, in periods, that needs no further proof, and that has none
_ALIKE = 0.4  # correlation of one image's lateness with the next one's
_CATCHING_UP = 0.5  # of a period, by which each image that waited is less late than the one before


class Stamp(NamedTuple):
    """What a camera gives an image."""

    value: float
    unit_s: float | None = None
    """Seconds; None: a number, which counts exposures or images sent."""


class StampClock:
    """Tells when images were taken. Give it the arrivals and stamps of one stream, in order."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything, as after a reconnection."""
        self.period_s: float | None = None
        self.jitter_s = 0.0
        """How late images come at most, of those believed."""
        self.error_s = math.inf
        """By how much the times may be off."""
        self.proven = False
        self._stamps: deque[float] = deque(maxlen=_WINDOW)
        self._arrivals: deque[float] = deque(maxlen=_WINDOW)
        self._last = math.nan

    @property
    def margin(self) -> float:
        """Share of half a period that the error leaves."""
        return 1 - 2 * self.error_s / self.period_s if self.period_s else 0.0

    @property
    def risk(self) -> float:
        """Chance that the times are off by more."""
        return math.exp(-_SURE) if self.proven else 1.0

    def taken_s(self, arrival_s: float, given: Stamp) -> float | None:
        """When the image that arrived now was taken, seconds; None while that is not known."""
        stamp, self._unit_s = given
        if self._arrivals and (arrival_s - self._arrivals[-1] > self._patience_s()):
            self.reset()
        before, self._last = self._last, stamp
        if stamp <= before:  # begun anew, or one number for all
            self.reset()
            self._last = stamp
        late = self._late(arrival_s, stamp)
        if self.proven and (late > _TOO_LATE or self._irregular(before, stamp)):
            return None
        self._stamps.append(stamp)
        self._arrivals.append(arrival_s)
        if len(self._stamps) < _FEWEST or not self._fit():
            return None
        return arrival_s - self._late(arrival_s, stamp) * (self.period_s or math.nan)

    def _patience_s(self) -> float:
        return max(_LOST_S, 20 * self.period_s) if self.period_s else math.inf

    def _late(self, arrival_s: float, stamp: float) -> float:
        """By how many periods an image is late; nan while that is not known."""
        if self.period_s is None:
            return math.nan
        return (arrival_s - self._start_s - self._slope * (stamp - self._origin)) / self.period_s

    def _irregular(self, before: float, stamp: float) -> bool:
        steps = (stamp - before) / self._step
        return abs(steps - round(steps)) > _IRREGULAR

    def _fit(self) -> bool:
        """Find the line below all arrivals; whether the images keep to it."""
        stamps, arrivals = np.array(self._stamps, float), np.array(self._arrivals)
        steps = np.diff(stamps)
        self._origin, self._step = float(stamps[0]), float(np.median(steps))
        self._slope, self._start_s, _ = fit_phase(stamps - stamps[0], arrivals)
        self.period_s = self._slope * self._step
        if self.period_s <= 0:
            self.reset()
            return False
        late = (arrivals - self._start_s - self._slope * (stamps - stamps[0])) / self.period_s
        steady = late[_came_steadily(late)]
        backlog = late[0] > _TOO_LATE or steady.max() > _LARGE
        if self._unit_s is not None:
            backlog |= abs(self._slope / self._unit_s - 1) > _FASTER
        if backlog:  # as after connecting: images come faster than they were taken
            for _ in range(2):
                self._stamps.popleft()
                self._arrivals.popleft()
            self.proven = False
            return False
        self.jitter_s = float(steady.max()) * self.period_s
        self.error_s = _SLANT * _SURE * self.jitter_s / len(steady)
        steps /= self._step
        self.proven = bool(
            self.margin > 0
            and (self._unit_s is not None or arrivals[-1] - arrivals[0] > _SPAN_S)
            and late[-1] < _TOO_LATE
            and max(part.min() for part in np.array_split(late, _QUARTERS)) < _ON_TIME
            and _at_random(steady, counted=self._unit_s is None)
            and (abs(steps - np.round(steps)) < _IRREGULAR).all()
        )
        return self.proven


def _at_random(late: NDArray[np.float64], *, counted: bool) -> bool:
    """Whether lateness is small, or of each image by itself.

    Images that are numbered as they are sent seem later and later, then early again; where some are
    left out by rule they do so by rule, maybe every few images.
    """
    if late.max() < _SMALL:
        return True
    rounds = range(1, len(late) // 2 if counted else 2)
    return late.max() < _LARGE and all(abs(correlation(late, n)) < _ALIKE for n in rounds)


def _came_steadily(late: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which did not wait: those come at once, ever less late, down to one on time."""
    catching_up = late[:-1] - late[1:] > _CATCHING_UP
    steady = np.ones(len(late), bool)
    for k in reversed(range(len(late) - 1)):
        steady[k] = not (catching_up[k] and (late[k + 1] < _SMALL or not steady[k + 1]))
    return steady


def stamp_of(headers: Mapping[str, str]) -> Stamp | None:
    """Return the stamp of capture, or number, among an image's headers (names in small letters)."""
    for names, unit_s in ((_SECONDS, 1.0), (_NUMBERS, None)):
        for name in names:
            try:
                value = float(headers.get(name, ""))
            except ValueError:
                continue
            if math.isfinite(value):
                return Stamp(value, unit_s)
    return None
