"""``stereo calibrate``: from images of a board to a rig, and how far to trust it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypedDict, get_args

import click

from stereo.cli.calibrate_messages import progress_bar, show_outcome
from stereo.cli.groups import command, json_option, option
from stereo.cli.options import OpenOptions, ViewOptions
from stereo.errors import InputError

if TYPE_CHECKING:
    from calib import StereoRig
    from calib.camera import Camera
    from calib.outcome import Outcome

_MODELS = ("auto", "pinhole5", "pinhole8", "pinhole12", "pinhole14", "fisheye")
UNTRUSTED = 3
Deformation = Literal["auto", "flat", "bent"]  # of calib.solving.solve, which loads slowly


class _Known(TypedDict):
    model: str
    deformation: Deformation
    intrinsics: tuple[Camera, Camera] | None
    baseline_m: float | None
    square_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveOptions:
    """What is known of the board and the cameras."""

    heading: ClassVar[str] = "Calibration"
    board: str | None = option(help="Such as chessboard:9x6:25mm; auto or auto:25mm to find it.")
    model: str = option(
        type=click.Choice(_MODELS),
        default="auto",
        show_default=True,
        help="Lens model, by the number of its coefficients.",
    )
    warp: Deformation = option(
        type=click.Choice(get_args(Deformation)),
        default="auto",
        show_default=True,
        help="Whether the board may be bent; auto: where views left out say so.",
    )
    intrinsics: str | None = option(
        type=click.Path(), help="Rig file whose lenses are kept as they are."
    )
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

    def for_solver(self) -> _Known:
        """Return what ``calibrate_files`` and ``calibrate_views`` both take."""
        return {
            "model": self.model,
            "deformation": self.warp,
            "intrinsics": _cameras(self.intrinsics),
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
        "-o", "--out", type=click.Path(path_type=Path), help="Rig file to write."
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
    paired by the common part of their names. Exit code 3: done, but do not trust it.
    """
    finish = partial(_finish, results, as_json)
    if session.live is not None:
        if images or solving.old:
            raise InputError("--live takes its views from the source: drop IMAGES and --continue")
        return _from_camera(session.live, solving, session, opening, looking, as_json, finish)
    given = {"target": session.targets, "keep": session.keep, "view": looking.view}
    for name, value in given.items():
        if value:
            raise InputError(f"--{name} needs --live SOURCE")
    return _from_images(images, solving, finish)


def _from_images(
    images: tuple[str, ...], solving: SolveOptions, finish: Callable[[Outcome], int]
) -> int:
    from calib.calibrate import calibrate_files
    from calib.detection.files import default_cache
    from stereo.cli.calibrate_images import pairs_of

    known = solving.for_solver()
    earlier = _load(solving.old) if solving.old else None
    if solving.board is None and earlier is None:
        raise InputError("give --board, such as chessboard:9x6:25mm (inner corners), or auto")
    with pairs_of(images) as (pairs, unpaired), progress_bar() as progress:
        outcome = calibrate_files(
            pairs,
            solving.board or "continued",
            unpaired=unpaired,
            cache=None if solving.no_cache else default_cache(),
            progress=progress,
            earlier=earlier,
            **known,
        )
        return finish(outcome)  # a report shows the images


def _from_camera(
    spec: str,
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

    known = solving.for_solver()
    if solving.board is None or solving.board.lower().startswith("auto"):
        raise InputError("--live needs the board: --board chessboard:9x6:25mm (inner corners)")
    calibration = LiveCalibration(
        parse_board(solving.board),
        [Target.parse(text) for text in session.targets],
        session.max_views,
        solve=partial(calibrate_views, **known),
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


def _finish(results: ResultOptions, as_json: bool, outcome: Outcome) -> int:
    """Write and show what came of it; returns the exit code."""
    written = _write(outcome, results)
    if as_json:
        click.echo(json.dumps({**outcome.summary(), **written}, allow_nan=False))
    else:
        show_outcome(outcome, written)
    return 0 if outcome.trusted else UNTRUSTED


def _load(path: str) -> StereoRig:
    from calib import StereoRig, load_rig

    rig = load_rig(path)
    if not isinstance(rig, StereoRig):
        raise InputError(f"{path}: holds only rectified geometry, not two cameras")
    return rig


def _cameras(path: str | None) -> tuple[Camera, Camera] | None:
    if path is None:
        return None
    rig = _load(path)
    return rig.left, rig.right


def _write(outcome: Outcome, results: ResultOptions) -> dict[str, str]:
    from calib import save_rig
    from calib.report import write_report

    out, report, written = results.out, results.report, {}
    if out is not None and outcome.rig is not None:
        save_rig(outcome.rig, out)
        written["rig"] = str(out)
    if report is not None:
        write_report(outcome, report)
        written["report"] = str(report)
    return written
