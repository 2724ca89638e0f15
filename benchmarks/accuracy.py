"""Accuracy of every matcher on pairs with ground truth; the table of the README.

    python benchmarks/accuracy.py [MANIFEST] [--per-pair] [--only ROW]

Metrics as in stereo.evaluation.evaluate. The default manifest is ../shared/data/pairs.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields

import cv2
import numpy as np
from common import add_manifest, pairs_of, pipeline, table_head, table_row

from stereo.evaluation.evaluate import Metrics, evaluate, geometric_mean
from stereo.evaluation.manifest import ManifestPair
from stereo.frame import Float, RectifiedPair
from stereo.matching import make_matcher
from stereo.refining.refine import refine

Method = Callable[[RectifiedPair, int], tuple[Float, Float | None]]
"""Returns the map as matched, and with the method's own filling where it has one."""


def tutorial(pair: RectifiedPair, num_disparities: int) -> tuple[Float, None]:
    """SGBM as tutorials do it: colour, block 5, no padding, OpenCV's own speckle filter."""
    matcher = cv2.StereoSGBM.create(
        minDisparity=0,
        numDisparities=num_disparities,
        blockSize=5,
        P1=8 * 3 * 25,
        P2=32 * 3 * 25,
        disp12MaxDiff=1,
        uniquenessRatio=10,
        speckleWindowSize=100,
        speckleRange=2,
    )
    px = matcher.compute(pair.left, pair.right).astype(np.float32) / 16
    return np.where(px < 0, np.float32(np.nan), px), None


def plain(name: str) -> Method:
    """A matcher alone, holes filled as the benchmark does."""

    def match(pair: RectifiedPair, num_disparities: int) -> tuple[Float, None]:
        return make_matcher(name, num_disparities=num_disparities).match(pair).px, None

    return match


def ours(name: str) -> Method:
    """A matcher as `stereo run --fill` and `stereo eval` use it, with our surfaces and filling."""

    def match(pair: RectifiedPair, num_disparities: int) -> tuple[Float, Float]:
        sparse, dense = pipeline(name, num_disparities).disparity_and_filled(pair)
        return sparse.px, dense.px

    return match


METHODS: dict[str, Method] = {
    "SGBM as in tutorials": tutorial,
    "sgm, matched only": plain("sgm"),
    "sgm": ours("sgm"),
    "sgm --quality": ours("sgm-quality"),
    "sgm-fast": ours("sgm-fast"),
    "sgbm with our surfaces": ours("sgbm"),
    "sgbm (3WAY, padded)": plain("sgbm"),
    "sgbm-5 (padded)": plain("sgbm-5"),
    "sgbm-hh4 (padded)": plain("sgbm-hh4"),
    "sgbm-hh (padded)": plain("sgbm-hh"),
}


def show_planes(pairs: list[ManifestPair]) -> None:
    """Print how many pixels of each pair were given a plane, and how many of those are right."""
    for item in pairs:
        stages, truth = pipeline("sgm", item.num_disparities), item.truth()
        matched, seen = stages.match(item.pair())
        px = refine(matched, seen, stages.refine).px
        given = np.isfinite(px) & (px != matched.px) & np.isfinite(truth)
        right = np.mean(np.abs(px - truth)[given] <= 1) if given.any() else float("nan")
        print(f"{item.name:16} {given.mean():6.1%} given a plane, {right:6.1%} within 1 px")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_manifest(parser)
    parser.add_argument("--per-pair", action="store_true", help="dense-2 of every pair")
    parser.add_argument("--only", choices=list(METHODS), help="only this row")
    parser.add_argument("--planes", action="store_true", help="only: how right are the planes?")
    arguments = parser.parse_args()
    pairs = pairs_of(arguments.manifest)
    if arguments.planes:
        show_planes(pairs)
        return
    columns = [field.name for field in fields(Metrics) if field.name != "ause_px"]
    print(table_head(f"{'matcher':22}", *columns, "dense_2 geometric"))
    for label, match in METHODS.items():
        if arguments.only not in (None, label):
            continue
        rows = []
        for item in pairs:
            truth = item.truth()
            px, dense = match(item.pair(), item.num_disparities)
            metrics = evaluate(px, truth, visible=item.visible(truth), dense=dense)
            rows.append([getattr(metrics, column) for column in columns])
        table = np.array(rows)
        dense_2 = table[:, columns.index("dense_2")]
        figures = [*table.mean(axis=0), geometric_mean(dense_2)]
        print(table_row(f"{label:22}", *(f"{value:.2f}" for value in figures)), flush=True)
        if arguments.per_pair:
            for item, value in zip(pairs, dense_2, strict=True):
                print(f"    {item.name:16} {value:6.2f}")


if __name__ == "__main__":
    main()
