"""Whether good sessions are taken for good, and spoilt ones named with the right images.

``python benchmarks/diagnoses.py`` judges every real set and synthetic rigs: as they are, random
halves and other subsets of them, and spoilt in every way there is, by corners where corners suffice
and else by images. For each way it prints how many sessions were named rightly, and what was said
where it was wrong. Spoilt images are kept in the folder for temporary files and detections in the
cache, so that a second run is quick. ``--only TEXT``: sets whose name contains it; ``--way TEXT``:
ways of spoiling; ``--corners``: only by corners; ``--draws N``: random subsets of each real set.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from common import (
    CALIBRATION,
    CALIBRATION_SETS,
    SHARED,
    calibration_pairs,
    from_tests,
    table_head,
    views_of,
)
from common import table_row as row

from calib.board import Board, parse_board
from calib.calibrate import ImagePair, calibrate_files, calibrate_views
from calib.camera import Camera
from calib.detection.files import default_cache, detect_files, read_gray
from calib.outcome import Outcome
from calib.solving.calibration import View
from calib.solving.solve import calibrate_stereo

boards, spoil, spoil_images = from_tests("boards"), from_tests("spoil"), from_tests("spoil_images")

SYNTHETIC = ("chessboard:9x6:25mm", "chessboard:8x5:25mm", "circles:7x5:30mm", "acircles:4x11:20mm")
RENDERED = ("chessboard:9x6:25mm", "circles:7x5:30mm", "acircles:4x11:20mm",
            "charuco:8x6:30mm:22mm:DICT_5X5_50")  # fmt: skip
KEPT = Path(tempfile.gettempdir()) / "stereo-depth-spoilt"


class Session(NamedTuple):
    """A good session."""

    name: str
    board: Board
    views: list[View]
    images: list[Any]
    """(name, left, right) where there are images."""


class Judged(NamedTuple):
    """What was said of a spoilt session."""

    right: bool
    """The cause, most of the right images, no other cause, and trusted or not as it deserves."""
    exact: bool
    """And exactly the right images."""
    text: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=Path, default=CALIBRATION)
    parser.add_argument("--draws", type=int, default=11)
    parser.add_argument("--only", default="")
    parser.add_argument("--way", default="")
    parser.add_argument("--corners", action="store_true", help="nothing that needs images")
    args = parser.parse_args()
    found = [*real(args.sets, args.only), *synthetic(args.only), *rendered(args.only)]
    if not args.way:
        good = [s for s in found if not s.name.startswith(("synthetic", "rendered"))]
        subsets(good, args.draws)
    table = defaultdict(list)
    for session in found:
        usual = said(calibrate_views(session.views, session.board))
        for way, judged, seconds in (
            *by_corners(session, args.way, usual),
            *(() if args.corners else by_images(session, args.way, usual)),
        ):
            table[way].append((judged, seconds))
            if not judged.right:
                print(f"  {session.name}, {way}: {judged.text}", flush=True)
    show(table)


def show(table: dict[str, list[tuple[Judged, float]]]) -> None:
    print("\n" + table_head("way", "right", "exact", "of", "slowest, s"))
    for way, found in table.items():
        print(row(way, *counts(found), f"{max(seconds for _, seconds in found):.1f}"))
    print(row("all", *counts([one for found in table.values() for one in found]), ""))


def counts(found: list[tuple[Judged, float]]) -> tuple[int, int, int]:
    return sum(j.right for j, _ in found), sum(j.exact for j, _ in found), len(found)


# -- good sessions -------------------------------------------------------------------------------


def real(root: Path, only: str) -> Iterator[Session]:
    for name in CALIBRATION_SETS if root.is_dir() else ():
        if name.startswith("degenerate") or only not in name:
            continue
        pairs, _, spec = calibration_pairs(root / name)
        board = parse_board(spec)
        images = [(pair.name, read_gray(pair.left), read_gray(pair.right)) for pair in pairs]
        yield Session(name, board, views_of(pairs, board, cache=default_cache()), images)


def synthetic(only: str) -> Iterator[Session]:
    for seed, spec in enumerate(SYNTHETIC):
        if only not in f"synthetic {spec}":
            continue
        rng, board = np.random.default_rng(seed), parse_board(spec)
        views = boards.synthetic_views(rng, boards.random_rig(rng), 14, board=board)
        yield Session(f"synthetic {spec}", board, views, [])
    if only not in "synthetic fisheye":
        return
    rng, board = np.random.default_rng(9), parse_board(SYNTHETIC[0])
    rig = boards.random_rig(rng, model="fisheye")
    views = boards.synthetic_views(rng, rig, 14, board=board)
    yield Session("synthetic fisheye", board, views, [])


def rendered(only: str) -> Iterator[Session]:
    for seed, spec in enumerate(RENDERED):
        if only not in f"rendered {spec}":
            continue
        rng, board = np.random.default_rng(20 + seed), parse_board(spec)
        rig = boards.random_rig(rng)
        poses = boards.random_poses(rng, rig, 12, board=board)
        images = [(f"{i:02d}", *boards.rendered(rig, *p, board=board)) for i, p in enumerate(poses)]
        files, _ = written(images, f"rendered {spec}", "good")
        yield Session(
            f"rendered {spec}", board, views_of(files, board, cache=default_cache()), images
        )


def subsets(sessions: list[Session], draws: int) -> None:
    """Random halves and subsets of at least six views of good sets: none is to be refused."""
    total, refused, false = 0, [], []
    for s in sessions:
        for seed in range(draws):
            rng = np.random.default_rng(seed)
            n = len(s.views)
            count = max(6, n // 2 if seed % 2 else int(rng.integers(6, n + 1)))
            some = [s.views[i] for i in sorted(rng.permutation(n)[:count])]
            outcome = calibrate_views(some, s.board)
            total += 1
            causes = said(outcome).keys() & (spoil.FALSE_ALARMS - {"duplicate"})
            if not outcome.trusted:
                refused.append(f"{s.name} {count} views, seed {seed}: {outcome.verdict}")
            elif causes - USUAL.get(s.name, set()):
                false.append(f"{s.name} {count} views, seed {seed}: {causes}")
    print(f"random halves and subsets: {len(refused)} of {total} graded recalibrate")
    print("".join(f"  {line}\n" for line in refused), end="")
    print(f"{len(false)} of {total} with another false alarm")
    print("".join(f"  {line}\n" for line in false), end="", flush=True)


USUAL = {"sourishg_fisheye": {"unsynchronised"}}
"""What is said of good sets rightly: cameras that did not take their images at one moment."""


# -- spoilt sessions -----------------------------------------------------------------------------


def by_corners(
    s: Session, only: str, usual: dict[str, set[str]]
) -> Iterator[tuple[str, Judged, float]]:
    ways = dict(spoil.SPOILS)
    lens = calibrate_stereo(s.views, s.board).rig.right
    ways |= {f"turned 0.3 deg about {'xyz'[i]}": spoil.turned_rig(i, 0.3, lens) for i in range(3)}
    for way, spoilt_by in ways.items():
        if only not in way or (s.board.coded and way in NOT_CODED):
            continue
        if way == "flipped view" and len(s.board.symmetries) < 2:
            continue
        if way in FOR_MANY and len(s.views) < 8:
            continue
        case = spoilt_by(s.views, s.board)
        yield way, *judged_in_time(case, usual, lambda c=case: calibrate_views(c.views, s.board))
    yield from squares(s, only, usual)
    yield from parallel(s, only, usual)


FOR_MANY = {"swapped but three", "three wrong partners", "late and turned"}
"""What leaves of a few views no majority."""
NOT_CODED = {"flipped view", "mirrored", "mirrored view"}
"""What corners of a board with markers cannot show."""


def squares(s: Session, only: str, usual: Any) -> Iterator[tuple[str, Judged, float]]:
    """Squares that are 2 and 10 % larger than said, with and without a known baseline."""
    if not s.board.unit_known:
        return
    true = calibrate_stereo(s.views, s.board).rig.baseline_m
    for share in (1.02, 1.10):
        for baseline in (true * share, None):
            known = "known" if baseline else "not known"
            way = f"squares {100 * (share - 1):.0f} % wrong, baseline {known}"
            if only in way:
                cause = "square_size" if baseline else None
                case = spoil.Spoilt(s.views, cause, set(), refuse=baseline is not None)
                yield (
                    way,
                    *judged_in_time(
                        case,
                        usual,
                        lambda b=baseline: calibrate_views(s.views, s.board, baseline_m=b),
                    ),
                )


def parallel(s: Session, only: str, usual: Any) -> Iterator[tuple[str, Judged, float]]:
    """The largest group of views within 6 degrees of one of them, where there are four."""
    way = "parallel views"
    if only not in way:
        return
    normals = calibrate_stereo(s.views, s.board)
    turns = normals.fit.state.view_R[:, :, 2]
    near = turns @ turns.T > np.cos(np.radians(4))
    group = near[int(near.sum(axis=1).argmax())]
    views = [view for view, ok in zip(normals.views, group, strict=True) if ok]
    if s.name.startswith("synthetic chessboard"):
        rng = np.random.default_rng(5)
        rig = boards.random_rig(rng)
        views = boards.synthetic_views(rng, rig, 12, board=s.board, tilt=0.04)
    if len(views) >= 4:
        case = spoil.Spoilt(views, "parallel_views", set(), refuse=True)
        yield way, *judged_in_time(case, usual, lambda: calibrate_views(views, s.board))


def by_images(
    s: Session, only: str, usual: dict[str, set[str]]
) -> Iterator[tuple[str, Judged, float]]:
    if not s.images:
        return
    lens: Camera = calibrate_stereo(s.views, s.board).rig.right
    corners = {v.name: (v.left.points, v.right.points) for v in s.views}
    known = spoil_images.Known(s.board, lens, corners, a_photograph())
    for way, spoilt_by in spoil_images.SPOILS.items():
        if only not in way or (case := spoilt_by(s.images, known)) is None:
            continue
        files, unpaired = written(case.pairs, s.name, way, reuse=case.pairs is s.images)
        board = case.board or s.board
        if case.cause != "wrong_board":  # its time is that of looking for the board; others' is not
            detect_files([p for f in files for p in f[1:]], board, cache=default_cache())
        yield (
            f"{way} (images)",
            *judged_in_time(
                case,
                usual,
                lambda f=files, u=unpaired, b=board: calibrate_files(
                    f, b, unpaired=u, cache=default_cache()
                ),
            ),
        )


def a_photograph() -> Any:
    found = sorted(SHARED.rglob("teddy*/*.png")) or sorted(SHARED.rglob("*.png"))
    image = read_gray(found[0]) if found else None
    return (
        np.random.default_rng(0).integers(0, 255, (300, 400), np.uint8) if image is None else image
    )


def written(
    pairs: Iterable[Any], name: str, way: str, *, reuse: bool = False
) -> tuple[list[ImagePair], list[Path]]:
    """The images as files, written once."""
    folder = KEPT / name.replace(":", "_") / ("good" if reuse else way.replace(" ", "_"))
    files, unpaired = [], []
    for stem, *images in pairs:
        paths = [folder / side / f"{stem}.png" for side in ("left", "right")]
        for path, image in zip(paths, images, strict=True):
            if image is not None and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), image)
        if None in [None if image is None else 0 for image in images]:
            unpaired += [p for p, image in zip(paths, images, strict=True) if image is not None]
        else:
            files.append(ImagePair(stem, *paths))
    return files, unpaired


# -- judging -------------------------------------------------------------------------------------


def said(outcome: Outcome) -> dict[str, set[str]]:
    """Cause -> views blamed, of findings and of rejected views together."""
    causes: dict[str, set[str]] = {}
    for finding in outcome.findings:
        causes.setdefault(finding.cause, set()).update(finding.images)
    for r in outcome.rejected:
        causes.setdefault(r.cause, set()).add(Path(r.name).stem)
    return causes


def judged_in_time(case: Any, usual: dict[str, set[str]], run: Any) -> tuple[Judged, float]:
    start = time.perf_counter()
    outcome = run()
    seconds = time.perf_counter() - start
    return judge(case, outcome, usual), seconds


def judge(case: Any, outcome: Outcome, usual: dict[str, set[str]]) -> Judged:
    """``usual``: what is said of the session before it was spoilt."""
    found = said(outcome)
    views = case.views if hasattr(case, "views") else case.pairs
    everyone = {v[0] if isinstance(v, tuple) else v.name for v in views}
    also = {"inconsistent", case.cause, *case.also}
    others = {
        cause: names - usual.get(cause, set())
        for cause, names in found.items()
        if cause in spoil.FALSE_ALARMS - also and (names - usual.get(cause, set()) or not names)
    }
    trust = not case.refuse or not outcome.trusted
    if case.cause is None:
        ok = outcome.trusted and not others
        return Judged(ok, ok, f"{outcome.grade}: {found if others else outcome.verdict}")
    if case.cause not in found:
        return Judged(False, False, f"NOT NAMED {case.cause}: {outcome.grade}, {brief(found)}")
    blamed = set(case.blamed)
    named = found[case.cause] - (usual.get(case.cause, set()) - blamed)
    if case.either and len(named & blamed) < len(named - blamed):
        blamed = everyone - blamed
    if not blamed:  # the whole session, whatever its views are called
        blamed = named
    excused = set().union(*(found.get(cause, set()) for cause in case.also))
    missed, extra = blamed - named - excused, named - blamed
    few = max(1, len(everyone) // 10)
    says = getattr(case, "says", "") in outcome.verdict
    most = len(missed) <= 0.2 * len(blamed) and len(extra) <= few
    right = most and not others and trust and says
    exact = right and not missed and not extra
    text = f"missed {sorted(missed)}, extra {sorted(extra)}, also {brief(others)}, "
    return Judged(right, exact, text + f"{outcome.grade}: {outcome.verdict if not says else ''}")


def brief(found: dict[str, set[str]]) -> str:
    return ", ".join(f"{cause} {sorted(names)[:4]}" for cause, names in found.items()) or "nothing"


if __name__ == "__main__":
    main()
