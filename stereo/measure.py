"""Distances in a depth image, each with its error bar."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.words import measured
from stereo.frame import DepthFrame

Pixel = tuple[float, float]
"""(column, row) of the rectified left image."""

_REACH_PX = 2
"""A click is not exact: where its own pixel is unknown, one so near will do."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A length and how well it is known."""

    value_m: float
    """Metres."""
    sigma_m: float
    """One standard deviation, metres; NaN where nobody knows."""

    def __str__(self) -> str:
        return measured(self.value_m, self.sigma_m)


def distance(depth: DepthFrame, at: Pixel) -> Measured | None:
    """Return how far the point seen at a pixel is from the left camera; None where unknown.

    The straight distance, not the depth along the axis: ``Z |r|`` with the ray
    ``r = ((x - cx) / f, (y - cy) / f, 1)``.
    """
    found = _point(depth, at)
    if found is None:
        return None
    ray, depth_m, sigma_m = found
    length = float(np.linalg.norm(ray))
    return Measured(depth_m * length, sigma_m * length)


def length(depth: DepthFrame, a: Pixel, b: Pixel) -> Measured | None:
    """Return the straight distance between the points seen at two pixels; None where unknown.

    Depth errs along each pixel's own ray r, so with the unit vector u from one point to the other
    ``sigma^2 = (sigma_a u.r_a)^2 + (sigma_b u.r_b)^2``, to first order and for independent errors.
    """
    one, other = _point(depth, a), _point(depth, b)
    if one is None or other is None:
        return None
    difference = other[1] * other[0] - one[1] * one[0]
    value = float(np.linalg.norm(difference))
    if value == 0:
        return Measured(0.0, 0.0)
    along = difference / value
    sigma = math.hypot(one[2] * float(along @ one[0]), other[2] * float(along @ other[0]))
    return Measured(value, sigma)


def _point(depth: DepthFrame, at: Pixel) -> tuple[NDArray[np.float64], float, float] | None:
    """Ray with z = 1, depth and its sigma at the known pixel nearest to ``at``."""
    x, y = round(at[0]), round(at[1])
    height, width = depth.depth_m.shape
    if not (0 <= x < width and 0 <= y < height):
        return None
    rows = slice(max(0, y - _REACH_PX), y + _REACH_PX + 1)
    columns = slice(max(0, x - _REACH_PX), x + _REACH_PX + 1)
    known = np.argwhere(np.isfinite(depth.depth_m[rows, columns]))
    if len(known) == 0:
        return None
    row, column = min(
        ((rows.start + r, columns.start + c) for r, c in known),
        key=lambda place: (place[0] - y) ** 2 + (place[1] - x) ** 2,
    )
    g = depth.geometry
    ray = np.array([(column - g.cx_px) / g.focal_px, (row - g.cy_px) / g.focal_px, 1.0])
    return ray, float(depth.depth_m[row, column]), float(depth.sigma_m[row, column])
