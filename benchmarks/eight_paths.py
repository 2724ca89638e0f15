"""Would a matcher with 8 paths instead of 4 earn its place? Tried with the tests' slow reference.

    python benchmarks/eight_paths.py [MANIFEST]

Cost and penalties are those of ``sgm``. Prints, for each pair, the percentage of visible pixels
whose winner is off by more than 2 px: the winner alone, before any check or filling, and what
remains after a median of 5x5. Takes a minute; the largest pair is left out.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np
from common import add_manifest, from_tests, pairs_of
from numpy.typing import NDArray

from stereo.gray import gray8_pair
from stereo.matching import SgmParams

reference = from_tests("sgm_reference")

MOST_CELLS = 100_000_000
Ints = NDArray[np.int64]


def diagonal(cost: Ints, image: Ints, params: SgmParams, gain: float, dx: int) -> Ints:
    """(H, W, D): surcharge of the path that comes from the row above and ``dx`` columns aside."""
    out = np.zeros_like(cost)
    here, before = (
        (slice(1, None), slice(None, -1)) if dx > 0 else (slice(None, -1), slice(1, None))
    )
    for y in range(1, len(cost)):
        total = (cost[y - 1] + out[y - 1])[before]
        lowest = total.min(axis=-1, keepdims=True)
        padded = np.pad(total, ((0, 0), (1, 1)), constant_values=255)
        step = np.minimum(padded[:, :-2], padded[:, 2:]) + params.p1
        p2 = reference.jump_penalty(image[y, here], image[y - 1, before], params, gain)[:, None]
        out[y, here] = np.minimum(np.minimum(total, step), lowest + p2) - lowest
    return out


def totals(
    left: Ints, right: Ints, params: SgmParams
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Total cost of 4 paths, and of 8."""
    gain = reference.gain_to_8_bits(left, right)
    cost = reference.matching_cost(left, right, params, gain).astype(np.int32)
    four = reference.all_paths(cost, left, params, gain)
    eight = four.copy()
    for dx in (1, -1):
        eight += diagonal(cost, left, params, gain, dx)
        eight += diagonal(cost[::-1], left[::-1], params, gain, dx)[::-1]
    return four, eight


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_manifest(parser)
    rows = []
    for item in pairs_of(parser.parse_args().manifest):
        pair, truth = item.pair(), item.truth()
        left, right = (image.astype(np.int64) for image in gray8_pair(pair.left, pair.right))
        if left.size * item.num_disparities > MOST_CELLS:
            print(f"{item.name:16} left out: too large")
            continue
        seen = item.visible(truth) & np.isfinite(truth)
        params = SgmParams(num_disparities=item.num_disparities)
        row = []
        for total in totals(left, right, params):
            winner = total.argmin(axis=-1).astype(np.float32)
            for px in (winner, np.asarray(cv2.medianBlur(winner, 5))):
                row.append(100 * float(np.mean(np.abs(px - truth)[seen] > 2)))
        rows.append(row)
        print(
            f"{item.name:16} 4 paths {row[0]:5.2f} ({row[1]:5.2f})  "
            f"8 paths {row[2]:5.2f} ({row[3]:5.2f})",
            flush=True,
        )
    mean, geometric = np.mean(rows, axis=0), np.exp(np.mean(np.log(rows), axis=0))
    for label, m in (("mean", mean), ("geometric mean", geometric)):
        print(f"{label:16} 4 paths {m[0]:5.2f} ({m[1]:5.2f})  8 paths {m[2]:5.2f} ({m[3]:5.2f})")


if __name__ == "__main__":
    main()
