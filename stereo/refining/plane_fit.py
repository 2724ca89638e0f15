"""The plane of a textureless region: proposed by random triples of matches, judged by the images.

Candidates come from triples of matches (RANSAC; Fischler and Bolles 1981), the evidence that
chooses among them is how well the images agree at each (after Bleyer and Gelautz 2005, who fit
planes to regions, but by the matches alone).

The work is done by native/src/planes.cpp where that is built; the functions here do the same steps
in numpy, several times slower, and are what the tests compare it with.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import Float
from stereo.native import native as _native

Gray = NDArray[np.uint8]
Plane = NDArray[np.float64]
"""(3,) a, b, c of ``d = a x + b y + c``, with x, y in pixels of the image."""
Places = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of some pixels of the image."""

AGREE_PX = 1.0
"""A match within this of a plane supports it."""

# The same figures stand in native/src/planes.cpp.
_STEEPEST = 0.7  # px of disparity per pixel: a surface seen at a very grazing angle
_SMALLEST_TRIANGLE = 0.06  # of the region's bounding box
_SMALLEST_AREA_PX2 = 50.0
_CANDIDATES, _SEMIFINALISTS, _FINALISTS = 40, 12, 5
_SIFTED = 4  # semifinalists are chosen by every fourth place
_FEWEST = 12  # matches that a plane is fitted to again
_COST_CAP = 20.0

_TRIPLES = 800  # with 400, one seed in six put a wrong plane on a wall of the sample room
_VOTERS = 400  # matches that vote on a candidate
_SEED = 0
_random = np.random.default_rng(_SEED)
_TRIPLE_DRAWS, _VOTER_DRAWS = _random.random((3, _TRIPLES)), _random.random(_VOTERS)


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
    right: Gray
    """(H, W) right image."""
    right_slope: NDArray[np.int16]
    """(H, W) the right one's Sobel."""

    @classmethod
    def of(cls, left: Gray, right: Gray, slope: NDArray[np.int16]) -> Views:
        """Prepare two gray images; ``slope`` is the left one's Sobel."""
        right_slope = np.asarray(cv2.Sobel(right, cv2.CV_16S, 1, 0, ksize=3), np.int16)
        return cls(np.ascontiguousarray(left), slope, np.ascontiguousarray(right), right_slope)

    def costs(self, at: Places, planes: NDArray[np.float64]) -> Float:
        """(K, N): difference of intensity and slope of N left pixels at each of K planes."""
        if _native is None:
            return costs(self, at, planes)
        return np.asarray(_native.plane_costs(*self._images(), *_int32(at), planes))

    def best_plane(self, at: Places, matches: Matches) -> Plane | None:
        """The plane that the images speak for at N pixels, among those that matches propose."""
        if _native is None:
            return best_plane(self, at, matches)
        table = np.stack([matches.x, matches.y, matches.d, matches.weight])
        draws = _TRIPLE_DRAWS, _VOTER_DRAWS
        found = _native.best_plane(*self._images(), *_int32(at), table, *draws)
        return None if found is None else np.array(found)

    def _images(self) -> tuple[Gray, NDArray[np.int16], Gray, NDArray[np.int16]]:
        return self.gray, self.slope, self.right, self.right_slope


def _int32(at: Places) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    return at[0].astype(np.int32), at[1].astype(np.int32)


def best_plane(views: Views, at: Places, matches: Matches) -> Plane | None:
    """As ``Views.best_plane``, in numpy."""
    planes = propose(matches)
    if len(planes) == 0:
        return None
    some = at[0][::_SIFTED], at[1][::_SIFTED]
    planes = planes[_cheapest(costs(views, some, planes), _SEMIFINALISTS)]
    planes = planes[_cheapest(costs(views, at, planes), _FINALISTS)]
    planes = polish(planes, matches)
    return np.asarray(planes[_cheapest(costs(views, at, planes), 1)[0]])


def _cheapest(cost: Float, most: int) -> NDArray[np.intp]:
    return np.argsort(cost.mean(axis=1, dtype=np.float64), kind="stable")[:most]


