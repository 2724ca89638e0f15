"""Very many pairs: worked on in parallel, each ended pair kept in the ledger, resumable.

The order of what comes out is that of completion. A pair whose worker crashed, or that met a
passing fault, is tried again; what fails again is set aside with its reason. What would fail every
pair, such as a full disk, ends the batch; all that was done stays, and a rerun goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from stereo.errors import OutputError, StereoError
from stereo.run.batch import with_folders
from stereo.run.ledger import Entry, Ledger
from stereo.run.pairs import Pair
from stereo.run.processing import BatchSettings, PairReport, SetAside, fingerprint_of
from stereo.run.workers import Done, Executor, Fault, Task

ATTEMPTS = {"crash": 2, "passing": 3, "fatal": 1}
"""How often a pair is tried, by the kind of its last fault."""
_THUMBNAILS = 400
"""Pairs that get a picture; a page with more of them opens slowly."""
_KEPT = ("trusted", "valid_share", "depth_m", "sigma_m", "warnings", "files", "bytes", "match_s")


def run_resumable(
    pairs: Iterable[Pair],
    settings: BatchSettings,
    executor: Executor,
    ledger: Ledger,
    *,
    sharded: bool = False,
    fail_fast: bool = False,
) -> Iterator[PairReport | SetAside]:
    """Yield what became of each pair, as they end; done before: at once, ``skipped``.

    ``sharded`` spreads the folders over 256, for file systems that dislike a million in one.
    Raises the reason of the first pair set aside when ``fail_fast``, and OutputError when results
    cannot be written.
    """
    coming = with_folders(pairs, settings.out, sharded=sharded)
    again: deque[Task] = deque()
    fingerprints: dict[Path, str] = {}
    pictures = 0
    while True:
        while executor.free():
            task = again.popleft() if again else None
            for it in () if task else coming:
                if isinstance(it, SetAside):
                    yield _aside(it, fail_fast=fail_fast)
                    continue
                pair, folder = it
                fingerprint = fingerprint_of(pair, settings)
                before = done_before(ledger.get(pair_name(folder)), settings.out, fingerprint)
                if before is not None:
                    yield before
                    continue
                fingerprints[folder] = fingerprint
                task = Task(pair, folder, thumbnail=pictures < _THUMBNAILS)
                pictures += 1
                break
            if task is None:
                break
            executor.submit(task)
        ended = executor.wait()
        if not ended and not again:
            return
        for done in ended:
            if isinstance(done.outcome, Fault) and _may_try_again(done.outcome, done.task):
                task = done.task
                again.append(Task(task.pair, task.folder, task.attempt + 1, task.thumbnail))
                continue
            found = _ended(done)
            fingerprint = fingerprints.pop(done.task.folder)
            ledger.put(_entry(found, done, fingerprint, settings.out))
            yield _aside(found, fail_fast=fail_fast) if isinstance(found, SetAside) else found


def done_before(entry: Entry | None, out: Path, fingerprint: str) -> PairReport | None:
    """Return the report of a pair that the ledger knows as done and whose files stand whole."""
    if entry is None or entry.state != "done" or entry.fingerprint != fingerprint:
        return None
    folder = out / entry.folder
    try:
        sizes, files = entry.facts["bytes"], entry.facts["files"]
        whole = all((folder / files[name]).stat().st_size == size for name, size in sizes.items())
        whole = whole and (folder / "summary.json").stat().st_size == entry.facts["summary_bytes"]
    except (OSError, KeyError, TypeError, AttributeError):
        return None
    return PairReport(entry.name, folder, entry.facts, skipped=True) if whole else None


def pair_name(folder: Path) -> str:
    """Return what the ledger calls a pair: the name of its folder, unique in a batch."""
    return folder.name


def _may_try_again(fault: Fault, task: Task) -> bool:
    return task.attempt < ATTEMPTS[fault.kind]


def _ended(done: Done) -> PairReport | SetAside:
    outcome = done.outcome
    if not isinstance(outcome, Fault):
        return outcome
    if outcome.kind == "fatal":
        raise OutputError(outcome.reason)
    times = f" ({done.task.attempt} times)" if done.task.attempt > 1 else ""
    return SetAside(done.task.pair.name, StereoError(f"{outcome.reason}{times}"))


def _aside(found: SetAside, *, fail_fast: bool) -> SetAside:
    if fail_fast:
        raise type(found.error)(f"{found.name}: {found.error}")
    return found


def _entry(found: PairReport | SetAside, done: Done, fingerprint: str, out: Path) -> Entry:
    folder = done.task.folder
    where = folder.relative_to(out).as_posix()
    facts: dict[str, Any]
    if isinstance(found, SetAside):
        facts = {"reason": str(found.error)}
        return Entry(pair_name(folder), where, "set aside", fingerprint, done.seconds, facts)
    facts = {key: found.summary.get(key) for key in _KEPT}
    facts["summary_bytes"] = (folder / "summary.json").stat().st_size
    return Entry(pair_name(folder), where, "done", fingerprint, done.seconds, facts, done.thumbnail)
