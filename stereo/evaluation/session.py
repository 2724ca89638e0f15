"""A session of ``stereo quality``: frame after frame of walls, of which only sums are kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calib.words import length
from stereo.errors import InputError, QualityError
from stereo.evaluation.quality import Accuracy, Quality, SetAside, Stand, Temporal
from stereo.evaluation.wall import GROSS_PX, DisparityPlane, Wall, find_wall
from stereo.frame import DepthFrame, Float, Mask

_SAME_PLACE_PX = 0.25
"""Frames whose planes differ by less over the wall, root mean square, have one place."""
_LEAST_FRAMES = 5
"""For a temporal noise."""
_SEEN = 0.8
"""Share of a stand's frames in which a pixel must have a depth to count for its temporal noise."""
_CELLS = (6, 8)
"""Rows and columns of the map over the image."""
_LEAST_IN_CELL = 50


@dataclass(frozen=True, eq=False, slots=True)
class Seen:
    """One frame of a session."""

    name: str
    """What it is called."""
    depth: DepthFrame
    """Its depth."""
    sigma_px: Float
    """(H, W) error that matching expects of each disparity, px, without the calibration's."""


@dataclass(slots=True)
class _Place:
    """A stand while its frames come."""

    first: str
    walls: list[Wall] = field(default_factory=list)
    calibration_m: list[float] = field(default_factory=list)
    count: NDArray[np.int32] | None = None
    mean: Float | None = None
    squares: Float | None = None

    def holds(self, plane: DisparityPlane, mask: Mask) -> bool:
        """Whether this plane is that of the frames so far, seen from the same place."""
        then = self.walls[0].plane
        off = DisparityPlane(plane.a - then.a, plane.b - then.b, plane.c - then.c).over(mask.shape)
        return float(np.sqrt(np.mean(np.square(off[mask])))) <= _SAME_PLACE_PX

    def add(self, wall: Wall, seen: Seen) -> None:
        """One more frame. Mean and squares per pixel as Welford (1962) sums them."""
        self.walls.append(wall)
        self.calibration_m.append(_calibration_m(wall, seen))
        value = wall.residual_px + wall.plane.over(wall.mask.shape)
        if self.count is None or self.mean is None or self.squares is None:
            self.count = np.zeros(value.shape, np.int32)
            self.mean, self.squares = np.zeros_like(value), np.zeros_like(value)
        known = np.abs(wall.residual_px) <= GROSS_PX
        self.count += known
        step = np.where(known, value - self.mean, 0)
        self.mean += step / np.maximum(self.count, 1)
        self.squares += np.where(known, step * (value - self.mean), 0)

    def temporal(self) -> Temporal | None:
        """The noise of a pixel over time."""
        frames = len(self.walls)
        if frames < _LEAST_FRAMES or self.count is None or self.squares is None:
            return None
        often = self.count >= max(2, math.ceil(_SEEN * frames))
        if not often.any():
            return None
        px = float(np.median(np.sqrt(self.squares[often] / (self.count[often] - 1))))
        return Temporal(frames, px, px * _mean([w.m_per_px for w in self.walls]))

    def stand(self, true_m: float | None) -> Stand:
        """What the frames came to."""
        walls = self.walls
        first, second, third = (float(np.mean([w.within[k] for w in walls])) for k in range(3))
        distance_m = _mean([w.distance_m for w in walls])
        accuracy = None
        if true_m is not None:
            accuracy = Accuracy(true_m, distance_m - true_m, _mean(self.calibration_m))
        return Stand(
            self.first,
            len(walls),
            distance_m,
            _mean([w.tilt_deg for w in walls]),
            _mean([float(np.mean(w.mask)) for w in walls]),
            _mean([w.fill for w in walls]),
            _mean([w.gross for w in walls]),
            _mean([w.promised_gross for w in walls]),
            _root_mean([w.rms_px for w in walls]),
            _root_mean([w.rms_m for w in walls]),
            _root_mean([w.rms_percent for w in walls]),
            _root_mean([w.promised_px for w in walls]),
            _root_mean([w.promised_m for w in walls]),
            (first, second, third),
            self.temporal(),
            accuracy,
        )


