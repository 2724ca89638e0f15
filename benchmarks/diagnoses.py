"""Whether good sessions are taken for good, and spoilt ones named with the right images.

``python benchmarks/diagnoses.py`` prints false alarms on random subsets of the real sets and of
synthetic rigs, then each way of spoiling a session with what was said of it. ``--seeds N``: how
many random subsets per size; ``--only TEXT``: sets whose name contains it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from common import CALIBRATION, CALIBRATION_SETS, calibration_pairs, from_tests

from calib.board import Board, parse_board
from calib.calibrate import calibrate_views
from calib.detection.detection import match_order
from calib.detection.files import default_cache, detect_files
from calib.outcome import Outcome
from calib.solving.calibration import View

boards, spoil = from_tests("boards"), from_tests("spoil")

SYNTHETIC = ("chessboard:9x6:25mm", "chessboard:8x5:25mm", "circles:7x5:30mm", "acircles:4x11:20mm")
Session = tuple[str, list[View], Board]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=Path, default=CALIBRATION)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    sessions = [s for s in (*real(args.sets), *synthetic()) if args.only in s[0]]
    false_alarms(sessions, args.seeds)
    spoilt(sessions)


def real(root: Path) -> Iterator[Session]:
    for name in CALIBRATION_SETS if root.is_dir() else ():
        if name.startswith("degenerate"):
            continue
        pairs, _, spec = calibration_pairs(root / name)
        board = parse_board(spec)
        found = detect_files([p for _, a, b in pairs for p in (a, b)], board, cache=default_cache())
        views = [
            View(pair[0], a, match_order(a, b, board))
            for pair, a, b in zip(pairs, found[::2], found[1::2], strict=True)
            if a is not None and b is not None
        ]
        yield name, views, board


def synthetic() -> Iterator[Session]:
    for seed, spec in enumerate(SYNTHETIC):
        rng, board = np.random.default_rng(seed), parse_board(spec)
        views = boards.synthetic_views(rng, boards.random_rig(rng), 14, board=board)
        yield f"synthetic {spec}", views, board
    rng, board = np.random.default_rng(9), parse_board(SYNTHETIC[0])
    rig = boards.random_rig(rng, model="fisheye")
    yield "synthetic fisheye", boards.synthetic_views(rng, rig, 14, board=board), board


def said(outcome: Outcome) -> dict[str, set[str]]:
    """Cause -> views blamed, of findings and of rejected views together."""
    causes: dict[str, set[str]] = {}
    for finding in outcome.findings:
        causes.setdefault(finding.cause, set()).update(finding.images)
    for r in outcome.rejected:
        causes.setdefault(r.cause, set()).add(r.name)
    return causes


def false_alarms(sessions: list[Session], seeds: int) -> None:
    wrong = total = 0
    for name, views, board in sessions:
        for count in range(3, 9):
            for seed in range(seeds):
                rng = np.random.default_rng(100 * count + seed)
                some = [views[i] for i in sorted(rng.permutation(len(views))[:count])]
                found = said(calibrate_views(some, board))
                false = {cause: sorted(found[cause]) for cause in spoil.FALSE_ALARMS & found.keys()}
                total += 1
                wrong += bool(false)
                if false:
                    print(f"  false: {name}, {count} pairs, seed {seed}: {false}", flush=True)
    print(f"good subsets of 3 to 8 pairs: {total - wrong} of {total} without a false alarm\n")


def spoilt(sessions: list[Session]) -> None:
    named = blamed = total = 0
    for name, views, board in sessions:
        for way, spoilt_by in spoil.SPOILS.items():
            if way == "flipped view" and (board.coded or len(board.symmetries) < 2):
                continue
            case = spoilt_by(views, board)
            right, exact, text = judge(case, said(calibrate_views(case.views, board)))
            total, named, blamed = total + 1, named + right, blamed + exact
            if not exact:
                print(f"  {name}, {way}: {text}", flush=True)
    print(f"spoilt sessions: {named} of {total} named, {blamed} with exactly the right images")


def judge(case: spoil.Spoilt, found: dict[str, set[str]]) -> tuple[bool, bool, str]:
    if case.cause not in found:
        return False, False, f"NOT NAMED {case.cause}, but {found}"
    false = spoil.FALSE_ALARMS - {case.cause, "inconsistent"}
    others = {c: v for c, v in found.items() if c in false}
    others_blamed = {v.name for v in case.views} - case.blamed
    if case.either and found[case.cause] == others_blamed:
        return True, not others, f"also {others}"
    missed, extra = case.blamed - found[case.cause], found[case.cause] - case.blamed
    exact = not (missed or extra or others)
    return True, exact, f"missed {sorted(missed)}, extra {sorted(extra)}, also {others}"


if __name__ == "__main__":
    main()
