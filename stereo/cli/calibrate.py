"""``stereo calibrate``: from images of a board to a rig, and how far to trust it."""

from __future__ import annotations

import glob
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stereo.cli.options import opened_as, source_options
from stereo.errors import InputError

if TYPE_CHECKING:
    from calib.calibrate import ImagePair
    from calib.camera import Camera
    from calib.outcome import Outcome

_MODELS = ("auto", "pinhole5", "pinhole8", "pinhole12", "pinhole14", "fisheye")
UNTRUSTED = 3


@click.command("calibrate")
@click.argument("images", nargs=-1)
@click.option("--board", "board", help="Such as chessboard:9x6:25mm; auto or auto:25mm to find it.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Rig file to write.")
@click.option("--report", type=click.Path(path_type=Path), help="HTML page to write.")
@click.option("--model", type=click.Choice(_MODELS), default="auto", show_default=True)
@click.option(
    "--warp",
    type=click.Choice(("auto", "flat", "bent")),
    default="auto",
    show_default=True,
    help="Whether the board may be bent; auto: where views left out say so.",
)
@click.option("--intrinsics", type=click.Path(), help="Rig file whose lenses are kept as they are.")
@click.option("--baseline-mm", type=float, help="Known distance of the cameras, to check against.")
@click.option("--continue", "old", type=click.Path(), help="Rig file whose views are used too.")
@click.option("--no-cache", is_flag=True, help="Detect again, even in images seen before.")
@click.option("--live", metavar="SOURCE", help="Take the views from a running camera.")
@click.option("--target", "targets", multiple=True, metavar="2m:1%", help="Live: end when met.")
@click.option("--max-views", type=int, default=60, show_default=True, help="Live: end then.")
@click.option("--keep", type=click.Path(path_type=Path), help="Live: folder for the images taken.")
@click.option("--view", type=click.Choice(("window", "web", "none")), help="Live: where to look.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Live, web: who may look.")
@click.option("--port", type=int, default=8080, show_default=True, help="Live, web; 0: any free.")
@click.option("--swap", is_flag=True, help="Live: exchange left and right.")
@source_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def calibrate_command(
    images: tuple[str, ...],
    board: str | None,
    out: Path | None,
    report: Path | None,
    model: str,
    warp: Any,
    intrinsics: str | None,
    baseline_mm: float | None,
    old: str | None,
    no_cache: bool,
    as_json: bool,
    live: str | None,
    **live_options: Any,
) -> int:
    """Calibrate a stereo rig from IMAGES of a board, or with --live from a running camera.

    IMAGES is a left and a right pattern in quotes ('left*.png' 'right*.png'), two folders, one
    folder with left and right inside, or one folder of side-by-side images. Pairs are matched by
    the last number in their names. Exit code 3: done, but do not trust it.
    """
    from calib.calibrate import calibrate_files
    from calib.detection.files import default_cache

    known = _cameras(intrinsics)
    if live is not None:
        if images or old:
            raise InputError("--live takes its views from the source: drop IMAGES and --continue")
        solve = {"model": model, "deformation": warp, "intrinsics": known}
        solve["baseline_m"] = None if baseline_mm is None else baseline_mm / 1e3
        live_options["as_json"] = as_json
        return _live(live, board, solve, live_options, partial(_finish, out, report, as_json))
    for name in ("targets", "keep", "view"):
        if live_options[name]:
            raise InputError(f"--{name.removesuffix('s')} needs --live SOURCE")
    earlier = _load(old) if old else None
    if board is None and earlier is None:
        raise InputError("give --board, such as chessboard:9x6:25mm (inner corners), or auto")
    with _sides(images) as (left, right), _progress() as tell:
        pairs, unpaired = _pairs_of(left, right)
        outcome = calibrate_files(
            pairs,
            board or "continued",
            unpaired=unpaired,
            model=model,
            deformation=warp,
            intrinsics=known,
            baseline_m=None if baseline_mm is None else baseline_mm / 1e3,
            cache=None if no_cache else default_cache(),
            progress=tell,
            earlier=earlier,
        )
        return _finish(out, report, as_json, outcome)


