"""Processes that work on pairs, each replaced when it dies, hangs or takes too much memory.

One pair is sent to each over a pipe and its outcome comes back: what a pair does to its process, a
crash of a native library included, costs that pair alone. A worker that loses its parent ends.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal, Protocol

import cv2

from stereo.errors import OutputError, StereoError
from stereo.files.images import read_image
from stereo.pipeline import StereoPipeline
from stereo.run.pairs import Pair
from stereo.run.processing import BatchSettings, PairReport, SetAside, report_or_set_aside

_LOOK_EVERY_S = 0.5
_THUMBNAIL_PX = 240
_PASSING = (MemoryError, ConnectionError, TimeoutError, InterruptedError)


@dataclass(frozen=True, eq=False, slots=True)
class Job:
    """What is done to every pair; goes to each worker once."""

    pipeline: StereoPipeline
    """Has no state between pairs, but memory: each worker has its own."""
    settings: BatchSettings
    """What is written, and where."""


@dataclass(frozen=True, eq=False, slots=True)
class Task:
    """One pair to work on."""

    pair: Pair
    folder: Path
    """Where its results go."""
    attempt: int = 1
    """Counts from 1."""
    thumbnail: bool = False
    """Whether a small picture of the result is wanted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A pair that did not end as a pair should."""

    kind: Literal["crash", "passing", "fatal"]
    """crash: its worker died; passing: may go better next time; fatal: every pair would fail."""
    reason: str


@dataclass(frozen=True, eq=False, slots=True)
class Done:
    """What became of a task."""

    task: Task
    outcome: PairReport | SetAside | Fault
    seconds: float
    thumbnail: bytes | None = None


class Executor(Protocol):
    """Where tasks are worked on: processes of this computer, or a cluster."""

    def free(self) -> bool:
        """Return whether one more task should be submitted."""
        ...

    def submit(self, task: Task) -> None:
        """Start a task."""
        ...

    def wait(self) -> list[Done]:
        """Wait until a task has ended; return those that have. Empty: none is under way."""
        ...

    def close(self) -> None:
        """End at once, whatever is under way."""
        ...


def do(task: Task, job: Job) -> Done:
    """Work on one task; whatever goes wrong is said in the outcome."""
    start = time.perf_counter()
    outcome: PairReport | SetAside | Fault
    picture: bytes | None = None
    try:
        outcome = report_or_set_aside(task.pair, job.pipeline, job.settings, task.folder)
        if isinstance(outcome, SetAside) and _is_passing(outcome.error):
            outcome = Fault("passing", str(outcome.error))
        elif isinstance(outcome, PairReport) and task.thumbnail:
            picture = _thumbnail(outcome)
    except OutputError as error:
        outcome = Fault("fatal", str(error))
    except StereoError as error:
        outcome = SetAside(task.pair.name, error)
    except Exception as error:
        if _is_passing(error):
            outcome = Fault("passing", f"{type(error).__name__}: {error}")
        else:
            where = traceback.extract_tb(error.__traceback__)[-1]
            outcome = SetAside(
                task.pair.name,
                StereoError(
                    f"an error of this program: {type(error).__name__}: {error} "
                    f"({Path(where.filename).name}:{where.lineno}); please report it"
                ),
            )
    return Done(task, outcome, time.perf_counter() - start, picture)


def _is_passing(error: BaseException | None) -> bool:
    """Whether a fault of the system, not of the input, lies behind an error."""
    while error is not None:
        if isinstance(error, _PASSING):
            return True
        if isinstance(error, OSError) and not isinstance(
            error, (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
        ):
            return True
        error = error.__cause__
    return False


def _thumbnail(report: PairReport) -> bytes | None:
    """A small JPEG of the coloured map, where one was written."""
    file = report.summary["files"].get("preview")
    if file is None:
        return None
    with contextlib.suppress(StereoError):
        picture = read_image(report.folder / file)
        scale = min(1.0, _THUMBNAIL_PX / picture.shape[1])
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if small.ndim == 3:
            small = small[..., ::-1]
        return bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 75])[1])
    return None


# --- processes ----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    channel: Connection
    cores: tuple[int, ...]
    task: Task | None = None
    since_s: float = 0.0


class Processes:
    """Worker processes of this computer; the processor's cores are divided among them."""

    def __init__(self, job: Job, count: int, *, max_memory_mb: int, timeout_s: float) -> None:
        """A worker beyond ``max_memory_mb``, or longer than ``timeout_s`` on one pair, is ended."""
        self._job, self._max_memory_mb, self._timeout_s = job, max_memory_mb, timeout_s
        self._workers = [self._start(cores) for cores in _divided(count)]

    def free(self) -> bool:
        """See ``Executor``."""
        return any(worker.task is None for worker in self._workers)

    def submit(self, task: Task) -> None:
        """See ``Executor``."""
        worker = next(worker for worker in self._workers if worker.task is None)
        worker.task, worker.since_s = task, time.monotonic()
        with contextlib.suppress(OSError):  # that it died is seen by waiting for it
            worker.channel.send(task)

    def wait(self) -> list[Done]:
        """See ``Executor``."""
        while any(worker.task for worker in self._workers):
            done = list(self._ended())
            if done:
                return done
        return []

    def close(self) -> None:
        """See ``Executor``."""
        for worker in self._workers:
            worker.channel.close()
            worker.process.kill()
        for worker in self._workers:
            worker.process.join(5)

    def _ended(self) -> Iterator[Done]:
        busy = {worker.channel: worker for worker in self._workers if worker.task}
        ready = wait(list(busy), timeout=_LOOK_EVERY_S)
        for worker in busy.values():
            if worker.channel in ready:
                outcome = self._outcome(worker)
                if outcome is not None:
                    yield outcome
            elif (reason := self._too_much(worker)) is not None:
                worker.process.kill()
                yield self._replaced(worker, reason)

    def _outcome(self, worker: _Worker) -> Done | None:
        """What a worker says; None: that it has started."""
        try:
            done = worker.channel.recv()
        except (EOFError, OSError):
            worker.process.join(5)
            return self._replaced(worker, f"its worker {_how_it_died(worker.process.exitcode)}")
        if done is None:
            worker.since_s = time.monotonic()
            return None
        assert isinstance(done, Done)
        worker.task = None
        return done

    def _too_much(self, worker: _Worker) -> str | None:
        used_mb = _resident_mb(worker.process.pid)
        if used_mb > self._max_memory_mb:
            return f"its worker took {used_mb:.0f} MB, more than {self._max_memory_mb} MB"
        if time.monotonic() - worker.since_s > self._timeout_s:
            return f"no result after {self._timeout_s:.0f} s"
        return None

    def _replaced(self, worker: _Worker, reason: str) -> Done:
        task = worker.task
        assert task is not None
        seconds = time.monotonic() - worker.since_s
        worker.channel.close()
        worker.process.join(5)
        self._workers[self._workers.index(worker)] = self._start(worker.cores)
        return Done(task, Fault("crash", reason), seconds)

    def _start(self, cores: tuple[int, ...]) -> _Worker:
        context = multiprocessing.get_context("spawn")  # no lock of ours is held in the child
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._job, cores), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours, cores)


def _work(channel: Connection, job: Job, cores: tuple[int, ...]) -> None:
    """The life of a worker: until its parent closes the channel, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, cores)
    cv2.setNumThreads(len(cores))
    with contextlib.suppress(EOFError, OSError):
        channel.send(None)  # ready: a pair's time counts from now
        while True:
            channel.send(do(channel.recv(), job))


def _divided(count: int) -> list[tuple[int, ...]]:
    """The cores of each worker: all of them shared out, none without any."""
    cores = available_cores()
    return [tuple(cores[k::count]) or (cores[k % len(cores)],) for k in range(count)]


def available_cores() -> list[int]:
    """Return the cores that this process may run on."""
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has it
        return list(range(os.cpu_count() or 1))


def _resident_mb(pid: int | None) -> float:
    """Memory that a process has now; 0 where that cannot be told."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _how_it_died(code: int | None) -> str:
    if code is not None and code < 0:
        return f"died of {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
