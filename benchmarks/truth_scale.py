"""Is a wrong scale of the truth found, and a right one left alone? Every pair of both manifests.

The truth of each pair is multiplied by 2, 3, 4, 8, 16 and 256 and by their inverses, and compared
with the map of each matcher. Run: python benchmarks/truth_scale.py [MANIFEST ...]
"""

from __future__ import annotations

import argparse

import numpy as np
from common import add_manifests, pairs_of

from stereo.evaluation.estimates import Matching
from stereo.evaluation.scale import FACTORS, factor_between


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_manifests(parser)
    for manifest in parser.parse_args().manifests:
        alarms = right = wrong = silent = 0
        for item in pairs_of(manifest):
            pair, truth = item.pair(), item.truth()
            for name in ("sgm", "sgm-fast", "sgbm"):
                px = Matching(name, name).estimate(item, pair).px
                alarms += factor_between(px, truth) is not None
                for factor in (f for k in FACTORS for f in (k, 1 / k)):
                    found = factor_between(px, (truth / np.float32(factor)).astype(np.float32))
                    right += found == factor
                    silent += found is None
                    wrong += found not in (None, factor)
        print(
            f"{manifest.name}: {alarms} false alarms; of {right + silent + wrong} wrong scales "
            f"{right} named, {silent} passed over, {wrong} named wrongly"
        )


if __name__ == "__main__":
    main()
