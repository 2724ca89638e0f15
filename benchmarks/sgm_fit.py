"""Fit the confidence that native/src/finish.cpp takes as given.

    python benchmarks/sgm_fit.py [MANIFEST]

Prints the weights of the confidence and the area under the sparsification curve (leaving each pair
out of its own fit, and as built). benchmarks/confidence.py shows its calibration,
benchmarks/pixel_locking.py fits the sub-pixel curve.
"""

from __future__ import annotations

import argparse

import numpy as np
from common import Array, add_manifest, fit_all_but_one, logistic_fit, pairs_of

from stereo.evaluation.manifest import ManifestPair
from stereo.evaluation.sparsification import sparsification_area
from stereo.gray import to_gray
from stereo.matching.sgm import SgmMatcher, SgmParams

SAMPLES = 40000


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
    fitted = fit_all_but_one(x, right)
    areas = [sparsification_area(e, c) for e, c in zip(errors, fitted, strict=True)]
    weights = logistic_fit(np.concatenate(x), np.concatenate(right))
    print("weights (constant, margin, cost, steeper, flatter):", np.round(weights, 4).tolist())
    print(f"area under the sparsification curve, each pair left out: {np.mean(areas):.3f} px")
    built = [sparsification_area(e, c) for e, (_, _, c, _) in zip(errors, data, strict=True)]
    print(f"as built: {np.mean(built):.3f} px")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_manifest(parser)
    report_confidence([winners(item) for item in pairs_of(parser.parse_args().manifest)])


if __name__ == "__main__":
    main()
