"""What `stereo tune` gains on scene families left out, and how well its stand-in ranks.

    python benchmarks/tune.py gain [--matcher sgbm] [--minutes 4] [--width 320] [--stand-in]
    python benchmarks/tune.py rank [--matcher sgbm] [--sets 16] [--width 320]

``gain``: each family of benchmarks/families.py is left out of a search on all other pairs of both
manifests; printed is dense-2 (2 px at full size) on the pairs left out: OpenCV's SGBM with its
defaults and row filling, our pipeline with its defaults, and with the parameters found; with
``--stand-in`` they are found without truth. ``rank``: Spearman's correlation between stand-in and
truth over random parameters, per pair and for the means over each manifest's pairs. The composition
of the stand-in was chosen on pairs.json.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from common import MORE_PAIRS, PAIRS, pairs_of, table_head, table_row
from families import families_of, family_of
from scipy.stats import spearmanr

from stereo.evaluation.evaluate import fill_rows
from stereo.matching import make_matcher
from stereo.tuning.cases import Case, case_of_manifest
from stereo.tuning.gain import gain_of
from stereo.tuning.judges import FLOOR_PERCENT, StandInJudge, TruthJudge
from stereo.tuning.search import Search, pool_of

EXPERTS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("gain", "rank"))
    parser.add_argument("--matcher", default="sgbm")
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--sets", type=int, default=16)
    parser.add_argument("--stand-in", action="store_true")
    args = parser.parse_args()
    (gains if args.what == "gain" else ranks)(args)


def cases_of(manifest: Path, width: int) -> list[Case]:
    return [case_of_manifest(item, width=width) for item in pairs_of(manifest)]


def gains(args: argparse.Namespace) -> None:
    """Print dense-2 on families left out."""
    cases = cases_of(PAIRS, args.width) + cases_of(MORE_PAIRS, args.width)
    families = families_of(case.name for case in cases)
    parts = [[case for case in cases if family_of(case.name) == name] for name in families]
    pool, truth = pool_of(args.matcher), TruthJudge()
    judge = StandInJudge(pool[:EXPERTS]) if args.stand_in else truth
    with tempfile.TemporaryDirectory() as folder:
        search = Search(args.matcher, cases, judge, pool, Path(folder) / "s.sqlite3", parts)
        rounds: list[int] = []
        search.run(minutes=args.minutes, tell=lambda number, *_: rounds.append(number))
        chosen = search.chosen_without()
    print(f"{len(cases)} pairs, width {args.width}, {len(rounds)} rounds, judged by {judge.unit}")
    print(table_head("family left out", "OpenCV's defaults", "ours", "tuned", "tuned / ours"))
    found: dict[str, tuple[float, float, float]] = {}
    for name, part, values in zip(families, parts, chosen, strict=True):
        rows = {
            c.name: (opencv(c), *(dense_2(c, args, v) for v in (pool[0], values))) for c in part
        }
        found |= rows
        means = np.mean(list(rows.values()), axis=0)
        print(table_row(name, *(f"{m:.2f}" for m in means), f"{means[2] / means[1]:.3f}"))
    means = np.mean(list(found.values()), axis=0)
    print(table_row("mean of pairs", *(f"{m:.2f}" for m in means), f"{means[2] / means[1]:.3f}"))
    floor = FLOOR_PERCENT
    for label, column in (("OpenCV's defaults", 0), ("our defaults", 1)):
        before = {name: row[column] + floor for name, row in found.items()}
        print(
            f"over {label}: {gain_of(before, {n: r[2] + floor for n, r in found.items()}).line()}"
        )


def dense_2(case: Case, args: argparse.Namespace, values: dict[str, int | bool]) -> float:
    return TruthJudge().score(case, args.matcher, values) - FLOOR_PERCENT


def opencv(case: Case) -> float:
    """OpenCV's SGBM with its defaults, holes filled along rows."""
    assert case.truth is not None
    matcher = make_matcher("sgbm", num_disparities=case.search.num_disparities)
    px = fill_rows(matcher.match(case.pair).px)
    return 100 * float(
        np.mean(np.abs(px - case.truth.px)[case.truth.visible] > case.truth.limit_px)
    )


def ranks(args: argparse.Namespace) -> None:
    """Print how well the stand-in ranks."""
    pool = pool_of(args.matcher, size=args.sets)
    truth, stand_in = TruthJudge(), StandInJudge(pool[:EXPERTS])
    for manifest in (PAIRS, MORE_PAIRS):
        both = np.array(
            [
                [[judge.score(case, args.matcher, v) for v in pool] for judge in (truth, stand_in)]
                for case in cases_of(manifest, args.width)
            ]
        )
        each = [spearmanr(*pair)[0] for pair in both]
        logs = np.log(both / both[:, :, :1]).mean(axis=0)
        print(
            f"{manifest.name}, {args.matcher}, {len(pool)} sets: per pair mean "
            f"{np.mean(each):.2f}, least {np.min(each):.2f}; of the means over pairs "
            f"{spearmanr(*logs)[0]:.2f}"
        )


if __name__ == "__main__":
    main()
