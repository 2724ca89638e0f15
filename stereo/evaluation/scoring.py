"""One pair, one map, all figures; with the checks that keep a mistake in the data from a figure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from calib.words import plain
from stereo.errors import InputError
from stereo.evaluation.estimates import Estimate, Estimator, Predictions
from stereo.evaluation.evaluate import Metrics, evaluate
from stereo.evaluation.manifest import ManifestPair
from stereo.evaluation.scale import factor_between
from stereo.evaluation.sparsification import DROPPED_PERCENT, sparsification_curve
from stereo.frame import Float, Mask, RectifiedPair


@dataclass(frozen=True, slots=True)
class Score:
    """What one map of one pair came to."""

    name: str
    """Of the pair."""
    metrics: Metrics
    time_s: float
    """What matching and refining took, s; NaN for maps made before."""
    peak_memory_mb: float
    """Most memory that the process held meanwhile, MB; NaN where not known."""
    sparsification_px: tuple[float, ...]
    """Mean error at ``DROPPED_PERCENT``, px; empty without confidence."""
    sparsification_ideal_px: tuple[float, ...]
    """The same when the worst pixels are dropped first."""

    def facts(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {
            **asdict(self.metrics),
            "time_s": self.time_s,
            "peak_memory_mb": self.peak_memory_mb,
            "sparsification": {
                "dropped_percent": DROPPED_PERCENT,
                "error_px": self.sparsification_px,
                "ideal_px": self.sparsification_ideal_px,
            },
        }


@dataclass(frozen=True, eq=False, slots=True)
class Scored:
    """A score and what it is about, to look at."""

    score: Score
    pair: RectifiedPair
    estimate: Estimate
    truth: Float
    """(H, W) px, NaN where unknown."""
    visible: Mask
    """(H, W) which pixels both cameras see."""

    @property
    def filled(self) -> Float:
        """The map without holes where its maker filled them, (H, W) px."""
        return self.estimate.px if self.estimate.dense is None else self.estimate.dense


def truth_of(item: ManifestPair, pair: RectifiedPair) -> Float:
    """Return the truth of a pair. Raises InputError when it is of another size than the images."""
    truth = item.truth()
    height, width = pair.left.shape[:2]
    if truth.shape != (height, width):
        times = truth.shape[1] / width
        scaled = times in (0.25, 0.5, 2, 3, 4) and truth.shape[0] == times * height
        hint = (
            f"the truth belongs to images {plain(times)} times as large"
            if scaled
            else "is ground_truth of another pair?"
        )
        raise InputError(
            f"pair {item.name!r}: the truth is {truth.shape[1]}x{truth.shape[0]}, the images are "
            f"{width}x{height}; {hint}"
        )
    return truth


def score_pair(item: ManifestPair, estimator: Estimator) -> Scored:
    """Judge the map that ``estimator`` gives for a pair.

    Raises InputError for what cannot be compared: sizes, or a scale that is wrong by a factor.
    """
    pair = item.pair()
    truth = truth_of(item, pair)
    estimate = estimator.estimate(item, pair)
    check_scale(item, estimate, truth, predicted=isinstance(estimator, Predictions))
    return score_estimate(item, pair, truth, estimate)


def score_estimate(
    item: ManifestPair, pair: RectifiedPair, truth: Float, estimate: Estimate
) -> Scored:
    """Judge a map of a pair. Raises InputError for masks and truth that do not fit."""
    visible = item.visible(truth)
    metrics = evaluate(
        estimate.px,
        truth,
        visible=visible,
        dense=estimate.dense,
        confidence=estimate.confidence,
        sigma_px=estimate.sigma_px,
        image=pair.left,
        foreground=item.foreground(truth),
        geometry=item.geometry(),
    )
    curve: tuple[float, ...] = ()
    ideal: tuple[float, ...] = ()
    if estimate.confidence is not None:
        answered = visible & np.isfinite(truth) & np.isfinite(estimate.px)
        error = np.abs(estimate.px[answered] - truth[answered])
        curve, ideal = sparsification_curve(error, estimate.confidence[answered])
    score = Score(item.name, metrics, estimate.seconds, estimate.memory_mb, curve, ideal)
    return Scored(score, pair, estimate, truth, visible)


def check_scale(item: ManifestPair, estimate: Estimate, truth: Float, *, predicted: bool) -> None:
    """Raise InputError when map and truth agree but for a factor, naming it and who is wrong."""
    factor = factor_between(estimate.px, truth)
    if factor is None:
        return
    times = f"{plain(max(factor, 1 / factor))} times too {'large' if factor > 1 else 'small'}"
    if predicted:
        raise InputError(
            f"pair {item.name!r}: the predictions look {times} against the truth; PFM, npy, npz "
            "and TIFF hold px, a 16-bit PNG px x 256; or is ground_truth_divisor wrong?"
        )
    divisor = item.entry["ground_truth_divisor"]
    times = f"{plain(max(factor, 1 / factor))} times too {'small' if factor > 1 else 'large'}"
    raise InputError(
        f"pair {item.name!r}: the truth looks {times}: ground_truth_divisor "
        f"{plain(divisor / factor)}? It is {plain(divisor)}"
    )
