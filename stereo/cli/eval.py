"""``stereo eval``: score a matcher on pairs with ground truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import click

from calib.plain import jsonable
from calib.words import fixed
from stereo.cli.config import config_options
from stereo.cli.groups import command, headed, json_option
from stereo.cli.matching import chosen_matcher
from stereo.cli.options import MatchOptions
from stereo.depth import disparity_sigma
from stereo.errors import InputError
from stereo.evaluation.evaluate import Metrics, evaluate, geometric_mean, mean_of
from stereo.evaluation.manifest import ManifestPair, load_manifest
from stereo.files import outputs
from stereo.matching import make_matcher
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification

_COVERAGE = ("sigma_1", "sigma_2", "sigma_3")
_COLUMNS = tuple(f.name for f in fields(Metrics) if f.name not in (_COVERAGE[0], _COVERAGE[2]))
"""What the table shows; one and three error bars only stand below it and in the JSON."""
_HEADERS = tuple(
    f"{name.removesuffix('_px')}, {'px' if name.endswith('_px') else '%'}" for name in _COLUMNS
)


@command("eval", without=("coarse_to_fine",))
@click.argument("manifest", type=click.Path(path_type=Path))
@config_options
@headed(
    "Output",
    "--save",
    type=click.Path(path_type=Path),
    help="Write NAME.pfm of each pair here.",
)
@json_option()
def eval_command(manifest: Path, *, match: MatchOptions, save: Path | None, as_json: bool) -> None:
    """Match every pair that MANIFEST lists and compare with its ground truth.

    Percentages are of visible pixels. density and sparse are of the map with its holes, dense and
    the rest of the map with our own filling; edge and smooth are of the pixels near steps of depth
    and of those where the image shows nothing to match. ause_px tells how well confidence sorts
    good pixels from bad ones: 0 px is a perfect order. sigma_2 is the share of pixels whose truth
    lies within two error bars.
    """
    name = chosen_matcher(match)
    pairs = load_manifest(manifest)
    if save is not None:
        outputs.make_folder(save)
    width = max(len("pair"), *(len(item.name) for item in pairs))
    scores = {}
    for item in pairs:
        scores[item.name] = _score(item, name, match.params, save, quality=match.quality)
        if not as_json:
            if len(scores) == 1:
                click.echo(_line("pair", _HEADERS, width))
            click.echo(_line(item.name, _cells(scores[item.name]), width))
    summary = _summary(list(scores.values()))
    if as_json:
        pairs_json = {pair: asdict(score) for pair, score in scores.items()}
        click.echo(json.dumps(jsonable({"matcher": name, "pairs": pairs_json, **summary})))
    else:
        mean = Metrics(**summary["mean"])
        click.echo(_line("mean", _cells(mean), width))
        bars = " / ".join(fixed(getattr(mean, name), 1) for name in _COVERAGE)
        click.echo(f"truth within 1 / 2 / 3 error bars: {bars} %")
        click.echo(
            f"geometric mean of dense_2 over pairs: {fixed(summary['dense_2_geometric'], 2)} %"
        )


def _score(
    item: ManifestPair, name: str, params: dict[str, Any], save: Path | None, *, quality: bool
) -> Metrics:
    pair, truth = item.pair(), item.truth()
    if truth.shape != pair.left.shape[:2]:
        raise InputError(
            f"pair {item.name!r}: the truth is {truth.shape[1]}x{truth.shape[0]}, the images are "
            f"{pair.left.shape[1]}x{pair.left.shape[0]}; is ground_truth of another pair?"
        )
    matcher = make_matcher(name, **{"num_disparities": item.num_disparities, **params})
    pipeline = StereoPipeline(Rectification.already_rectified(), matcher, quality=quality)
    refined, filled = pipeline.disparity_and_filled(pair)
    if save is not None:
        outputs.write_disparity_pfm(save / f"{item.name}.pfm", filled.px)
    return evaluate(
        refined.px,
        truth,
        visible=item.visible(truth),
        dense=filled.px,
        confidence=refined.confidence,
        sigma_px=disparity_sigma(refined.confidence),
        image=pair.left,
    )


def _summary(scores: list[Metrics]) -> dict[str, Any]:
    geometric = geometric_mean([score.dense_2 for score in scores])
    return {"mean": asdict(mean_of(scores)), "dense_2_geometric": geometric}


def _cells(score: Metrics) -> list[str]:
    return [fixed(getattr(score, column), 2) for column in _COLUMNS]


def _line(name: str, cells: Sequence[str], width: int) -> str:
    """One line of a table whose lines are printed as they come, so that widths stand before."""
    columns = (
        cell.rjust(max(len(header), 8)) for cell, header in zip(cells, _HEADERS, strict=True)
    )
    return "  ".join([name.ljust(width), *columns])