def _live(
    spec: str,
    board: str | None,
    solve: dict[str, Any],
    options: dict[str, Any],
    finish: Callable[[Outcome], int],
) -> int:
    from calib.board import parse_board
    from calib.calibrate import calibrate_views
    from stereo.cli.calibrate_live import LiveView, calibrate_live
    from stereo.live.calibration import LiveCalibration, Target

    if board is None or board.lower().startswith("auto"):
        raise InputError("--live needs the board: --board chessboard:9x6:25mm (inner corners)")
    calibration = LiveCalibration(
        parse_board(board),
        [Target.parse(text) for text in options["targets"]],
        options["max_views"],
        solve=partial(calibrate_views, **solve),
    )
    return calibrate_live(
        spec,
        calibration,
        options=opened_as(options),
        view=LiveView(options["view"], options["host"], options["port"]),
        keep=options["keep"],
        as_json=options["as_json"],
        finish=finish,
    )


def _finish(out: Path | None, report: Path | None, as_json: bool, outcome: Outcome) -> int:
    """Write and show what came of it; returns the exit code."""
    written = _write(outcome, out, report)
    if as_json:
        click.echo(json.dumps({**outcome.summary(), **written}, allow_nan=False))
    else:
        _show(outcome, written)
    return 0 if outcome.trusted else UNTRUSTED


def _load(path: str) -> Any:
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


def _write(outcome: Outcome, out: Path | None, report: Path | None) -> dict[str, str]:
    from calib import save_rig
    from calib.report import write_report

    written = {}
    if out is not None and outcome.rig is not None:
        save_rig(outcome.rig, out)
        written["rig"] = str(out)
    if report is not None:
        write_report(outcome, report)
        written["report"] = str(report)
    return written


# -- input -----------------------------------------------------------------------------------


@contextmanager
def _sides(images: tuple[str, ...]) -> Iterator[tuple[list[Path], list[Path]]]:
    """Left and right files of what was named on the command line."""
    if not images:
        raise InputError("give the images of the board, or --live SOURCE")
    if len(images) == 2:
        yield _files(images[0]), _files(images[1])
    elif len(images) == 1:
        with tempfile.TemporaryDirectory(prefix="stereo-") as scratch:
            yield _one_folder(Path(images[0]), Path(scratch))
    else:
        raise InputError(
            f"expected a left and a right pattern or one folder, got {len(images)} names; "
            "put patterns in quotes so that the shell leaves them alone: 'left*.png' 'right*.png'"
        )


def _files(pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_dir():
        found = _images(path)
    else:
        found = sorted(Path(name) for name in glob.glob(pattern, recursive=True))  # noqa: PTH207
    if not found:
        raise InputError(f"{pattern}: no images there")
    return found


def _images(folder: Path) -> list[Path]:
    from stereo.files.imagefile import SUFFIXES

    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())


def _one_folder(folder: Path, scratch: Path) -> tuple[list[Path], list[Path]]:
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder, or a left and a right pattern")
    for a, b in (("left", "right"), ("l", "r"), ("cam0", "cam1"), ("image_0", "image_1")):
        subfolders = {p.name.lower(): p for p in folder.iterdir() if p.is_dir()}
        if a in subfolders and b in subfolders:
            return _images(subfolders[a]), _images(subfolders[b])
    found = _images(folder)
    left = [p for p in found if p.stem.lower().startswith("left")]
    right = [p for p in found if p.stem.lower().startswith("right")]
    if left and right:
        return left, right
    if not found:
        raise InputError(f"{folder}: no images, and no folders left and right, in it")
    return _split(found, scratch)


