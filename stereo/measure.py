"""Lengths in metres between a depth frame's pixels and the camera, each with its error bar."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stereo.errors import InputError
from stereo.frame import DepthFrame

_REACH_PX = 2


@dataclass(frozen=True, slots=True)
class Measured:
    """A length and how far to trust it."""

    value_m: float
    """Metres; NaN where the depth is unknown."""
    sigma_m: float
    """One standard deviation, metres; NaN where unknown."""

    def __str__(self) -> str:
        if math.isnan(self.value_m):
            return "unknown: no depth here"
        if self.value_m < 1:
            return f"{1e3 * self.value_m:.1f} mm ± {1e3 * self.sigma_m:.1f}"
        return f"{self.value_m:.3f} m ± {self.sigma_m:.3f}"


def distance(depth: DepthFrame, x: float, y: float) -> Measured:
    """Distance from the left camera's centre to what pixel (x, y) shows.

    Where that pixel has no depth the nearest one within two pixels is taken. Raises InputError
    for a pixel outside the image.
    """
    ray, z, sigma = _seen(depth, x, y)
    reach = float(np.linalg.norm(ray))
    return Measured(z * reach, sigma * reach)


def length(depth: DepthFrame, a: tuple[float, float], b: tuple[float, float]) -> Measured:
    """Straight length between what pixels ``a`` and ``b``, each (x, y), show.

    First-order propagation of both depths' errors, taken as independent. Raises InputError for a
    pixel outside the image.
    """
    (ray_a, z_a, sigma_a), (ray_b, z_b, sigma_b) = _seen(depth, *a), _seen(depth, *b)
    apart = z_a * ray_a - z_b * ray_b
    span = float(np.linalg.norm(apart))
    if not span > 0:  # the same point, or NaN
        return Measured(span, span)
    along = apart / span
    return Measured(span, float(np.hypot(along @ ray_a * sigma_a, along @ ray_b * sigma_b)))


def _seen(depth: DepthFrame, x: float, y: float) -> tuple[NDArray[np.float64], float, float]:
    """Ray (3,) with z = 1, depth and its sigma, metres."""
    height, width = depth.depth_m.shape
    column, row = round(x), round(y)
    if not (0 <= column < width and 0 <= row < height):
        raise InputError(f"pixel ({x:g}, {y:g}) lies outside the image of {width}x{height}")
    top, left = max(row - _REACH_PX, 0), max(column - _REACH_PX, 0)
    near = depth.depth_m[top : row + _REACH_PX + 1, left : column + _REACH_PX + 1]
    known = np.argwhere(np.isfinite(near))
    g = depth.geometry
    ray = np.array([(x - g.cx_px) / g.focal_px, (y - g.cy_px) / g.focal_px, 1.0])
    if not len(known):
        return ray, math.nan, math.nan
    away = np.square(known - (row - top, column - left)).sum(axis=1)
    i, j = known[away.argmin()]
    return ray, float(near[i, j]), float(depth.sigma_m[top + i, left + j])
