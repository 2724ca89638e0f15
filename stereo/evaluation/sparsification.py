"""Does confidence sort good pixels from bad ones? Errors of what is left without the worst.

The curve is the mean absolute error of the pixels left when the least confident are dropped first;
the ideal one drops by the error itself (Ilg et al., ECCV 2018; the area between them is "AUSE").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating]

DROPPED_PERCENT = tuple(range(0, 100, 5))
"""Shares of the pixels at which a curve is kept."""


def curves(error_px: Values, confidence: Values) -> tuple[Values, Values]:
    """Return the curve and the ideal one, px, (N,) each: the k-th is of the k + 1 best pixels."""
    by_confidence = np.argsort(-confidence, kind="stable")
    return _means(error_px[by_confidence]), _means(np.sort(error_px))


def sparsification_area(error_px: Values, confidence: Values) -> float:
    """Area between the curve by ``confidence`` and the ideal one, px; 0 is best, NaN of nothing."""
    if error_px.size == 0:
        return float("nan")
    curve, ideal = curves(error_px, confidence)
    return float(np.mean(curve - ideal))


def sparsification_curve(
    error_px: Values, confidence: Values
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the curve and the ideal one at ``DROPPED_PERCENT``, px; empty where nothing is."""
    if error_px.size == 0:
        return (), ()
    kept = [-(-error_px.size * (100 - percent) // 100) - 1 for percent in DROPPED_PERCENT]
    curve, ideal = (curve[kept] for curve in curves(error_px, confidence))
    return tuple(curve.tolist()), tuple(ideal.tolist())


def _means(sorted_error: Values) -> Values:
    return np.cumsum(sorted_error) / np.arange(1, sorted_error.size + 1)
