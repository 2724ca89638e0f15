"""Pairs worked on by a Dask cluster, behind the same face as the processes of this computer.

Each pair is one Dask task; the job is one too, on which they depend: a worker fetches it once, and
it is made anew when who had it is gone. A pair whose worker dies is given to another by Dask's
scheduler. The ledger is kept here, so that what has ended stays when the scheduler goes away.
"""

from __future__ import annotations

import copy
import pickle
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from stereo.errors import InputError, MissingLibraryError, StereoError
from stereo.run.processing import SetAside
from stereo.run.tasks import Done, Fault, Job, Task, do

_PACKAGE = "stereo-depth"
_AHEAD = 2
"""Tasks for each thread of the cluster: one under way, one that waits beside it."""
_LOOK_EVERY_S = 1.0
_CONNECT_S = 10.0
_PATIENCE_S = 60.0
"""How long a cluster may be without workers: one that grows with its work takes a while."""


class Cluster:
    """The workers of a Dask scheduler."""

    def __init__(self, job: Job, address: str, *, patience_s: float = _PATIENCE_S) -> None:
        """Raises StereoError when the scheduler cannot be reached or a worker cannot do the job."""
        self._address, self._patience_s = address, patience_s
        self._client = _connected(address)
        self._ended: SimpleQueue[Any] = SimpleQueue()
        self._under_way: dict[str, tuple[Any, Task]] = {}
        self._threads, self._looked_s = 0, -_LOOK_EVERY_S
        self._worked_s = time.monotonic()
        try:
            self._check_workers()
            _check_folder(self._client, job.settings.out)
            self._job = self._submit(pickle.loads, pickle.dumps(job))
        except BaseException:
            self.close()
            raise

    def free(self) -> bool:
        """See ``Executor``: a few tasks for each thread are on their way."""
        if time.monotonic() - self._looked_s > _LOOK_EVERY_S:
            self._look()
        return len(self._under_way) < max(_AHEAD, _AHEAD * self._threads)

    def submit(self, task: Task) -> None:
        """See ``Executor``."""
        future = self._submit(_do, task, self._job)
        self._under_way[future.key] = future, task
        future.add_done_callback(self._ended.put)

    def wait(self) -> list[tuple[Task, Done]]:
        """See ``Executor``. Raises StereoError when the scheduler is gone, or all workers are."""
        while self._under_way:
            try:
                futures = [self._ended.get(timeout=_LOOK_EVERY_S)]
            except Empty:
                self._look()
                continue
            while not self._ended.empty():
                futures.append(self._ended.get())
            self._worked_s = time.monotonic()
            return list(self._outcomes(futures))
        return []

    def close(self) -> None:
        """See ``Executor``."""
        with suppress(Exception):  # the scheduler may be gone
            self._client.cancel([future for future, _ in self._under_way.values()], force=True)
        with suppress(Exception):
            self._client.close(timeout=2)

    def _submit(self, work: Callable[..., Any], *values: Any) -> Any:
        with warnings.catch_warnings():
            # frames of a recording, and the maps of a rectification, have some megabytes
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            try:
                return self._client.submit(work, *values, pure=False)
            except Exception as error:
                raise self._gone() from error

    def _outcomes(self, futures: list[Any]) -> Iterator[tuple[Task, Done]]:
        whole = [future for future in futures if future.status == "finished"]
        try:
            found = self._client.gather(whole, errors="skip") if whole else []
        except Exception as error:
            raise self._gone() from error
        if len(found) < len(whole) or any(future.status == "cancelled" for future in futures):
            raise self._gone()
        for future, done in zip(whole, found, strict=True):
            yield self._under_way.pop(future.key)[1], done
        for future in futures:
            if future.key in self._under_way:
                task = self._under_way.pop(future.key)[1]
                yield task, Done(self._what_went_wrong(task, future.exception()), 0.0)

    def _what_went_wrong(self, task: Task, error: BaseException) -> SetAside | Fault:
        """What Dask says of a task that did not come to its end: ours catch their own errors."""
        from distributed.scheduler import KilledWorker

        if isinstance(error, KilledWorker):
            return Fault("crash", f"its worker {error.last_worker.address} died, as others before")
        self._check_workers()  # one that came later may lack the package
        said = f"{type(error).__name__}: {error}"
        return SetAside(task.pair.name, StereoError(f"the cluster failed at it: {said:.300}"))

    def _look(self) -> None:
        """See how many threads there are. Raises StereoError when nobody is there to wait for."""
        self._looked_s = time.monotonic()
        try:
            threads = self._client.nthreads()
        except Exception as error:
            raise self._gone() from error
        self._threads = sum(threads.values())
        if self._threads:
            self._worked_s = max(self._worked_s, self._looked_s - self._patience_s / 2)
        elif self._looked_s - self._worked_s > self._patience_s:
            raise StereoError(
                f"{self._address}: the Dask scheduler has had no workers for "
                f"{self._patience_s:.0f} s; start some (dask worker {self._address}), and start "
                "the batch again: it goes on where it stopped"
            )

    def _gone(self) -> StereoError:
        return StereoError(
            f"{self._address}: the Dask scheduler is gone; what was finished is in the ledger: "
            "start the batch again when it is back, and it goes on where it stopped"
        )

    def _check_workers(self) -> None:
        """Raise StereoError naming workers that lack this package, or have another version."""
        ours = metadata.version(_PACKAGE)
        found = self._client.run(metadata.version, _PACKAGE, on_error="return")
        _refuse(
            {address: said for address, said in found.items() if said != ours},
            lambda said: "lacks it" if isinstance(said, Exception) else f"has version {said}",
            f"every worker needs {_PACKAGE} {ours}, the version that is here (pip install)",
        )


def _connected(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingLibraryError(
            "--dask needs the extra cluster: pip install 'stereo-depth[cluster]'"
        ) from error
    try:
        connect: Callable[..., Any] = Client
        return connect(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise StereoError(
            f"{address}: no Dask scheduler answers there; is it running? (dask scheduler)"
        ) from error
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{address}: is no address of a Dask scheduler, such as tcp://host:8786: {error}"
        ) from error


def _check_folder(client: Any, out: object) -> None:
    """Raise StereoError naming workers that do not see a local result folder."""
    if isinstance(out, Path):
        seen = client.run(_exists, str(out.resolve()))
        _refuse(
            {address: None for address, there in seen.items() if not there},
            lambda _: "does not see it",
            f"{out}: every worker writes there: use a folder that all computers share, or a URL "
            "such as s3://bucket/folder",
        )


def _exists(path: str) -> bool:
    return Path(path).is_dir()


def _refuse(bad: dict[str, Any], why: Callable[[Any], str], needed: str) -> None:
    if bad:
        named = ", ".join(f"{address} {why(said)}" for address, said in list(bad.items())[:5])
        more = f", and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise StereoError(f"{needed}; of the Dask workers {named}{more}")


# --- on a worker ----------------------------------------------------------------------------------

_own = threading.local()


def _do(task: Task, job: Job) -> Done:
    """Work on a task with a matcher of this thread's own: it keeps its memory between pairs."""
    if getattr(_own, "shared", None) is not job:
        matcher = copy.deepcopy(job.pipeline.matcher)
        _own.shared, _own.job = job, replace(job, pipeline=replace(job.pipeline, matcher=matcher))
    done: Done = do(task, _own.job)
    return done
