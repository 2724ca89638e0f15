"""Gather what the chooser of surfaces learns from: candidates, their clues, and which are right.

    python training/choices.py OUT [SHARED_DATA]

Each pair of pairs.json and pairs_more.json is matched by ``sgm-quality`` as `stereo run` does, up
to where the chooser begins: as it is, spoilt as cameras do, and spoilt and gray. The learned code
of its matching cost is the one that has not seen its family (training/folds/), so that errors are
those of pairs that nobody tuned for. Writes NAME-VERSION.npz: clues (n, 5, 18), and error (n, 5),
px off the truth, NaN where there is no such candidate.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from families import FOLDS, family_of

from stereo.evaluation.manifest import load_manifest
from stereo.frame import Image, RectifiedPair
from stereo.gray import gray_pair
from stereo.matching import make_matcher
from stereo.native import require_native
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.refining.choosing import evidence
from stereo.refining.edges import sharpen_edges
from stereo.refining.refine import RefineParams, refine

MOST = 20000
"""Pixels of a map that are kept."""
BESIDE_PX = 1.0
"""A pixel is learned from where some candidate is this close to the truth."""


def main() -> None:
    out = Path(sys.argv[1])
    shared = Path(sys.argv[2] if len(sys.argv) > 2 else "../shared/data")
    out.mkdir(parents=True, exist_ok=True)
    for manifest in ("pairs.json", "pairs_more.json"):
        for item in load_manifest(shared / manifest):
            truth = item.truth()
            truth = np.where(item.visible(truth), truth, np.float32(np.nan))
            use_code_without(family_of(item.name))
            for version, pair in versions(item.pair(), np.random.default_rng(0)):
                clues, error = learnt_from(pair, truth, item.num_disparities)
                np.savez(out / f"{item.name}-{version}.npz", clues=clues, error=error)
                print(f"{item.name:16} {version:8} {len(error)} pixels", flush=True)


def use_code_without(family: str) -> None:
    """Let matchers made from now on use the learned code that has not seen a family."""
    fold = next(number for number, families in enumerate(FOLDS) if family in families)
    os.environ["STEREO_LEARNED_CODE"] = str(Path(__file__).parent / "folds" / f"{fold}.json")


def versions(pair: RectifiedPair, rng: np.random.Generator) -> Iterator[tuple[str, RectifiedPair]]:
    """The pair as it is, spoilt, and spoilt and gray."""
    yield "clean", pair
    for version, most_noise in (("spoilt", 3.0), ("noisy", 9.0)):
        yield version, spoilt(pair, most_noise, rng)
    left, right = gray_pair(pair.left, pair.right)
    yield "gray", spoilt(replace(pair, left=left, right=right), 3.0, rng)


def spoilt(pair: RectifiedPair, most_noise: float, rng: np.random.Generator) -> RectifiedPair:
    """Exposure, blur of one side, up to half a row of misalignment, faint contrast and noise."""
    contrast, level = rng.uniform(0.4, 1), rng.uniform(-12, 12)
    gain, power = rng.uniform(0.8, 1.25), np.exp(rng.uniform(-0.3, 0.3))
    noise = rng.uniform(most_noise / 3, most_noise)
    move = np.array([[1, 0, 0], [0, 1, rng.uniform(-0.5, 0.5)]], np.float32)
    blur, blurred = rng.uniform(0.4, 0.9), rng.integers(6)  # of one side in a third of the pairs
    images: list[Image] = []
    for side, image in enumerate((pair.left, pair.right)):
        found = (image.astype(np.float32) - 110) * contrast + 110
        if side == blurred:
            found = cv2.GaussianBlur(found, (0, 0), blur)
        if side == 1:
            size = found.shape[1], found.shape[0]
            found = cv2.warpAffine(found, move, size, borderMode=cv2.BORDER_REPLICATE)
            found = 255 * ((found * gain + level).clip(0, 255) / 255) ** power
        found = found + rng.normal(0, noise, found.shape)
        images.append(np.rint(found.clip(0, 255)).astype(np.uint8))
    return replace(pair, left=images[0], right=images[1])


def learnt_from(
    pair: RectifiedPair, truth: np.ndarray, num_disparities: int
) -> tuple[np.ndarray, np.ndarray]:
    """Clues and errors of a pair's candidates, at pixels where there is something to choose."""
    native = require_native("training", instead="do not train")
    stages = StereoPipeline(
        Rectification.already_rectified(),
        make_matcher("sgm-quality", num_disparities=num_disparities),
        quality=True,
    )
    found, seen = stages.match(pair)
    filled = refine(found, seen, RefineParams(edges=False, fill=True))
    given = evidence(sharpen_edges(filled, seen.left), seen)
    disparity, clues = (np.asarray(part) for part in native.surface_candidates(*given))
    wanted = (given[-1] > 0) & np.isfinite(given[0])
    error = np.abs(disparity - truth[wanted][:, None])
    with np.errstate(invalid="ignore"):
        right = (error <= BESIDE_PX).any(axis=1)
        wrong = (error > BESIDE_PX).any(axis=1)
    chosen = np.flatnonzero(right & wrong)
    chosen = np.random.default_rng(0).permutation(chosen)[:MOST]
    candidates, kinds, _ = native.CHOOSER_SIZES
    return clues.reshape(-1, candidates, kinds)[chosen].astype(np.float16), error[chosen]


if __name__ == "__main__":
    main()
