"""How right is a disparity map? The field's metrics against ground truth.

Percentages are of visible (non-occluded) pixels unless a name says "all". Definitions are those of
the development kits, where a map has no holes:

- Middlebury, ``evaldisp`` of MiddEval3: an error is bad when ``|d - truth| > t``, of the pixels
  that the mask shows and the truth knows: ``dense_t``; avgErr is ``dense_mae_px``. Its "A50" to
  "A99" are quantiles of the error: ``a50_px`` is the least error that half of the pixels do not
  exceed. It cuts disparities to 0 and ndisp, which is not done here. Of a map with holes its bad
  is ``sparse_t * density / 100`` and its totbad adds ``100 - density``.
- KITTI, ``evaluate_scene_flow`` (2015): D1 counts ``|d - truth| > 3`` and ``> 5 %`` of the truth
  over all known pixels, foreground where the object map is not 0; nothing is rounded but what its
  PNG rounds, to 1/256 px. Holes take the smaller neighbour on their row, as here; on an empty row
  they take a value of their column, here 0. KITTI 2012's Out-Noc is ``dense_3``, Out-All ``all_3``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from stereo.errors import InputError
from stereo.evaluation.regions import near_edges, smooth_regions
from stereo.evaluation.sparsification import sparsification_area
from stereo.frame import Float, Image, Mask, StereoGeometry
from stereo.refining.refine import left_right_check

_OFF = {"0_5": 0.5, "1": 1.0, "2": 2.0, "3": 3.0, "4": 4.0}
"""Ends of names -> px beyond which an error counts."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Errors of one disparity map, percent unless the name says px or m."""

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
    """Area between the sparsification curve and the ideal one, see
    ``stereo.evaluation.sparsification``, over the visible pixels with a disparity; NaN where no
    confidence was given."""
    sparse_0_5: float
    """As ``sparse_1`` for 0.5 px."""
    sparse_4: float
    """The same for 4 px."""
    dense_0_5: float
    """As ``dense_1`` for 0.5 px."""
    dense_3: float
    """The same for 3 px: KITTI 2012's Out-Noc."""
    dense_4: float
    """The same for 4 px."""
    all_3: float
    """As ``all_2`` for 3 px: KITTI 2012's Out-All."""
    dense_rms_px: float
    """Root mean square error of the visible pixels after filling, px."""
    a50_px: float
    """Error that 50 % of the visible pixels do not exceed after filling, px."""
    a90_px: float
    """The same for 90 %."""
    a95_px: float
    """The same for 95 %."""
    a99_px: float
    """The same for 99 %."""
    d1_bg: float
    """``d1_all`` of the background; NaN where no object map was given."""
    d1_fg: float
    """``d1_all`` of the foreground; NaN where no object map was given, or none is there."""
    depth_mae_m: float
    """Mean absolute error of depth of the visible pixels with a disparity, m; NaN where focal
    length and baseline are not known."""
    depth_median_m: float
    """Median absolute error of depth of these, m."""
    depth_mae_percent: float
    """Mean absolute error of depth of these, % of the true depth."""
    depth_median_percent: float
    """Median absolute error of depth of these, % of the true depth."""


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
    foreground: Mask | None = None,
    geometry: StereoGeometry | None = None,
) -> Metrics:
    """Compare ``px`` (NaN: no answer) with ``truth`` (NaN: unknown), both (H, W) px.

    ``visible`` marks the non-occluded pixels. ``dense`` is the map to score where holes are not
    allowed; without it ``px`` with its holes filled by ``fill_rows``. ``confidence`` of ``px`` is
    judged by the order in which it would drop pixels, ``sigma_px``, its error bar, by how often it
    holds; ``image``, the left one, tells where nothing can be matched, ``foreground`` where objects
    are, ``geometry`` what a disparity is in metres. Raises InputError when shapes differ or nothing
    is known.
    """
    for name, array in (
        *(("truth", truth), ("visible mask", visible), ("image", image)),
        *(("dense map", dense), ("confidence", confidence), ("error bar", sigma_px)),
        ("foreground", foreground),
    ):
        if array is not None and array.shape[:2] != px.shape:
            raise InputError(f"{name}: expected shape {px.shape}, got {array.shape[:2]}")
    known = np.isfinite(truth)
    visible = visible & known
    if not visible.any():
        raise InputError("ground truth knows no visible pixel; nothing to compare with")
    answered = visible & np.isfinite(px)
    sparse_error = np.abs(px[answered].astype(np.float64) - truth[answered])
    filled = fill_rows(px if dense is None else dense)
    error = np.abs(filled.astype(np.float64) - truth)
    off_3 = known & (error > 3) & (error > 0.05 * np.abs(truth))
    fore = np.zeros_like(known) if foreground is None else known & foreground
    back = np.zeros_like(known) if foreground is None else known & ~foreground
    seen_error = error[visible]
    ause = float("nan")
    if confidence is not None:
        ause = sparsification_area(sparse_error, confidence[answered])
    bars = np.array([])
    if sigma_px is not None:
        judged = known & np.isfinite(px)
        bars = np.abs(px[judged] - truth[judged]) / sigma_px[judged]
    edge = visible & near_edges(truth)
    smooth = np.zeros_like(visible) if image is None else visible & smooth_regions(image)
    nan = float("nan")
    return Metrics(
        density=_percent(answered[visible]),
        **{f"sparse_{t}": _percent(sparse_error > px) for t, px in _OFF.items() if t != "3"},
        **{f"dense_{t}": _percent(seen_error > px) for t, px in _OFF.items()},
        dense_mae_px=float(seen_error.mean()),
        dense_rms_px=float(np.sqrt(np.mean(np.square(seen_error)))),
        **_quantiles(seen_error),
        all_2=_percent(error[known] > 2),
        all_3=_percent(error[known] > 3),
        d1_all=_percent(off_3[known]),
        d1_bg=_percent(off_3[back], nothing=nan),
        d1_fg=_percent(off_3[fore], nothing=nan),
        edge_2=_percent(error[edge] > 2, nothing=nan),
        smooth_2=_percent(error[smooth] > 2, nothing=nan),
        sigma_1=_percent(bars <= 1, nothing=nan),
        sigma_2=_percent(bars <= 2, nothing=nan),
        sigma_3=_percent(bars <= 3, nothing=nan),
        ause_px=ause,
        **_depth_errors(px[answered], truth[answered], geometry),
    )


