"""``stereo eval``: score a matcher, or maps that somebody made, on pairs with ground truth."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from calib.plain import jsonable
from calib.words import fixed, length, table
from stereo.cli.config import config_options
from stereo.cli.eval_options import (
    METRICS,
    TableOptions,
    cell,
    dataset_option,
    each_readable,
    headers,
)
from stereo.cli.groups import command, headed, json_option
from stereo.cli.matching import chosen_matcher
from stereo.cli.options import MatchOptions
from stereo.errors import InputError
from stereo.evaluation.estimates import Estimator, Matching, Predictions
from stereo.evaluation.evaluate import Metrics, geometric_mean, mean_of
from stereo.evaluation.layouts import load_pairs
from stereo.evaluation.scoring import Score, Scored, score_pair
from stereo.files import outputs
from stereo.files.atomic import write_whole
from stereo.pages.evaluation import EvaluationPage

_COVERAGE = ("sigma_1", "sigma_2", "sigma_3")


@command("eval", without=("coarse_to_fine",))
@click.argument("manifest", metavar="MANIFEST|DATASET", type=click.Path(path_type=Path))
@dataset_option()
@config_options
@headed(
    "Input",
    "--predictions",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Score the maps in this folder instead: NAME.pfm, .png (px x 256), .npy, .npz.",
)
@headed(
    "Output",
    "--save",
    type=click.Path(path_type=Path),
    help="Write NAME.pfm of each pair here.",
)
@headed("Output", "--all-metrics", is_flag=True, help="Show every figure: mean, best, worst pair.")
@json_option()
def eval_command(
    manifest: Path,
    *,
    dataset: str | None,
    predictions: Path | None,
    match: MatchOptions,
    shown: TableOptions,
    save: Path | None,
    all_metrics: bool,
    as_json: bool,
) -> int:
    """Match every pair of MANIFEST, or of a DATASET's folder, and compare with its ground truth.

    Percentages are of visible pixels. density and sparse are of the map with its holes, dense and
    the rest of the map with our own filling; edge and smooth are of the pixels near steps of depth
    and of those where the image shows nothing to match. ause_px tells how well confidence sorts
    good pixels from bad ones: 0 px is a perfect order. sigma_2 is the share of pixels whose truth
    lies within two error bars. docs/evaluation.md explains every figure. Exit code 3: pairs
    with damaged files were set aside, the figures are of the others.
    """
    columns = shown.chosen()
    judged = _judged(match, predictions)
    pairs = load_pairs(manifest, dataset)
    judged.check(pairs)
    if save is not None:
        outputs.make_folder(save)
    page = None if shown.html is None else EvaluationPage(judged.name)
    width = max(len("pair"), *(len(item.name) for item in pairs))
    scores: list[Score] = []
    aside: dict[str, str] = {}
    for item, scored in each_readable(pairs, partial(score_pair, estimator=judged), aside):
        _keep(scored, save, page)
        scores.append(scored.score)
        if not as_json:
            if len(scores) == 1:
                click.echo(_line("pair", headers(columns), columns, width))
            cells = _cells(scored.score.metrics, columns)
            click.echo(_line(item.name, cells, columns, width))
    mean = mean_of([score.metrics for score in scores])
    if shown.csv is not None:
        write_whole(shown.csv, _csv(scores, mean).encode())
    if page is not None and shown.html is not None:
        page.write(shown.html)
    if as_json:
        facts = _facts(judged.name, scores, mean) | {"set_aside": aside}
        click.echo(json.dumps(jsonable(facts)))
        return 3 if aside else 0
    click.echo(_line("mean", _cells(mean, columns), columns, width))
    if all_metrics:
        click.echo("\n".join(["", *_every_figure(scores, mean), ""]))
    for line in _below(scores, mean):
        click.echo(line)
    return 3 if aside else 0


def _judged(match: MatchOptions, predictions: Path | None) -> Estimator:
    if predictions is not None:
        if match.matcher is not None or match.quality or match.params:
            raise InputError(
                "--predictions are scored as they are: leave the matcher's options out"
            )
        return Predictions(predictions)
    name = chosen_matcher(match)
    return Matching(name, name, match.params, match.quality)


def _keep(scored: Scored, save: Path | None, page: EvaluationPage | None) -> None:
    if save is not None:
        outputs.write_disparity_pfm(save / f"{scored.score.name}.pfm", scored.filled)
    if page is not None:
        page.add(scored)


def _facts(name: str, scores: Sequence[Score], mean: Metrics) -> dict[str, Any]:
    return {
        "matcher": name,
        "pairs": {score.name: score.facts() for score in scores},
        "mean": asdict(mean),
        "dense_2_geometric": geometric_mean([score.metrics.dense_2 for score in scores]),
    }


def _csv(scores: Sequence[Score], mean: Metrics) -> str:
    """Every figure, empty where there is none; the last line is the mean."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["pair", *METRICS, "time_s", "peak_memory_mb"])
    lines = [(s.name, s.metrics, [s.time_s, s.peak_memory_mb]) for s in scores]
    for name, metrics, rest in [*lines, ("mean", mean, [])]:
        values = [*asdict(metrics).values(), *rest]
        writer.writerow([name, *("" if value != value else repr(value) for value in values)])
    return text.getvalue()


def _every_figure(scores: Sequence[Score], mean: Metrics) -> list[str]:
    """One line a figure: its mean, its best and its worst pair."""
    rows = []
    for name, header in zip(METRICS, headers(METRICS), strict=True):
        known = [
            (getattr(score.metrics, name), score.name)
            for score in scores
            if getattr(score.metrics, name) == getattr(score.metrics, name)
        ]
        if known:
            more_is_better = name == "density" or name in _COVERAGE
            best, worst = sorted((min(known), max(known)), reverse=more_is_better)
            ends = (f"{cell(name, value)} {pair}" for value, pair in (best, worst))
            rows.append((header, cell(name, getattr(mean, name)), *ends))
    return table(("figure", "mean", "best pair", "worst pair"), rows)


def _below(scores: Sequence[Score], mean: Metrics) -> list[str]:
    lines = []
    if mean.sigma_2 == mean.sigma_2:
        bars = " / ".join(fixed(getattr(mean, name), 1) for name in _COVERAGE)
        lines.append(f"truth within 1 / 2 / 3 error bars: {bars} %")
    if mean.depth_mae_m == mean.depth_mae_m:
        lines.append(
            f"depth, where calibrated: mean error {length(mean.depth_mae_m)} "
            f"({fixed(mean.depth_mae_percent, 2)} %), median {length(mean.depth_median_m)} "
            f"({fixed(mean.depth_median_percent, 2)} %)"
        )
    times = [score.time_s for score in scores if score.time_s == score.time_s]
    if times:
        memory = max(score.peak_memory_mb for score in scores)
        lines.append(
            f"time: {fixed(sum(times) / len(times), 3)} s a pair, "
            f"at most {fixed(max(times), 3)} s; peak memory {fixed(memory, 0)} MB"
        )
    dense = geometric_mean([score.metrics.dense_2 for score in scores])
    return [*lines, f"geometric mean of dense_2 over pairs: {fixed(dense, 2)} %"]


def _cells(metrics: Metrics, columns: Sequence[str]) -> list[str]:
    return [cell(column, getattr(metrics, column)) for column in columns]


def _line(name: str, cells: Sequence[str], columns: Sequence[str], width: int) -> str:
    """One line of a table whose lines are printed as they come, so that widths stand before."""
    wide = (max(len(header), 8) for header in headers(columns))
    return "  ".join([name.ljust(width), *(c.rjust(w) for c, w in zip(cells, wide, strict=True))])
