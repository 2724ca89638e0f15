"""Figures of calibration: real sets against their goals, synthetic rigs against their truth.

``python benchmarks/calibration.py`` prints both tables; ``--rigs N`` sets how many synthetic rigs
(0: none), ``--rendered N`` how many of rendered images, ``--sets DIR`` where the real sets are.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from common import CALIBRATION, CALIBRATION_SETS, calibration_pairs, from_tests
from numpy.typing import NDArray

from calib.calibrate import calibrate_files
from calib.detection.detect import detect
from calib.detection.detection import match_order
from calib.judging.depth_error import calibration_depth_sigma, image_points
from calib.judging.quality import assess
from calib.outcome import Outcome
from calib.solving import first_rig
from calib.solving.calibration import View
from calib.solving.solve import calibrate_stereo
from calib.solving.state import difference
from calib.solving.triangulation import triangulate

boards = from_tests("boards")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=Path, default=CALIBRATION)
    parser.add_argument("--rigs", type=int, default=100)
    parser.add_argument("--rendered", type=int, default=5)
    args = parser.parse_args()
    if args.sets.is_dir():
        real(args.sets)
        starts(args.sets / "opencv_samples")
    if args.rigs:
        coverage("corners with 0.15 px of noise", args.rigs, images=False)
    if args.rendered:
        coverage("rendered images", args.rendered, images=True)


def real(root: Path) -> None:
    print(f"{'set':26}{'model':16}{'flat':>7}{'rms':>7}{'rows':>7}{'baseline':>19}{'s':>6}  grade")
    for name in CALIBRATION_SETS:
        pairs, unpaired, board = calibration_pairs(root / name)
        began = time.perf_counter()
        outcome = calibrate_files(pairs, board, unpaired=unpaired)
        took = time.perf_counter() - began
        flat = calibrate_files(pairs, board, unpaired=unpaired, deformation="flat")
        print(line(name, outcome, flat, took))


def line(name: str, outcome: Outcome, flat: Outcome, took: float) -> str:
    s, f = outcome.summary(), flat.summary()
    if outcome.calibration is None:
        return f"{name:26}refused: {outcome.findings[0].cause}"
    unit, scale = ("mm", 1e3) if s["unit"] == "m" else ("u ", 1)
    causes = ", ".join(f.cause for f in outcome.findings)
    orphans = ", ".join(r.name for r in outcome.rejected)
    return (
        f"{name:26}{outcome.calibration.name:16}{f['reprojection_rms_px']['joint']:7.3f}"
        f"{s['reprojection_rms_px']['joint']:7.3f}{s['row_error_px']:7.3f}"
        f"{s['baseline_m'] * scale:9.3f} +- {s['baseline_sigma_m'] * scale:5.3f}{unit}{took:6.1f}"
        f"  {s['grade']} {causes} {orphans} | {CALIBRATION_SETS[name][3]}"
    )


def starts(folder: Path) -> None:
    """The same answer from 20 random starts and orders of the views."""
    pairs, _, board = calibration_pairs(folder)
    began = time.perf_counter()
    first = calibrate_files(pairs, board, model="pinhole5", deformation="flat")
    took = time.perf_counter() - began
    assert first.calibration is not None
    rng = np.random.default_rng(0)
    usual, found = first_rig._STARTS, []
    for _ in range(20):
        first_rig._STARTS = {"pinhole": tuple(rng.uniform(0.4, 4, 2)), "fisheye": (0.4,)}
        views = [first.calibration.views[i] for i in rng.permutation(len(first.calibration.views))]
        found.append(
            calibrate_stereo(
                views, first.calibration.board, model="pinhole5", deformation="flat"
            ).rig
        )
    first_rig._STARTS = usual
    baselines = np.array([rig.baseline_m for rig in found])
    spread = 100 * np.ptp(baselines) / baselines.mean()
    print(f"20 random starts, shuffled: baseline spread {spread:.2g} % (goal 0.1 %); "
          f"pinhole5, flat, with detection {took:.1f} s\n")  # fmt: skip


def coverage(title: str, rigs: int, *, images: bool) -> None:
    """How often the truth is within three reported sigmas, and depth error against prediction."""
    z, depth = [], {2.0: [], 5.0: [], 10.0: []}
    for seed in range(rigs):
        rng = np.random.default_rng(seed)
        rig = boards.random_rig(rng)
        views = rendered_views(rng, rig, 15) if images else boards.synthetic_views(rng, rig, 15)
        c = calibrate_stereo(views, boards.BOARD, model="pinhole5", deformation="flat")
        q = assess(c)
        truth = boards.truth_state(rig)
        z.append(difference(c.fit.state, truth) / np.sqrt(np.diag(q.covariance)))
        for distance, rows in depth.items():
            left, right = image_points(c, truth, distance)
            there, real_z = (triangulate(s, left, right)[:, 2] for s in (c.fit.state, truth))
            sigma = calibration_depth_sigma(c, q.covariance, left, right)[1]
            rows.append((np.sqrt(np.median((there - real_z) ** 2)) / 0.6745, np.median(sigma)))
    inside = np.abs(np.array(z)) < 3
    print(f"{rigs} rigs, {title}: parameters within 3 sigma {100 * inside.mean():.2f} %, "
          f"rigs with all parameters so {100 * inside.all(axis=1).mean():.0f} % (goal 95 %), "
          f"rms of error / sigma {np.sqrt(np.mean(np.square(z))):.2f}")  # fmt: skip
    for distance, rows in depth.items():
        true, predicted = np.sqrt(np.mean(np.square(rows), axis=0))
        print(f"  at {distance:g} m: depth error {1e3 * true:.1f} mm, predicted "
              f"{1e3 * predicted:.1f} mm, ratio {predicted / true:.2f} (0.67 to 1.5)")  # fmt: skip


def noisy(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)


def rendered_views(rng: np.random.Generator, rig: object, count: int) -> list[View]:
    views = []
    for i, (R, t) in enumerate(boards.random_poses(rng, rig, count)):  # type: ignore[arg-type]
        pair = [
            detect(noisy(image, rng), boards.BOARD)
            for image in boards.rendered(rig, R, t)  # type: ignore[arg-type]
        ]
        if pair[0] is not None and pair[1] is not None:
            views.append(View(f"{i:02d}", pair[0], match_order(pair[0], pair[1], boards.BOARD)))
    return views


if __name__ == "__main__":
    main()
