"""What benchmarks/sequences.py counts: errors, ghosts, lag and flicker, alone and in time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.evaluation.evaluate import fill_rows
from stereo.evaluation.regions import smooth_regions
from stereo.frame import DisparityMap, Float, Mask
from stereo.synthetic import Shot

OFF_PX = 2.0
EDGE_PX = 8
"""Reach to both sides of the outline of what moves."""
OLDEST = 12
"""Frames that a pixel is followed after it was uncovered."""
GHOST_POINTS = 1.0
"""As right as alone: so many points more are off at most."""
LEAST_PIXELS = 500
"""Of one age, in all frames: fewer say nothing."""
LEAST_RATE_PX = 0.1
"""A frame: where disparity changes less nobody can be late."""

Counts = NDArray[np.int64]
Maps = tuple[DisparityMap, DisparityMap]
"""Alone, in time."""


@dataclass(eq=False)
class Tally:
    """Figures of a clip, each alone and in time."""

    dense: list[tuple[float, float]] = field(default_factory=list)
    """dense_2 of each frame, as benchmarks/accuracy.py has it, %."""
    textured: list[tuple[float, float]] = field(default_factory=list)
    """The same where the image shows something to match, %."""
    wanting: list[tuple[float, float]] = field(default_factory=list)
    """Off by more than 2 px or missing, of all pixels with truth, %."""
    edges: Counts = field(default_factory=lambda: np.zeros(3, np.int64))
    """Pixels beside the outlines of what moves; those of them that are off."""
    changed: Counts = field(default_factory=lambda: np.zeros((OLDEST, 3), np.int64))
    """By the frames since they show something else: pixels, those of them that are off."""
    ghosts: Counts = field(default_factory=lambda: np.zeros((OLDEST, 3), np.int64))
    """The same where before and now can be told apart: pixels, those that are as before."""
    lag: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    """Squares of rates, and what errors have in common with rates."""
    maps: list[tuple[Float, Float]] = field(default_factory=list)
    """px of all frames, where that is looked at."""

    def off(self, what: Counts) -> tuple[float, float]:
        """Percent of such pixels that are off, alone and in time; NaN where there are none."""
        with np.errstate(invalid="ignore"):
            alone, in_time = 100 * what[1:] / what[0] if what[0] else (np.nan, np.nan)
        return float(alone), float(in_time)

    @property
    def ghost_frames(self) -> int | None:
        """Frames until nothing more than alone is as it was before; None: nothing changed."""
        ages = [age for age in range(OLDEST) if self.ghosts[age, 0] >= LEAST_PIXELS]
        if not ages:
            return None
        excess = [np.diff(self.off(self.ghosts[age]))[0] for age in ages]
        worse = [age for age, points in zip(ages, excess, strict=True) if points > GHOST_POINTS]
        return max(worse, default=-1) + 1

    @property
    def late_frames(self) -> float:
        """By how many frames depth looks older in time than alone, where it changes; NaN where it
        does nowhere. Alone it cannot be late: what errors have in common with rates is taken off.
        """
        if self.lag[0] == 0:
            return float("nan")
        return float((self.lag[1] - self.lag[2]) / self.lag[0])


class Counter:
    """Fills a tally, frame by frame."""

    def __init__(self, anew: Collection[int] = (), *, keep_maps: bool = False) -> None:
        """``anew``: frames that are nothing like the one before."""
        self.tally = Tally()
        self._anew, self._keep_maps = anew, keep_maps
        self._before: Shot | None = None
        self._age: Counts = np.zeros(0, np.int64)
        self._old = self._last = np.zeros(0, np.float32)

    def add(self, number: int, shot: Shot, maps: Maps) -> None:
        """The frame of the clip with that number."""
        tally, (alone, in_time) = self.tally, (m.px for m in maps)
        if self._keep_maps:
            tally.maps.append((alone, in_time))
        known = np.isfinite(shot.truth_px)
        self._follow(number, shot)
        if known.any():
            off = [is_off(fill_rows(px), shot.truth_px) for px in (alone, in_time)]
            seen = known & shot.visible
            tally.dense.append(percent(off, seen))
            tally.textured.append(percent(off, seen & ~smooth_regions(shot.left)))
            wanting = [is_off(px, shot.truth_px) for px in (alone, in_time)]
            tally.wanting.append(percent(wanting, known))
            tally.edges += counts(off, seen & outlines(shot.mover >= 0))
            self._by_age(shot, seen, off, [alone, in_time])
            if self._before is not None and number not in self._anew:
                self._late(self._before, shot, alone, in_time)
        self._last = np.where(known, shot.truth_px, self._last) if number else shot.truth_px
        self._before = shot

    def _follow(self, number: int, shot: Shot) -> None:
        """Frames since each pixel shows what it shows, and what it had before."""
        if self._before is None:
            self._age = np.full(shot.mover.shape, OLDEST)
            self._old = np.full(shot.mover.shape, np.nan, np.float32)
            return
        self._age += 1
        changed = (shot.mover != self._before.mover) | (number in self._anew)
        self._age[changed] = 0
        np.copyto(self._old, self._last, where=changed)

    def _by_age(self, shot: Shot, seen: Mask, off: list[Mask], maps: list[Float]) -> None:
        mask = seen & (self._age < OLDEST)
        self._count(self.tally.changed, mask, off)
        with np.errstate(invalid="ignore"):
            mask &= np.abs(self._old - shot.truth_px) > 2 * OFF_PX
            self._count(self.tally.ghosts, mask, [np.abs(px - self._old) <= OFF_PX for px in maps])

    def _count(self, ages: Counts, mask: Mask, both: list[Mask]) -> None:
        for column, chosen in enumerate((mask, mask & both[0], mask & both[1])):
            ages[:, column] += np.bincount(self._age[chosen], minlength=OLDEST)

    def _late(self, before: Shot, shot: Shot, *px: Float) -> None:
        """Where a pixel still shows the same surface, but nearer or farther."""
        rate = shot.truth_px - before.truth_px
        errors = [one - shot.truth_px for one in px]
        with np.errstate(invalid="ignore"):
            told = shot.visible & (shot.mover == before.mover)
            told &= (np.abs(rate) >= LEAST_RATE_PX) & (np.abs(rate) <= OFF_PX)
            for error in errors:
                told &= np.abs(error) <= OFF_PX
        r = rate[told]
        self.tally.lag += [float(r @ r), *(float(r @ error[told]) for error in errors)]


def is_off(px: Float, truth_px: Float) -> Mask:
    """Where a map is wrong, or has no answer."""
    with np.errstate(invalid="ignore"):
        return ~(np.abs(px - truth_px) <= OFF_PX)


def counts(off: Sequence[Mask], where: Mask) -> Counts:
    """Pixels, and those off alone and in time."""
    return np.array([where.sum(), *((one & where).sum() for one in off)])


def percent(off: Sequence[Mask], where: Mask) -> tuple[float, float]:
    """Of those pixels, off alone and in time."""
    pixels, alone, in_time = counts(off, where)
    return 100 * alone / pixels, 100 * in_time / pixels


def outlines(moving: Mask) -> Mask:
    """What lies within ``EDGE_PX`` of the outline of something that moves."""
    kernel = np.ones((2 * EDGE_PX + 1,) * 2, np.uint8)
    mask = moving.astype(np.uint8)
    return np.asarray(cv2.dilate(mask, kernel) != cv2.erode(mask, kernel))


@dataclass(frozen=True)
class Flicker:
    """Of a scene that stands, over the frames of a clip."""

    median_px: float
    """Standard deviation of a pixel that has an answer in every frame, both ways."""
    p95_px: float
    """What 95 % of them stay below."""
    come_and_go: float
    """Percent of all pixels that have an answer in some frames only."""


def flicker(maps: Sequence[tuple[Float, Float]]) -> tuple[Flicker, Flicker]:
    """Alone and in time."""
    both = [np.stack(way) for way in zip(*maps, strict=True)]
    always = [np.isfinite(stack).all(axis=0) for stack in both]
    some = [
        np.isfinite(stack).any(axis=0) & ~whole for stack, whole in zip(both, always, strict=True)
    ]
    spreads = [stack[:, always[0] & always[1]].std(axis=0) for stack in both]
    alone, in_time = (
        Flicker(float(np.median(s)), float(np.percentile(s, 95)), float(100 * come.mean()))
        for s, come in zip(spreads, some, strict=True)
    )
    return alone, in_time
