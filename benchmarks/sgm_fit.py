"""Fit what native/src/finish.cpp takes as given: the confidence and the sub-pixel curve.

    python benchmarks/sgm_fit.py [MANIFEST]

Prints the weights of the confidence, the area under the sparsification curve (leaving each pair
out of its own fit, and as built), its calibration, the median true offset by ratio of steepness,
and how the fractions of disparity spread with a parabola and as built (1.0 everywhere would be no
locking).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from confidence import fit, probability
from numpy.typing import NDArray

from stereo.evaluate import sparsification_area
from stereo.gray import to_gray
from stereo.manifest import ManifestPair, load_manifest
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
    confidence = np.concatenate([c for _, _, c, _ in data])
    good = np.concatenate(right)
    print("confidence as built   share   within 1 px")
    for low in np.arange(0, 1, 0.1):
        bin_ = (confidence >= low) & (confidence < low + 0.1)
        if bin_.any():
            print(
                f"{low:.1f} to {low + 0.1:.1f}       {bin_.mean():12.3f} {good[bin_].mean():12.3f}"
            )


def report_subpixel(names: list[str], data: list[tuple[Array, Array, Array, Array]]) -> None:
    curves = []
    print("fractions of disparity in tenths: parabola | as built | truth")
    for name, (raw, px, _, true) in zip(names, data, strict=True):
        index, cost, before, after, _ = raw.T
        near = (np.abs(true - index) < 1) & (np.maximum(before, after) > cost)
        left, right = (before - cost)[near], (after - cost)[near]
        ratio = (left - right) / np.maximum(left, right)
        parabola = index[near] + 0.5 * (left - right) / (left + right)
        print(f"{name:15s}", " | ".join(spread(v) for v in (parabola, px[near], true[near])))
        if len(np.unique(true % 1)) > 16:  # truth finer than what is measured
            step = np.minimum((np.abs(ratio) * 10).astype(int), 9)
            offset = (true - index)[near] * np.sign(ratio)
            curves.append((name, [float(np.median(offset[step == k])) for k in range(10)]))
    middle = np.arange(10) / 10 + 0.05
    print("median true offset by ratio of steepness, 0.05, 0.15, ...")
    for name, curve in [*curves, ("as built", list(0.7 * middle - 0.22 * middle**2))]:
        print(f"{name:15s}", " ".join(f"{v:.2f}" for v in curve))


def spread(disparity: Array) -> str:
    counts = np.histogram(disparity % 1, 10, (0, 1))[0]
    return " ".join(f"{v:.2f}" for v in counts / counts.mean())


def main() -> None:
    pairs = load_manifest(sys.argv[1] if len(sys.argv) > 1 else SHARED)
    data = [winners(item) for item in pairs]
    report_confidence(data)
    report_subpixel([item.name for item in pairs], data)


if __name__ == "__main__":
    main()
