"""Planes of disparity: proposed by random triples of matches, judged by the two images.

Candidates come from triples of matches (RANSAC; Fischler and Bolles 1981), the evidence that
chooses among them is how well the images agree at each (after Bleyer and Gelautz 2005, who fit
planes to regions, but by the matches alone). All candidates are judged in one call: the numbers
are small, and what would cost time is calling numpy for each.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import Float

Gray = NDArray[np.uint8]
Plane = NDArray[np.float64]
"""(3,) a, b, c of ``d = a x + b y + c``, with x, y in pixels of the image."""
Places = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of some pixels of the image."""

AGREE_PX = 1.0
"""A match within this of a plane supports it."""

_STEEPEST = 0.7  # px of disparity per pixel: a surface seen at a very grazing angle
_TRIPLES = 800  # with 400, one seed in six put a wrong plane on a wall of the sample room
_SMALLEST_TRIANGLE = 0.06  # of the region's bounding box
_CANDIDATES = 40
_COUNTED = 400  # matches that vote on a candidate
_COST_CAP = 20.0


@dataclass(frozen=True, eq=False, slots=True)
class Matches:
    """Some matches of a region, and how much each counts."""

    x: Float
    """(N,) columns, pixels."""
    y: Float
    """(N,) rows, pixels."""
    d: Float
    """(N,) disparities, pixels."""
    weight: Float
    """(N,) positive."""


@dataclass(frozen=True, eq=False, slots=True)
class Views:
    """What the photometric cost needs of the two images."""

    gray: Gray
    """(H, W) left image."""
    slope: NDArray[np.int16]
    """(H, W) horizontal Sobel of the left image, four times the gray levels per pixel."""
    right: Float
    """(H, W) right image."""
    right_slope: Float
    """(H, W) horizontal slope of the right image, gray levels per pixel."""

    @classmethod
    def of(cls, left: Gray, right: Gray, slope: NDArray[np.int16]) -> Views:
        """Prepare two gray images; ``slope`` is the left one's Sobel."""
        right_slope = cv2.Sobel(right, cv2.CV_32F, 1, 0, ksize=3, scale=0.25)
        return cls(left, slope, right.astype(np.float32), np.asarray(right_slope, np.float32))

    def costs(self, at: Places, planes: NDArray[np.float64]) -> Float:
        """(K, N): difference of intensity and slope of N left pixels at each of K planes."""
        rows, columns = at[0].astype(np.float32), at[1].astype(np.float32)
        a, b, c = planes.astype(np.float32).T[:, :, None]
        there = columns - (a * columns + (b * rows + c))
        outside = (there < 0) | (there > self.gray.shape[1] - 1)
        rows = np.broadcast_to(rows, there.shape)
        cost = np.zeros(there.shape, np.float32)
        for mine, theirs in (
            (self.gray[at].astype(np.float32), self.right),
            (self.slope[at] * np.float32(0.25), self.right_slope),
        ):
            seen = cv2.remap(theirs, there, rows, cv2.INTER_LINEAR)
            cost += np.minimum(np.abs(mine - seen), np.float32(_COST_CAP))
        cost[outside] = _COST_CAP / 2  # neither for nor against
        return cost


def propose(matches: Matches, rng: np.random.Generator) -> NDArray[np.float64]:
    """(K, 3) planes through random triples of matches, those with most support first."""
    chance = np.cumsum(matches.weight, dtype=np.float64)
    draws = rng.random((3, _TRIPLES)) * chance[-1]
    triples = np.searchsorted(chance, draws).clip(0, len(chance) - 1)
    x, y, d = (values[triples].astype(np.float64) for values in (matches.x, matches.y, matches.d))
    ux, uy, ud, vx, vy, vd = (
        x[1] - x[0],
        y[1] - y[0],
        d[1] - d[0],
        x[2] - x[0],
        y[2] - y[0],
        d[2] - d[0],
    )
    area = ux * vy - uy * vx  # twice the triangle's, px^2: a small one says little of the far end
    extent = float(np.ptp(matches.x) * np.ptp(matches.y))
    apart = np.abs(area) > max(50.0, _SMALLEST_TRIANGLE * extent)
    safe = np.where(apart, area, 1.0)
    a, b = (ud * vy - vd * uy) / safe, (vd * ux - ud * vx) / safe
    planes = np.column_stack([a, b, d[0] - a * x[0] - b * y[0]])
    planes = planes[apart & (np.abs(a) < _STEEPEST) & (np.abs(b) < _STEEPEST)]
    some = rng.integers(0, len(chance), _COUNTED)
    a, b, c = planes.astype(np.float32).T[:, :, None]
    off = a * matches.x[some] + b * matches.y[some] + (c - matches.d[some])
    support = (np.abs(off) < AGREE_PX).astype(np.float32) @ matches.weight[some]
    return np.asarray(planes[np.argsort(-support, kind="stable")[:_CANDIDATES]])


def polish(plane: Plane, matches: Matches) -> Plane:
    """Weighted least squares over the matches that agree, twice."""
    for _ in range(2):
        a, b, c = plane.astype(np.float32)
        agree = np.flatnonzero(np.abs(a * matches.x + b * matches.y + (c - matches.d)) < AGREE_PX)
        if len(agree) < 12:
            break
        weight = matches.weight[agree].astype(np.float64)
        values = np.stack([matches.x[agree], matches.y[agree], matches.d[agree]]).astype(np.float64)
        middle = values @ weight / weight.sum()
        values -= middle[:, None]
        moments = values * weight @ values.T
        size = max(moments[0, 0], moments[1, 1])
        slopes = np.linalg.solve(moments[:2, :2] + 1e-9 * size * np.eye(2), moments[:2, 2])
        plane = np.array([*slopes, middle[2] - slopes @ middle[:2]])
    return plane
