"""``stereo run``: images in; disparity, metric depth and a point cloud out."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from calib import RectifiedRig, StereoRig
from stereo.cli.options import (
    calibration_of,
    chosen_matcher,
    config_options,
    matcher_option,
    matcher_params,
    num_disparities_option,
    quality_option,
    rectification,
    rig_options,
)
from stereo.errors import InputError
from stereo.files.images import find_named_images, find_pairs, image_size
from stereo.matching import (
    AutoRangeMatcher,
    Matcher,
    SearchRange,
    make_matcher,
    search_range_for_depths,
)
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification, Size
from stereo.refining.refine import RefineParams
from stereo.run.batch import BatchSettings, Pair, PairFiles, PairReport, SourcePair, run_batch
from stereo.run.products import DEFAULT_OUTPUTS, OUTPUTS, CloudOptions, output_names
from stereo.sources import SOURCES, Event, open_source
from stereo.sources.files import is_video, sides
from stereo.sources.wrappers import WithFirstFrame


@click.command("run")
@click.argument("left")
@click.argument("right", required=False)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Result folder.")
@click.option("--side-by-side", is_flag=True, help="LEFT holds both images side by side.")
@rig_options
@config_options
@matcher_option
@quality_option
@num_disparities_option
@click.option(
    "--coarse-to-fine/--no-coarse-to-fine",
    default=None,
    help="Match coarsely first, then only around that.  [default: where memory asks for it]",
)
@click.option("--min-disparity", type=int, help="Smallest disparity, pixels.  [default: 0]")
@click.option("--min-depth-m", type=float, default=0.0, help="Nearer is dropped; sets the range.")
@click.option("--max-depth-m", type=float, default=math.inf, help="Farther is dropped.")
@click.option(
    "--surfaces/--no-surfaces",
    default=True,
    help="Planes for textureless regions that could not be matched.  [default: on]",
)
@click.option("--fill", is_flag=True, help="Fill holes from their surroundings.")
@click.option(
    "--outputs",
    default=",".join(DEFAULT_OUTPUTS),
    show_default=True,
    help=f"Comma separated: {', '.join(OUTPUTS)}.",
)
@click.option("--voxel-m", type=float, help="Thin the cloud to one point per cube of this side.")
@click.option("--remove-outliers", is_flag=True, help="Remove lonely points from the cloud.")
@click.option("--normals", is_flag=True, help="Add normals to the cloud.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_context
def run_command(
    ctx: click.Context, /, left: str, right: str | None, out: Path, **options: Any
) -> int:
    """Compute depth of the pair LEFT RIGHT: two images, two folders or two globs.

    With --side-by-side LEFT alone is an image, folder or glob. LEFT alone may also be a video,
    recording:DIR, bag:FILE, or a folder with a folder for each side. Several pairs are matched by
    name and go into a folder each; a rerun continues where an earlier one stopped.
    """
    with ExitStack() as stack:
        pairs: Iterable[Pair]
        spec = _source_spec(left, right, side_by_side=options["side_by_side"])
        if spec is not None:
            source = WithFirstFrame(stack.enter_context(open_source(spec, on_event=_say)))
            pairs = (SourcePair(spec, number, frame) for number, frame in enumerate(source))
            size, total, known = source.first.left.shape[1::-1], None, source.calibration
        else:
            files = _pairs(left, right, side_by_side=options["side_by_side"])
            pairs, size, total, known = files, _pair_size(files[0]), len(files), None
        return _process(ctx, pairs, total, _calibrate(options, size, known), out, options)


def _process(
    ctx: click.Context,
    pairs: Iterable[Pair],
    total: int | None,
    calibrated: tuple[StereoRig | RectifiedRig | None, Rectification],
    out: Path,
    options: dict[str, Any],
) -> int:
    calibration, rect = calibrated
    quality = options["quality"]
    name = chosen_matcher(options["matcher"], quality=quality)
    params = matcher_params(ctx, options["matcher_params"])
    if options["coarse_to_fine"] is not None:
        params["coarse_to_fine"] = options["coarse_to_fine"]
    search = _search_range(options, calibration, rect)
    pipeline = StereoPipeline(
        rect,
        _matcher(name, params, search),
        refine=RefineParams(options["surfaces"], options["fill"], edges=quality),
        prepare=quality,
        min_depth_m=options["min_depth_m"],
        max_depth_m=options["max_depth_m"],
    )
    settings = _settings(out, options, rect, (name, params, search))
    reports = list(_with_progress(run_batch(pairs, pipeline, settings), total))
    _show(reports, settings, as_json=options["as_json"])
    return 0 if all(report.trusted for report in reports) else 3


def _source_spec(left: str, right: str | None, *, side_by_side: bool) -> str | None:
    """The source that is meant; None for plain image files. Raises InputError for a live one."""
    kind = left.partition(":")[0]
    if kind in SOURCES and kind not in ("recording", "bag"):
        raise InputError(
            f"{left}: is live and has no end; use stereo live, or record it first: "
            f"stereo record {left} -o DIR"
        )
    if right is not None:
        return f"{left},{right}" if is_video(left) and is_video(right) else None
    if kind in SOURCES or is_video(left) or (not side_by_side and len(sides(left)) == 2):
        return left
    return None


def _say(event: Event) -> None:
    click.echo(event.line(), err=True)


def _pairs(left: str, right: str | None, *, side_by_side: bool) -> list[PairFiles]:
    if side_by_side:
        if right is not None:
            raise InputError("--side-by-side takes one image, folder or glob; RIGHT is too much")
        return [PairFiles(name, path, None) for name, path in find_named_images(left)]
    if right is None:
        raise InputError("RIGHT is missing; or is LEFT one image of both views? (--side-by-side)")
    listing = find_pairs(left, right)
    for other, lonely in (("right", listing.unmatched_left), ("left", listing.unmatched_right)):
        for path in lonely:
            click.echo(f"warning: {path} has no partner among the {other} images", err=True)
    return [PairFiles(*pair) for pair in listing.pairs]


def _pair_size(pair: PairFiles) -> Size:
    """(width, height) of one view, from the file's header."""
    width, height = image_size(pair.left)
    return (width // 2, height) if pair.right is None else (width, height)


def _calibrate(
    options: dict[str, Any], size: Size, known: StereoRig | RectifiedRig | None
) -> tuple[StereoRig | RectifiedRig | None, Rectification]:
    calibration = calibration_of(options, size, known)
    rect = rectification(calibration, alpha=options["alpha"], rescale=options["rescale"], size=size)
    return calibration, rect


def _matcher(name: str, params: dict[str, Any], search: SearchRange | None) -> Matcher:
    if search is None:
        return AutoRangeMatcher(name, **params)
    return make_matcher(
        name,
        min_disparity=search.min_disparity,
        num_disparities=search.num_disparities,
        **params,
    )


def _search_range(
    options: dict[str, Any], calibration: StereoRig | RectifiedRig | None, rect: Rectification
) -> SearchRange | None:
    """As told; else from the depths of interest; else as the calibration file says; else None."""
    count, low = options["num_disparities"], options["min_disparity"]
    if isinstance(count, int):
        return SearchRange(low or 0, count)
    if count is None and options["min_depth_m"] > 0 and rect.geometry is not None:
        found = search_range_for_depths(
            rect.geometry,
            min_depth_m=options["min_depth_m"],
            max_depth_m=options["max_depth_m"],
        )
        return found if low is None else SearchRange(low, found.max_disparity - low + 1)
    if count is None and isinstance(calibration, RectifiedRig) and calibration.num_disparities:
        return SearchRange(low or 0, calibration.num_disparities)
    if low is not None:
        raise InputError("--min-disparity needs --num-disparities; without both they are found")
    return None


def _settings(
    out: Path, options: dict[str, Any], rect: Rectification, matching: tuple[Any, ...]
) -> BatchSettings:
    decides = (
        *("calib", "alpha", "rescale", "surfaces", "fill", "quality"),
        *("min_depth_m", "max_depth_m"),
    )
    return BatchSettings(
        out,
        output_names(options["outputs"]),
        CloudOptions(options["voxel_m"], options["remove_outliers"], options["normals"]),
        options["swap"],
        repr([*(options[name] for name in decides), matching, rect.geometry, rect.R_rect_left]),
    )


def _with_progress(reports: Iterator[PairReport], total: int | None) -> Iterator[PairReport]:
    """A bar on a terminal, a line a pair elsewhere, nothing for a single pair."""
    if total == 1:
        yield from reports
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(reports, "matching", total=total, console=Console(stderr=True))
    else:
        for number, report in enumerate(reports, 1):
            note = " (done before)" if report.skipped else ""
            of = "" if total is None else f"/{total}"
            click.echo(f"{number}{of} {report.name}{note}", err=True)
            yield report


def _show(reports: Sequence[PairReport], settings: BatchSettings, *, as_json: bool) -> None:
    for report in reports:
        for warning in report.summary["warnings"]:
            click.echo(f"warning: {report.name}: {warning}", err=True)
    if as_json:
        summaries = [{**r.summary, "folder": str(r.folder), "skipped": r.skipped} for r in reports]
        click.echo(json.dumps(summaries[0] if len(summaries) == 1 else {"pairs": summaries}))
    elif len(reports) == 1:
        _show_one(reports[0], settings)
    else:
        done = sum(not report.skipped for report in reports)
        click.echo(f"{done} pairs done, {len(reports) - done} done before -> {settings.out}")


def _show_one(report: PairReport, settings: BatchSettings) -> None:
    s = report.summary
    click.echo(f"{s['valid_share']:.1%} of {s['size'][0]}x{s['size'][1]} pixels have a disparity")
    if s["depth_m"]:
        d, sigma = s["depth_m"], s["sigma_m"]
        click.echo(
            f"depth {d['p5']:.3g} to {d['p95']:.3g} m, median {d['median']:.3g} m "
            f"with an error bar of {1000 * sigma['median']:.3g} mm"
        )
    elif "why_no_depth" in s:
        click.echo(f"no metric depth: {s['why_no_depth']}")
        skipped = [name for name in settings.outputs if OUTPUTS[name].needs_depth]
        if skipped:
            click.echo(f"not written: {', '.join(skipped)}")
    for file in [*s["files"].values(), "summary.json"]:
        click.echo(f"  {report.folder / file}")
