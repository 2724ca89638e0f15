"""What ``stereo run`` says of many pairs: how far it is, and what they came to."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import click

from stereo.cli.groups import option
from stereo.errors import ImageError
from stereo.result import OUTPUTS
from stereo.run.processing import BatchSettings, PairReport, SetAside
from stereo.sources import Event

if TYPE_CHECKING:
    from rich.progress import Progress

Found = PairReport | SetAside

_MOST_NAMED = 5
_VARYING = re.compile(r"[-+]?\d[\d.,]*|above|below")
"""What differs in a warning from pair to pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """How many pairs are gone through."""

    heading: ClassVar[str] = "Many pairs"
    jobs: int | None = option(
        type=click.IntRange(1, 64),
        help="Pairs worked on at a time; results do not depend on it.  [default: 2; 1 for images "
        "above 4 megapixels]",
    )
    sequence: bool = option(
        is_flag=True,
        help="The pairs are frames of one camera in their order: what stands still is not matched "
        "anew in each, as in stereo live. One at a time.",
    )
    quiet: bool = option("-q", "--quiet", is_flag=True, help="Say only what went wrong.")


def jobs_for(batch: BatchOptions, size: tuple[int, int]) -> int:
    """Return how many pairs of ``size`` = (width, height) are worked on at a time.

    The matcher uses all cores, but not reading, checking and writing: on two cores, two at a time
    took a third less time than one, three hardly less than two (benchmarks/jobs.py). Each takes
    the memory of a matcher, which counts when images are large.
    """
    if batch.sequence:
        if batch.jobs not in (None, 1):
            raise click.UsageError(
                f"--jobs {batch.jobs} works on several pairs at a time, but the frames of a "
                "--sequence come one after the other: leave one of the two out"
            )
        return 1
    if batch.jobs is not None:
        return batch.jobs
    return 2 if size[0] * size[1] <= 4_000_000 else 1


