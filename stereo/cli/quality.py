"""``stereo quality``: how good the depth of a rig is in the field, measured on walls and floors."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import click

from stereo.cli.config import config_options
from stereo.cli.groups import command, json_option, option
from stereo.cli.options import DepthOptions, MatchOptions, PairOptions
from stereo.cli.piping import chosen_pipeline
from stereo.cli.progress import BatchProgress
from stereo.cli.quality_messages import show_quality
from stereo.cli.rig_options import RigOptions
from stereo.cli.run_input import run_input
from stereo.depth import disparity_sigma
from stereo.errors import ImageError, InputError
from stereo.evaluation.quality import quality_facts
from stereo.evaluation.session import QualitySession, Seen
from stereo.pages.quality import Picture, write_page
from stereo.pipeline import StereoPipeline
from stereo.run.pairs import Pair

Region = tuple[int, int, int, int]


def region(ctx: Any, param: Any, value: str | None) -> Region | None:
    """Return (x, y, width, height) of "200,120,400x300". Raises InputError."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+),(\d+),(\d+)x(\d+)", value.strip().lower())
    if found is None or not (int(found[3]) and int(found[4])):
        raise InputError(f"{param.opts[0]} wants X,Y,WIDTHxHEIGHT, such as 200,120,400x300")
    x, y, width, height = (int(number) for number in found.groups())
    return x, y, width, height


def distances(ctx: Any, param: Any, value: str | None) -> tuple[float, ...] | None:
    """Return (0.5, 1.0) of "0.5,1.0". Raises InputError."""
    if value is None:
        return None
    try:
        found = tuple(float(text) for text in value.split(","))
    except ValueError:
        found = (0.0,)
    if not all(0 < number < 1e4 for number in found):
        raise InputError(f"{param.opts[0]} wants metres, such as 1.5 or 0.5,1,2, got {value!r}")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class WallOptions:
    """What is known of the walls."""

    heading: ClassVar[str] = "Wall"
    region: Region | None = option(
        metavar="X,Y,WxH",
        callback=region,
        help="Where the wall is, in the rectified left image.  [default: the largest plane]",
    )
    distance_m: tuple[float, ...] | None = option(
        metavar="M[,M...]",
        callback=distances,
        help="True straight distance from the left camera to each wall, in order, metres.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """What is written."""

    heading: ClassVar[str] = "Output"
    html: Path | None = option(
        type=click.Path(path_type=Path), help="Page with plots to write, .html."
    )


@command("quality")
@click.argument("left")
@click.argument("right", required=False)
@config_options
@json_option()
def quality_command(
    left: str,
    right: str | None,
    *,
    images: PairOptions,
    rig: RigOptions,
    match: MatchOptions,
    depth: DepthOptions,
    wall: WallOptions,
    page: PageOptions,
    as_json: bool,
) -> int:
    """Measure depth quality on views of a wall or floor: fill, noise, accuracy against distance.

    LEFT RIGHT are images, folders or globs as for stereo run, or LEFT alone is recording:DIR, a
    video or a bag. Hold the rig still for some frames at each distance. Each figure stands beside
    what the error bars promised. Exit code 3: they promised less than was measured.
    """
    progress = BatchProgress(quiet=False)
    session = QualitySession(wall.region)
    picture: Picture | None = None
    with ExitStack() as stack:
        given = run_input(stack, left, right, progress.event, composite=images.composite)
        pipeline, _ = chosen_pipeline(given, images, rig, match, depth)
        if pipeline.rectification.geometry is None:
            raise InputError(
                "quality is measured in metres: give --calib RIG, or --rectified with --focal-px "
                "and --baseline-m"
            )
        for pair in given.pairs:
            seen = _seen(pair, pipeline, swap=images.swapped)
            found = None if seen is None else session.add(seen)
            if seen is not None and found is not None and picture is None:
                picture = Picture(seen.name, seen.depth.color, found)
    quality = session.result(wall.distance_m or ())
    if page.html is not None and picture is not None:
        write_page(quality, picture, page.html)
    if as_json:
        click.echo(json.dumps(quality_facts(quality), allow_nan=False))
    else:
        show_quality(quality)
        if page.html is not None:
            click.echo(f"page: {page.html}")
    return 0 if quality.kept else 3


def _seen(pair: Pair, pipeline: StereoPipeline, *, swap: bool) -> Seen | None:
    try:
        result = pipeline.process(pair.read(swap=swap))
    except ImageError as error:
        click.echo(f"set aside: {pair.name}: {error}", err=True)
        return None
    assert result.depth is not None  # the geometry is known
    return Seen(pair.name, result.depth, disparity_sigma(result.disparity.confidence))
