"""From images to an answer: detect, solve, judge, diagnose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.board import Board, Charuco, Chessboard, parse_board
from calib.camera import Camera
from calib.detection.detection import Detection, match_order
from calib.detection.files import detect_files, read_gray
from calib.detection.guess import guess_board
from calib.errors import CalibrationError
from calib.judging.covariance import SQUARE_ERROR
from calib.judging.diagnose import Finding, diagnose, fit_limit
from calib.judging.failure import explain_failure, explain_unseen
from calib.judging.quality import assess
from calib.judging.rejected import explain_rejected
from calib.outcome import Outcome, views_of_rig
from calib.rig import StereoRig
from calib.solving.calibration import FEWEST_VIEWS, Calibration, Rejected, View, in_other_unit
from calib.solving.choose import Lenses
from calib.solving.deformation import Deformation
from calib.solving.solve import calibrate_stereo

Progress = Callable[[str, int, int], None]
"""Called with what is done ("detect", "solve"), how many are done and how many there are."""

_UNFIT = (
    "the corners fit no rig (rms {:.1f} px): most pairs are unsynchronised or wrongly paired, or "
    "the board is not {}"
)
_CHANGES = {"rig_moved": "the rig moved", "refocused": "a camera was refocused or zoomed"}


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
    intrinsics: tuple[Camera, Camera] | None = None,
    lens_covariance: NDArray[np.float64] | None = None,
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
    chosen = _choose_board(board, [pair.left for pair in pairs] or unpaired)
    if chosen is None:
        finding = Finding("not_found", "no board could be recognised in the images", stops=True)
        return Outcome.refused(None, [finding], orphans, files, len(files))
    now, unseen = _look(pairs, chosen, cache, progress)
    views = _merged(before, now)
    rejected = (*orphans, *unseen)
    offered = len(pairs) + len(views) - len(now)  # what is in the rig's file counts once
    if len(views) < FEWEST_VIEWS <= len(pairs):
        finding = _nothing_seen(chosen, pairs, len(views), rejected)
        return Outcome.refused(chosen, [finding], rejected, files, len(files))
    outcome = calibrate_views(
        views,
        chosen,
        model=model,
        deformation=deformation,
        intrinsics=intrinsics,
        lens_covariance=lens_covariance,
        baseline_m=baseline_m,
        square_error=square_error,
        progress=progress,
    )
    if outcome.calibration is None and isinstance(chosen, Chessboard):
        outcome = _other_board(outcome, chosen, pairs)
    return replace(outcome, rejected=(*rejected, *outcome.rejected), files=files, offered=offered)


def calibrate_views(
    views: Sequence[View],
    board: Board,
    *,
    model: str | Lenses = "auto",
    deformation: Deformation = "auto",
    intrinsics: tuple[Camera, Camera] | None = None,
    lens_covariance: NDArray[np.float64] | None = None,
    baseline_m: float | None = None,
    square_error: float = SQUARE_ERROR,
    progress: Progress | None = None,
) -> Outcome:
    """Calibrate from detected corners; failures are explained in the outcome, not raised.

    A known baseline gives a board of unknown units its length; another board is checked by it.
    ``lens_covariance`` is that of ``intrinsics`` (``calibrate_stereo``); ``square_error`` one
    standard deviation of the size of the board's squares, as a share of it.
    """
    tell = progress or (lambda *_: None)
    try:
        c = calibrate_stereo(
            views,
            board,
            model=model,
            deformation=deformation,
            intrinsics=intrinsics,
            lens_covariance=lens_covariance,
            progress=lambda n, m: tell("solve", n, m),
        )
        if baseline_m is not None and not board.unit_known and _fits(c):
            found = float(np.linalg.norm(c.fit.state.t))
            board = _with_square(board, board.square_m * baseline_m / found)
            c, square_error = in_other_unit(c, board), 0.0  # its unit is the baseline's
        if not _fits(c):
            raise CalibrationError(_UNFIT.format(c.rms_px(), board.spec))
    except CalibrationError as error:
        findings = explain_failure(views, board, error)
        return Outcome.refused(board, findings, offered=len(views))
    c = replace(c, rejected=tuple(explain_rejected(c, views)))
    return _judged(c, views, baseline_m, square_error)


def _fits(c: Calibration) -> bool:
    return c.rms_px() <= fit_limit(c.sizes)


def _judged(
    c: Calibration, views: Sequence[View], baseline_m: float | None, square_error: float
) -> Outcome:
    moved = _moved(c)
    findings = [*diagnose(c, views, baseline_m=baseline_m), *moved, *_inconsistent(c, len(views))]
    q = assess(c, square_error=square_error)
    if moved and q.grade == "good":
        q = replace(q, grade="usable", verdict=q.verdict.replace("Good", "Usable"))
    grade, verdict, advice = q.grade, q.verdict, q.advice
    stopping = [finding.message for finding in findings if finding.stops]
    if stopping:
        grade, verdict = "recalibrate", f"Do not use it: {stopping[0]}."
        advice = stopping[0]
    said = tuple(findings)
    return Outcome(c.board, grade, verdict, advice, c, q, said, c.rejected, {}, len(views))


def _moved(c: Calibration) -> list[Finding]:
    """That some of the rejected views agree among themselves on another rig."""
    others = [r for r in c.rejected if r.cause in _CHANGES]
    if not others:
        return []
    cause = others[0].cause
    message = f"{_CHANGES[cause]}: the result holds only for the views that were used"
    return [Finding(cause, message, tuple(r.name for r in others))]


def _inconsistent(c: Calibration, offered: int) -> list[Finding]:
    names = tuple(r.name for r in c.rejected if r.cause != "copy")
    if len(names) <= 0.5 * offered:
        return []
    message = f"{len(names)} of {offered} pairs contradict the rest"
    return [Finding("inconsistent", message, names, stops=True)]


def _with_square(board: Board, square_m: float) -> Board:
    """The same board in metres, all its lengths in proportion."""
    if isinstance(board, Charuco):
        marker_m = board.marker_m * square_m / board.square_m
        return replace(board, square_m=square_m, marker_m=marker_m, unit_known=True)
    return replace(board, square_m=square_m, unit_known=True)


# -- looking for the board -----------------------------------------------------------------------


def _look(
    pairs: Sequence[ImagePair], board: Board, cache: Path | None, progress: Progress | None
) -> tuple[list[View], list[Rejected]]:
    """The views of pairs in which both images show the board, and what is wrong with the others."""
    tell = progress or (lambda *_: None)
    found = detect_files(
        _both_sides(pairs), board, cache=cache, progress=lambda n, m: tell("detect", n, m)
    )
    views, unseen = [], []
    for pair, one, two in zip(pairs, found[: len(pairs)], found[len(pairs) :], strict=True):
        if one is not None and two is not None:
            views.append(View(pair.name, one, match_order(one, two, board)))
        else:
            sides: list[tuple[Path, Detection | None]] = [(pair.left, one), (pair.right, two)]
            unseen.append(_unseen(pair.name, [path for path, seen in sides if seen is None]))
    return views, unseen


def _unseen(name: str, missing: Sequence[Path]) -> Rejected:
    broken = [path.name for path in missing if read_gray(path) is None]
    if broken:
        return Rejected(name, "unreadable", f"{' and '.join(broken)} is not a readable image")
    where = " and ".join(path.name for path in missing)
    return Rejected(name, "not_found", f"no whole board in {where}")


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


def _choose_board(board: Board | str, paths: Sequence[Path]) -> Board | None:
    if isinstance(board, Board):
        return board
    if not board.lower().startswith("auto"):
        return parse_board(board)
    known = parse_board("chessboard:3x3:" + (board.partition(":")[2] or "1u"))
    images = _samples(paths)
    if not images:
        return None
    return guess_board(images, square_m=known.square_m, unit_known=known.unit_known)


def _other_board(outcome: Outcome, board: Board, pairs: Sequence[ImagePair]) -> Outcome:
    """Where corners fit nothing, a part of a larger board may have been taken for the board."""
    finding = explain_unseen(_samples(_both_sides(pairs)), board)
    same = finding.cause != "wrong_board" or finding.message.count(board.spec) > 1
    if same or outcome.findings[0].cause == "mirrored":
        return outcome
    return Outcome.refused(board, [finding], outcome.rejected)


def _nothing_seen(
    board: Board, pairs: Sequence[ImagePair], views: int, rejected: Sequence[Rejected]
) -> Finding:
    images = _samples(_both_sides(pairs))
    if not images:
        return Finding("unreadable", "none of the files is a readable image", stops=True)
    finding = explain_unseen(images, board)
    if finding.cause != "wrong_board" or board.spec not in finding.message.split(" but ")[-1]:
        return finding
    names = tuple(r.name for r in rejected)
    message = f"only {views} pairs show the whole board; 15 to 30 are good"
    return Finding("too_few", message, names, stops=True)


def _both_sides(pairs: Sequence[ImagePair]) -> list[Path]:
    return [pair.left for pair in pairs] + [pair.right for pair in pairs]


def _samples(paths: Sequence[Path]) -> list[NDArray[Any]]:
    return [g for p in paths[:: max(1, len(paths) // 6)] if (g := read_gray(p)) is not None]
