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

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import DisparityMap, Float, Mask
from stereo.refining.plane_fit import RULES, Gray, Matches, Places, Plane, Views

Window = tuple[slice, slice]

SMOOTH_LEVELS = 6
"""Gray levels: below this gradient, over 3x3 pixels, there is nothing to match."""
SMALLEST_REGION_PX = 1000
"""Smaller regions are bridged well by the matcher itself."""
RIM_PX = 4
"""How far a region is grown, to take in the edges that end it."""
DOUBTFUL = 0.55
"""Mean confidence of a region below which it gets a plane."""
PLANE_CONFIDENCE = 0.6
"""Cautious: 0.80 of such pixels are within 1 px of the truth in the sample room, 0.93 on
flyingthings_a, 0.76 on reindeer, 0.64 on teddy (benchmarks/accuracy.py --planes)."""

WHOLE_RIM, WHOLE_SUPPORT = 0.7, 0.9
"""Shares of the rim's edges, or of the matches, from which one plane is taken for all."""
ENOUGH = 0.95
"""Least sum of the two shares for a plane to be believed (benchmarks/accuracy.py)."""

STEP = 4
"""Regions are found and planes fitted on every fourth row and column. Half the time of 2, and over
six seeds of the random draws as good on pairs.json and the sample room."""

_MOST_PLANES = 4
_NEIGHBORHOOD_PX = 160
_EDGE_LEVELS = 8.0
_SHIFT_PX = 3.0
_SAMPLES = 1000
_MATCHES = 4000
_SEED = 0
_TRUSTED = 0.3
_SOME = 1e-4  # mean weight around a pixel: about one match within 80 px


def plane_surfaces(disparity: DisparityMap, left: Gray, right: Gray) -> DisparityMap:
    """Return ``disparity`` with doubtful textureless regions replaced by planes.

    ``left`` and ``right`` are the rectified gray images, (H, W) uint8. Matches that agree with
    their region's plane are kept, as are regions that the matcher is sure of. The same input
    gives the same output.
    """
    coarse = DisparityMap(
        np.ascontiguousarray(disparity.px[::STEP, ::STEP]),
        np.ascontiguousarray(disparity.confidence[::STEP, ::STEP]),
    )
    slope = np.asarray(cv2.Sobel(left, cv2.CV_16S, 1, 0, ksize=3), np.int16)
    labels, boxes = _smooth_regions(left, slope)
    doubtful = _doubtful_regions(labels, boxes[:, cv2.CC_STAT_AREA], coarse.confidence)
    known = coarse.px[np.isfinite(coarse.px)]
    if len(doubtful) == 0 or known.size == 0:
        return disparity
    views = Views.of(left, right, slope)
    limits = float(known.min()) - RULES.agree_px, float(known.max()) + RULES.agree_px
    px, confidence = disparity.px.copy(), disparity.confidence.copy()
    for number in doubtful:
        window = _grown(boxes[number], labels.shape)
        for part, plane in _planes(coarse, window, labels[window] == number, views):
            part, place = _cropped(part, window)
            _put(px, confidence, _full_size(place), part, plane, limits)
    return replace(disparity, px=px, confidence=confidence)


def _put(
    px: Float,
    confidence: Float,
    window: Window,
    part: Mask,
    plane: Plane,
    limits: tuple[float, float],
) -> None:
    """Write the plane into the part's holes, its rim's too, and over matches that disagree."""
    here = px[window]
    rows = np.arange(window[0].start, window[0].start + here.shape[0], dtype=np.float32)
    columns = np.arange(window[1].start, window[1].start + here.shape[1], dtype=np.float32)
    a, b, c = (np.float32(value) for value in plane)
    surface = a * columns + (b * rows + c)[:, None]
    inside = np.repeat(np.repeat(part, STEP, 0), STEP, 1)[: here.shape[0], : here.shape[1]]
    grown = cv2.dilate(inside.astype(np.uint8), _square(2 * RIM_PX + 1)).astype(np.bool_)
    off = here - surface
    wanted = (np.abs(off, out=off) > RULES.agree_px) & inside  # nowhere true in a hole
    wanted |= np.isnan(here) & grown
    if surface.min() < limits[0] or surface.max() > limits[1]:
        wanted &= (surface >= limits[0]) & (surface <= limits[1])
    np.copyto(here, surface, where=wanted)
    np.copyto(confidence[window], np.float32(PLANE_CONFIDENCE), where=wanted)


