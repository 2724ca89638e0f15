"""When the images of one stream were taken, told from when they arrive, or that it cannot be told.

Cameras seldom share a clock: all that is known of an image is when it arrived, and arrivals jitter
by tens of milliseconds, as much as a frame. But a camera is periodic, and an image can only be
late, never early. So the period is found, and the earliest arrivals give the phase: the image of
cycle k was taken at ``start + k * period`` (a minimum-delay filter as in Olson, "A passive solution
to the sensor synchronization problem", IROS 2010).

An image is told a time only when no other is possible: lateness, and what may still come of it,
leaves part of the period empty; the cycle before has its own image; no other period explains the
arrivals as well.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

_WINDOW = 240  # arrivals that the phase is found from
_SEARCHED = 160  # of them, at most, in a search
_FEWEST = 10  # arrivals before a phase is looked for
_FEWEST_SLOW = 3  # the same for cameras slower than this:
_SLOW_S = 0.2
_SHORTEST_S = 0.3  # that they must span
_BACKLOG = 0.75  # of the former interval, below which images come from a backlog
_UNLIKELY = 12.0  # log likelihood by which a period must exceed all others
_LONGER = 0.9  # of a frequency, below which another's cycles are longer
_SLIGHT_GAP = 0.08  # by which a period explains arrivals, but badly
_CHANCE = 1e-8  # of a period found in arrivals that have none
_LEAST_GAP = 0.05  # share of a period that lateness must leave free
_TAIL = 3.5  # scales of its tail that lateness may grow by
_MANY = 60  # images that show
_TAIL_ALONE = 1.0  # the same where each image is late by itself, see _next_cycle
_ALONE = 0.25  # correlation of lateness from one image to the next, below which that is so
_BOUNDED_AFTER = 200  # arrivals that can show that lateness has an end
_LOSSES = 8  # that show whether they are random; twice as many where many are lost
_FEW_LOST = 0.12  # share that fewer may be
_MOST_LOST = 0.27  # cycles without an image, before the period is not the camera's
_LONG_SILENCE = 3  # cycles without an image, after which images may come from a backlog
_CLEAR = 3  # images in their own cycles in a row, that show a backlog's end
_UNCLEAR_S = 1.5  # without one clear image, after which the phase is found anew
_LONGEST_SILENCE_S = 10.0


class FrameClock:
    """Tells from when images arrive when they were taken.

    Give it the arrivals of one stream in order. ``period_s`` is None until it and the phase are
    found.
    """

    def __init__(self) -> None:
        self.searches = True
        """Whether a phase is looked for: of true capture times only the interval is wanted."""
        self.reset()

    def reset(self) -> None:
        """Forget everything, as after a reconnection."""
        self.period_s: float | None = None
        self.jitter_s = 0.0
        """How late images come at most, of those seen."""
        self.margin = 0.0
        """Share of the period that lateness leaves free, its tail counted; may be negative."""
        self.risk = 1.0
        """Chance that an image is late by more than lateness may be, by the tail seen."""
        self._start_s = self._gap = self._period_error_s = 0.0
        self._last_cycle = self._unclear = 0
        self._seen = self._search_at = 0
        self._interval_s = 0.0  # of images before a silence
        self._clear_s: float | None = None
        self._arrivals: deque[float] = deque(maxlen=_WINDOW)
        self._cycles: deque[int] = deque(maxlen=_WINDOW)
        self._steps: deque[int] = deque(maxlen=_WINDOW)  # cycles from each image to the next
        self._arrived_s = -math.inf

    @property
    def proven(self) -> bool:
        """Whether an image's cycle can be told beyond doubt."""
        return (
            self.period_s is not None
            and self.margin >= _LEAST_GAP
            and not lost_by_rule(np.array(self._steps))
        )

    @property
    def blur(self) -> float:
        """How late images come at most, as a share of the period; 0 while no phase is known."""
        return self.jitter_s / self.period_s if self.period_s is not None else 0.0

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
        if self._is_forgotten(arrival_s - self._arrived_s):
            interval_s = self._interval_s
            if len(self._arrivals) >= _FEWEST:
                interval_s = (self._arrivals[-1] - self._arrivals[0]) / (len(self._arrivals) - 1)
            self.reset()
            self._interval_s = interval_s
        self._arrived_s = arrival_s
        if self.period_s is None:
            self._arrivals.append(arrival_s)
            clear = self._find_phase()
        else:
            clear = self._next_cycle(arrival_s)
        if not (clear and self.proven):
            return None
        assert self.period_s is not None
        return self._start_s + self._last_cycle * self.period_s

    def _is_forgotten(self, silent_s: float) -> bool:
        """Whether it was silent for too long to know the phase still."""
        if self.period_s is None:
            typical = self.typical_s
            return typical is not None and silent_s > max(8 * typical, 0.5)
        if silent_s > max(_LONGEST_SILENCE_S, 8 * self.period_s):
            return True
        return silent_s * self._period_error_s > 0.2 * self._gap * self.period_s**2

    def _find_phase(self) -> bool:
        arrivals = np.array(self._arrivals)[-_SEARCHED:]
        count, typical = len(arrivals), self.typical_s
        if typical is None or typical <= 0 or not self.searches:
            return False
        if count < (_FEWEST_SLOW if typical > _SLOW_S else _FEWEST):
            return False
        self._seen += 1
        if self._seen < self._search_at:
            return False
        self._search_at = self._seen + count // 8  # it takes milliseconds
        mean_s = float(arrivals[-1] - arrivals[0]) / (count - 1)
        if mean_s * (count - 1) < _SHORTEST_S or mean_s < _BACKLOG * self._interval_s:
            return False  # after a silence, what comes so fast has been waiting
        found = find_period(arrivals, typical)
        if found is None or found[2] < enough_gap(count):
            return False
        self.period_s, self._start_s, self._gap = found
        cycles = cycles_of(arrivals, *found)
        self._cycles = deque((int(cycle) for cycle in cycles), maxlen=_WINDOW)
        self._arrivals = deque(arrivals, maxlen=_WINDOW)
        self._steps = deque((int(step) for step in np.diff(cycles)), maxlen=_WINDOW)
        self._last_cycle, self._unclear, self._clear_s = int(cycles[-1]), 0, arrivals[-1]
        return self._refine() and bool(cycles[-1] - cycles[-2] == 1)

    def _next_cycle(self, arrival_s: float) -> bool:
        """Put the new arrival in its cycle; False while it is doubtful which one that is.

        An image that is late by more than a period leaves its own cycle empty: so none is believed
        after an empty cycle, and after many, or two images in one, none until some in a row have
        come each in its own. Where each image is late by itself, three in a row would have to be so
        late before one is believed wrongly.
        """
        assert self.period_s is not None
        assert self._clear_s is not None
        cycle = math.floor((arrival_s - self._start_s) / self.period_s + self._gap / 2)
        step = cycle - self._last_cycle
        if step > 0:
            self._steps.append(step)
        if step < 1 and self._unclear == 0:  # an image too many with no empty cycle before
            return self._forget_phase(arrival_s)
        clear = step == 1 and self._unclear == 0
        if step == 1:
            self._unclear = max(self._unclear - 1, 0)
        else:
            few = 1 < step <= _LONG_SILENCE
            self._unclear = max(self._unclear, 1 if few else _CLEAR)
            if step > _LONG_SILENCE:
                self._clear_s = arrival_s
        self._last_cycle = max(cycle, self._last_cycle)
        if clear:
            self._clear_s = arrival_s
            self._cycles.append(cycle)
            self._arrivals.append(arrival_s)
            return self._refine()
        if arrival_s - self._clear_s > max(_UNCLEAR_S, 20 * self.period_s):
            return self._forget_phase(arrival_s)
        return False

    def _refine(self) -> bool:
        """Period from all cycles, start from the earliest arrival, and the room lateness leaves.

        False, and no phase any more, when no room is left.
        """
        cycles, arrivals = np.array(self._cycles), np.array(self._arrivals)
        self.period_s, self._start_s, self._period_error_s = fit_phase(cycles, arrivals)
        late = (arrivals - self._start_s) / self.period_s - cycles
        latest, scale = float(late.max()), tail_scale(late)
        self.jitter_s = latest * self.period_s
        self._gap = 1 - latest
        tail = _TAIL_ALONE if len(late) >= _MANY and correlation(late) < _ALONE else _TAIL
        self.margin = self._gap - tail * scale
        self.risk = math.exp(-max(self._gap, 0.0) / max(scale, 1e-6)) / len(late)
        return self._gap > 0.02 or self._forget_phase(float(arrivals[-1]))

    def _forget_phase(self, arrival_s: float) -> bool:
        self.reset()
        self._arrivals.append(arrival_s)
        self._arrived_s = arrival_s
        return False


