"""Give textureless surfaces (walls, tables, skies) a plane where matching could only guess.

Inside a smooth region of the image there is nothing to match; what a matcher says there is spread
from the rim, partly wrong and full of holes. Its own confidence tells: where the mean over the
region is low, the region takes one plane instead. Candidates come from triples of matches inside
and on the rim (RANSAC; Fischler and Bolles 1981); the evidence that chooses among them is the two
images, compared over the region *with its rim*: textureless inside, the rim's edges only agree at
the right plane. Regions whose matches are trusted, curved ones too, stay as they are. A pixel that
was given a plane carries a lower confidence. Benchmarks: ``benchmarks/accuracy.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import DisparityMap, Float, Mask

Gray = NDArray[np.uint8]
Plane = NDArray[np.float64]

SMOOTH_LEVELS = 6
"""Gray levels: below this gradient, over 3x3 pixels, there is nothing to match."""
SMALLEST_REGION_PX = 1000
"""Smaller regions are bridged well by the matcher itself."""
RIM_PX = 4
"""How far a region is grown, to take in the edges that end it."""
DOUBTFUL = 0.6
"""Mean confidence of a region below which it gets a plane: fewer than six pixels in ten right."""
AGREE_PX = 1.0
"""A match within this of a plane supports it, and is kept."""
PLANE_CONFIDENCE = 0.6
"""Share of such pixels within 1 px of the truth, measured by benchmarks/accuracy.py --planes."""

_STEEPEST = 0.7  # px of disparity per pixel: a surface seen at a very grazing angle
_TRIPLES = 400
_SMALLEST_TRIANGLE = 0.06  # of the region's bounding box
_CANDIDATES = 20
_FINALISTS = 5
_SAMPLES = 1000
_COST_CAP = 20.0
_SEED = 0


@dataclass(frozen=True, slots=True)
class _View:
    """What the photometric cost needs of one image, as flat float32."""

    gray: Float
    slope: Float

    @classmethod
    def of(cls, gray: Gray) -> _View:
        slope = cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=3) * np.float32(0.25)
        return cls(gray.astype(np.float32), np.asarray(slope, np.float32))


def plane_surfaces(disparity: DisparityMap, left: Gray, right: Gray) -> DisparityMap:
    """Return ``disparity`` with doubtful textureless regions replaced by planes.

    ``left`` and ``right`` are the rectified gray images, (H, W) uint8. Matches that agree with
    their region's plane are kept, as are regions that the matcher is sure of. The same input
    gives the same output.
    """
    labels, boxes = _smooth_regions(left)
    doubtful = _doubtful_regions(labels, len(boxes), disparity.confidence)
    known = disparity.px[np.isfinite(disparity.px)]
    if len(doubtful) == 0 or known.size == 0:
        return disparity
    views = _View.of(left), _View.of(right)
    limits = float(known.min()) - AGREE_PX, float(known.max()) + AGREE_PX
    px, confidence = disparity.px.copy(), disparity.confidence.copy()
    for number in doubtful:
        window = _grown(boxes[number], left.shape)
        inside = labels[window] == number
        region = cv2.dilate(inside.astype(np.uint8), _square(2 * RIM_PX + 1)).astype(np.bool_)
        plane = _best_plane(disparity, window, region, inside, views)
        if plane is None:
            continue
        rows, columns = np.indices(region.shape)
        surface = (plane[0] * columns + plane[1] * rows + plane[2]).astype(np.float32)
        replaced = _replaced(disparity.px[window], surface, region, inside, limits)
        px[window][replaced] = surface[replaced]
        confidence[window][replaced] = PLANE_CONFIDENCE
    return DisparityMap(px, confidence)


def _smooth_regions(gray: Gray) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Labels (H, W) of connected smooth pixels, and per label (x, y, width, height, area)."""
    across = cv2.convertScaleAbs(cv2.Sobel(gray, cv2.CV_16S, 1, 0, ksize=3), alpha=0.25)
    down = cv2.convertScaleAbs(cv2.Sobel(gray, cv2.CV_16S, 0, 1, ksize=3), alpha=0.25)
    steepest = cv2.dilate(cv2.max(across, down), _square(3))
    smooth = (np.asarray(steepest) < SMOOTH_LEVELS).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(smooth, connectivity=4)
    return np.asarray(labels, np.int32), np.asarray(boxes, np.int32)


def _doubtful_regions(labels: NDArray[np.int32], count: int, confidence: Float) -> NDArray[np.intp]:
    """Labels of the regions that are large enough and that the matcher is unsure of."""
    some = labels[::2, ::2].ravel()  # every fourth pixel tells the mean
    area = np.bincount(some, minlength=count)
    trust = np.bincount(some, weights=confidence[::2, ::2].ravel(), minlength=count)
    chosen = (4 * area >= SMALLEST_REGION_PX) & (trust < DOUBTFUL * area)
    chosen[0] = False  # the textured rest
    return np.flatnonzero(chosen)


