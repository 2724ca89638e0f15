"""How right is a disparity map? The field's metrics against ground truth.

Definitions are those of Middlebury (bad-t) and KITTI 2015 (D1); percentages are of visible
(non-occluded) pixels unless a name says "all".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from stereo.errors import InputError
from stereo.evaluation.regions import near_edges, smooth_regions
from stereo.frame import Float, Image, Mask
from stereo.refining.refine import left_right_check


@dataclass(frozen=True, slots=True)
class Metrics:
    """Errors of one disparity map, percent unless the name says px."""

    density: float
    """Visible pixels that have a disparity."""
    sparse_1: float
    """Of the visible pixels with a disparity, those off by more than 1 px."""
    sparse_2: float
    """The same for 2 px."""
    dense_1: float
    """Of the visible pixels, those off by more than 1 px after filling."""
    dense_2: float
    """The same for 2 px."""
    dense_mae_px: float
    """Mean absolute error of the visible pixels after filling, px."""
    all_2: float
    """Of all known pixels, those off by more than 2 px after filling."""
    d1_all: float
    """Of all known pixels, those off by more than 3 px and more than 5 % after filling."""
    edge_2: float
    """Of the visible pixels within 8 px of a step of depth, those off by more than 2 px after
    filling; NaN where there are none."""
    smooth_2: float
    """The same of the visible pixels where the image shows nothing to match, see
    ``stereo.evaluation.regions``; NaN where no image was given, or none are."""
    sigma_1: float
    """Of all known pixels with a disparity, those whose truth lies within one error bar; NaN where
    no error bar was given."""
    sigma_2: float
    """The same for two error bars."""
    sigma_3: float
    """The same for three."""
    ause_px: float
    """Area between the sparsification curve and the ideal one, see ``sparsification_area``, over
    the visible pixels with a disparity; NaN where no confidence was given."""


def fill_rows(px: Float) -> Float:
    """Fill each hole with the smaller of the nearest valid values on its row, 0 on an empty row.

    The benchmark's own filling, deliberately simple, so that maps with holes can be compared.
    """
    holes = ~np.isfinite(px)
    columns = np.arange(px.shape[1])
    left = np.maximum.accumulate(np.where(holes, -1, columns), axis=1)
    right = np.minimum.accumulate(np.where(holes, px.shape[1], columns)[:, ::-1], axis=1)[:, ::-1]
    rows = np.arange(px.shape[0])[:, None]
    padded = np.pad(px, ((0, 0), (1, 1)), constant_values=np.inf)  # beyond the row: never smaller
    filled = np.minimum(padded[rows, left + 1], padded[rows, right + 1])
    filled[np.isinf(filled)] = 0
    return np.where(holes, filled, px)


def evaluate(
    px: Float,
    truth: Float,
    *,
    visible: Mask,
    dense: Float | None = None,
    confidence: Float | None = None,
    sigma_px: Float | None = None,
    image: Image | None = None,
) -> Metrics:
    """Compare ``px`` (NaN: no answer) with ``truth`` (NaN: unknown), both (H, W) px.

    ``visible`` marks the non-occluded pixels. ``dense`` is the map to score where holes are not
    allowed; without it ``px`` with its holes filled by ``fill_rows``. ``confidence`` of ``px`` is
    judged by the order in which it would drop pixels, ``sigma_px``, its error bar, by how often it
    holds; ``image``, the left one, tells where nothing can be matched. Raises InputError when
    shapes differ or nothing is known.
    """
    for name, array in (
        *(("truth", truth), ("visible mask", visible), ("image", image)),
        *(("dense map", dense), ("confidence", confidence), ("error bar", sigma_px)),
    ):
        if array is not None and array.shape[:2] != px.shape:
            raise InputError(f"{name}: expected shape {px.shape}, got {array.shape[:2]}")
    known = np.isfinite(truth)
    visible = visible & known
    if not visible.any():
        raise InputError("ground truth knows no visible pixel; nothing to compare with")
    answered = visible & np.isfinite(px)
    sparse_error = np.abs(px[answered] - truth[answered])
    filled = fill_rows(px if dense is None else dense)
    error = np.abs(filled - truth)
    off_3 = (error[known] > 3) & (error[known] > 0.05 * np.abs(truth[known]))
    ause = float("nan")
    if confidence is not None:
        ause = sparsification_area(sparse_error, confidence[answered])
    bars = np.array([])
    if sigma_px is not None:
        judged = known & np.isfinite(px)
        bars = np.abs(px[judged] - truth[judged]) / sigma_px[judged]
    edge = visible & near_edges(truth)
    smooth = np.zeros_like(visible) if image is None else visible & smooth_regions(image)
    return Metrics(
        density=_percent(answered[visible]),
        sparse_1=_percent(sparse_error > 1),
        sparse_2=_percent(sparse_error > 2),
        dense_1=_percent(error[visible] > 1),
        dense_2=_percent(error[visible] > 2),
        dense_mae_px=float(error[visible].mean()),
        all_2=_percent(error[known] > 2),
        d1_all=_percent(off_3),
        edge_2=_percent(error[edge] > 2, nothing=float("nan")),
        smooth_2=_percent(error[smooth] > 2, nothing=float("nan")),
        sigma_1=_percent(bars <= 1, nothing=float("nan")),
        sigma_2=_percent(bars <= 2, nothing=float("nan")),
        sigma_3=_percent(bars <= 3, nothing=float("nan")),
        ause_px=ause,
    )


def mean_of(scores: Sequence[Metrics]) -> Metrics:
    """Return the mean of each figure over the pairs that have it; NaN where none has."""
    means = {}
    for field in fields(Metrics):
        values = [getattr(score, field.name) for score in scores]
        known = [value for value in values if not np.isnan(value)]
        means[field.name] = float(np.mean(known)) if known else float("nan")
    return Metrics(**means)


def visible_from_truths(left: Float, right: Float) -> Mask:
    """Return the pixels that both cameras see: where the two ground truths agree within 1 px."""
    return left_right_check(left, right, max_difference_px=1.0)


def sparsification_area(error_px: NDArray[np.floating], confidence: NDArray[np.floating]) -> float:
    """Area between the sparsification curve by ``confidence`` and the ideal one, px; 0 is best.

    The curve is the mean absolute error of the pixels left when the least confident are dropped
    first (Ilg et al., ECCV 2018, "AUSE"); ideal drops by the error itself.
    """
    if error_px.size == 0:
        return float("nan")

    def curve(order: NDArray[np.intp]) -> NDArray[np.floating]:
        kept = np.arange(1, error_px.size + 1)
        return np.cumsum(error_px[order]) / kept

    by_confidence = curve(np.argsort(-confidence, kind="stable"))
    ideal = curve(np.argsort(error_px, kind="stable"))
    return float(np.mean(by_confidence - ideal))


def geometric_mean(values: Sequence[float] | NDArray[np.floating]) -> float:
    """Geometric mean of percentages; below 0.001 they count as that, so that none erases all."""
    return float(np.exp(np.log(np.maximum(values, 1e-3)).mean()))


def _percent(flags: NDArray[np.bool_], *, nothing: float = 0.0) -> float:
    return 100.0 * float(np.mean(flags)) if flags.size else nothing
