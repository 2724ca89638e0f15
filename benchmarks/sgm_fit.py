"""Fit the confidence that native/src/finish.cpp takes as given.

    python benchmarks/sgm_fit.py [MANIFEST]

Prints the weights of the confidence and the area under the sparsification curve (leaving each pair
out of its own fit, and as built). benchmarks/confidence.py shows its calibration,
benchmarks/pixel_locking.py fits the sub-pixel curve.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from confidence import fit, probability
from numpy.typing import NDArray

from stereo.evaluation.evaluate import sparsification_area
from stereo.evaluation.manifest import ManifestPair, load_manifest
from stereo.gray import to_gray
from stereo.matching.sgm import SgmMatcher, SgmParams

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "pairs.json"
SAMPLES = 40000
Array = NDArray[np.float64]


def winners(item: ManifestPair) -> tuple[Array, Array, Array, Array]:
    """Of random answered pixels with known truth: (n, 5) winners, disparity, confidence, truth."""
    pair, truth = item.pair(), item.truth()
    matcher = SgmMatcher(SgmParams(num_disparities=item.num_disparities))
    found = matcher.match(pair)
    raw = matcher._matcher._winners(to_gray(pair.left), to_gray(pair.right))
    known = np.flatnonzero(np.isfinite(found.px) & np.isfinite(truth))
    chosen = np.random.default_rng(0).choice(known, SAMPLES)
    planes = (found.px, found.confidence, truth)
    px, confidence, true = (plane.ravel()[chosen].astype(float) for plane in planes)
    return raw.reshape(-1, 5)[chosen].astype(float), px, confidence, true


def features(raw: Array) -> Array:
    _, cost, before, after, rival = raw.T
    logs = (rival - cost, cost, np.maximum(before, after) - cost, np.minimum(before, after) - cost)
    return np.column_stack([np.ones(len(raw)), *(np.log1p(v) for v in logs)])


def report_confidence(data: list[tuple[Array, Array, Array, Array]]) -> None:
    x = [features(raw) for raw, *_ in data]
    errors = [np.abs(px - true) for _, px, _, true in data]
    right = [(e <= 1).astype(float) for e in errors]
    areas = []
    for i in range(len(data)):
        rest = [k for k in range(len(data)) if k != i]
        weights = fit(
            np.concatenate([x[k] for k in rest]), np.concatenate([right[k] for k in rest])
        )
        areas.append(sparsification_area(errors[i], probability(x[i], weights)))
    weights = fit(np.concatenate(x), np.concatenate(right))
    print("weights (constant, margin, cost, steeper, flatter):", np.round(weights, 4).tolist())
    print(f"area under the sparsification curve, each pair left out: {np.mean(areas):.3f} px")
    built = [sparsification_area(e, c) for e, (_, _, c, _) in zip(errors, data, strict=True)]
    print(f"as built: {np.mean(built):.3f} px")


def main() -> None:
    pairs = load_manifest(sys.argv[1] if len(sys.argv) > 1 else SHARED)
    data = [winners(item) for item in pairs]
    report_confidence(data)


if __name__ == "__main__":
    main()