class QualitySession:
    """Takes frames one by one and keeps what is needed of them, not the frames themselves."""

    def __init__(self, region: tuple[int, int, int, int] | None = None) -> None:
        """``region`` is (x, y, width, height): there, and only there, is the wall."""
        self._region = region
        self._places: list[_Place] = []
        self._aside: list[SetAside] = []
        self._size = (0, 0)
        cells = np.zeros((3, *_CELLS))
        self._cells = cells  # how many pixels, sum and sum of squares of their residuals

    def add(self, seen: Seen) -> Wall | None:
        """Return the wall of a frame; None: it shows none and was set aside.

        Raises InputError for a region outside of the image and for another size.
        """
        height, width = seen.depth.depth_m.shape
        if self._size not in ((0, 0), (width, height)):
            raise InputError(
                f"{seen.name}: is {width}x{height}, the frames before are "
                f"{self._size[0]}x{self._size[1]}; measure one camera at one size"
            )
        self._size = width, height
        try:
            wall = find_wall(seen.depth, seen.sigma_px, self._mask((height, width)))
        except QualityError as error:
            self._aside.append(SetAside(seen.name, str(error)))
            return None
        if not self._places or not self._places[-1].holds(wall.plane, wall.mask):
            self._places.append(_Place(seen.name))
        self._places[-1].add(wall, seen)
        self._add_to_cells(wall)
        return wall

    def result(self, true_m: Sequence[float] = ()) -> Quality:
        """Return what all frames came to.

        ``true_m`` are the true straight distances of the walls, one for each stand, in order.
        Raises QualityError without any wall and InputError for another number of distances.
        """
        if not self._places:
            why = self._aside[0].reason if self._aside else "no wall: no frame came"
            raise QualityError(why)
        if true_m and len(true_m) != len(self._places):
            found = ", ".join(
                f"{length(_mean([w.distance_m for w in p.walls]))} from {p.first} on"
                for p in self._places
            )
            raise InputError(
                f"--distance-m names {len(true_m)} distances, but the frames show "
                f"{len(self._places)} walls or places: {found}; name one for each"
            )
        told: Iterable[float | None] = true_m or [None] * len(self._places)
        stands = tuple(p.stand(true) for p, true in zip(self._places, told, strict=True))
        count, total, squares = self._cells
        with np.errstate(divide="ignore", invalid="ignore"):
            enough = np.where(count >= _LEAST_IN_CELL, count, np.nan)
            bias, noise = total / enough, np.sqrt(squares / enough)
        return Quality(stands, tuple(self._aside), self._size, bias, noise)

    def _mask(self, shape: tuple[int, int]) -> Mask | None:
        if self._region is None:
            return None
        x, y, width, height = self._region
        if x < 0 or y < 0 or x + width > shape[1] or y + height > shape[0]:
            raise InputError(
                f"the region {x},{y},{width}x{height} lies outside of the image of "
                f"{shape[1]}x{shape[0]}"
            )
        mask = np.zeros(shape, np.bool_)
        mask[y : y + height, x : x + width] = True
        return mask

    def _add_to_cells(self, wall: Wall) -> None:
        fine = np.abs(wall.residual_px) <= GROSS_PX
        rows, columns = (
            np.arange(size) * cells // size
            for size, cells in zip(wall.mask.shape, _CELLS, strict=True)
        )
        cell = (rows[:, None] * _CELLS[1] + columns)[fine]
        values = wall.residual_px[fine].astype(np.float64)
        for plane, weights in zip(self._cells, (None, values, values**2), strict=True):
            plane += np.bincount(cell, weights, math.prod(_CELLS)).reshape(_CELLS)


def _calibration_m(wall: Wall, seen: Seen) -> float:
    """What the calibration's covariance promises for the distance: the part of the depth error
    that no matching noise explains, as the share of depth, of the distance.
    """
    depth, sigma = seen.depth.depth_m, seen.depth.sigma_m
    known = wall.mask & np.isfinite(depth) & np.isfinite(sigma)
    m_per_px = depth[known] ** 2 / (seen.depth.geometry.focal_px * seen.depth.geometry.baseline_m)
    variance = sigma[known].astype(np.float64) ** 2 - (m_per_px * seen.sigma_px[known]) ** 2
    # float32 leaves a rest of a millionth where there is no covariance
    variance[variance < 1e-5 * sigma[known] ** 2] = 0
    return float(np.median(np.sqrt(variance) / depth[known])) * wall.distance_m


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _root_mean(values: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
