"""Many pairs through one pipeline, each into its own folder, resumable after an interruption.

A pair is done when its ``summary.json`` stands, which is written last; a rerun with the same
inputs and settings skips it. One bad pair never ends the others.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from calib.plain import jsonable
from stereo._version import __version__
from stereo.errors import (
    ImageError,
    RectificationError,
    SourceError,
    StereoError,
    SwappedPairError,
)
from stereo.files import outputs
from stereo.files.text import read_json
from stereo.pipeline import StereoPipeline
from stereo.result import DEFAULT_OUTPUTS, CloudOptions, check_output_names, write_outputs
from stereo.run.check import check_rows, check_swapped
from stereo.run.pairs import Pair
from stereo.run.summary import cloud_facts, summarize


@dataclass(frozen=True, slots=True)
class PairReport:
    """What became of one pair."""

    name: str
    """The pair's name."""
    folder: Path
    """Where its results lie."""
    summary: dict[str, Any]
    """The content of ``summary.json``."""
    skipped: bool = False
    """Whether an earlier run had done it."""

    @property
    def trusted(self) -> bool:
        """Whether nothing spoke against the result."""
        return bool(self.summary["trusted"])


@dataclass(frozen=True, slots=True)
class SetAside:
    """A pair that could not be processed, while others could."""

    name: str
    """The pair's name."""
    error: StereoError
    """Why, and what to do."""


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How a run is done, apart from the pipeline."""

    out: Path
    """Folder for the results."""
    outputs: tuple[str, ...] = DEFAULT_OUTPUTS
    """Which of ``OUTPUTS``; those that need depth are skipped without a calibration."""
    cloud: CloudOptions = field(default_factory=CloudOptions)
    """What is done to point clouds."""
    swap: bool = False
    """Exchange left and right."""
    description: str = ""
    """All that decides the result, in words; a change of it makes a rerun start afresh."""

    def __post_init__(self) -> None:
        check_output_names(self.outputs)


def run_batch(
    pairs: Iterable[Pair], pipeline: StereoPipeline, settings: BatchSettings, *, jobs: int = 1
) -> Iterator[PairReport | SetAside]:
    """Process ``pairs`` and yield what became of each, in their order.

    A sequence of one pair goes right into ``settings.out``, several, or an unknown number, into a
    folder each. A pair whose results stand from an earlier run with the same settings is skipped.
    One that is damaged, of another size or seems swapped is set aside, and so is what follows where
    ``pairs`` itself fails after its first; one alone raises. ``jobs`` pairs are worked on at a
    time; what comes out does not depend on it. Raises what would end every pair as well, such as a
    full disk; what was yielded before stays whole.
    """
    alone = isinstance(pairs, Sequence) and len(pairs) == 1
    if alone:
        yield from (_report(pair, pipeline, settings, settings.out) for pair in pairs)
        return
    copies = threading.local()  # a matcher keeps its memory between pairs: one for each thread

    def work(pair: Pair, folder: Path) -> PairReport | SetAside:
        if not hasattr(copies, "pipeline"):
            copies.pipeline = replace(pipeline, matcher=copy.deepcopy(pipeline.matcher))
        try:
            return _report(pair, copies.pipeline, settings, folder)
        except (ImageError, RectificationError, SwappedPairError) as error:
            # that of an older run, with other settings, would pass for one of this run
            (folder / "summary.json").unlink(missing_ok=True)
            return SetAside(pair.name, error)

    yield from _in_order(work, _with_folders(pairs, settings.out), jobs)


def _in_order(
    work: Callable[[Pair, Path], PairReport | SetAside],
    pairs: Iterator[tuple[Pair, Path] | SetAside],
    jobs: int,
) -> Iterator[PairReport | SetAside]:
    """What became of each, in the order of the pairs; at most ``jobs`` are under way."""
    if jobs == 1:
        yield from (it if isinstance(it, SetAside) else work(*it) for it in pairs)
        return
    waiting: deque[Future[PairReport | SetAside] | SetAside] = deque()
    with ThreadPoolExecutor(jobs, "pair") as pool:
        try:
            for it in pairs:
                waiting.append(it if isinstance(it, SetAside) else pool.submit(work, *it))
                while len(waiting) > jobs:
                    yield _done(waiting.popleft())
            while waiting:
                yield _done(waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)  # waits for what is under way, so that it is whole


def _done(it: Future[PairReport | SetAside] | SetAside) -> PairReport | SetAside:
    return it if isinstance(it, SetAside) else it.result()


def _with_folders(pairs: Iterable[Pair], out: Path) -> Iterator[tuple[Pair, Path] | SetAside]:
    """Each pair and a folder of its own; at last what stands for those that never came."""
    taken: Counter[str] = Counter()
    try:
        for pair in pairs:
            # a name may come from a file of others: it must not lead out of the folder
            name = re.sub(r"[/\\\0]", "_", pair.name).lstrip(".") or "pair"
            taken[name] += 1
            yield pair, out / (name if taken[name] == 1 else f"{name}_{taken[name]}")
    except (ImageError, SourceError) as error:
        if not taken:
            raise
        yield SetAside("the rest", error)


def _report(
    pair: Pair, pipeline: StereoPipeline, settings: BatchSettings, folder: Path
) -> PairReport:
    fingerprint = _fingerprint(pair, settings)
    summary = _finished(folder, fingerprint)
    if summary is not None:
        return PairReport(pair.name, folder, summary, skipped=True)
    summary = {**process_pair(pair, pipeline, settings, folder), "fingerprint": fingerprint}
    outputs.write_json(folder / "summary.json", summary)
    return PairReport(pair.name, folder, summary)


def process_pair(
    pair: Pair, pipeline: StereoPipeline, settings: BatchSettings, folder: Path
) -> dict[str, Any]:
    """Process one pair, write its outputs into ``folder`` and return its summary."""
    frame = pair.read(swap=settings.swap)
    start = time.perf_counter()
    result = pipeline.process(frame)
    elapsed = time.perf_counter() - start
    rows = check_rows(result.pair)
    check_swapped(pipeline, frame, result, rows, told_swap=settings.swap)
    outputs.make_folder(folder)
    (folder / "summary.json").unlink(missing_ok=True)  # what follows replaces an older result
    files = write_outputs(folder, settings.outputs, result, settings.cloud)
    facts = pair.facts() | summarize(pipeline, result, rows, files, elapsed)
    if "cloud" in files or "cloud-pcd" in files:
        facts |= cloud_facts(result, settings.cloud)
    return dict(jsonable(facts))  # a row offset nobody could measure is NaN


def _fingerprint(pair: Pair, settings: BatchSettings) -> str:
    """What a result depends on, as a short hash: the images, and the settings."""
    parts: list[Any] = [__version__, settings.description, settings.outputs, repr(settings.cloud)]
    parts += pair.identity()
    parts.append(settings.swap)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _finished(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """The summary of an earlier run that did the same and whose files still stand."""
    try:
        summary = read_json(folder / "summary.json")
        same = summary["fingerprint"] == fingerprint
        whole = all((folder / file).is_file() for file in summary["files"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return summary if same and whole else None
