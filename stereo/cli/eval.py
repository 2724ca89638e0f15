"""``stereo eval``: score a matcher on pairs with ground truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import click
import numpy as np

from calib.plain import jsonable
from calib.words import fixed
from stereo.cli.config import config_options
from stereo.cli.groups import command, headed, json_option
from stereo.cli.matching import chosen_matcher
from stereo.cli.options import MatchOptions
from stereo.errors import InputError
from stereo.evaluation.evaluate import Metrics, evaluate, geometric_mean
from stereo.evaluation.manifest import ManifestPair, load_manifest
from stereo.files import outputs
from stereo.matching import make_matcher
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification

_COLUMNS = tuple(field.name for field in fields(Metrics))
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
    the rest of the map with our own filling. ause_px tells how well confidence sorts good pixels
    from bad ones: 0 px is a perfect order.
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
        click.echo(_line("mean", _cells(Metrics(**summary["mean"])), width))
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
    )


def _summary(scores: list[Metrics]) -> dict[str, Any]:
    mean = {column: float(np.mean([getattr(s, column) for s in scores])) for column in _COLUMNS}
    return {"mean": mean, "dense_2_geometric": geometric_mean([s.dense_2 for s in scores])}


def _cells(score: Metrics) -> list[str]:
    return [fixed(getattr(score, column), 2) for column in _COLUMNS]


def _line(name: str, cells: Sequence[str], width: int) -> str:
    """One line of a table whose lines are printed as they come, so that widths stand before."""
    columns = (
        cell.rjust(max(len(header), 8)) for cell, header in zip(cells, _HEADERS, strict=True)
    )
    return "  ".join([name.ljust(width), *columns])
