"""Do our metrics equal the development kits'? Every pair of both manifests, two matchers.

An independent implementation (tests/devkits.py) scores the same maps; the largest difference of
each figure is printed. Run: python benchmarks/definitions.py [MANIFEST ...]
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
from common import add_manifests, from_tests, pairs_of

from stereo.evaluation.estimates import Matching
from stereo.evaluation.scoring import score_estimate, truth_of
from stereo.gray import to_8bit, to_gray

ASKED = 1e-6


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_manifests(parser)
    devkits = from_tests("devkits")
    largest: dict[str, float] = defaultdict(float)
    maps = 0
    empty_rows = 0.0
    for manifest in parser.parse_args().manifests:
        for item in pairs_of(manifest):
            pair = item.pair()
            truth = truth_of(item, pair)
            rig = item.geometry()
            geometry = None if rig is None else (rig.focal_px, rig.baseline_m, rig.doffs_px)
            objects = np.indices(truth.shape).sum(axis=0) // 60 % 2 == 0  # no manifest has a map
            for name in ("sgm", "sgbm"):
                found = Matching(name, name).estimate(item, pair)
                scored = score_estimate(item, pair, truth, found)
                dense = np.asarray(scored.filled, np.float64)
                px, true = np.asarray(found.px, np.float64), np.asarray(truth, np.float64)
                told = devkits.every_figure(px, dense, true, scored.visible, None, geometry)
                (gray,) = to_8bit([to_gray(pair.left)])
                told |= devkits.regions(dense, true, scored.visible, gray.astype(float))
                more = (np.asarray(each, float) for each in (found.confidence, found.sigma_px))
                told |= devkits.bars(px, true, scored.visible, *more)
                for figure, value in told.items():
                    ours = getattr(scored.score.metrics, figure)
                    same = ours == value or (np.isnan(ours) and np.isnan(value))
                    largest[figure] = max(largest[figure], 0 if same else abs(ours - value))
                by_row = devkits.background(px, columns=False)
                by_kitti = devkits.background(px, columns=True)
                d1 = [devkits.kitti(m, true, np.isfinite(true)) for m in (by_row, by_kitti)]
                empty_rows = max(empty_rows, abs(d1[0] - d1[1]))
                largest["d1_fg, made-up objects"] = max(
                    largest["d1_fg, made-up objects"],
                    _objects_differ(devkits, dense, true, objects),
                )
                maps += 1
    for figure, difference in largest.items():
        print(f"{figure:24} {difference:.1e}{'' if difference <= ASKED else '  MORE THAN ASKED'}")
    print(f"{maps} maps; largest difference {max(largest.values()):.1e}, asked {ASKED:.0e}")
    print(f"D1 of sparse maps, filled as KITTI fills empty rows: {empty_rows:.1e} % from ours")


def _objects_differ(devkits, dense, true, objects) -> float:  # type: ignore[no-untyped-def]
    from stereo.evaluation.evaluate import evaluate

    ours = evaluate(
        dense.astype(np.float32), true.astype(np.float32), visible=np.isfinite(true),
        foreground=objects,
    )  # fmt: skip
    filled = devkits.background(dense, columns=False)
    return max(
        abs(ours.d1_fg - devkits.kitti(filled, true, objects)),
        abs(ours.d1_bg - devkits.kitti(filled, true, ~objects)),
    )


if __name__ == "__main__":
    main()
