"""What the report of a calibration costs: seconds of CPU and size for each set at hand.

With ``--copies 4`` every pair is offered so many times, as a session of many views; the figures
after the page's are how far two halves' lenses differ over what the error bars say.
"""

from __future__ import annotations

import argparse
import time

from common import CALIBRATION, CALIBRATION_SETS, calibration_pairs

from calib.calibrate import calibrate_files
from calib.detection.files import default_cache
from calib.judging.depth_error import two_halves
from calib.report.lens import lens_maps
from calib.report.page import render_report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=1)
    copies = parser.parse_args().copies
    print(f"{'set':28} views  CPU s    MB  halves over bars, left and right")
    for name in CALIBRATION_SETS:
        pairs, unpaired, board = calibration_pairs(CALIBRATION / name)
        pairs = [p._replace(name=f"{p.name}-{k}") for k in range(copies) for p in pairs]
        outcome = calibrate_files(pairs, board, unpaired=unpaired, cache=default_cache())
        started = time.process_time()
        page = render_report(outcome)
        taken = time.process_time() - started
        c, q = outcome.calibration, outcome.quality
        ratios = ""
        if c is not None and q is not None and (halves := two_halves(c)) is not None:
            maps = lens_maps(c, q, halves)
            ratios = " ".join(f"{m.apart_px / m.foretold_px:.2f}" for m in maps)
        print(f"{name:28} {len(pairs):5} {taken:6.2f} {len(page) / 1e6:5.2f}  {ratios}", flush=True)


if __name__ == "__main__":
    main()