def _planes(
    coarse: DisparityMap, window: Window, inside: Mask, views: Views
) -> Iterator[tuple[Mask, Plane]]:
    """The parts of a smooth region, each with the plane that the evidence supports.

    A wall and the ceiling above it are one smooth region: where the first plane explains only
    part of the evidence, it takes only what has more supporters than dissenters around it, and
    the rest is tried again by itself. Without either a plane says nothing: no extrapolation.
    """
    px, weight = coarse.px[window], coarse.confidence[window] ** 2
    x = STEP * np.arange(window[1].start, window[1].stop, dtype=np.float32)
    y = STEP * np.arange(window[0].start, window[0].stop, dtype=np.float32)
    for attempt in range(_MOST_PLANES):
        if STEP**2 * np.count_nonzero(inside) < SMALLEST_REGION_PX:
            return
        region = _widened(inside)
        rim = _places(region & ~inside, window)
        plane = _best_plane(coarse, window, region, inside, views)
        if plane is None:
            return
        a, b, c = (np.float32(value) for value in plane)
        with np.errstate(invalid="ignore"):  # a hole is no match: its weight is 0
            near = region & (np.abs(px - a * x - (b * y + c)[:, None]) < RULES.agree_px)
        supporters = weight * near
        dissenters = weight * (region & ~near)
        support = float(supporters.sum() / max(float(supporters.sum() + dissenters.sum()), 1e-6))
        agreement = _rim_agreement(views, rim, plane)
        part = inside
        # what is left after one plane was no one plane: then only a rim speaks for all of it
        alone = attempt == 0 and support >= WHOLE_SUPPORT
        if agreement < WHOLE_RIM and not alone:
            around = (_NEIGHBORHOOD_PX // STEP, _NEIGHBORHOOD_PX // STEP)
            part = inside & (cv2.blur(supporters, around) > cv2.blur(dissenters, around) + _SOME)
        if agreement + support >= ENOUGH and part.any():
            yield part, plane
        if part is inside or not part.any():  # all is told, or the next round would be this one
            return
        inside = inside & ~part


def _rim_agreement(views: Views, rim: Places, plane: Plane) -> float:
    """Share of the rim's edges that fit better at the plane than a little before or behind it."""
    edge = np.abs(views.slope[rim]) > 4 * _EDGE_LEVELS
    if np.count_nonzero(edge) < 20:
        return 0.0
    edges = rim[0][edge], rim[1][edge]
    shifted = plane + np.array([[0, 0, 0], [0, 0, _SHIFT_PX], [0, 0, -_SHIFT_PX]])
    here, before, behind = views.costs(edges, shifted)
    return float(np.mean((here < before) & (here < behind)))


def _smooth_regions(
    gray: Gray, slope: NDArray[np.int16]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Labels of connected smooth pixels, and per label (x, y, width, height, area); coarse."""
    across = cv2.convertScaleAbs(slope, alpha=0.25)
    down = cv2.convertScaleAbs(cv2.Sobel(gray, cv2.CV_16S, 0, 1, ksize=3), alpha=0.25)
    steepest = np.asarray(cv2.dilate(cv2.max(across, down), _square(3)))[::STEP, ::STEP]
    smooth = (steepest < SMOOTH_LEVELS).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(smooth, connectivity=4)
    return np.asarray(labels, np.int32), np.asarray(boxes, np.int32)


def _doubtful_regions(
    labels: NDArray[np.int32], area: NDArray[np.int32], confidence: Float
) -> NDArray[np.intp]:
    """Labels of the regions that are large enough and that the matcher is unsure of."""
    trust = np.bincount(labels.ravel(), weights=confidence.ravel(), minlength=len(area))
    chosen = (STEP**2 * area >= SMALLEST_REGION_PX) & (trust < DOUBTFUL * area)
    chosen[0] = False  # the textured rest
    return np.flatnonzero(chosen)


def _best_plane(
    coarse: DisparityMap, window: Window, region: Mask, inside: Mask, views: Views
) -> Plane | None:
    """The plane that the images speak for, among those that the matches propose."""
    rng = np.random.default_rng(_SEED)
    trusted = np.flatnonzero(region & (coarse.confidence[window] > _TRUSTED))
    if len(trusted) < max(30, 0.02 * np.count_nonzero(region)):
        return None
    trusted = _some(trusted, _MATCHES, rng)
    rows, columns = _coordinates(trusted, region.shape, window)
    at = rows // STEP, columns // STEP
    x, y = columns.astype(np.float32), rows.astype(np.float32)
    matches = Matches(x, y, coarse.px[at], coarse.confidence[at] ** 2)
    # mostly the rim is compared, whose edges agree only at the right plane
    at = _places(region & ~inside, window, _SAMPLES, rng)
    middle = _places(inside, window, _SAMPLES // 2, rng)
    at = np.concatenate([at[0], middle[0]]), np.concatenate([at[1], middle[1]])
    return views.best_plane(at, matches)


def _places(
    mask: Mask, window: Window, most: int | None = None, rng: np.random.Generator | None = None
) -> Places:
    """Where a coarse mask is set, in pixels of the image; at most ``most``, at random."""
    found = np.flatnonzero(mask)
    if most is not None and rng is not None:
        found = _some(found, most, rng)
    return _coordinates(found, mask.shape, window)


def _coordinates(found: NDArray[np.intp], shape: tuple[int, ...], window: Window) -> Places:
    rows, columns = np.divmod(found, shape[1])
    return STEP * (rows + window[0].start), STEP * (columns + window[1].start)


def _some(found: NDArray[np.intp], most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """At most ``most`` of them, at random (with repeats, which is fast and does no harm)."""
    return found if len(found) <= most else found[rng.integers(0, len(found), most)]


def _widened(mask: Mask) -> Mask:
    return cv2.dilate(mask.astype(np.uint8), _square(2 * (RIM_PX // STEP) + 1)).astype(np.bool_)


def _grown(box: NDArray[np.int32], shape: tuple[int, ...]) -> Window:
    x, y, width, height = (int(value) for value in box[:4])
    rim = RIM_PX // STEP
    return (
        slice(max(y - rim, 0), min(y + height + rim, shape[0])),
        slice(max(x - rim, 0), min(x + width + rim, shape[1])),
    )


def _cropped(part: Mask, window: Window) -> tuple[Mask, Window]:
    """The part and its window without the empty margin, beyond what its rim needs."""
    box = np.array(cv2.boundingRect(part.astype(np.uint8)), np.int32)
    rows, columns = _grown(box, part.shape)
    at = window[0].start, window[1].start
    return part[rows, columns], (
        slice(at[0] + rows.start, at[0] + rows.stop),
        slice(at[1] + columns.start, at[1] + columns.stop),
    )


def _full_size(window: Window) -> Window:
    rows, columns = window
    return (
        slice(STEP * rows.start, STEP * rows.stop),
        slice(STEP * columns.start, STEP * columns.stop),
    )


def _square(side: int) -> Gray:
    return np.ones((side, side), np.uint8)
