"""``stereo compare``: matchers, parameter files and predictions side by side."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from calib.plain import jsonable
from calib.words import fixed, table
from stereo.cli.candidates import candidate
from stereo.cli.eval_options import METRICS, cell, dataset_option, each_readable, headers
from stereo.cli.groups import command, headed, json_option
from stereo.errors import InputError
from stereo.evaluation.compare import Compared, Difference, compare_pair, differences, unique_names
from stereo.evaluation.layouts import load_pairs
from stereo.evaluation.manifest import ManifestPair
from stereo.files.atomic import write_whole
from stereo.files.pairing import find_pairs
from stereo.files.urls import UrlPath
from stereo.pages.comparison import ComparisonPage
from stereo.run.lists import PairList

_LISTS = (".csv", ".jsonl", ".ndjson")
_BLIND = ("density", "photometric_gray", "time_s")
"""Figures that need no truth."""
_SHOWN = (
    *("dense_1", "dense_2", "dense_mae_px", "all_2", "d1_all", "edge_2", "smooth_2"),
    *("ause_px", *_BLIND),
)
Figures = list[tuple[dict[str, float], ...]]


@command("compare")
@click.argument("candidates", nargs=-1, required=True)
@headed(
    "Input",
    "--on",
    type=click.Path(path_type=Path),
    metavar="PAIRS",
    help="Manifest, data set's folder, or CSV or JSON-lines list without truth.",
)
@headed("Input", "--left", metavar="IMAGES", help="Left images without truth: folder or glob.")
@headed("Input", "--right", metavar="IMAGES", help="Right images.")
@dataset_option()
@headed(
    "Output",
    "--metric",
    default=None,
    metavar="NAME",
    help="What is shown of each pair.  [default: dense_2 or photometric_gray]",
)
@headed(
    "Output",
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write every figure of each pair and candidate.",
)
@headed(
    "Output",
    "--html",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a page with pictures where they differ most.",
)
@json_option()
def compare_command(
    candidates: tuple[str, ...],
    *,
    on: Path | None,
    left: str | None,
    right: str | None,
    dataset: str | None,
    metric: str | None,
    csv_file: Path | None,
    html: Path | None,
    as_json: bool,
) -> int:
    """Compare CANDIDATES on the same pairs: each with the first.

    A candidate is a matcher's name, a file.toml as --config reads it, or a folder of predictions.
    Differences stand with the 95 % interval of their mean over the pairs. Pairs without truth show
    where the candidates disagree, and how well the two images agree at what each says is the same
    point (photometric_gray, in gray levels, over the pixels that all of them know). Exit code
    3: pairs with damaged files were set aside.
    """
    if len(candidates) < 2:
        raise InputError("compare needs two candidates, such as: stereo compare sgm sgbm --on ...")
    pairs = _pairs(on, left, right, dataset)
    judged = [candidate(given) for given in candidates]
    names = unique_names(judged, candidates)
    for one in judged:
        one.check(pairs)
    blind = "ground_truth" not in pairs[0].entry
    chosen = metric or ("photometric_gray" if blind else "dense_2")
    known = (*(_BLIND if blind else (*METRICS, *_BLIND)),)
    if chosen not in known:
        raise InputError(f"--metric {chosen!r}: known here are {', '.join(known)}")
    page = None if html is None else ComparisonPage(names, chosen)
    figures: Figures = []
    width = max(len("pair"), len("mean"), *(len(item.name) for item in pairs))
    aside: dict[str, str] = {}
    done: list[ManifestPair] = []
    for item, compared in each_readable(pairs, partial(compare_pair, candidates=judged), aside):
        done.append(item)
        figures.append(compared.figures)
        if page is not None:
            page.add(compared)
        if not as_json:
            if len(figures) == 1:
                click.echo(f"{headers([chosen])[0]} of each pair")
                click.echo(_line("pair", names, names, width))
            click.echo(_row(compared, chosen, names, width))
    shown = tuple(dict.fromkeys((chosen, *(_BLIND if blind else _SHOWN))))
    found = [differences(figures, other, shown) for other in range(1, len(names))]
    if csv_file is not None:
        write_whole(csv_file, _csv(done, names, figures).encode())
    if page is not None and html is not None:
        page.write(html, found)
    if as_json:
        facts = _facts(done, names, figures, found) | {"set_aside": aside}
        click.echo(json.dumps(jsonable(facts)))
        return 3 if aside else 0
    for other, differs in enumerate(found, 1):
        click.echo("")
        for line in _summary(names, other, differs, figures):
            click.echo(line)
    return 3 if aside else 0


def _pairs(
    on: Path | None, left: str | None, right: str | None, dataset: str | None
) -> list[ManifestPair]:
    """What is compared on. Raises InputError unless it is named in one way."""
    if (on is None) == (left is None) or (left is None) != (right is None):
        raise InputError("say on which pairs: either --on PAIRS, or --left IMAGES --right IMAGES")
    if left is not None and right is not None:
        found = find_pairs(left, right)
        listed = [(name, one, two) for name, one, two in found.pairs]
    elif on is not None and on.suffix.lower() in _LISTS:
        listed = []
        for each in PairList(on):
            if each.right is None:
                raise InputError(f"{on}: pair {each.name!r}: names no right image")
            if isinstance(each.left, UrlPath) or isinstance(each.right, UrlPath):
                raise InputError(f"{on}: pair {each.name!r}: lies at a web address; fetch it first")
            listed.append((each.name, each.left, each.right))
    else:
        assert on is not None
        return load_pairs(on, dataset)
    if not listed:
        raise InputError(f"{on or left}: holds no pairs")
    return [
        ManifestPair(name, Path(), {"left": str(one), "right": str(two)})
        for name, one, two in listed
    ]


def _row(compared: Compared, chosen: str, names: Sequence[str], width: int) -> str:
    cells = [cell(chosen, figure[chosen]) for figure in compared.figures]
    return _line(compared.item.name, cells, names, width)


def _line(name: str, cells: Sequence[str], names: Sequence[str], width: int) -> str:
    wide = (max(len(each), 8) for each in names)
    return "  ".join([name.ljust(width), *(c.rjust(w) for c, w in zip(cells, wide, strict=True))])


def _summary(
    names: Sequence[str], other: int, found: Sequence[Difference], figures: Figures
) -> list[str]:
    header = ("figure", names[0], names[other], "difference", "95 % interval", "pairs", "")
    rows = [
        (
            headers([one.figure])[0],
            cell(one.figure, one.first),
            cell(one.figure, one.other),
            _signed(one.figure, one.mean),
            _interval(one),
            f"larger on {one.larger}, smaller on {one.smaller} of {one.pairs}",
            one.verdict,
        )
        for one in found
    ]
    apart = sum(pair[other]["disagreement"] for pair in figures) / len(figures)
    return [
        f"{names[other]} against {names[0]}, over {len(figures)} pairs",
        *table(header, rows),
        f"they differ by more than 1 px on {fixed(apart, 2)} % of the pixels that both know",
    ]


def _interval(one: Difference) -> str:
    if one.low != one.low:
        return "-"
    return f"{_signed(one.figure, one.low)} to {_signed(one.figure, one.high)}"


def _signed(name: str, value: float) -> str:
    text = cell(name, value)
    return text if text.startswith("-") or not text.strip("0.") else f"+{text}"


def _facts(
    pairs: Sequence[ManifestPair],
    names: Sequence[str],
    figures: Figures,
    found: Sequence[Sequence[Difference]],
) -> dict[str, object]:
    return {
        "candidates": list(names),
        "pairs": {
            item.name: dict(zip(names, each, strict=True))
            for item, each in zip(pairs, figures, strict=True)
        },
        "differences": {
            name: {one.figure: asdict(one) | {"verdict": one.verdict} for one in differs}
            for name, differs in zip(names[1:], found, strict=True)
        },
    }


def _csv(pairs: Sequence[ManifestPair], names: Sequence[str], figures: Figures) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["pair", "candidate", *figures[0][0]])
    for item, each in zip(pairs, figures, strict=True):
        for name, figure in zip(names, each, strict=True):
            values = ("" if value != value else repr(value) for value in figure.values())
            writer.writerow([item.name, name, *values])
    return text.getvalue()
