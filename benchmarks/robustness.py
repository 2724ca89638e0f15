"""How gently matchers degrade when the images get worse.

    python benchmarks/robustness.py [MANIFEST ...] [--only COLUMN] [--pairs]

The right image of every pair is spoilt in one way at a time: exposure (a gain), gamma, sensor
noise in both images, rows shifted or turned. Prints, for each manifest (both when none is named),
the mean of dense_2 (percent of visible pixels off by more than 2 px, holes filled) and its
geometric mean over the pairs. What prepares a pair was chosen on pairs.json alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from common import MORE_PAIRS, PAIRS, pairs_of, pipeline, table_head, table_row
from numpy.typing import NDArray

from stereo.evaluation.evaluate import evaluate, geometric_mean
from stereo.evaluation.manifest import ManifestPair
from stereo.frame import RectifiedPair
from stereo.gray import gray8_pair
from stereo.matching import make_matcher

Gray = NDArray[np.uint8]


def exposed(pair: tuple[Gray, Gray], gain: float) -> tuple[Gray, Gray]:
    return pair[0], np.clip(pair[1] * gain, 0, 255).astype(np.uint8)


def gamma(pair: tuple[Gray, Gray], power: float) -> tuple[Gray, Gray]:
    return pair[0], (255 * (pair[1] / 255.0) ** power).astype(np.uint8)


def noisy(pair: tuple[Gray, Gray], sigma: float) -> tuple[Gray, Gray]:
    rng = np.random.default_rng(0)
    spoilt = [np.clip(i + rng.normal(0, sigma, i.shape), 0, 255).astype(np.uint8) for i in pair]
    return spoilt[0], spoilt[1]


def rows_off(pair: tuple[Gray, Gray], shift_px: float, turn_px: float = 0.0) -> tuple[Gray, Gray]:
    size = pair[1].shape[::-1]
    turn = turn_px / size[0]
    move = np.array([[1, 0, 0], [turn, 1, shift_px - turn_px / 2]], np.float32)
    moved = cv2.warpAffine(pair[1], move, size, borderMode=cv2.BORDER_REPLICATE)
    return pair[0], np.asarray(moved, np.uint8)


SPOILT: dict[str, Callable[[tuple[Gray, Gray]], tuple[Gray, Gray]]] = {
    "as they are": lambda pair: pair,
    "gain 0.7": lambda pair: exposed(pair, 0.7),
    "gain 1.3": lambda pair: exposed(pair, 1.3),
    "gamma 1.4": lambda pair: gamma(pair, 1.4),
    "noise 4 levels": lambda pair: noisy(pair, 4),
    "noise 8 levels": lambda pair: noisy(pair, 8),
    "rows 0.5 px off": lambda pair: rows_off(pair, 0.5),
    "rows 1 px off": lambda pair: rows_off(pair, 1.0),
    "rows turned, 1 px at both sides": lambda pair: rows_off(pair, 0.0, 2.0),
    "rows 1 px off, gain 0.7": lambda pair: exposed(rows_off(pair, 1.0), 0.7),
}
COLUMNS: dict[str, tuple[str, bool]] = {
    "sgm": ("sgm", True),
    "sgm --quality": ("sgm-quality", True),
    "sgm-fast": ("sgm-fast", True),
    "sgbm": ("sgbm", False),
    "sgbm-hh4": ("sgbm-hh4", False),
}
"""label -> matcher, and whether our preparation and refinement belong to it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path, nargs="*", default=[PAIRS, MORE_PAIRS])
    parser.add_argument("--only", choices=list(COLUMNS), help="only this column")
    parser.add_argument("--pairs", action="store_true", help="dense_2 of each pair, too")
    arguments = parser.parse_args()
    columns = {k: v for k, v in COLUMNS.items() if arguments.only in (None, k)}
    for manifest in arguments.manifest:
        pairs = pairs_of(manifest)
        print(f"\n{manifest.name}\n\n{table_head('right image', *columns)}")
        for label in SPOILT:
            scores = [
                [dense_2(item, label, *column) for item in pairs] for column in columns.values()
            ]
            cells = [f"{np.mean(s):.2f} / {geometric_mean(s):.2f}" for s in scores]
            print(table_row(label, *cells), flush=True)
            for item, of_pair in zip(pairs, zip(*scores, strict=True), strict=True):
                if arguments.pairs:
                    print(table_row(f"- {item.name}", *(f"{score:.2f}" for score in of_pair)))


def dense_2(item: ManifestPair, label: str, matcher: str, whole: bool) -> float:
    original, truth = item.pair(), item.truth()
    pair = RectifiedPair(*SPOILT[label](gray8_pair(original.left, original.right)))
    if whole:
        result = pipeline(matcher, item.num_disparities, fill=True).disparity(pair)
    else:
        result = make_matcher(matcher, num_disparities=item.num_disparities).match(pair)
    return evaluate(result.px, truth, visible=item.visible(truth)).dense_2


if __name__ == "__main__":
    main()
