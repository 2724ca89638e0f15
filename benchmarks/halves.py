"""Whether two halves of a session differ as their error bars say.

``python benchmarks/halves.py`` splits the views of every set with ten or more at random
(``--seeds N`` times), calibrates both halves as a user would, and prints the root mean square of
difference / sigma of the baseline, of both focal lengths and of depth at ten baselines (over the
image): 1 is right, more says that the bars are too short. The error of the board's squares is left
out: both halves share it. ``--only TEXT``: sets whose name contains it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import chain

import numpy as np
from common import calibration_views, from_tests
from numpy.typing import NDArray

from calib.board import Board, parse_board
from calib.errors import CalibrationError
from calib.judging.covariance import baseline_sigma, certainty
from calib.judging.depth_error import calibration_depth_sigma, image_points
from calib.solving.calibration import Calibration, View
from calib.solving.solve import calibrate_stereo

boards = from_tests("boards")

SYNTHETIC = ("chessboard:9x6:25mm", "chessboard:8x5:25mm", "circles:7x5:30mm", "acircles:4x11:20mm")
Float = NDArray[np.float64]
Scores = tuple[list[float], list[float], list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    print(f"{'difference / sigma, rms':34}{'baseline':>10}{'focal':>10}{'depth':>10}")
    for title, sessions in (
        ("real sets", calibration_views()),
        ("synthetic sets", synthetic()),
    ):
        found = []
        for name, views, board in sessions:
            if len(views) < 10 or args.only not in name:
                continue
            found.append(scores(views, board, args.seeds))
            show(name, found[-1])
        if found:
            show(f"all {title}", tuple([*chain(*parts)] for parts in zip(*found, strict=True)))


def synthetic() -> Iterator[tuple[str, list[View], Board]]:
    for seed, spec in enumerate(SYNTHETIC):
        rng, board = np.random.default_rng(seed), parse_board(spec)
        yield spec, boards.synthetic_views(rng, boards.random_rig(rng), 14, board=board), board


def show(name: str, each: tuple[list[float], ...]) -> None:
    rms = [np.sqrt(np.mean(np.square(values))) for values in each]
    print(f"{name:34}" + "".join(f"{value:10.2f}" for value in rms), flush=True)


def scores(views: list[View], board: Board, seeds: int) -> Scores:
    """Differences over sigma: baselines, focal lengths, depths (rms over the image)."""
    full = calibrate_stereo(views, board).fit.state
    baseline, focal, depth = [], [], []
    for a, b in halves(views, board, seeds):
        one, two = certainty(a).covariance, certainty(b).covariance
        s, t = a.fit.state, b.fit.state
        spread = np.hypot(baseline_sigma(one, s.t), baseline_sigma(two, t.t))
        baseline.append(float((np.linalg.norm(s.t) - np.linalg.norm(t.t)) / spread))
        for side in (0, 1):
            (f, f_sigma), (g, g_sigma) = (
                focal_length(c, cov, side) for c, cov in ((a, one), (b, two))
            )
            focal.append((f - g) / np.hypot(f_sigma, g_sigma))
        seen = image_points(a, full, 10 * float(np.linalg.norm(full.t)))
        (Z, Z_sigma), (W, W_sigma) = (
            calibration_depth_sigma(c, cov, *seen) for c, cov in ((a, one), (b, two))
        )
        depth.append(float(np.sqrt(np.nanmean((Z - W) ** 2 / (Z_sigma**2 + W_sigma**2)))))
    return baseline, focal, depth


def halves(
    views: list[View], board: Board, seeds: int
) -> Iterator[tuple[Calibration, Calibration]]:
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(views))
        try:
            a, b = (
                calibrate_stereo([views[i] for i in sorted(half)], board)
                for half in (order[::2], order[1::2])
            )
        except CalibrationError as error:
            print(f"  seed {seed}: {error}")
            continue
        yield a, b


def focal_length(c: Calibration, covariance: Float, side: int) -> tuple[float, float]:
    at = side * len(c.fit.state.intrinsics[0])
    return (
        float(c.fit.state.intrinsics[side][:2].mean()),
        float(np.sqrt(covariance[at : at + 2, at : at + 2].mean())),
    )


if __name__ == "__main__":
    main()
