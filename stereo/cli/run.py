"""``stereo run``: images in; disparity, metric depth and a point cloud out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import click

from calib import RectifiedRig, StereoRig
from stereo.cli.config import config_options
from stereo.cli.groups import command, json_option, option
from stereo.cli.matching import chosen_matcher, told_range
from stereo.cli.messages import print_event
from stereo.cli.options import (
    DepthOptions,
    MatchOptions,
    PairOptions,
    RigOptions,
    outputs_option,
)
from stereo.cli.rig import calibration_of, rectification
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
from stereo.sources import SOURCES, open_source
from stereo.sources.files import is_video, sides
from stereo.sources.tap import Peeked


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultOptions:
    """What is written, and where."""

    heading: ClassVar[str] = "Output"
    out: Path = option(
        "-o", "--out", type=click.Path(path_type=Path), required=True, help="Result folder."
    )
    outputs: str = outputs_option(",".join(DEFAULT_OUTPUTS))
    voxel_m: float | None = option(
        type=float, help="Thin the cloud to one point per cube of this side."
    )
    remove_outliers: bool = option(is_flag=True, help="Remove lonely points from the cloud.")
    normals: bool = option(is_flag=True, help="Add normals to the cloud.")


@dataclass(frozen=True, slots=True)
class _Input:
    """What is to be processed."""

    pairs: Iterable[Pair]
    total: int | None
    """How many; None: nobody knows."""
    size: Size
    """(width, height) of one view."""
    calibration: StereoRig | RectifiedRig | None = None
    """What the source knows about its own cameras."""


@command("run")
@click.argument("left")
@click.argument("right", required=False)
@config_options
@json_option()
def run_command(
    left: str,
    right: str | None,
    *,
    images: PairOptions,
    rig: RigOptions,
    match: MatchOptions,
    depth: DepthOptions,
    results: ResultOptions,
    as_json: bool,
) -> int:
    """Compute depth of the pair LEFT RIGHT: two images, two folders or two globs.

    With --side-by-side LEFT alone is an image, folder or glob. LEFT alone may also be a video,
    recording:DIR, bag:FILE, or a folder with a folder for each side. Several pairs are matched by
    name and go into a folder each; a rerun continues where an earlier one stopped.
    """
    with ExitStack() as stack:
        given = _input(stack, left, right, side_by_side=images.side_by_side)
        calibration = calibration_of(rig, given.size, given.calibration)
        rect = rectification(calibration, rig, given.size)
        name, search = chosen_matcher(match), _search_range(depth, calibration, rect)
        pipeline = StereoPipeline(
            rect,
            _matcher(name, match.params, search),
            refine=RefineParams(depth.surfaces, depth.fill, edges=match.quality),
            prepare=match.quality,
            min_depth_m=depth.min_depth_m,
            max_depth_m=depth.max_depth_m,
        )
        decides = (
            *(rig.calib, rig.alpha, rig.rescale, depth.surfaces, depth.fill, match.quality),
            *(depth.min_depth_m, depth.max_depth_m, (name, match.params, search)),
            *(rect.geometry, rect.R_rect_left),
        )
        settings = _settings(results, images.swap, repr([*decides]))
        reports = list(_with_progress(run_batch(given.pairs, pipeline, settings), given.total))
    _show(reports, settings, as_json=as_json)
    return 0 if all(report.trusted for report in reports) else 3


def _input(stack: ExitStack, left: str, right: str | None, *, side_by_side: bool) -> _Input:
    """What LEFT and RIGHT name; a source stays open as long as the stack."""
    spec = _source_spec(left, right, side_by_side=side_by_side)
    if spec is None:
        files = _pairs(left, right, side_by_side=side_by_side)
        return _Input(files, len(files), _pair_size(files[0]))
    source = Peeked(stack.enter_context(open_source(spec, on_event=print_event)))
    pairs = (SourcePair(spec, number, frame) for number, frame in enumerate(source))
    return _Input(pairs, None, source.view_size, source.calibration)


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
    depth: DepthOptions, calibration: StereoRig | RectifiedRig | None, rect: Rectification
) -> SearchRange | None:
    """As told; else from the depths of interest; else as the calibration file says; else None."""
    low = depth.min_disparity
    if depth.num_disparities is None:
        if depth.min_depth_m > 0 and rect.geometry is not None:
            found = search_range_for_depths(
                rect.geometry, min_depth_m=depth.min_depth_m, max_depth_m=depth.max_depth_m
            )
            return found if low is None else SearchRange(low, found.max_disparity - low + 1)
        if isinstance(calibration, RectifiedRig) and calibration.num_disparities:
            return SearchRange(low or 0, calibration.num_disparities)
    return told_range(depth)


def _settings(results: ResultOptions, swap: bool, decides: str) -> BatchSettings:
    return BatchSettings(
        results.out,
        output_names(results.outputs),
        CloudOptions(results.voxel_m, results.remove_outliers, results.normals),
        swap,
        decides,
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
