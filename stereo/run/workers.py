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
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import cv2

from stereo.memory import resident_memory_mb
from stereo.run.tasks import Done, Fault, Job, Task, do
from stereo.threads import available_cores, start_thread

_LOOK_EVERY_S = 0.5


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
        self._idle_cores = _divided(count)
        self._workers: list[_Worker] = []

    def free(self) -> bool:
        """See ``Executor``."""
        return bool(self._idle_cores) or any(worker.task is None for worker in self._workers)

    def submit(self, task: Task) -> None:
        """See ``Executor``; a process is started when there is work for it."""
        worker = next((worker for worker in self._workers if worker.task is None), None)
        if worker is None:
            worker = self._start(self._idle_cores.pop(0))
            self._workers.append(worker)
        worker.task, worker.since_s = task, time.monotonic()
        with contextlib.suppress(OSError):  # that it died is seen by waiting for it
            worker.channel.send(task)

    def wait(self) -> list[tuple[Task, Done]]:
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

    def _ended(self) -> Iterator[tuple[Task, Done]]:
        busy = {worker.channel: worker for worker in self._workers if worker.task}
        ready = wait(list(busy), timeout=_LOOK_EVERY_S)
        for worker in busy.values():
            if worker.channel in ready:
                ended = self._outcome(worker)
                if ended is not None:
                    yield ended
            elif (reason := self._too_much(worker)) is not None:
                worker.process.kill()
                yield self._replaced(worker, reason)

    def _outcome(self, worker: _Worker) -> tuple[Task, Done] | None:
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
        assert worker.task is not None
        task, worker.task = worker.task, None
        return task, done

    def _too_much(self, worker: _Worker) -> str | None:
        used_mb = resident_memory_mb(worker.process.pid)
        if used_mb > self._max_memory_mb:
            return f"its worker took {used_mb:.0f} MB, more than {self._max_memory_mb} MB"
        if time.monotonic() - worker.since_s > self._timeout_s:
            return f"no result after {self._timeout_s:.0f} s"
        return None

    def _replaced(self, worker: _Worker, reason: str) -> tuple[Task, Done]:
        task = worker.task
        assert task is not None
        seconds = time.monotonic() - worker.since_s
        worker.channel.close()
        worker.process.join(5)
        self._workers[self._workers.index(worker)] = self._start(worker.cores)
        return task, Done(Fault("crash", reason), seconds)

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
    start_thread("orphan", _end_with_parent)
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, cores)
    cv2.setNumThreads(len(cores))
    with contextlib.suppress(EOFError, OSError):
        channel.send(None)  # ready: a pair's time counts from now
        while True:
            channel.send(do(channel.recv(), job))


def _end_with_parent() -> None:
    """End at once when the parent is gone, in the middle of a pair too: a rerun begins it anew."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _divided(count: int) -> list[tuple[int, ...]]:
    """The cores of each worker: all of them shared out, none without any."""
    cores = available_cores()
    return [tuple(cores[k::count]) or (cores[k % len(cores)],) for k in range(count)]


def _how_it_died(code: int | None) -> str:
    if code is not None and code < 0:
        return f"died of {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