class BatchProgress:
    """Says how far a batch is: a bar on a terminal, a line a pair elsewhere, none when quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self.dropped: list[SetAside] = []
        """What the source itself could not read."""
        self._quiet = quiet
        self._say = _to_stderr
        self._unpaired = 0
        self._number = 0  # of those that came so far

    def event(self, event: Event) -> None:
        """Something happened to the source."""
        if event.kind == "dropped":
            self._number += 1
            name = event.message.partition(": ")[0]
            self.dropped.append(SetAside(name, ImageError(event.message)))
            self._say(f"set aside: {event.message}")
            return
        self._unpaired += event.kind == "unpaired"
        many = event.kind == "unpaired" and self._unpaired > _MOST_NAMED
        if event.kind == "ended":  # what it came to is said by us
            if self._unpaired > _MOST_NAMED:
                self._say(f"unpaired: {self._unpaired} images in all had no partner")
        elif not self._quiet and not many:
            self._say(event.line())

    def follow(self, found: Iterable[Found], total: int | None) -> Iterator[Found]:
        """Pass on what comes and say it; nothing for a single pair. ``total`` None: not known."""
        if total == 1 or self._quiet:
            for one in found:
                self._tell_aside(one)
                yield one
        elif sys.stderr.isatty():
            yield from self._with_bar(found, total)
        else:
            pace = _Pace(total)
            for one in found:
                self._count(one, pace)
                self._line(one, pace)
                yield one

    def _count(self, one: Found, pace: _Pace) -> None:
        self._number += 1
        pace.count(self._number, worked=isinstance(one, SetAside) or not one.skipped)

    def _line(self, one: Found, pace: _Pace) -> None:
        of = "" if pace.total is None else f"/{pace.total}"
        start = f"{self._number}{of} {one.name}"
        if isinstance(one, SetAside):
            self._say(f"{start} set aside: {one.error}")
        else:
            note = " (done before)" if one.skipped else ""
            self._say(", ".join([start + note, *pace.in_words()]))

    def _tell_aside(self, one: Found) -> None:
        if isinstance(one, SetAside):
            self._say(f"set aside: {one.name}: {one.error}")

    def _with_bar(self, found: Iterable[Found], total: int | None) -> Iterator[Found]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"))
        pace = _Pace(total)
        with Progress(*columns, console=Console(stderr=True, highlight=False)) as bar:
            task = bar.add_task("", total=total, pace="", completed=self._number)
            with self._above(bar):
                for one in found:
                    self._count(one, pace)
                    self._tell_aside(one)
                    said = ", ".join(pace.in_words())
                    bar.update(task, completed=self._number, pace=said)
                    yield one

    @contextmanager
    def _above(self, bar: Progress) -> Iterator[None]:
        """Whatever is said meanwhile stands above the bar."""
        self._say = lambda line: bar.console.print(line, markup=False)
        try:
            yield
        finally:
            self._say = _to_stderr


def _to_stderr(line: str) -> None:
    click.echo(line, err=True)


class _Pace:
    """Rate and time left, told by the pairs that were worked on and not found done."""

    def __init__(self, total: int | None) -> None:
        self.total = total
        self._start_s = time.monotonic()
        self._worked = self._number = 0

    def count(self, number: int, *, worked: bool) -> None:
        """The pair of this number, from 1, has come."""
        self._number = number
        self._worked += worked
        if not self._worked:
            self._start_s = time.monotonic()  # looking for what was done before takes no time

    def in_words(self) -> list[str]:
        """Return "1.2 pairs/s" and "14 s left"; what nobody can tell is left out."""
        elapsed_s = time.monotonic() - self._start_s
        if not self._worked or elapsed_s <= 0:
            return []
        rate = self._worked / elapsed_s
        said = [f"{rate:.1f} pairs/s" if rate >= 1 else f"{1 / rate:.1f} s a pair"]
        left = 0 if self.total is None else self.total - self._number
        return [*said, f"{_duration(left / rate)} left"] if left > 0 else said


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def split_reports(
    found: Sequence[Found], dropped: Sequence[SetAside]
) -> tuple[list[PairReport], list[SetAside]]:
    """Return what was done and what was set aside. Raises the reason when nothing was done."""
    reports = [one for one in found if isinstance(one, PairReport)]
    aside = [*dropped, *(one for one in found if isinstance(one, SetAside))]
    if reports:
        return reports, aside
    first = aside[0].error
    if len(aside) == 1:
        raise first
    raise type(first)(f"none of {len(aside)} pairs could be used; the first: {first}")


def show_warnings(reports: Sequence[PairReport], aside: Sequence[SetAside]) -> None:
    """Say what speaks against the results; once what speaks against many."""
    total = len(reports) + len(aside)
    kinds: dict[str, list[tuple[str, str]]] = {}
    for report in reports:
        for warning in report.summary["warnings"]:
            kinds.setdefault(_VARYING.sub("#", warning), []).append((report.name, warning))
    for same in kinds.values():
        name, warning = same[0]
        many = f"{len(same)} of {total} pairs, such as " if len(same) > 1 else ""
        click.echo(f"warning: {many}{name}: {warning}", err=True)
    if aside:
        names = ", ".join(one.name for one in aside[:_MOST_NAMED])
        more = f" and {len(aside) - _MOST_NAMED} more" if len(aside) > _MOST_NAMED else ""
        click.echo(
            f"warning: {len(aside)} of {total} pairs set aside, each for the reason above: "
            f"{names}{more}",
            err=True,
        )


def show_batch(
    reports: Sequence[PairReport], aside: Sequence[SetAside], settings: BatchSettings
) -> None:
    """Say what many pairs came to."""
    done = sum(not report.skipped for report in reports)
    left_out = f", {len(aside)} set aside" if aside else ""
    before = len(reports) - done
    click.echo(f"{done} pairs done, {before} done before{left_out} -> {settings.out}")
    show_missing_depth(reports[0], settings)  # the same calibration for all


def show_missing_depth(report: PairReport, settings: BatchSettings) -> None:
    """Say why there are no metres, where there are none, and what was not written therefore."""
    why = report.summary.get("why_no_depth")
    if why is None:
        return
    click.echo(f"no metric depth: {why}")
    skipped = [name for name in settings.outputs if OUTPUTS[name].needs_depth]
    if skipped:
        click.echo(f"not written: {', '.join(skipped)}")