def find_period(
    arrivals: NDArray[np.float64], typical_s: float
) -> tuple[float, float, float] | None:
    """Return (period s, start s, gap) that alone explains the arrivals, or None.

    At the right period the arrivals' phases leave part of the circle empty: ``gap`` is its share,
    1 for arrivals without jitter. Images may be missing. Of all periods that give each image its
    own cycle the likeliest is taken: n images in c cycles, lost at random and late by a spread J at
    most, have the log likelihood ``-c * entropy(n / c) - n * log(J)``. Where one that gives other
    cycles is nearly as likely, none is believed. Nor is one where a longer one explains them at
    all: a network that hands images over in batches makes the batches look like a steady camera's.
    """
    count, since = len(arrivals), arrivals - arrivals[0]
    span = max(float(since[-1]), typical_s)
    # finer than the change that moves the last phase by a tenth of the circle
    step = 1 / (10 * span)
    frequencies = np.arange(1 / (1.6 * typical_s), 1 / (0.45 * typical_s), step)
    gap = _gaps(since, frequencies)[0]
    present = np.minimum(count / (np.round(span * frequencies) + 1), 1)
    spread = (1 - gap) / frequencies + 0.05 * typical_s
    likely = -count * (_entropy(present) / present + np.log(spread))
    best: tuple[float, float, float] | None = None
    least = -np.inf
    for index in np.argsort(-likely):
        if likely[index] < least:
            break
        at = float(frequencies[index])
        found = _at(arrivals, np.array([at]))
        steps = np.diff(cycles_of(arrivals, *found))
        if steps.min() < 1:
            continue
        if best is None:
            best, least, of_best = found, likely[index] - min(_UNLIKELY, count), steps
        elif not np.array_equal(steps, of_best):
            return None
    if best is None:
        return None
    for at in frequencies[(frequencies < _LONGER / best[0]) & (gap > _SLIGHT_GAP)]:
        steps = np.diff(cycles_of(arrivals, *_at(arrivals, np.array([at]))))
        if steps.min() >= 1 and not np.array_equal(steps, of_best):
            return None
    return _at(arrivals, 1 / best[0] + step * np.linspace(-1, 1, 41))


