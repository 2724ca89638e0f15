"""Is a map, or the truth, wrong by a factor? Found by how much better the two agree with it."""

from __future__ import annotations

import numpy as np

from stereo.frame import Float

FACTORS = (2.0, 3.0, 4.0, 8.0, 16.0, 256.0)
"""What files multiply disparities by: sizes of images, divisors of 8- and 16-bit truth."""
_AGREE_PX = 1.0
_AGREE_SHARE = 0.05
_MOST_AGREE = 0.3
"""Share of pixels that agree as they are from which nothing is wrong with the scale."""
_LEAST_AGREE = 0.5
"""Share of pixels that must agree with the factor."""
_SAMPLES = 20_000


def factor_between(px: Float, truth: Float) -> float | None:
    """Return the k of ``px = k * truth`` for two maps (H, W) of one scene; None: about 1, or none.

    Both must know a pixel; it agrees when the two are within 1 px or 5 % of the larger.
    """
    both = np.isfinite(px) & np.isfinite(truth)
    ours, true = px[both], truth[both]
    step = max(1, ours.size // _SAMPLES)
    ours, true = ours[::step], true[::step]
    if ours.size == 0 or _agreeing(ours, true) > _MOST_AGREE:
        return None
    factors = [f for factor in FACTORS for f in (factor, 1 / factor)]
    # compared in the units of the larger of the two, so that nothing agrees by being nearly zero
    shares = [
        _agreeing(ours, factor * true) if factor > 1 else _agreeing(ours / factor, true)
        for factor in factors
    ]
    best = int(np.argmax(shares))
    return factors[best] if shares[best] > _LEAST_AGREE else None


def _agreeing(ours: Float, true: Float) -> float:
    limit = np.maximum(_AGREE_PX, _AGREE_SHARE * np.maximum(ours, true))
    return float(np.mean(np.abs(ours - true) <= limit))
