"""``stereo calibrate``: from images of a board to a rig, and how far to trust it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypedDict, get_args

import click

from stereo.cli.calibrate_known import (
    LENS_MODELS,
    LensModels,
    Told,
    load_stereo_rig,
    moved_in_words,
    refuse,
    told,
)
from stereo.cli.calibrate_messages import progress_bar, show_outcome
from stereo.cli.groups import command, json_option, option
from stereo.cli.options import OpenOptions, ViewOptions
from stereo.errors import InputError

if TYPE_CHECKING:
    from calib import StereoRig
    from calib.judging.known_lenses import KnownLenses
    from calib.outcome import Outcome

UNTRUSTED = 3
_NO_BOARD = "give --board, such as chessboard:9x6:25mm (inner corners), or auto"
Deformation = Literal["auto", "flat", "bent"]  # of calib.solving.solve, which loads slowly


class _Known(TypedDict):
    model: str | tuple[str, str]
    deformation: Deformation
    intrinsics: KnownLenses | None
    baseline_m: float | None
    square_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveOptions:
    """What is known of the board and the cameras."""

    heading: ClassVar[str] = "Calibration"
    board: str | None = option(help="Such as chessboard:9x6:25mm; auto or auto:25mm to find it.")
    model: str | tuple[str, str] = option(
        type=LensModels(),
        default="auto",
        show_default=True,
        help=f"Lens model, or two, LEFT,RIGHT: {', '.join(LENS_MODELS)}.",
    )
    warp: Deformation = option(
        type=click.Choice(get_args(Deformation)),
        default="auto",
        show_default=True,
        help="Whether the board may be bent; auto: where views left out say so.",
    )
    intrinsics: str | None = option(
        metavar="LEFT,RIGHT",
        help="Camera files (of --single), or one rig file, whose lenses are kept as they are.",
    )
    knocked: str | None = option(
        "--from",
        type=click.Path(),
        metavar="RIG",
        help="A rig that was knocked: keep its lenses and board, solve how it stands now.",
    )
    single: bool = option(is_flag=True, help="IMAGES are of one camera; -o writes a camera file.")
    baseline_mm: float | None = option(
        type=float, help="Known distance of the cameras, to check against."
    )
    square_error_percent: float = option(
        type=click.FloatRange(0, 10),
        default=0.2,
        show_default=True,
        help="How wrong the size of the squares may be (one sigma): smaller where it was measured.",
    )
    old: str | None = option(
        "--continue", type=click.Path(), help="Rig file whose views are used too."
    )
    no_cache: bool = option(is_flag=True, help="Detect again, even in images seen before.")

    def for_solver(self, lenses: KnownLenses | None) -> _Known:
        """Return what ``calibrate_files`` and ``calibrate_views`` both take."""
        if lenses is not None and self.model != "auto":
            raise InputError("--model contradicts lenses that are kept; drop one of them")
        return {
            "model": self.model,
            "deformation": self.warp,
            "intrinsics": lenses,
            "baseline_m": None if self.baseline_mm is None else self.baseline_mm / 1e3,
            "square_error": self.square_error_percent / 100,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """Views from a running camera instead of images."""

    heading: ClassVar[str] = "From a running camera"
    live: str | None = option(metavar="SOURCE", help="Take the views from a running camera.")
    targets: tuple[str, ...] = option(
        "--target", multiple=True, metavar="2m:1%", help="End when met."
    )
    max_views: int = option(type=int, default=60, show_default=True, help="End then.")
    keep: Path | None = option(type=click.Path(path_type=Path), help="Folder for the images taken.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultOptions:
    """What is written."""

    heading: ClassVar[str] = "Output"
    out: Path | None = option(
        "-o", "--out", type=click.Path(path_type=Path), help="Rig file (or camera file) to write."
    )
    report: Path | None = option(type=click.Path(path_type=Path), help="HTML page to write.")


@command("calibrate")
@click.argument("images", nargs=-1)
@json_option("Print JSON instead of text.")
def calibrate_command(
    images: tuple[str, ...],
    *,
    solving: SolveOptions,
    session: SessionOptions,
    opening: OpenOptions,
    looking: ViewOptions,
    results: ResultOptions,
    as_json: bool,
) -> int:
    """Calibrate a stereo rig from IMAGES of a board, or with --live from a running camera.

    IMAGES is a left and a right pattern in quotes ('left*.png' 'right*.png'), two folders, one
    folder with left and right inside, or one folder of side-by-side images. Images are
    paired by the common part of their names. With --single IMAGES is a pattern or folder of one
    camera's images. Exit code 3: done, but do not trust it.
    """
    _refuse_without_live(session, looking)
    if solving.single:
        return _single(images, solving, session, results, as_json=as_json)
    known = told(solving.intrinsics, solving.knocked)
    finish = partial(_finish, results, as_json, known.before)
    if session.live is not None:
        if images or solving.old:
            raise InputError("--live takes its views from the source: drop IMAGES and --continue")
        return _from_camera(
            session.live, known, solving, session, opening, looking, as_json, finish
        )
    return _from_images(images, known, solving, finish)


def _refuse_without_live(session: SessionOptions, looking: ViewOptions) -> None:
    if session.live is None:
        given: dict[str, object] = {
            "target": session.targets,
            "keep": session.keep,
            "view": looking.view,
        }
        refuse(given, "needs --live SOURCE")


def _single(
    images: tuple[str, ...],
    solving: SolveOptions,
    session: SessionOptions,
    results: ResultOptions,
    *,
    as_json: bool,
) -> int:
    from stereo.cli.calibrate_single import calibrate_single

    for_two: dict[str, object] = {
        "from": solving.knocked,
        "intrinsics": solving.intrinsics,
        "continue": solving.old,
        "baseline-mm": solving.baseline_mm,
        "live": session.live,
        "report": results.report,
    }
    refuse(for_two, "is for two cameras: drop it, or --single")
    if isinstance(solving.model, tuple):
        raise InputError("--single has one camera, and --model names two lens models")
    if solving.board is None:
        raise InputError(_NO_BOARD)
    return calibrate_single(
        images,
        solving.board,
        model=solving.model,
        deformation=solving.warp,
        use_cache=not solving.no_cache,
        out=results.out,
        as_json=as_json,
    )


def _from_images(
    images: tuple[str, ...],
    known: Told,
    solving: SolveOptions,
    finish: Callable[[Outcome], int],
) -> int:
    from calib.calibrate import calibrate_files
    from calib.detection.files import default_cache
    from stereo.cli.calibrate_images import pairs_of

    for_solver = solving.for_solver(known.lenses)
    earlier = load_stereo_rig(solving.old) if solving.old else None
    board = solving.board or known.board
    if board is None and earlier is None:
        raise InputError(_NO_BOARD)
    with pairs_of(images) as (pairs, unpaired), progress_bar() as progress:
        outcome = calibrate_files(
            pairs,
            board or "continued",
            unpaired=unpaired,
            cache=None if solving.no_cache else default_cache(),
            progress=progress,
            earlier=earlier,
            **for_solver,
        )
        return finish(outcome)  # a report shows the images


def _from_camera(
    spec: str,
    known: Told,
    solving: SolveOptions,
    session: SessionOptions,
    opening: OpenOptions,
    looking: ViewOptions,
    as_json: bool,
    finish: Callable[[Outcome], int],
) -> int:
    from calib.board import parse_board
    from calib.calibrate import calibrate_views
    from stereo.cli.calibrate_live import calibrate_live
    from stereo.live.calibration import LiveCalibration, Target

    for_solver = solving.for_solver(known.lenses)
    board = solving.board or known.board
    if board is None or board.lower().startswith("auto"):
        raise InputError("--live needs the board: --board chessboard:9x6:25mm (inner corners)")
    calibration = LiveCalibration(
        parse_board(board),
        [Target.parse(text) for text in session.targets],
        session.max_views,
        solve=partial(calibrate_views, **for_solver),
    )
    return calibrate_live(
        spec,
        calibration,
        options=opening.as_source_options(),
        looking=looking,
        keep=session.keep,
        as_json=as_json,
        finish=finish,
    )


def _finish(
    results: ResultOptions, as_json: bool, before: StereoRig | None, outcome: Outcome
) -> int:
    """Write and show what came of it; returns the exit code."""
    written, rig = _write(outcome, results), outcome.rig
    moved = None if before is None or rig is None else moved_in_words(before, rig)
    if as_json:
        facts = {} if moved is None else {"moved": moved[0]}
        click.echo(json.dumps({**outcome.summary(), **facts, **written}, allow_nan=False))
    else:
        show_outcome(outcome, written, moved=None if moved is None else moved[1])
    return 0 if outcome.trusted else UNTRUSTED


def _write(outcome: Outcome, results: ResultOptions) -> dict[str, str]:
    from calib import save_rig
    from calib.report.page import write_report

    out, report, written = results.out, results.report, {}
    if out is not None and outcome.rig is not None:
        save_rig(outcome.rig, out)
        written["rig"] = str(out)
    if report is not None:
        write_report(outcome, report)
        written["report"] = str(report)
    return written
