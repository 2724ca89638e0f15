"""Which images of two streams show one moment, told by how much what they show moves.

From image to image much changes or little, as hands shake and people walk: both cameras see that
alike. So the logarithm of the change goes up and down in both streams, in one of them later by the
images that it is behind. Asked only when arrivals prove nothing, and it answers only when one shift
alone explains many images and each of the newest: one that was lost just now would show as a change
of two steps in one of the streams, so it must be seen that this would not fit.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import Image

Look = NDArray[np.float32]
"""(H, W[, C]) small picture of an image."""

_SIDES = ("left", "right")
_SIZE = 64, 40
_FLOOR = 0.1  # gray levels of change; what is below is noise
_LENGTHS = (12, 24, 48)  # images that are compared
REACH = 8  # images that one stream may be behind
_NEWEST = 8  # images that must each fit, and by themselves exclude every other shift
_EXPLAINS = 0.1  # of the changes' variance, that the right shift may leave
_CLEARLY = 6.0  # how much more every other shift must leave
_FITS = 3.0  # standard deviations of what is left
_WOULD_NOT_FIT = 6.0  # the same, of what a lost image would leave
_OTHERS = 1.5  # the same, of what any other shift leaves of half of them at least
_LEAST = 0.02  # of what is left: the few images compared may agree better by chance
_MOST = 0.1  # the same, as a share of the change: else an image lost among them hides in it


def look(image: Image) -> Look:
    """Return what the judge needs of an image; takes a fraction of a millisecond."""
    step = max(len(image) // (4 * _SIZE[1]), 1)
    return cv2.resize(image[::step], _SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)


class MotionJudge:
    """Compares the newest images of two streams. Give it every image's look, in order."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything, as after a reconnection."""
        self._count = dict.fromkeys(_SIDES, 0)
        self._told = (0, 0)
        self.left_over = 1.0
        """Share of the changes that the last answer left unexplained."""
        self._looks: dict[str, deque[Look]] = {side: deque(maxlen=2) for side in _SIDES}
        longest = _LENGTHS[-1] + REACH
        self._changes: dict[str, deque[tuple[float, float]]] = {
            side: deque(maxlen=longest) for side in _SIDES
        }

    def add(self, side: str, seen: Look) -> None:
        """Take in an image."""
        self._count[side] += 1
        looks = self._looks[side]
        if looks and looks[-1].shape != seen.shape:
            self.reset()
            looks = self._looks[side]
        if len(looks) == 2:
            one, two = (_change(before, seen) for before in (looks[1], looks[0]))
            self._changes[side].append((one, two))
        looks.append(seen)

    def partner(self, side: str) -> int | None:
        """Which image of the other stream, 0 being its newest, fits the newest of ``side``.

        None: that cannot be told, or it has not come yet.
        """
        mine, theirs = (
            np.array(self._changes[name]).reshape(-1, 2)
            for name in (side, "right" if side == "left" else "left")
        )
        for length in _LENGTHS:
            if min(len(mine), len(theirs)) < length + REACH:
                break
            found = _shift(mine, theirs, length)
            if found is not None:
                shift, self.left_over = found
                return shift if shift >= 0 and self._again(side, shift) else None
        return None

    def _again(self, side: str, shift: int) -> bool:
        """Whether the two images before were told to be a pair too: one may agree by chance."""
        at = dict(self._count)
        at["right" if side == "left" else "left"] -= shift
        before, self._told = self._told, (at["left"], at["right"])
        return before == (at["left"] - 1, at["right"] - 1)


def _change(before: Look, after: Look) -> float:
    return float(np.log(np.abs(after - before).mean() + _FLOOR))


def _shift(
    mine: NDArray[np.float64], theirs: NDArray[np.float64], length: int
) -> tuple[int, float] | None:
    """Return how many images ``theirs`` must be moved by, and the share of change that is left.

    Of both: (N, 2) changes since the image before and since the one before that.
    """
    left_over = {}
    for shift in range(-REACH, REACH + 1):
        one, two = _moved(mine, -min(shift, 0), length), _moved(theirs, max(shift, 0), length)
        spread = min(one[:, 0].var(), two[:, 0].var())
        left_over[shift] = float((one[:, 0] - two[:, 0]).var() / max(spread, 1e-6))
    shift = min(left_over, key=lambda at: left_over[at])
    least = left_over[shift]
    others = min(rest for at, rest in left_over.items() if at != shift)
    if least > _EXPLAINS or others < _CLEARLY * least:
        return None
    one, two = _moved(mine, -min(shift, 0), length), _moved(theirs, max(shift, 0), length)
    apart = one[:, 0] - two[:, 0]
    usual, scale = float(np.median(apart)), max(float(apart.std()), _LEAST)
    if scale > _MOST:
        return None
    ends = slice(-_NEWEST, None)
    fits = abs(one - two - usual)[ends].max()  # since one image before, and since two
    lost = min(
        abs(one[ends, 0] - two[ends, 1] - usual).min(),
        abs(one[ends, 1] - two[ends, 0] - usual).min(),
    )
    other = min(
        float(np.median(abs(_apart(mine, theirs, at, _NEWEST) - usual)))
        for at in left_over
        if at != shift
    )
    if fits > _FITS * scale or lost < _WOULD_NOT_FIT * scale or other < _OTHERS * scale:
        return None
    return shift, least


def _apart(
    mine: NDArray[np.float64], theirs: NDArray[np.float64], shift: int, length: int
) -> NDArray[np.float64]:
    one, two = _moved(mine, -min(shift, 0), length), _moved(theirs, max(shift, 0), length)
    return one[:, 0] - two[:, 0]


def _moved(changes: NDArray[np.float64], by: int, length: int) -> NDArray[np.float64]:
    end = len(changes) - by
    return changes[end - length : end]
