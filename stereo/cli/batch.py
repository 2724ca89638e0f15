"""``stereo batch``: very many pairs, resumable, on all cores."""

from __future__ import annotations

import json
import math
import re
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click

from stereo.cli.config import config_options
from stereo.cli.groups import command, json_option, option
from stereo.cli.options import DepthOptions, MatchOptions, PairOptions
from stereo.cli.piping import chosen_pipeline
from stereo.cli.progress import BatchProgress
from stereo.cli.rig_options import RigOptions
from stereo.cli.run import ProductOptions
from stereo.cli.run_input import RunInput, run_input
from stereo.cli.signals import interrupted_by_sigterm
from stereo.files import outputs
from stereo.files.urls import Place, UrlPath, place
from stereo.memory import free_memory_mb
from stereo.pages.batch import write_page
from stereo.result import output_names
from stereo.run.batch import with_folders
from stereo.run.ledger import Ledger, open_ledger, read_ledger
from stereo.run.processing import BatchSettings, PairReport, SetAside, fingerprint_of, finished
from stereo.run.resumable import done_before, pair_name, run_resumable
from stereo.run.tasks import Executor, Job
from stereo.run.workers import Processes
from stereo.threads import available_cores

_SHARDED_FROM = 10_000
"""Pairs from which their folders are spread over 256."""
_SHARE_OF_MEMORY = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResultOptions(ProductOptions):
    """And where."""

    out_text: str = option(
        "-o", "--out", required=True, help="Result folder, or a URL: s3://bucket/folder."
    )
    ledger: Path | None = option(
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of the ledger, the page and the tally.  [default: the result folder; for a "
        "URL one in the current folder, named after it]",
    )

    @property
    def out(self) -> Place:
        """Where the results go."""
        return place(self.out_text)

    @property
    def desk(self) -> Path:
        """Where the ledger lies: on this computer."""
        if self.ledger is not None:
            return self.ledger
        if isinstance(self.out, Path):
            return self.out
        return Path("stereo-batch-" + re.sub(r"\W+", "-", self.out.url))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOptions:
    """How the work is done."""

    heading: ClassVar[str] = "Work"
    workers: int | None = option(
        type=click.IntRange(1, 256), help="Processes, which share the cores.  [default: one a core]"
    )
    max_memory_mb: int | None = option(
        type=click.IntRange(200),
        help="A worker beyond this is ended and its pair set aside.  [default: its share of 80 %]",
    )
    pair_timeout_s: float = option(
        type=click.FloatRange(0, min_open=True),
        default=900.0,
        show_default=True,
        help="A pair that takes longer is set aside.",
    )
    dask: str | None = option(
        metavar="ADDRESS",
        help="Work on the cluster of this Dask scheduler, such as tcp://host:8786; the three "
        "options above are for processes.",
    )
    fail_fast: bool = option(is_flag=True, help="End at the first pair that is set aside.")
    dry_run: bool = option(is_flag=True, help="Say what would be done, and do nothing.")
    quiet: bool = option("-q", "--quiet", is_flag=True, help="Say only what went wrong.")


@command("batch")
@click.argument("left")
@click.argument("right", required=False)
@config_options
@json_option()
def batch_command(
    left: str,
    right: str | None,
    *,
    images: PairOptions,
    rig: RigOptions,
    match: MatchOptions,
    depth: DepthOptions,
    results: BatchResultOptions,
    work: WorkOptions,
    as_json: bool,
) -> int:
    """Depth of very many pairs: LEFT RIGHT as for stereo run, or LEFT a list of them.

    A list is a CSV file with the columns left and right (and name, third), JSON lines, or a
    manifest. Every pair is whole or absent; a ledger in the result folder remembers what is done,
    so that a rerun goes on after an interrupt, a crash or a power cut, and makes anew what was
    damaged. Bad pairs are set aside with their reason. Exit code 3: some were, or should not be
    trusted.
    """
    progress = BatchProgress(quiet=work.quiet)
    with ExitStack() as stack:
        stack.enter_context(interrupted_by_sigterm())
        given = run_input(stack, left, right, progress.event, composite=images.composite)
        pipeline, described = chosen_pipeline(given, images, rig, match, depth)
        settings = BatchSettings(
            results.out, output_names(results.outputs), results.cloud, images.swapped, described
        )
        if work.dry_run:
            return _dry_run(given, settings, results.desk, as_json=as_json)
        ledger = stack.enter_context(open_ledger(results.desk))
        sharded = ledger.setting("sharded", str(_many(given)))
        if isinstance(settings.out, Path):
            outputs.make_folder(settings.out)
        executor = _executor(Job(pipeline, settings), work)
        with closing(executor):
            running = run_resumable(
                given.pairs,
                settings,
                executor,
                ledger,
                sharded=sharded == "True",
                fail_fast=work.fail_fast,
            )
            tally = _Tally()
            for found in progress.follow(running, given.total):
                tally.count(found)
        for one in progress.dropped:
            tally.count(one)
        write_page(ledger, results.desk / "index.html")
        outputs.write_json(results.desk / "batch.json", tally.facts(ledger))
        _show(tally, settings, results.desk, ledger, as_json=as_json, quiet=work.quiet)
    return 3 if tally.aside or tally.untrusted else 0


def _executor(job: Job, work: WorkOptions) -> Executor:
    if work.dask is not None:
        from stereo.run.cluster import Cluster

        return Cluster(job, work.dask)
    count = work.workers or len(available_cores())
    memory_mb = work.max_memory_mb or _memory_share_mb(count)
    return Processes(job, count, max_memory_mb=memory_mb, timeout_s=work.pair_timeout_s)


@dataclass(slots=True)
class _Tally:
    """What a run came to, counted: the pairs themselves are not kept."""

    done: int = 0
    before: int = 0
    aside: int = 0
    untrusted: int = 0

    def count(self, found: PairReport | SetAside) -> None:
        if isinstance(found, SetAside):
            self.aside += 1
            return
        self.before += found.skipped
        self.done += not found.skipped
        self.untrusted += not found.trusted

    def facts(self, ledger: Ledger) -> dict[str, object]:
        return {
            "schema": "stereo-depth-batch/1",
            "done": self.done,
            "done_before": self.before,
            "set_aside": self.aside,
            "untrusted": self.untrusted,
            "work_s": round(ledger.seconds(), 1),
        }


def _dry_run(given: RunInput, settings: BatchSettings, desk: Path, *, as_json: bool) -> int:
    """Say how many pairs there are, and how many an earlier run has done."""
    ledger = read_ledger(desk)
    sharded = _many(given) if ledger is None else ledger.setting_is("sharded", "True")
    done = todo = 0
    for it in with_folders(given.pairs, settings.out, sharded=sharded):
        if isinstance(it, SetAside):
            continue
        pair, folder = it
        fingerprint = fingerprint_of(pair, settings)
        entry = None if ledger is None else ledger.get(pair_name(folder))
        known: object = done_before(entry, settings.out, fingerprint)
        if not known and not isinstance(settings.out, UrlPath):
            known = finished(folder, fingerprint)
        done, todo = (done + 1, todo) if known else (done, todo + 1)
    if as_json:
        click.echo(json.dumps({"pairs": done + todo, "done_before": done, "to_do": todo}))
    else:
        click.echo(f"{done + todo} pairs: {done} done before, {todo} to do -> {settings.out}")
    return 0


def _many(given: RunInput) -> bool:
    return given.total is not None and given.total >= _SHARDED_FROM


def _memory_share_mb(workers: int) -> int:
    """What each of the workers may take, so that together they take most of what is free."""
    free_mb = free_memory_mb()
    if math.isnan(free_mb):
        return 4000
    return max(500, int(_SHARE_OF_MEMORY * free_mb / workers))


def _show(
    tally: _Tally,
    settings: BatchSettings,
    desk: Path,
    ledger: Ledger,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    if as_json:
        click.echo(json.dumps(tally.facts(ledger)))
        return
    if quiet:
        return
    aside = f", {tally.aside} set aside" if tally.aside else ""
    doubtful = f", {tally.untrusted} not to be trusted" if tally.untrusted else ""
    click.echo(
        f"{tally.done} pairs done, {tally.before} done before{aside}{doubtful} -> {settings.out}"
    )
    click.echo(f"look at {desk / 'index.html'}")
