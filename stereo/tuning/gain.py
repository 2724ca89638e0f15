"""What tuning gained on pairs that were left out of it, and whether that is more than noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

_RESAMPLES = 4000
_OUTSIDE_PERCENT = 2.5


@dataclass(frozen=True, slots=True)
class Gain:
    """Relative change of the score on pairs left out; above 0 is better."""

    per_pair: Mapping[str, float]
    """Pair -> 1 - tuned / before, by parameters that were chosen without it."""
    mean: float
    """1 minus the geometric mean of tuned / before."""
    low: float
    """Lower end of the 95 % bootstrap interval over pairs."""
    high: float
    """Upper end."""

    @property
    def real(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low > 0

    def line(self) -> str:
        """In words."""
        return (
            f"{100 * self.mean:+.1f} % on pairs left out "
            f"(95 % of resamples {100 * self.low:+.1f} to {100 * self.high:+.1f} %)"
        )


def gain_of(before: Mapping[str, float], tuned: Mapping[str, float]) -> Gain:
    """Return the gain of scores ``tuned`` over ``before``, of the same pairs, all above 0."""
    logs = np.array([np.log(tuned[name] / before[name]) for name in before])
    drawn = np.random.default_rng(0).integers(0, len(logs), (_RESAMPLES, len(logs)))
    means = logs[drawn].mean(axis=1)
    low, high = np.percentile(means, [_OUTSIDE_PERCENT, 100 - _OUTSIDE_PERCENT])
    per_pair = {name: float(1 - np.exp(log)) for name, log in zip(before, logs, strict=True)}
    worst, best = float(1 - np.exp(high)), float(1 - np.exp(low))
    return Gain(per_pair, float(1 - np.exp(logs.mean())), worst, best)


def safer(scores: Mapping[str, float], start: Mapping[str, float]) -> float:
    """Return how parameters compare with those of the start: mean log ratio plus two standard
    errors. Below 0 they are better by more than the pairs differ in saying so.
    """
    logs = np.array([np.log(scores[name] / start[name]) for name in start])
    error = float(logs.std(ddof=1) / np.sqrt(len(logs))) if len(logs) > 1 else 0.0
    return float(logs.mean()) + 2 * error
