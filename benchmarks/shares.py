"""What planes, filling and the search for the range add to the matching of each pair.

    python benchmarks/shares.py [MANIFEST] [--repeats 15] [--cpu]

Medians of interleaved repeats on gray images, two threads or as many as there are; percentages are
of the time of ``sgm`` with the manifest's number of disparities. --cpu: of processor time, on one
core, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from common import add_manifest, medians_ms, pairs_of

from stereo.frame import RectifiedPair
from stereo.gray import gray8_pair
from stereo.matching import denoise, find_search_range, make_matcher
from stereo.matching.preparation import difference
from stereo.refining.doubt import judged
from stereo.refining.refine import RefineParams, refine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_manifest(parser)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--cpu", action="store_true", help="processor time on one core")
    arguments = parser.parse_args()
    if arguments.cpu:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for item in pairs_of(arguments.manifest):
        original = item.pair()
        pair = RectifiedPair(*gray8_pair(original.left, original.right))
        matcher = make_matcher("sgm", num_disparities=item.num_disparities)
        matched = matcher.match(pair)
        stages: dict[str, Callable[[], object]] = {
            "match": lambda m=matcher, p=pair: m.match(p),
            "look for noise": lambda p=pair: denoise(p),
            "planes": lambda d=matched, p=pair: refine(d, p, RefineParams()),
            "planes and filling": lambda d=matched, p=pair: refine(d, p, RefineParams(fill=True)),
            "judge": lambda d=matched, p=pair: judged(d, p),
            "align": lambda p=pair: difference(p),
            "range": lambda p=pair: find_search_range(p),
        }
        ms = medians_ms(stages, arguments.repeats, cpu=arguments.cpu)
        base = ms.pop("match")
        shares = "  ".join(f"{name} {100 * value / base:3.0f} %" for name, value in ms.items())
        height, width = pair.left.shape[:2]
        size = f"{width}x{height}x{item.num_disparities}"
        print(f"{item.name:16} {size:13} match {base:5.1f} ms  {shares}", flush=True)


if __name__ == "__main__":
    main()
