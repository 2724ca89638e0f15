"""``stereo run SOURCE -o OUT.mcap``: the results of all pairs as topics of one file."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

import click

from stereo.errors import ImageError, InputError, RectificationError, SwappedPairError
from stereo.files.urls import Place
from stereo.pipeline import StereoPipeline
from stereo.publishing.mcap import McapFile, McapPublisher, remove_unfinished
from stereo.publishing.messages import FrameMessages, MessageOptions, Stamps
from stereo.result import CloudOptions
from stereo.run.check import check_rows, check_swapped
from stereo.run.pairs import Pair, PairFiles
from stereo.run.processing import BatchSettings, PairReport, SetAside
from stereo.run.summary import summarize


def is_mcap(out: Place) -> TypeGuard[Path]:
    """Whether results are wanted as an MCAP file."""
    return isinstance(out, Path) and out.suffix.lower() == ".mcap"


def check_options(*, default_outputs: bool, cloud: CloudOptions) -> None:
    """Raise InputError for what an MCAP file has no use for."""
    if not default_outputs or cloud != CloudOptions(max_relative_sigma=cloud.max_relative_sigma):
        raise InputError(
            "an MCAP file holds all topics, and clouds as they are: leave --outputs, --voxel-m, "
            "--remove-outliers and --normals away, or name a folder with -o"
        )


def run_into_mcap(
    pairs: Iterable[Pair], pipeline: StereoPipeline, settings: BatchSettings
) -> Iterator[PairReport | SetAside]:
    """Process every pair in order, into a file that gets its name when all are in it."""
    out, swap, rect = settings.out, settings.swap, pipeline.rectification
    assert is_mcap(out)
    options = MessageOptions(max_relative_sigma=settings.cloud.max_relative_sigma)
    stamps = Stamps()
    if (size := remove_unfinished(out)) > 0:
        click.echo(
            f"note: {out}: an earlier run did not end; what it left ({size / 1e6:.0f} MB) is "
            "removed, and the file begins anew (a result folder goes on where it was)",
            err=True,
        )
    with McapFile(out, whole=True) as file:
        publisher = McapPublisher(file)
        done = 0
        for number, pair in enumerate(pairs):
            try:
                frame = pair.read(swap=swap)
                if isinstance(pair, PairFiles):  # files have no time: a second each
                    frame = replace(frame, time_s=float(number), name=pair.name)
                start = time.perf_counter()
                result = pipeline.process(frame)
                elapsed_s = time.perf_counter() - start
                rows = check_rows(result.pair)
                check_swapped(pipeline, frame, result, rows, told_swap=swap)
            except (ImageError, RectificationError, SwappedPairError) as error:
                yield SetAside(pair.name, error)
                continue
            stamp_ns = stamps.of(frame)
            publisher.publish(FrameMessages(result, stamp_ns, rect=rect, options=options))
            summary = pair.facts() | summarize(pipeline, result, rows, {}, elapsed_s)
            done += 1
            yield PairReport(pair.name, out.parent, summary)
        if not done:
            raise InputError(f"{out}: was not written, because no pair could be used")
