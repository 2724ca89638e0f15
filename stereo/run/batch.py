"""Many pairs through one pipeline, each into its own folder, resumable after an interruption.

One bad pair never ends the others; a rerun with the same inputs and settings skips what is done.
"""

from __future__ import annotations

import copy
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from hashlib import blake2b

from stereo.errors import ImageError, SourceError
from stereo.files.urls import Place
from stereo.pipeline import StereoPipeline
from stereo.run.pairs import Pair
from stereo.run.processing import (
    BatchSettings,
    PairReport,
    SetAside,
    report,
    report_or_set_aside,
)

OWN_FILES = ("batch.json", "batch.sqlite", "batch.sqlite-shm", "batch.sqlite-wal", "index.html")
"""What a batch writes beside the folders of its pairs."""
_LONGEST_NAME = 200
"""Bytes of a folder's name; file systems take 255, and ours ends in a number at times."""


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
        yield from (report(pair, pipeline, settings, settings.out) for pair in pairs)
        return
    copies = threading.local()  # a matcher keeps its memory between pairs: one for each thread

    def work(pair: Pair, folder: Place) -> PairReport | SetAside:
        if not hasattr(copies, "pipeline"):
            copies.pipeline = replace(pipeline, matcher=copy.deepcopy(pipeline.matcher))
        return report_or_set_aside(pair, copies.pipeline, settings, folder)

    yield from _in_order(work, with_folders(pairs, settings.out), jobs)


def _in_order(
    work: Callable[[Pair, Place], PairReport | SetAside],
    pairs: Iterator[tuple[Pair, Place] | SetAside],
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


def with_folders(
    pairs: Iterable[Pair], out: Place, *, sharded: bool = False
) -> Iterator[tuple[Pair, Place] | SetAside]:
    """Yield each pair and a folder of its own; at last what stands for those that never came.

    ``sharded``: below one of 256 folders named by the hash of the pair's name.
    """
    names = _Names()
    try:
        for pair in pairs:
            name = names.unique(_safe(pair.name))
            shard = blake2b(name.encode(), digest_size=1).hexdigest() if sharded else ""
            yield pair, out / shard / name
    except (ImageError, SourceError) as error:
        if not names.given:
            raise
        yield SetAside("the rest", error)


class _Names:
    """Gives each name once; a second pair of a name has a number behind it."""

    def __init__(self) -> None:
        self.given = 0
        self._taken = set(OWN_FILES)
        self._last: dict[str, int] = {}  # only of names that came twice

    def unique(self, name: str) -> str:
        unique = name
        while unique in self._taken:
            self._last[name] = self._last.get(name, 1) + 1
            unique = f"{name}_{self._last[name]}"
        self._taken.add(unique)
        self.given += 1
        return unique


def _safe(name: str) -> str:
    """A name that a folder can have: it may come from a file of others, and lead nowhere else."""
    safe = re.sub(r"[/\\\0]", "_", name).lstrip(".") or "pair"
    raw = os.fsencode(safe)
    if len(raw) <= _LONGEST_NAME:
        return safe
    return f"{os.fsdecode(raw[:_LONGEST_NAME])}_{blake2b(raw, digest_size=6).hexdigest()}"