def _best_plane(
    disparity: DisparityMap,
    window: tuple[slice, slice],
    region: Mask,
    inside: Mask,
    views: tuple[_View, _View],
) -> Plane | None:
    """The plane (a, b, c), d = a x + b y + c in the window, that the images speak for."""
    rng = np.random.default_rng(_SEED)
    px = disparity.px[window]
    trusted = region & (disparity.confidence[window] > 0.3)
    rows, columns = _some(np.nonzero(trusted), 4 * _SAMPLES, rng)
    if len(rows) < max(30, 0.02 * min(np.count_nonzero(region), 4 * _SAMPLES)):
        return None
    d = px[rows, columns].astype(float)
    weight = disparity.confidence[window][rows, columns].astype(float) ** 2
    points = np.column_stack([columns, rows, np.ones(len(rows))]).astype(float)
    candidates = _candidates(points, d, weight, rng)
    if len(candidates) == 0:
        return None
    at = _evidence(region, inside, rng)
    offset = window[0].start, window[1].start
    costs = [_photometric_cost(views, at, offset, plane) for plane in candidates]
    finalists = [_polish(candidates[i], points, d, weight) for i in np.argsort(costs)[:_FINALISTS]]
    costs = [_photometric_cost(views, at, offset, plane) for plane in finalists]
    return finalists[int(np.argmin(costs))]


def _evidence(
    region: Mask, inside: Mask, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where the images are compared: mostly the rim, whose edges agree only at the right plane."""
    rim = _some(np.nonzero(region & ~inside), _SAMPLES, rng)
    middle = _some(np.nonzero(inside), _SAMPLES // 2, rng)
    return np.concatenate([rim[0], middle[0]]), np.concatenate([rim[1], middle[1]])


def _candidates(
    points: Plane, d: Plane, weight: Plane, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(K, 3) planes through random triples of matches, those with most support first."""
    chance = np.cumsum(weight) / weight.sum()
    triples = np.searchsorted(chance, rng.random((_TRIPLES, 3))).clip(0, len(d) - 1)
    corners = points[triples]
    extent = np.ptp(points[:, :2], axis=0)
    # twice the area of the triangle, px^2: a small one says little of the far end of the region
    apart = np.abs(np.linalg.det(corners)) > max(50, _SMALLEST_TRIANGLE * extent.prod())
    if not apart.any():
        return np.zeros((0, 3))
    planes = np.linalg.solve(corners[apart], d[triples[apart]][..., None])[..., 0]
    planes = planes[np.all(np.abs(planes[:, :2]) < _STEEPEST, axis=1)]
    some = rng.permutation(len(d))[:_SAMPLES]
    agree = np.abs(planes @ points[some].T - d[some]) < AGREE_PX
    return planes[np.argsort(-(agree @ weight[some]), kind="stable")[:_CANDIDATES]]


def _photometric_cost(
    views: tuple[_View, _View],
    at: tuple[NDArray[np.intp], NDArray[np.intp]],
    offset: tuple[int, int],
    plane: Plane,
) -> float:
    """Mean difference of intensity and slope between the images at the plane's disparities."""
    left, right = views
    width = left.gray.shape[1]
    rows, columns = at[0] + offset[0], at[1] + offset[1]
    there = columns - (plane[0] * at[1] + plane[1] * at[0] + plane[2])
    outside = (there < 0) | (there > width - 1)
    there = there.clip(0, width - 1.001)
    first = there.astype(np.intp)
    share = (there - first).astype(np.float32)
    cost = np.zeros(len(rows), np.float32)
    for mine, theirs in ((left.gray, right.gray), (left.slope, right.slope)):
        seen = theirs[rows, first] * (1 - share) + theirs[rows, first + 1] * share
        cost += np.minimum(np.abs(mine[rows, columns] - seen), np.float32(_COST_CAP))
    cost[outside] = _COST_CAP / 2  # neither for nor against
    return float(cost.mean())


def _polish(plane: Plane, points: Plane, d: Plane, weight: Plane) -> Plane:
    """Weighted least squares over the matches that agree, twice."""
    for _ in range(2):
        agree = np.abs(points @ plane - d) < AGREE_PX
        if np.count_nonzero(agree) < 12:
            break
        root = np.sqrt(weight[agree])
        plane = np.linalg.lstsq(points[agree] * root[:, None], d[agree] * root, rcond=None)[0]
    return plane


def _replaced(
    px: Float, surface: Float, region: Mask, inside: Mask, limits: tuple[float, float]
) -> Mask:
    """Where the surface is taken: holes of the grown region, and disagreement inside it."""
    hole = np.isnan(px)
    with np.errstate(invalid="ignore"):
        off = np.abs(px - surface) > AGREE_PX
    possible = (surface >= limits[0]) & (surface <= limits[1])
    return region & possible & (hole | (off & inside))


def _some(
    at: tuple[NDArray[np.intp], ...], most: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """At most ``most`` of the positions, at random."""
    rows, columns = at
    if len(rows) > most:
        chosen = rng.permutation(len(rows))[:most]
        rows, columns = rows[chosen], columns[chosen]
    return rows, columns


def _grown(box: NDArray[np.int32], shape: tuple[int, ...]) -> tuple[slice, slice]:
    x, y, width, height = (int(value) for value in box[:4])
    return (
        slice(max(y - RIM_PX, 0), min(y + height + RIM_PX, shape[0])),
        slice(max(x - RIM_PX, 0), min(x + width + RIM_PX, shape[1])),
    )


def _square(side: int) -> Gray:
    return np.ones((side, side), np.uint8)
