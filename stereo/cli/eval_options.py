"""What ``stereo eval`` and ``stereo compare`` take and show alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar, TypeVar

import click

from calib.nearby import did_you_mean
from calib.words import fixed
from stereo.cli.groups import F, headed, option
from stereo.errors import ImageError, InputError
from stereo.evaluation.evaluate import Metrics
from stereo.evaluation.manifest import ManifestPair
from stereo.evaluation.published import LAYOUTS

T = TypeVar("T")
METRICS = tuple(field.name for field in fields(Metrics))
COLUMNS = (
    *("density", "sparse_1", "sparse_2", "dense_1", "dense_2", "dense_mae_px", "all_2", "d1_all"),
    *("edge_2", "smooth_2", "sigma_2", "ause_px"),
)
"""What the table shows unless asked for something else."""

_UNITS = {"px": "px", "m": "m", "s": "s", "gray": "gray levels"}


def dataset_option() -> Callable[[F], F]:
    """Give the command ``dataset``, how a folder is laid out."""
    return headed(
        "Input",
        "--dataset",
        type=click.Choice(list(LAYOUTS)),
        metavar="NAME",
        help="How the folder is laid out, where it is not recognised: " + ", ".join(LAYOUTS) + ".",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """What is shown and written."""

    heading: ClassVar[str] = "Output"
    columns: str | None = option(
        metavar="NAMES", help="Columns of the table, comma separated, such as dense_2,a90_px."
    )
    csv: Path | None = option(
        type=click.Path(path_type=Path), metavar="FILE", help="Write every figure of each pair."
    )
    html: Path | None = option(
        type=click.Path(path_type=Path), metavar="FILE", help="Write a page with maps and plots."
    )

    def chosen(self) -> tuple[str, ...]:
        """Return the columns asked for. Raises InputError naming what does not exist."""
        if self.columns is None:
            return COLUMNS
        names = tuple(name.strip() for name in self.columns.split(",") if name.strip())
        for name in names:
            check_metric(name)
        return names or COLUMNS


def check_metric(name: str) -> None:
    """Raise InputError when no figure has this name."""
    if name not in METRICS:
        hint = did_you_mean(name, METRICS) or ";"
        raise InputError(f"no figure is called {name!r}{hint} known are {', '.join(METRICS)}")


def unit(name: str) -> str:
    """Return the unit of a figure, by the end of its name."""
    return _UNITS.get(name.rpartition("_")[2], "%")


def headers(names: Sequence[str]) -> list[str]:
    """Return figures as a table's columns name them, with their unit."""
    return [f"{_bare(name)}, {unit(name)}" for name in names]


def cell(name: str, value: float) -> str:
    """Return a figure for a cell; metres and seconds to a thousandth, and better."""
    return fixed(value, {"m": 4, "s": 3}.get(unit(name), 2))


def each_readable(
    pairs: Sequence[ManifestPair], work: Callable[[ManifestPair], T], aside: dict[str, str]
) -> Iterator[tuple[ManifestPair, T]]:
    """Yield what ``work`` gives for each pair; a pair with a damaged file is told and set aside.

    One file that cannot be read must not cost the work on all others. Raises InputError when no
    pair is left, and what else ``work`` raises: that is a mistake in the call.
    """
    for item in pairs:
        try:
            found = work(item)
        except ImageError as error:
            aside[item.name] = str(error)
            click.echo(f"set aside: {item.name}: {error}", err=True)
            continue
        yield item, found
    if len(aside) == len(pairs):
        raise InputError(
            f"none of the {len(pairs)} pairs could be read: {next(iter(aside.values()))}"
        )


def _bare(name: str) -> str:
    head, _, tail = name.rpartition("_")
    return head if tail in (*_UNITS, "percent") else name
