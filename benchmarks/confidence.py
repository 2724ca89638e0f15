"""Fit the confidence of SGBM, and show that confidence and error bar say what they mean.

Of our matchers only the last is shown; benchmarks/sgm_fit.py fits theirs.

    python benchmarks/confidence.py [MANIFEST]

Prints the weights for stereo/matching/confidence.py, the area under the sparsification curve
(leaving each pair out of its own fit), and for each tenth of the pixels by confidence: how many
are within 1 px, and the error bar against the errors.
"""

from __future__ import annotations

import argparse
from itertools import pairwise

import numpy as np
from common import (
    Array,
    add_manifest,
    fit_all_but_one,
    logistic_fit,
    pairs_of,
    pipeline,
    probability,
)

from stereo.depth import disparity_sigma
from stereo.evaluation.manifest import ManifestPair
from stereo.evaluation.sparsification import sparsification_area
from stereo.gray import gray8_pair
from stereo.matching import make_matcher
from stereo.matching.confidence import WEIGHTS, evidence

SAMPLES = 20000


def gather(item: ManifestPair, rng: np.random.Generator) -> tuple[Array, Array]:
    """(n, 5) evidence with a leading 1, and (n,) absolute errors, of random answered pixels."""
    pair, truth = item.pair(), item.truth()
    matcher = make_matcher("sgbm", num_disparities=item.num_disparities)
    px = matcher.match(pair).px
    left, right = gray8_pair(pair.left, pair.right)
    planes = evidence(left, right, px, np.isfinite(px))
    chosen = rng.choice(np.flatnonzero(np.isfinite(px) & np.isfinite(truth)), SAMPLES)
    features = np.column_stack([np.ones(SAMPLES), *(plane.ravel()[chosen] for plane in planes)])
    return features, np.abs(px - truth).ravel()[chosen].astype(float)


def show_calibration(items: list[ManifestPair], name: str) -> None:
    """Print how many pixels are within 1 px for each tenth of confidence; pairs weigh the same."""
    confidence, right, weight = [], [], []
    for item in items:
        pair, truth = item.pair(), item.truth()
        found, _ = pipeline(name, item.num_disparities).match(pair)
        known = np.isfinite(found.px) & np.isfinite(truth) & item.visible(truth)
        confidence.append(found.confidence[known])
        right.append(np.abs(found.px - truth)[known] <= 1)
        weight.append(np.full(known.sum(), 1 / known.sum() / len(items)))
    c, r, w = (np.concatenate(part) for part in (confidence, right, weight))
    print(f"{name}: confidence, share of pixels, within 1 px")
    for tenth in range(10):
        here = np.minimum((c * 10).astype(int), 9) == tenth
        if w[here].sum() > 1e-3:
            mean, share = np.average(c[here], weights=w[here]), w[here].sum()
            print(f"{mean:10.3f} {share:8.1%} {np.average(r[here], weights=w[here]):8.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_manifest(parser)
    pairs = pairs_of(parser.parse_args().manifest)
    rng = np.random.default_rng(0)
    features, errors = zip(*(gather(item, rng) for item in pairs), strict=True)
    fitted = fit_all_but_one(list(features), [(e <= 1).astype(float) for e in errors])
    areas = [sparsification_area(e, c) for e, c in zip(errors, fitted, strict=True)]
    x, e = np.concatenate(features), np.concatenate(errors)
    print("weights, fitted:", np.round(logistic_fit(x, (e <= 1).astype(float)), 3).tolist())
    print("weights, in use:", list(WEIGHTS))
    print(f"area under the sparsification curve, each pair left out: {np.mean(areas):.3f} px")
    confidence = probability(x, np.array(WEIGHTS))
    print("confidence  within 1 px  sigma px   68 % of errors  half of 90 %  within 2 sigma")
    edges = np.quantile(confidence, np.linspace(0, 1, 11))
    for low, high in pairwise(edges):
        bin_ = (confidence >= low) & (confidence <= high)
        sigma = disparity_sigma(confidence[bin_].astype(np.float32))
        print(
            f"{confidence[bin_].mean():10.3f} {np.mean(e[bin_] <= 1):12.3f} {sigma.mean():9.2f} "
            f"{np.quantile(e[bin_], 0.68):16.2f} {np.quantile(e[bin_], 0.9) / 2:13.2f} "
            f"{np.mean(e[bin_] <= 2 * sigma):15.3f}"
        )
    sigma = disparity_sigma(confidence.astype(np.float32))
    print(f"all pixels within 2 sigma: {np.mean(e <= 2 * sigma):.3f}")
    for name in ("sgm", "sgm-fast", "sgm-quality"):
        show_calibration(pairs, name)


if __name__ == "__main__":
    main()