def _pairs_of(left: list[Path], right: list[Path]) -> tuple[list[ImagePair], list[Path]]:
    """By the last number in each name, or by place where there is none; and what is left over."""
    from calib.calibrate import ImagePair

    one, two = _numbered(left), _numbered(right)
    if one is None or two is None:
        one, two = dict(enumerate(sorted(left))), dict(enumerate(sorted(right)))
    pairs = [ImagePair(one[k].stem, one[k], two[k]) for k in sorted(one.keys() & two.keys())]
    over = [
        here[k] for here, there in ((one, two), (two, one)) for k in sorted(here.keys() - there)
    ]
    return pairs, over


def _numbered(paths: list[Path]) -> dict[int, Path] | None:
    numbers: dict[int, Path] = {}
    for path in paths:
        digits = re.findall(r"\d+", path.stem)
        if not digits or int(digits[-1]) in numbers:
            return None
        numbers[int(digits[-1])] = path
    return numbers


def _split(found: list[Path], scratch: Path) -> tuple[list[Path], list[Path]]:
    """Halves of side-by-side images as files of their own."""
    import cv2

    from calib.detection.files import read_gray

    sides: tuple[list[Path], list[Path]] = ([], [])
    for path in found:
        gray = read_gray(path)
        if gray is None or gray.shape[1] % 2 or gray.shape[1] < 1.5 * gray.shape[0]:
            shape = "unreadable" if gray is None else f"{gray.shape[1]}x{gray.shape[0]}"
            raise InputError(
                f"{path}: expected two images side by side, of even width, got {shape}"
            )
        half = gray.shape[1] // 2
        for side, name, part in ((0, "left", gray[:, :half]), (1, "right", gray[:, half:])):
            target = scratch / name / f"{path.stem}.png"
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(bytes(cv2.imencode(".png", part)[1]))
            sides[side].append(target)
    return sides


# -- output ----------------------------------------------------------------------------------


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar on stderr where somebody looks at it, else nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking for the board", total=None)

        def tell(_stage: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield tell


def _show(outcome: Outcome, written: dict[str, str]) -> None:
    s = outcome.summary()
    click.echo(f"{s['grade'].upper()}. {s['verdict']}")
    if outcome.quality is not None:
        rms, unit = s["reprojection_rms_px"], "m" if s["unit"] == "m" else "board units"
        click.echo(
            f"  model     {s['model']}{', board bent' if s['board_bent'] else ''}; "
            f"{s['views_used']} of {s['pairs_offered']} pairs"
        )
        click.echo(f"  baseline  {_length(s['baseline_m'], s['baseline_sigma_m'], s['unit'])}")
        click.echo(
            f"  focal     {s['focal_px']['left'][0]:.2f} px left, "
            f"{s['focal_px']['right'][0]:.2f} px right"
        )
        click.echo(
            f"  rms       {rms['left']:.3f} left, {rms['right']:.3f} right, "
            f"{rms['joint']:.3f} joint, {rms['held_out']:.3f} px on views left out"
        )
        click.echo(f"  rows      {s['row_error_px']:.3f} px on views left out")
        click.echo("  expected depth error (calibration and 0.25 px of matching noise):")
        for row in s["depth_error"]:
            if row["sigma_mm"] is None:
                continue
            scale, name = (1, "mm") if s["unit"] == "m" else (1e-3, unit)
            click.echo(
                f"    at {row['distance_m']:6.4g} {unit}: {row['sigma_mm'] * scale:9.3g} {name}  "
                f"{row['percent']:6.2f} %"
            )
    for finding in outcome.findings:
        click.echo(
            f"  {'STOP' if finding.stops else 'note'}      {finding.cause}: {finding.message}"
        )
    for r in outcome.rejected:
        click.echo(f"  not used  {r.name}: {r.reason}")
    click.echo(f"  next      {s['advice']}")
    for what, path in written.items():
        click.echo(f"  {what:8}  {path}")


def _length(value: float, sigma: float, unit: str) -> str:
    if unit == "m":
        return f"{value * 1e3:.3f} mm, plus or minus {sigma * 1e3:.3f}"
    return f"{value:.4f} board units, plus or minus {sigma:.4f} (their length was not given)"
