"""Fit the confidence that SGBM's maps start with; benchmarks/sgm_fit.py fits that of our matchers.

    python benchmarks/confidence.py [MANIFEST]

Prints the weights for stereo/confidence.py and the area under the sparsification curve
(leaving each pair out of its own fit). What a finished map's confidence and error bar are worth
says benchmarks/fit_doubt.py.
"""

from __future__ import annotations

import argparse

import numpy as np
from common import (
    Array,
    add_manifest,
    fit_all_but_one,
    logistic_fit,
    pairs_of,
)

from stereo.confidence import WEIGHTS, evidence
from stereo.evaluation.manifest import ManifestPair
from stereo.evaluation.sparsification import sparsification_area
from stereo.gray import gray8_pair
from stereo.matching import make_matcher

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


if __name__ == "__main__":
    main()