def _gaps(
    since: NDArray[np.float64], frequencies: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the largest gap in the phases at each frequency, and the phase that ends it."""
    phases = np.sort(since[None] * frequencies[:, None] % 1, axis=1)
    gaps = np.diff(phases, axis=1, append=phases[:, :1] + 1)
    after = (gaps.argmax(axis=1) + 1) % len(since)
    return gaps.max(axis=1), phases[np.arange(len(phases)), after]


def _at(
    arrivals: NDArray[np.float64], frequencies: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Return (period s, start s, gap) at the frequency of the largest gap."""
    gaps, starts = _gaps(arrivals - arrivals[0], frequencies)
    best = int(gaps.argmax())
    period = 1 / float(frequencies[best])
    return period, float(arrivals[0] + starts[best] * period), float(gaps[best])


def _entropy(share: NDArray[np.float64]) -> NDArray[np.float64]:
    rest = np.clip(1 - share, 1e-12, 1)
    return -share * np.log(share) - rest * np.log(rest)


def cycles_of(
    arrivals: NDArray[np.float64], period_s: float, start_s: float, gap: float
) -> NDArray[np.int64]:
    """Return the cycle of each arrival."""
    return np.floor((arrivals - start_s) / period_s + gap / 2).astype(np.int64)


def fit_phase(
    cycles: NDArray[np.int64], arrivals: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Return (period s, start s, error of the period s) of the line below all arrivals, nearest.

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
    return period, float(np.min(arrivals - period * cycles)), reach / 4


def lost_by_rule(steps: NDArray[np.int64]) -> bool:
    """Whether images seem to be missing regularly, or it cannot be told, of cycles between images.

    Images are lost at random. Batches of a network, taken for cycles, lack one by rule: of five
    batches each 27 ms four bring all that a camera takes each 33 ms. The two commonest distances
    of random losses, one and two, hold ``1 - (1 - p) ** 2`` of them where a share p is lost.
    """
    lost = np.flatnonzero(steps > 1)
    if len(lost) > _MOST_LOST * len(steps):
        return True
    many = len(lost) > _FEW_LOST * len(steps)
    if len(lost) < (2 * _LOSSES if many else _LOSSES):
        return many
    apart = np.diff(lost)
    counts = np.bincount(apart, minlength=2) / len(apart)
    random = 1 - (1 - 1 / float(apart.mean())) ** 2
    return float((counts[:-1] + counts[1:]).max()) > random + 0.25 + 1 / len(apart)


def correlation(late: NDArray[np.float64], apart: int = 1) -> float:
    """Return how alike lateness is of images so far apart: 1 wholly, 0 not at all."""
    centred = late - late.mean()
    return float(centred[apart:] @ centred[:-apart]) / max(float(centred @ centred), 1e-12)


def tail_scale(late: NDArray[np.float64]) -> float:
    """Return by how much lateness may go on growing: the scale of an exponential tail.

    It is the mean excess over the upper quartile. An end to lateness is believed only of many
    images: of an exponential tail the upper tenth of 200 stays within half the distance from median
    to nine tenths once in 200,000 times.
    """
    middle, quarter, tenth = np.quantile(late, (0.5, 0.75, 0.9))
    beyond = float(late.max() - tenth)
    if len(late) >= _BOUNDED_AFTER and beyond < 0.5 * float(tenth - middle):
        return beyond / 8
    return float(np.mean(late[late >= quarter] - quarter))


def enough_gap(count: int) -> float:
    """Gap above which ``count`` arrivals are believed to be periodic, not so by chance.

    Of random phases each of ``count`` gaps exceeds g by a chance of ``(1 - g) ** (count - 1)``; a
    search tries about ``4 * count`` periods. So a stream without jitter is understood after 10
    images, one whose jitter is a fifth of its period after 18, four fifths after 150.
    """
    return 1 - float((_CHANCE / (4 * count**2)) ** (1 / (count - 1))) if count > 5 else 0.95
