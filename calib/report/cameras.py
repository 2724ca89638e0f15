"""What the rooms of the report share: the cameras of an outcome and their corners, by side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from calib.judging.pixel_error import Lens
from calib.outcome import Outcome
from calib.solving.calibration import Calibration
from calib.solving.state import State

Float = NDArray[np.float64]
SIDES = ("left", "right")


class Seen(NamedTuple):
    """One camera's image with the corners found in it."""

    name: str
    size: tuple[int, int]
    pixels: Float
    """(M, 2)."""


def cameras(c: Calibration) -> list[tuple[int, str]]:
    """Number and name of each camera that was solved."""
    return list(enumerate(SIDES[: len(c.fit.state.intrinsics)]))


def seen_by(outcome: Outcome) -> list[Seen]:
    """Corners of each camera: those that were used, or where nothing was solved all found."""
    c = outcome.calibration
    if c is not None:
        return [Seen(n, c.sizes[s], c.seen.pixels[c.seen.camera == s]) for s, n in cameras(c)]
    out = []
    for side, name in enumerate(SIDES):
        found = [one for both in outcome.seen.values() if (one := both[side]) is not None]
        if found:
            size = found[0].size
            points = [one.points for one in found if one.size == size]
            out.append(Seen(name, size, np.concatenate(points)))
    return out


def lens_of(state: State, side: int) -> Lens:
    """One camera's lens."""
    return Lens(state.models[side], state.intrinsics[side])


def hull(points: Float) -> Float:
    """(K, 2) corners of the convex hull of points (N, 2); none of fewer than three."""
    try:
        return np.asarray(points[ConvexHull(points).vertices]) if len(points) > 2 else points[:0]
    except QhullError:  # all on one line
        return points[:0]


def inside(border: Float, points: Float) -> NDArray[np.bool_]:
    """(N,) which points lie within a convex border (K, 2), which runs counter-clockwise."""
    if len(border) < 3:
        return np.zeros(len(points), bool)
    along = np.roll(border, -1, axis=0) - border
    to = points[:, None] - border[None]
    return np.asarray((along[:, 0] * to[..., 1] - along[:, 1] * to[..., 0] >= 0).all(axis=1))


def outline(border: Float) -> str:
    """The border of what was seen, as a dashed line over an image."""
    path = "L".join(f"{x:.0f} {y:.0f}" for x, y in border)
    return f'<path d="M{path}z" class="hull" stroke-width="2"/>' if path else ""