def _quantiles(error_px: NDArray[np.float64]) -> dict[str, float]:
    """The least error that so many percent of the pixels do not exceed."""
    ranks = {percent: -(-percent * error_px.size // 100) - 1 for percent in (50, 90, 95, 99)}
    parted = np.partition(error_px, sorted(set(ranks.values())))
    return {f"a{percent}_px": float(parted[rank]) for percent, rank in ranks.items()}


def _depth_errors(px: Float, truth: Float, geometry: StereoGeometry | None) -> dict[str, float]:
    """Errors of depth where both disparities are of a point in front of the cameras."""
    values = dict.fromkeys(
        ("depth_mae_m", "depth_median_m", "depth_mae_percent", "depth_median_percent"),
        float("nan"),
    )
    if geometry is None:
        return values
    ours, true = (plane.astype(np.float64) + geometry.doffs_px for plane in (px, truth))
    ahead = (ours > 0) & (true > 0)
    if not ahead.any():
        return values
    ours_m, true_m = (geometry.focal_px * geometry.baseline_m / d[ahead] for d in (ours, true))
    off_m = np.abs(ours_m - true_m)
    share = 100 * off_m / true_m
    found = (off_m.mean(), np.median(off_m), share.mean(), np.median(share))
    return dict(zip(values, map(float, found), strict=True))


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


def geometric_mean(values: Sequence[float] | NDArray[np.floating]) -> float:
    """Geometric mean of percentages; below 0.001 they count as that, so that none erases all."""
    return float(np.exp(np.log(np.maximum(values, 1e-3)).mean()))


def _percent(flags: NDArray[np.bool_], *, nothing: float = 0.0) -> float:
    return 100.0 * float(np.mean(flags)) if flags.size else nothing
