"""``stereo run``: images in; disparity, metric depth and a point cloud out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import click

from calib import PlacedCamera
from calib.words import length, plain
from stereo.cli.config import config_options
from stereo.cli.groups import command, json_option, option
from stereo.cli.options import (
    DepthOptions,
    MatchOptions,
    PairOptions,
    max_relative_sigma_option,
    outputs_option,
)
from stereo.cli.piping import chosen_pipeline
from stereo.cli.progress import (
    BatchOptions,
    BatchProgress,
    jobs_for,
    show_batch,
    show_missing_depth,
    show_warnings,
    split_reports,
)
from stereo.cli.rig_options import RigOptions
from stereo.cli.run_input import run_input
from stereo.cli.run_mcap import check_options, is_mcap, run_into_mcap
from stereo.cli.third import RegisterOptions, registration
from stereo.result import DEFAULT_OUTPUTS, CloudOptions, output_names
from stereo.run.batch import run_batch
from stereo.run.processing import BatchSettings, PairReport, SetAside


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductOptions:
    """What is written."""

    heading: ClassVar[str] = "Output"
    outputs: str = outputs_option(",".join(DEFAULT_OUTPUTS))
    voxel_m: float | None = option(
        type=float, help="Thin the cloud to one point per cube of this side."
    )
    remove_outliers: bool = option(is_flag=True, help="Remove lonely points from the cloud.")
    normals: bool = option(is_flag=True, help="Add normals to the cloud.")
    max_relative_sigma: float = max_relative_sigma_option()

    @property
    def cloud(self) -> CloudOptions:
        """What is done to point clouds."""
        return CloudOptions(
            self.voxel_m, self.remove_outliers, self.normals, self.max_relative_sigma
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultOptions(ProductOptions):
    """And where."""

    out: Path = option(
        "-o",
        "--out",
        type=click.Path(path_type=Path),
        required=True,
        help="Result folder; or FILE.mcap, for ROS 2 and Foxglove.",
    )


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
    third: RegisterOptions,
    results: ResultOptions,
    batch: BatchOptions,
    as_json: bool,
) -> int:
    """Compute depth of the pair LEFT RIGHT: two images, two folders or two globs.

    With --side-by-side LEFT alone is an image, folder or glob. LEFT alone may also be a video,
    recording:DIR, bag:FILE, or a folder with a folder for each side. Several pairs are matched by
    name and go into a folder each; a rerun continues where an earlier one stopped.
    """
    progress = BatchProgress(quiet=batch.quiet)
    if is_mcap(results.out):
        check_options(
            default_outputs=results.outputs == ",".join(DEFAULT_OUTPUTS), cloud=results.cloud
        )
    with ExitStack() as stack:
        camera = third.camera()  # says what is wrong with it before anything is opened
        given = run_input(
            stack, left, right, progress.event, composite=images.composite, third=third.third
        )
        jobs = jobs_for(batch, given.size)
        pipeline, described = chosen_pipeline(
            given, images, rig, match, depth, sequence=batch.sequence
        )
        if camera is not None:
            pipeline = replace(pipeline, registration=registration(camera, pipeline.rectification))
        settings = BatchSettings(
            results.out,
            output_names(results.outputs),
            results.cloud,
            images.swapped,
            described + _described(camera),
        )
        running: Iterator[PairReport | SetAside]
        if is_mcap(results.out):
            running = run_into_mcap(given.pairs, pipeline, settings)
        else:
            running = run_batch(given.pairs, pipeline, settings, jobs=jobs)
        found = list(progress.follow(running, given.total))
    reports, aside = split_reports(found, progress.dropped)
    _show(reports, aside, settings, as_json=as_json, quiet=batch.quiet)
    return 0 if all(report.trusted for report in reports) and not aside else 3


def _described(camera: PlacedCamera | None) -> str:
    """All that decides what is registered."""
    if camera is None:
        return ""
    lens, R, t = camera.camera, camera.R_camera_left, camera.t_camera_left
    return repr([lens.model, lens.size, *(a.tolist() for a in (lens.K, lens.distortion, R, t))])


def _show(
    reports: Sequence[PairReport],
    aside: Sequence[SetAside],
    settings: BatchSettings,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    alone = len(reports) == 1 and not aside
    show_warnings(reports, aside)
    if as_json:
        summaries = [{**r.summary, "folder": str(r.folder), "skipped": r.skipped} for r in reports]
        left_out = [{"name": one.name, "reason": str(one.error)} for one in aside]
        whole = {"pairs": summaries, "set_aside": left_out}
        click.echo(json.dumps(summaries[0] if alone else whole))
    elif quiet:
        return
    elif alone:
        _show_one(reports[0], settings)
    else:
        show_batch(reports, aside, settings)
        _say_left_out(reports)


def _show_one(report: PairReport, settings: BatchSettings) -> None:
    s = report.summary
    click.echo(f"{s['valid_share']:.1%} of {s['size'][0]}x{s['size'][1]} pixels have a disparity")
    if s["depth_m"]:
        d, sigma = s["depth_m"], s["sigma_m"]
        click.echo(
            f"depth {length(d['p5'])} to {length(d['p95'])}, median {length(d['median'])} "
            f"with an error bar of {length(sigma['median'])}"
        )
    show_missing_depth(report, settings)
    _say_left_out([report])
    if is_mcap(settings.out):
        click.echo(f"  {settings.out}")
        return
    for file in [*s["files"].values(), "summary.json"]:
        click.echo(f"  {report.folder / file}")


def _say_left_out(reports: Sequence[PairReport]) -> None:
    """How many points the clouds lack, together."""
    counted = [report.summary for report in reports if report.summary.get("cloud_left_out")]
    if counted:
        share = plain(100 * counted[0]["max_relative_sigma"])
        clouds = "the cloud" if len(reports) == 1 else f"{len(counted)} clouds"
        click.echo(
            f"{sum(s['cloud_left_out'] for s in counted)} points left out of {clouds}: error bar "
            f"above {share} % of depth (--max-relative-sigma)"
        )
