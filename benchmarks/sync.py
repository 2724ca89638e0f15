"""Pairs of two streams without a common clock: none may be wrong. In virtual time.

    python benchmarks/sync.py [--minutes 3] [--seeds 2]

Numbered images of two cameras of one start arrive late by jitter of several kinds, some are lost,
the clocks drift apart, the rates differ, the process stalls for a second every few seconds. A pair
is wrong when another image of the faster camera was taken nearer to the moment. Delivered is the
share of the slower camera's images whose partner arrived too, from the start on; first is the time
to the first pair.
"""

from __future__ import annotations

import argparse
import itertools
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from common import from_tests, table_head, table_row

arrivals = from_tests("arrivals")
Cell, play = arrivals.Cell, arrivals.play


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2.0, help="of each simulated recording")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    arguments = parser.parse_args()
    pairs = wrong = 0
    shares = defaultdict(list)
    recovered: list[float] = []
    for cell in cells():
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            offset = float(np.random.default_rng(seed).uniform(-0.25, 0.25))
            done = play(cell, seed, seconds=60 * arguments.minutes, offset=offset)
            if not cell.drift and done.share > 0.3:  # drift alone can bring images halfway
                ends = done.stall_ends[done.stall_ends < 60 * arguments.minutes - 1]
                recovered += [
                    float(after[0] - end)
                    for end in ends[ends > done.first_s]
                    if len(after := done.pair_times[done.pair_times > end])
                ]
            pairs, wrong = pairs + done.right + done.wrong, wrong + done.wrong
            key = cell.kind, cell.jitter, cell.lost, cell.ratio, cell.stalls
            shares[key].append((done.share, done.first_s, done.wrong))
    columns = "jitter", "share of a period", "lost", "rates", "stalls"
    print(table_head(*columns, "delivered", "first after s", "wrong"))
    for (kind, jitter, lost, ratio, stalls), found in shares.items():
        share, first, bad = np.mean([f[0] for f in found]), np.median([f[1] for f in found]), 0
        bad = sum(f[2] for f in found)
        words = "yes" if stalls else "no"
        print(table_row(kind, jitter, lost, ratio, words, f"{share:.0%}", f"{first:.1f}", bad))
    print(f"\n{pairs} pairs, {wrong} wrong")
    within = np.mean(np.array(recovered) < 1)
    print(
        f"first pair after a stall, where a third or more is delivered: median "
        f"{np.median(recovered):.2f} s, within 1 s {within:.1%} of {len(recovered)}"
    )


def cells() -> Iterator[Cell]:
    for kind, jitter, lost, ratio, stalls, drift in itertools.product(
        ("uniform", "exponential", "batches"),
        (0.0, 0.2, 0.4, 0.6, 0.8),
        (0.0, 0.05, 0.2),
        (1.0, 2.0, 1.5),
        (False, True),
        (0.0, 2e-4, 8e-4),
    ):
        yield Cell(kind, jitter, lost, ratio, drift, stalls)


if __name__ == "__main__":
    main()
