"""Gather the training pairs in one folder: gray images and the disparity where it is known.

    python training/prepare.py OUT [SHARED_DATA]

Truth is that of pairs.json and pairs_more.json, without what only one camera sees. Outdoor scenes
are scarce there, so unlabelled pairs are matched by our own ``sgm-quality`` and kept where it is
sure: the learned cost then sees how such images look, on the easier part of their pixels.
Writes one NAME.npz per pair: left, right (H, W) uint8, disparity (H, W) float32, NaN unknown.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stereo.evaluation.manifest import load_manifest
from stereo.files.images import read_image
from stereo.frame import RectifiedPair
from stereo.gray import gray8_pair
from stereo.matching import make_matcher

SURE = 0.9
"""Confidence from which our own match counts as truth."""


def main() -> None:
    out = Path(sys.argv[1])
    shared = Path(sys.argv[2] if len(sys.argv) > 2 else "../shared/data")
    out.mkdir(parents=True, exist_ok=True)
    for manifest in ("pairs.json", "pairs_more.json"):
        for item in load_manifest(shared / manifest):
            truth = item.truth()
            save(out, item.name, item.pair(), np.where(item.visible(truth), truth, np.nan))
    for name, pair, disparities in unlabelled(shared):
        found = make_matcher("sgm-quality", num_disparities=disparities).match(pair)
        save(out, name, pair, np.where(found.confidence >= SURE, found.px, np.nan))


def unlabelled(shared: Path) -> Iterator[tuple[str, RectifiedPair, int]]:
    """Rectified pairs without truth, and how many disparities to search."""
    karlsruhe = shared / "sequences" / "karlsruhe"
    sides = (sorted((karlsruhe / side).iterdir()) for side in ("left", "right"))
    for k, (left, right) in enumerate(zip(*sides, strict=True)):
        yield f"karlsruhe_{k:02}", RectifiedPair(read_image(left), read_image(right)), 128
    folder = shared / "unlabelled"
    for name, left, right, disparities in (
        ("foundationstereo", "left.png", "right.png", 192),
        ("playtable_h", "im0.png", "im1.png", 192),
    ):
        pair = RectifiedPair(read_image(folder / name / left), read_image(folder / name / right))
        yield name, pair, disparities


def save(out: Path, name: str, pair: RectifiedPair, disparity: np.ndarray) -> None:
    left, right = gray8_pair(pair.left, pair.right)
    known = np.isfinite(disparity).mean()
    print(f"{name:18} {left.shape[1]}x{left.shape[0]} known {known:.0%}", flush=True)
    np.savez_compressed(
        out / f"{name}.npz", left=left, right=right, disparity=disparity.astype(np.float32)
    )


if __name__ == "__main__":
    main()