def costs(views: Views, at: Places, planes: NDArray[np.float64]) -> Float:
    """As ``Views.costs``, in numpy."""
    rows, columns = at
    last = views.gray.shape[1] - 1
    there = columns.astype(np.float32) - _surfaces(
        planes, columns.astype(np.float32), rows.astype(np.float32)
    )
    outside = ~((there >= 0) & (there <= last))
    there[outside] = 0
    before = there.astype(np.intp)
    after, part = np.minimum(before + 1, last), there - before
    cost = np.zeros(there.shape, np.float32)
    for mine, theirs, scale in (
        (views.gray, views.right, 1.0),
        (views.slope, views.right_slope, 0.25),
    ):
        here, next_ = theirs[rows, before].astype(np.float32), theirs[rows, after]
        off = np.abs(mine[at].astype(np.float32) - (here + part * (next_ - here)))
        cost += np.minimum(off * np.float32(scale), np.float32(_COST_CAP))
    cost[outside] = _COST_CAP / 2  # neither for nor against
    return cost


def _surfaces(planes: NDArray[np.float64], x: Float, y: Float) -> Float:
    """(K, N): disparity of K planes at N places."""
    a, b, c = planes.astype(np.float32).T[:, :, None]
    return np.asarray(a * x + b * y + c)


def propose(matches: Matches) -> NDArray[np.float64]:
    """(K, 3) planes through random triples of matches, those with most support first."""
    chance = np.cumsum(matches.weight, dtype=np.float64)
    triples = np.searchsorted(chance, _TRIPLE_DRAWS * chance[-1]).clip(0, len(chance) - 1)
    x, y, d = (values[triples].astype(np.float64) for values in (matches.x, matches.y, matches.d))
    ux, uy, ud = x[1] - x[0], y[1] - y[0], d[1] - d[0]
    vx, vy, vd = x[2] - x[0], y[2] - y[0], d[2] - d[0]
    area = ux * vy - uy * vx  # twice the triangle's, px^2: a small one says little of the far end
    extent = float(np.ptp(matches.x) * np.ptp(matches.y))
    apart = np.abs(area) > max(_SMALLEST_AREA_PX2, _SMALLEST_TRIANGLE * extent)
    safe = np.where(apart, area, 1.0)
    a, b = (ud * vy - vd * uy) / safe, (vd * ux - ud * vx) / safe
    planes = np.column_stack([a, b, d[0] - a * x[0] - b * y[0]])
    planes = planes[apart & (np.abs(a) < _STEEPEST) & (np.abs(b) < _STEEPEST)]
    some = (_VOTER_DRAWS * len(chance)).astype(np.intp)
    off = np.abs(_surfaces(planes, matches.x[some], matches.y[some]) - matches.d[some])
    # einsum: a product of matrices leaves threads spinning that slow down the next match
    support = np.einsum("kn,n->k", (off < AGREE_PX).astype(np.float32), matches.weight[some])
    return np.asarray(planes[np.argsort(-support, kind="stable")[:_CANDIDATES]])


def polish(planes: NDArray[np.float64], matches: Matches) -> NDArray[np.float64]:
    """(K, 3): each plane by weighted least squares over the matches that agree with it, twice."""
    x, y, d = (values.astype(np.float64) for values in (matches.x, matches.y, matches.d))
    about = x.mean(), y.mean(), d.mean()  # sums of squares of small numbers lose no digits
    x, y, d = x - about[0], y - about[1], d - about[2]
    w = matches.weight.astype(np.float64)
    one = np.ones_like(w)
    columns = [one, w, w * x, w * y, w * d, w * x * x, w * x * y, w * y * y, w * x * d, w * y * d]
    terms = np.stack(columns)
    for _ in range(2):
        off = np.abs(_surfaces(planes, matches.x, matches.y) - matches.d)
        agree = (off < AGREE_PX).astype(np.float64)
        n, total, *sums = np.einsum("kn,tn->tk", agree, terms)
        total = np.maximum(total, 1e-9)
        mx, my, md = (value / total for value in sums[:3])
        xx, xy, yy = sums[3] - total * mx * mx, sums[4] - total * mx * my, sums[5] - total * my * my
        xd, yd = sums[6] - total * mx * md, sums[7] - total * my * md
        size = np.maximum(xx, yy)
        xx, yy = xx + 1e-9 * size, yy + 1e-9 * size
        determinant = xx * yy - xy * xy
        solvable = (n >= _FEWEST) & (determinant > 1e-12 * size * size)
        safe = np.where(solvable, determinant, 1.0)
        a, b = (xd * yy - yd * xy) / safe, (yd * xx - xd * xy) / safe
        c = md + about[2] - a * (mx + about[0]) - b * (my + about[1])
        planes = np.where(solvable[:, None], np.stack([a, b, c], axis=1), planes)
    return planes
