"""Is one better than the other, or is it chance? Differences over pairs, with and without truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.errors import InputError
from stereo.evaluation.estimates import Estimate, Estimator, Predictions
from stereo.evaluation.manifest import ManifestPair
from stereo.evaluation.scoring import check_scale, score_estimate, truth_of
from stereo.frame import Float, Mask, RectifiedPair
from stereo.gray import gray8_pair

RESAMPLES = 10_000
LEAST_PAIRS = 5
"""With fewer pairs there is no interval: resampling them tells nothing about others."""
APART_PX = 1.0
"""Two maps disagree where they are farther apart."""

Values = NDArray[np.float64]
_SEED = 0
_AT_ONCE = 1_000


@dataclass(frozen=True, eq=False, slots=True)
class Compared:
    """One pair, and what each candidate made of it."""

    item: ManifestPair
    pair: RectifiedPair
    estimates: tuple[Estimate, ...]
    figures: tuple[dict[str, float], ...]
    """Of each candidate: those of ``Metrics`` where there is truth, time, and without truth
    ``photometric_gray`` and ``disagreement``, see ``photometric_errors`` and ``disagreement``."""
    truth: Float | None
    """(H, W) px, NaN where unknown; None: there is none."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of one candidate against that of the first, over all pairs that have both."""

    figure: str
    pairs: int
    """How many pairs have both."""
    first: float
    """Mean of the first candidate."""
    other: float
    """Mean of the other one."""
    mean: float
    """Mean of other - first."""
    low: float
    """Lower end of its 95 % interval; NaN of fewer than ``LEAST_PAIRS`` pairs."""
    high: float
    """Upper end."""
    larger: int
    """On how many pairs the other one's is larger."""
    smaller: int
    """On how many it is smaller."""

    @property
    def verdict(self) -> str:
        """What is said of the other candidate, where chance does not explain the difference."""
        if not np.isfinite(self.low):
            return "too few pairs"
        if self.low <= 0 <= self.high:
            return "no difference shown"
        if self.figure.startswith("sigma_"):  # 68, 95 and 99.7 % are right, not more
            return "larger" if self.mean > 0 else "smaller"
        if self.figure == "photometric_gray":  # may fit by chance what is wrong
            return "images fit less" if self.mean > 0 else "images fit more"
        return "better" if (self.mean > 0) == (self.figure == "density") else "worse"


def compare_pair(item: ManifestPair, candidates: Sequence[Estimator]) -> Compared:
    """Ask every candidate for its map of a pair and judge it, against the truth where there is.

    Raises InputError as ``score_pair``.
    """
    pair = item.pair()
    truth = truth_of(item, pair) if "ground_truth" in item.entry else None
    estimates = tuple(candidate.estimate(item, pair) for candidate in candidates)
    known = np.logical_and.reduce([np.isfinite(one.px) for one in estimates])
    photometric = photometric_errors(pair, [one.px for one in estimates], known)
    figures = []
    for candidate, one, gray in zip(candidates, estimates, photometric, strict=True):
        if truth is None:
            figure = {"density": 100 * float(np.isfinite(one.px).mean())}
        else:
            check_scale(item, one, truth, predicted=isinstance(candidate, Predictions))
            figure = asdict(score_estimate(item, pair, truth, one).score.metrics)
        apart = disagreement(estimates[0].px, one.px)
        more = {"photometric_gray": gray, "disagreement": apart, "time_s": one.seconds}
        figures.append(figure | more)
    return Compared(item, pair, estimates, tuple(figures), truth)


def differences(
    figures: Sequence[Sequence[dict[str, float]]], other: int, names: Sequence[str]
) -> list[Difference]:
    """Compare candidate ``other`` with the first, figure by figure; ``figures[pair][candidate]``.

    Figures that no pair has are left out.
    """
    found = []
    for name in names:
        values = np.array([[pair[0][name], pair[other][name]] for pair in figures])
        both = values[np.isfinite(values).all(axis=1)]
        if not len(both):
            continue
        each = both[:, 1] - both[:, 0]
        low, high = interval(each)
        first, second = both.mean(axis=0)
        larger, smaller = int((each > 0).sum()), int((each < 0).sum())
        found.append(
            Difference(
                *(name, len(both), float(first), float(second), float(each.mean())),
                *(low, high, larger, smaller),
            )
        )
    return found


def interval(each: Values) -> tuple[float, float]:
    """Return the 95 % interval of the mean of (N,) differences; NaN of too few.

    The percentile bootstrap (Efron & Tibshirani 1993, ch. 13): pairs are drawn again with
    replacement, always in the same way. It says what other pairs of the same kind would give; pairs
    of another kind are not in it.
    """
    if len(each) < LEAST_PAIRS:
        return float("nan"), float("nan")
    rng = np.random.default_rng(_SEED)
    means = [
        each[rng.integers(0, len(each), (_AT_ONCE, len(each)))].mean(axis=1)
        for _ in range(RESAMPLES // _AT_ONCE)
    ]
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return float(low), float(high)


def disagreement(first: Float, other: Float) -> float:
    """Return the percentage of the pixels known to both maps that are farther apart than 1 px."""
    both = np.isfinite(first) & np.isfinite(other)
    return 100 * float(np.mean(np.abs(first[both] - other[both]) > APART_PX)) if both.any() else 0.0


def photometric_errors(pair: RectifiedPair, maps: Sequence[Float], where: Mask) -> list[float]:
    """Return for each map how much the two images differ at what it says is the same point.

    Mean absolute difference in gray levels over the pixels ``where``, the same for all maps, whose
    match lies inside the right image by each of them; the median difference, which is exposure, is
    taken out. NaN where no pixel is left.
    """
    left, right = (image.astype(np.float32) for image in gray8_pair(pair.left, pair.right))
    height, width = left.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    at = [x - np.nan_to_num(px, nan=0.0) for px in maps]
    inside = where & np.logical_and.reduce([(a >= 0) & (a <= width - 1) for a in at])
    if not inside.any():
        return [float("nan")] * len(maps)
    errors = []
    for columns in at:
        there = cv2.remap(right, columns, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        off = (left - there)[inside]
        errors.append(float(np.mean(np.abs(off - np.median(off)), dtype=np.float64)))
    return errors


def unique_names(candidates: Sequence[Estimator], given: Sequence[str]) -> list[str]:
    """Return what to call each candidate: its name, or how it was given where two share one.

    Raises InputError when one is given twice.
    """
    if len(set(given)) < len(given):
        raise InputError(f"one candidate is given twice: {', '.join(given)}")
    names = [candidate.name for candidate in candidates]
    return names if len(set(names)) == len(names) else list(given)
