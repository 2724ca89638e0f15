"""The plane of a textureless region: proposed by random triples of matches, judged by the images.

Candidates come from triples of matches (RANSAC; Fischler and Bolles 1981), the evidence that
chooses among them is how well the images agree at each (after Bleyer and Gelautz 2005, who fit
planes to regions, but by the matches alone).

The work is done by native/src/planes.cpp where that is built, by the rules that stand here; the
functions here do the same steps in numpy, several times slower, and are what the tests compare it
with.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import Float
from stereo.native import find_native

Gray = NDArray[np.uint8]
Plane = NDArray[np.float64]
"""(3,) a, b, c of ``d = a x + b y + c``, with x, y in pixels of the image."""
Places = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of some pixels of the image."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The constants of the fit, handed to the native code by these names."""

    agree_px: float = 1.0
    """A match within this of a plane supports it."""
    cost_cap: float = 20.0
    """Gray levels of difference of intensity, and of slope, beyond which a pixel tells no more."""
    steepest: float = 0.7
    """Pixels of disparity per pixel: a surface seen at a very grazing angle."""
    smallest_triangle: float = 0.06
    """Twice the smallest triangle of a triple, as a share of the region's bounding box."""
    smallest_area_px2: float = 50.0
    """The same, px^2."""
    candidates: int = 40
    """Planes with most support, whose photometric cost is looked at."""
    semifinalists: int = 12
    """Planes chosen of these by some of the places."""
    finalists: int = 5
    """Planes chosen of these by all places, and fitted again."""
    sifted: int = 4
    """Semifinalists are chosen by every so many-th place."""
    fewest_matches: int = 12
    """Matches that a plane is fitted to again."""


RULES = Rules()

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
        native = find_native()
        if native is None:
            return costs(self, at, planes)
        return np.asarray(native.plane_costs(*self._native_views(native, at), planes))

    def best_plane(self, at: Places, matches: Matches) -> Plane | None:
        """The plane that the images speak for at N pixels, among those that matches propose."""
        native = find_native()
        if native is None:
            return best_plane(self, at, matches)
        table = np.stack([matches.x, matches.y, matches.d, matches.weight])
        draws = _TRIPLE_DRAWS, _VOTER_DRAWS
        found = native.best_plane(*self._native_views(native, at), table, *draws)
        return None if found is None else np.array(found)

    def _native_views(self, native: ModuleType, at: Places) -> tuple[Any, ...]:
        """What the native functions take first."""
        images = self.gray, self.slope, self.right, self.right_slope
        rows, columns = (index.astype(np.int32) for index in at)
        return native.PlaneRules(**asdict(RULES)), *images, rows, columns


def best_plane(views: Views, at: Places, matches: Matches) -> Plane | None:
    """As ``Views.best_plane``, in numpy."""
    planes = propose(matches)
    if len(planes) == 0:
        return None
    some = at[0][:: RULES.sifted], at[1][:: RULES.sifted]
    planes = planes[_cheapest(costs(views, some, planes), RULES.semifinalists)]
    planes = planes[_cheapest(costs(views, at, planes), RULES.finalists)]
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
        cost += np.minimum(off * np.float32(scale), np.float32(RULES.cost_cap))
    cost[outside] = RULES.cost_cap / 2  # neither for nor against
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
    apart = np.abs(area) > max(RULES.smallest_area_px2, RULES.smallest_triangle * extent)
    safe = np.where(apart, area, 1.0)
    a, b = (ud * vy - vd * uy) / safe, (vd * ux - ud * vx) / safe
    planes = np.column_stack([a, b, d[0] - a * x[0] - b * y[0]])
    planes = planes[apart & (np.abs(a) < RULES.steepest) & (np.abs(b) < RULES.steepest)]
    some = (_VOTER_DRAWS * len(chance)).astype(np.intp)
    off = np.abs(_surfaces(planes, matches.x[some], matches.y[some]) - matches.d[some])
    # einsum: a product of matrices leaves threads spinning that slow down the next match
    support = np.einsum("kn,n->k", (off < RULES.agree_px).astype(np.float32), matches.weight[some])
    return np.asarray(planes[np.argsort(-support, kind="stable")[: RULES.candidates]])


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
        agree = (off < RULES.agree_px).astype(np.float64)
        n, total, *sums = np.einsum("kn,tn->tk", agree, terms)
        total = np.maximum(total, 1e-9)
        mx, my, md = (value / total for value in sums[:3])
        xx, xy, yy = sums[3] - total * mx * mx, sums[4] - total * mx * my, sums[5] - total * my * my
        xd, yd = sums[6] - total * mx * md, sums[7] - total * my * md
        size = np.maximum(xx, yy)
        xx, yy = xx + 1e-9 * size, yy + 1e-9 * size
        determinant = xx * yy - xy * xy
        solvable = (n >= RULES.fewest_matches) & (determinant > 1e-12 * size * size)
        safe = np.where(solvable, determinant, 1.0)
        a, b = (xd * yy - yd * xy) / safe, (yd * xx - xd * xy) / safe
        c = md + about[2] - a * (mx + about[0]) - b * (my + about[1])
        planes = np.where(solvable[:, None], np.stack([a, b, c], axis=1), planes)
    return planes
