"""From images to an answer: detect, solve, judge, diagnose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.board import Board, Charuco, parse_board
from calib.camera import Camera
from calib.detection.detection import Detection, match_order
from calib.detection.files import detect_files, read_gray
from calib.detection.guess import guess_board
from calib.errors import CalibrationError
from calib.judging.change import find_change
from calib.judging.changed_lenses import known_lens_findings
from calib.judging.covariance import SQUARE_ERROR
from calib.judging.diagnose import PARALLEL_DEG, diagnose, fit_limit
from calib.judging.failure import better_explained, explain_failure, explain_unseen
from calib.judging.finding import Finding
from calib.judging.known_lenses import KnownLenses
from calib.judging.offered import set_aside
from calib.judging.other_board import mirrored, other_board
from calib.judging.quality import assess, plane_spread_deg
from calib.judging.rejected import explain_rejected
from calib.outcome import Outcome, views_of_rig
from calib.rig import StereoRig
from calib.solving.calibration import FEWEST_VIEWS, Calibration, Rejected, View, in_other_unit
from calib.solving.choose import Lenses
from calib.solving.copies import TOO_ALIKE
from calib.solving.deformation import Deformation
from calib.solving.solve import calibrate_stereo, one_thread

Progress = Callable[[str, int, int], None]
"""Called with what is done ("detect", "solve", "judge"), how many are done, of how many."""
Found = dict[str, tuple[Detection | None, Detection | None]]
"""Name of a pair -> what was found in its left and right image."""

_UNFIT = (
    "the corners fit no rig (rms {:.1f} px): most pairs are unsynchronised or wrongly paired, or "
    "the board is not {}"
)
_SAME = (
    "left and right are the same images: two cameras side by side see the board from two places; "
    "check the patterns or folders"
)


class ImagePair(NamedTuple):
    """Two images taken at the same moment."""

    name: str
    """What the two file names have in common; no two pairs share it."""
    left: Path
    right: Path


def calibrate_files(
    pairs: Sequence[ImagePair],
    board: Board | str,
    *,
    unpaired: Sequence[Path] = (),
    model: str | Lenses = "auto",
    deformation: Deformation = "auto",
    intrinsics: KnownLenses | tuple[Camera, Camera] | None = None,
    baseline_m: float | None = None,
    square_error: float = SQUARE_ERROR,
    cache: Path | None = None,
    progress: Progress | None = None,
    earlier: StereoRig | None = None,
) -> Outcome:
    """Calibrate from image files; which belong together is for the caller to say.

    ``board`` may be text, also "auto" or "auto:25mm"; the views that ``earlier`` was calibrated
    from are used too, and then its board. ``unpaired`` images are told of in the outcome. Raises
    BoardError when the text makes no sense; whatever else goes wrong is in the outcome.
    """
    before: list[View] = []
    if earlier is not None:
        board, before = views_of_rig(earlier)
    orphans = [Rejected(path.name, "orphan", "has no partner") for path in unpaired]
    files = {pair.name: (str(pair.left), str(pair.right)) for pair in pairs}
    chosen = choose_board(board, [pair.left for pair in pairs] or unpaired)
    if chosen is None:
        finding = Finding("not_found", "no board could be recognised in the images", stops=True)
        return Outcome.refused(None, [finding], orphans, files, len(files))
    other = other_board(sampled(_both_sides(pairs)), chosen) if chosen.coded else None
    if other is not None:  # of a plain board nothing is found then; of this one a part might be
        return Outcome.refused(chosen, [other], orphans, files, len(files))
    seen = _look(pairs, chosen, cache, progress)
    now, unseen = _paired(pairs, seen, chosen)
    views = _merged(before, now)
    rejected = (*orphans, *unseen)
    offered = len(pairs) + len(views) - len(now)  # what is in the rig's file counts once
    if len(views) < FEWEST_VIEWS <= len(pairs):
        finding = _nothing_seen(chosen, pairs, len(views), rejected)
        return Outcome.refused(chosen, [finding], rejected, files, len(files), seen)
    outcome = calibrate_views(
        views,
        chosen,
        model=model,
        deformation=deformation,
        intrinsics=intrinsics,
        baseline_m=baseline_m,
        square_error=square_error,
        progress=progress,
    )
    return replace(
        outcome,
        rejected=(*rejected, *outcome.rejected),
        files=files,
        offered=offered,
        seen={**_found(before), **seen},
    )


def calibrate_views(
    views: Sequence[View],
    board: Board,
    *,
    model: str | Lenses = "auto",
    deformation: Deformation = "auto",
    intrinsics: KnownLenses | tuple[Camera, Camera] | None = None,
    baseline_m: float | None = None,
    square_error: float = SQUARE_ERROR,
    progress: Progress | None = None,
) -> Outcome:
    """Calibrate from detected corners; failures are explained in the outcome, not raised.

    A known baseline gives a board of unknown units its length; another board is checked by it.
    ``intrinsics`` are kept as they are; ``square_error`` is one standard deviation of the size of
    the board's squares, as a share of it. Raises CameraError when the intrinsics are of images of
    another size.
    """
    lenses = KnownLenses(*intrinsics) if isinstance(intrinsics, tuple) else intrinsics
    if lenses is not None:
        lenses.check_sizes(views)
    kept, aside = set_aside(views)
    seen = _found(views)
    if len(kept) < FEWEST_VIEWS and any(r.cause == "duplicate" for r in aside):
        message = TOO_ALIKE.format(len(views), len(kept), FEWEST_VIEWS)
        finding = Finding("too_few", message, tuple(view.name for view in views), stops=True)
        return Outcome.refused(board, [finding], aside, offered=len(views), seen=seen)
    same = [r.name for r in aside if r.cause == "same_images"]
    if len(same) > 0.5 * len(views):
        finding = Finding("same_images", _SAME, tuple(same), stops=True)
        return Outcome.refused(board, [finding], aside, offered=len(views), seen=seen)
    tell = progress or (lambda *_: None)
    solve = partial(
        calibrate_stereo,
        model=model,
        deformation=deformation,
        intrinsics=None if lenses is None else (lenses.left, lenses.right),
        lens_covariance=None if lenses is None else lenses.covariance,
        progress=lambda n, m: tell("solve", n, m),
    )
    try:
        c = _solved(kept, board, solve)
    except CalibrationError as error:
        findings, agreeing = explain_failure(kept, board, error)
        try:
            c = _solved(agreeing, board, solve)
        except CalibrationError:
            return Outcome.refused(board, findings, aside, offered=len(views), seen=seen)
        used = {view.name for view in agreeing}
        others = (Rejected(v.name, "inconsistent", "") for v in kept if v.name not in used)
        c = replace(c, rejected=(*c.rejected, *others))
    other = better_explained(c, kept)
    if other is not None:
        return replace(Outcome.refused(board, [other], aside, offered=len(views)), seen=seen)
    if baseline_m is not None and not board.unit_known:
        square_m = board.square_m * baseline_m / float(np.linalg.norm(c.fit.state.t))
        c, square_error = in_other_unit(c, _with_square(board, square_m)), 0.0
    judge = partial(tell, "judge")
    outcome = _judged(c, kept, aside, len(views), baseline_m, square_error, lenses, judge)
    return replace(outcome, seen=seen)


def _solved(
    views: Sequence[View], board: Board, solve: Callable[[Sequence[View], Board], Calibration]
) -> Calibration:
    c = solve(views, board)
    if c.rms_px() > fit_limit(c.sizes):
        raise CalibrationError(_UNFIT.format(c.rms_px(), board.spec))
    return c


def _judged(
    c: Calibration,
    views: Sequence[View],
    aside: Sequence[Rejected],
    offered: int,
    baseline_m: float | None,
    square_error: float,
    lenses: KnownLenses | None,
    tell: Callable[[int, int], None],
) -> Outcome:
    """``views`` are those the solver was offered, ``aside`` those it was not."""
    steps = 4
    tell(0, steps)
    change = None
    if plane_spread_deg(c.fit.state.view_R) >= PARALLEL_DEG:  # else no lens is known
        with one_thread():
            change = find_change(c, views)
    tell(1, steps)
    c = replace(c, rejected=tuple(explain_rejected(c, views, change)))
    tell(2, steps)
    q = assess(c, square_error=square_error)
    tell(3, steps)
    findings = [
        *diagnose(c, views, q, change=change, baseline_m=baseline_m),
        *([] if change else _moved(c)),
        *_inconsistent(c, len(views)),
        *_duplicates(aside),
        *(() if lenses is None else known_lens_findings(c, lenses)),
    ]
    tell(steps, steps)
    grade, verdict, advice = q.grade, q.verdict, q.advice
    stopping = [finding.message for finding in findings if finding.stops]
    if stopping:
        grade, verdict = "recalibrate", f"Do not use it: {'; also, '.join(stopping)}."
        advice = stopping[0]
    out = (*aside, *c.rejected)
    return Outcome(
        *(c.board, grade, verdict, advice, c, q, tuple(findings), out),
        offered=offered,
        known_baseline_m=baseline_m,
    )


def _moved(c: Calibration) -> list[Finding]:
    """That some of the rejected views agree among themselves on another rig: which of the two is
    the rig of today nobody can tell.
    """
    others = [r for r in c.rejected if r.cause in ("rig_moved", "refocused")]
    if not others:
        return []
    names = tuple(r.name for r in others)
    message = f"{len(names)} of the views are of another rig ({', '.join(names)}): "
    message += others[0].reason + "; fix cameras and lenses and take all views again"
    return [Finding(others[0].cause, message, names, stops=True)]


def _inconsistent(c: Calibration, offered: int) -> list[Finding]:
    names = tuple(r.name for r in c.rejected)
    if len(names) <= 0.5 * offered:
        return []
    causes = Counter(r.cause for r in c.rejected)
    why = ", ".join(f"{count} {cause.replace('_', ' ')}" for cause, count in causes.most_common())
    message = f"{len(names)} of {offered} pairs contradict the rest ({why})"
    return [Finding("inconsistent", message, names, stops=True)]


def _duplicates(aside: Sequence[Rejected]) -> list[Finding]:
    names = tuple(r.name for r in aside if r.cause == "duplicate")
    if not names:
        return []
    message = f"{len(names)} pairs show the board where another pair shows it already"
    return [Finding("duplicate", message + "; they add nothing and are left out", names)]


def _with_square(board: Board, square_m: float) -> Board:
    """The same board in metres, all its lengths in proportion."""
    if isinstance(board, Charuco):
        marker_m = board.marker_m * square_m / board.square_m
        return replace(board, square_m=square_m, marker_m=marker_m, unit_known=True)
    return replace(board, square_m=square_m, unit_known=True)


# -- looking for the board -----------------------------------------------------------------------


def _look(
    pairs: Sequence[ImagePair], board: Board, cache: Path | None, progress: Progress | None
) -> Found:
    tell = progress or (lambda *_: None)
    found = detect_files(
        _both_sides(pairs), board, cache=cache, progress=lambda n, m: tell("detect", n, m)
    )
    both = zip(found[: len(pairs)], found[len(pairs) :], strict=True)
    return {pair.name: sides for pair, sides in zip(pairs, both, strict=True)}


def _found(views: Sequence[View]) -> Found:
    return {view.name: (view.left, view.right) for view in views}


def _paired(
    pairs: Sequence[ImagePair], seen: Found, board: Board
) -> tuple[list[View], list[Rejected]]:
    """The views of pairs in which both images show the board, and what is wrong with the others."""
    views, unseen = [], []
    for pair in pairs:
        one, two = seen[pair.name]
        if one is not None and two is not None:
            views.append(View(pair.name, one, match_order(one, two, board)))
        else:
            sides: list[tuple[Path, Detection | None]] = [(pair.left, one), (pair.right, two)]
            missing = [path for path, found in sides if found is None]
            unseen.append(_unseen(pair.name, missing, board))
    return views, unseen


def _unseen(name: str, missing: Sequence[Path], board: Board) -> Rejected:
    images = {path.name: read_gray(path) for path in missing}
    broken = [file for file, image in images.items() if image is None]
    if broken:
        return Rejected(name, "unreadable", f"{' and '.join(broken)} is not a readable image")
    turned = [file for file, g in images.items() if g is not None and mirrored(g, board)]
    if turned:
        return Rejected(name, "mirrored", f"{' and '.join(turned)} is mirrored left to right")
    return Rejected(name, "not_found", f"no whole board in {' and '.join(images)}")


def _merged(before: Sequence[View], new: Sequence[View]) -> list[View]:
    """Both, without images given twice and with names of their own."""
    kept = list(before)
    for view in new:
        same = [
            np.array_equal(old.left.points.round(4), view.left.points.round(4)) for old in before
        ]
        if any(same):
            continue
        taken = {old.name for old in kept}
        name = next(n for i in range(len(kept) + 1) if (n := view.name + "+" * i) not in taken)
        kept.append(replace(view, name=name))
    return kept


def choose_board(board: Board | str, paths: Sequence[Path]) -> Board | None:
    """The board that was named, or the one that some of the images show; None: they show none."""
    if isinstance(board, Board):
        return board
    if not board.lower().startswith("auto"):
        return parse_board(board)
    known = parse_board("chessboard:3x3:" + (board.partition(":")[2] or "1u"))
    images = sampled(paths)
    if not images:
        return None
    return guess_board(images, square_m=known.square_m, unit_known=known.unit_known)


def _nothing_seen(
    board: Board, pairs: Sequence[ImagePair], views: int, rejected: Sequence[Rejected]
) -> Finding:
    images = sampled(_both_sides(pairs))
    if not images:
        return Finding("unreadable", "none of the files is a readable image", stops=True)
    finding = explain_unseen(images, board)
    if finding.cause != "not_found" or not views:
        return finding
    names = tuple(r.name for r in rejected)
    message = f"only {views} pairs show the whole board {board.spec}; 15 to 30 are good"
    return Finding("too_few", message, names, stops=True)


def _both_sides(pairs: Sequence[ImagePair]) -> list[Path]:
    return [pair.left for pair in pairs] + [pair.right for pair in pairs]


def sampled(paths: Sequence[Path]) -> list[NDArray[Any]]:
    """Some of the images, those that can be read."""
    return [g for p in paths[:: max(1, len(paths) // 6)] if (g := read_gray(p)) is not None]
