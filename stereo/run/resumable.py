"""Very many pairs: worked on in parallel, each ended pair kept in the ledger, resumable.

The order of what comes out is that of completion. A pair whose worker crashed, or that met a
passing fault, is tried again; what fails again is set aside with its reason. What would fail every
pair, such as a full disk, ends the batch; all that was done stays, and a rerun goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from stereo.errors import OutputError, StereoError
from stereo.files.urls import Place, UrlPath, size_of
from stereo.run.batch import with_folders
from stereo.run.ledger import Entry, Ledger
from stereo.run.pairs import Pair
from stereo.run.processing import BatchSettings, PairReport, SetAside, fingerprint_of
from stereo.run.tasks import Done, Executor, Fault, Task

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
    fingerprints: dict[Place, str] = {}
    pictures = 0
    while True:
        while executor.free():
            new = again.popleft() if again else None
            for it in () if new else coming:
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
                new = Task(pair, folder, thumbnail=pictures < _THUMBNAILS)
                pictures += 1
                break
            if new is None:
                break
            executor.submit(new)
        ended = executor.wait()
        if not ended and not again:
            return
        for task, done in ended:
            if isinstance(done.outcome, Fault) and _may_try_again(done.outcome, task):
                again.append(replace(task, attempt=task.attempt + 1))
                continue
            found = _ended(task, done)
            where = task.folder.relative_to(settings.out).as_posix()  # type: ignore[arg-type]
            ledger.put(_entry(found, done, fingerprints.pop(task.folder), where))
            yield _aside(found, fail_fast=fail_fast) if isinstance(found, SetAside) else found


def done_before(entry: Entry | None, out: Place, fingerprint: str) -> PairReport | None:
    """Return the report of a pair that the ledger knows as done and whose files stand whole.

    What was sent to a URL stands as it is: asking for each of a million files takes hours, and
    stores hold whole objects only.
    """
    if entry is None or entry.state != "done" or entry.fingerprint != fingerprint:
        return None
    folder = out / entry.folder
    if isinstance(out, UrlPath):
        return PairReport(entry.name, folder, entry.facts, skipped=True)
    try:
        sizes, files = entry.facts["bytes"], entry.facts["files"]
        whole = all(size_of(folder / files[name]) == size for name, size in sizes.items())
        whole = whole and size_of(folder / "summary.json") == entry.facts["summary_bytes"]
    except (OSError, KeyError, TypeError, AttributeError):
        return None
    return PairReport(entry.name, folder, entry.facts, skipped=True) if whole else None


def pair_name(folder: Place) -> str:
    """Return what the ledger calls a pair: the name of its folder, unique in a batch."""
    return folder.name


def _may_try_again(fault: Fault, task: Task) -> bool:
    return task.attempt < ATTEMPTS[fault.kind]


def _ended(task: Task, done: Done) -> PairReport | SetAside:
    outcome = done.outcome
    if not isinstance(outcome, Fault):
        return outcome
    if outcome.kind == "fatal":
        raise OutputError(outcome.reason)
    times = f" ({task.attempt} times)" if task.attempt > 1 else ""
    return SetAside(task.pair.name, StereoError(f"{outcome.reason}{times}"))


def _aside(found: SetAside, *, fail_fast: bool) -> SetAside:
    if fail_fast:
        raise type(found.error)(f"{found.name}: {found.error}")
    return found


def _entry(found: PairReport | SetAside, done: Done, fingerprint: str, where: str) -> Entry:
    facts: dict[str, Any]
    name = where.rpartition("/")[2]
    if isinstance(found, SetAside):
        facts = {"reason": str(found.error)}
        return Entry(name, where, "set aside", fingerprint, done.seconds, facts)
    facts = {key: found.summary.get(key) for key in _KEPT}
    facts["summary_bytes"] = done.summary_bytes
    return Entry(name, where, "done", fingerprint, done.seconds, facts, done.thumbnail)
