"""What `stereo batch` costs beside the work: workers, overhead, growth, kill -9, a cluster, size.

python benchmarks/batch.py workers | overhead | growth | kills | tasks | size
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
from common import ROOM, table_head, table_row

from stereo.errors import ImageError
from stereo.frame import StereoFrame
from stereo.matching import make_matcher
from stereo.memory import resident_memory_mb
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.run.ledger import open_ledger
from stereo.run.lists import PairList
from stereo.run.processing import BatchSettings, PairReport, process_pair
from stereo.run.resumable import run_resumable
from stereo.run.tasks import Done, Job, Task
from stereo.run.workers import Processes

STEREO = [sys.executable, "-m", "stereo.cli.main"]
RIG = ["--rectified", "--focal-px", "600", "--baseline-m", "0.16"]


def listed(folder: Path, count: int, size: tuple[int, int]) -> Path:
    """A list that names the sample room, rectified and resized, ``count`` times."""
    call = [*STEREO, "rectify", *(str(ROOM / f"{side}.png") for side in ("left", "right"))]
    call += ["--calib", str(ROOM / "rig.yaml"), "-o", str(folder / "rectified")]
    subprocess.run(call, check=True, capture_output=True)
    for side in ("left", "right"):
        image = cv2.imread(str(folder / "rectified" / f"{side}.png"))
        interpolation = cv2.INTER_AREA if size[0] < image.shape[1] else cv2.INTER_CUBIC
        cv2.imwrite(
            str(folder / f"{side}.png"), cv2.resize(image, size, interpolation=interpolation)
        )
    lines = [f"left.png,right.png,p{k}" for k in range(count)]
    (folder / "list.csv").write_text("\n".join(["left,right,name", *lines]))
    return folder / "list.csv"


def job(out: Path) -> Job:
    """A small matcher and one output."""
    pipeline = StereoPipeline(
        Rectification.already_rectified(), make_matcher("sgbm", num_disparities=16)
    )
    return Job(pipeline, BatchSettings(out, ("disparity",)))


def cpu_s() -> float:
    """Processor time of this process and of its children that ended."""
    own, ended = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


# --- workers: two on two cores against one --------------------------------------------------------


def workers(folder: Path) -> None:
    """Pairs a second between the first and the last pair's end, so that starting does not count."""
    path = listed(folder, 14, (960, 540))
    rates: dict[str, list[float]] = {"one, one core": [], "two, a core each": [], "one, both": []}
    for repeat in range(3):
        for name, count, cores in (
            ("one, one core", 1, {0}),
            ("two, a core each", 2, {0, 1}),
            ("one, both", 1, {0, 1}),
        ):
            os.sched_setaffinity(0, cores)
            rates[name].append(_rate(path, folder / f"{name}{repeat}", count))
    print(table_head("workers", "pairs/s, best of 3", "against one"))
    for name, found in rates.items():
        print(
            table_row(name, f"{max(found):.2f}", f"{max(found) / max(rates['one, one core']):.2f}")
        )


def _rate(path: Path, out: Path, count: int) -> float:
    pipeline = StereoPipeline(
        Rectification.already_rectified(), make_matcher("sgm", num_disparities=128)
    )
    todo = Job(pipeline, BatchSettings(out, ("disparity", "preview")))
    times = []
    with (
        open_ledger(out) as ledger,
        closing(Processes(todo, count, max_memory_mb=4000, timeout_s=900)) as executor,
    ):
        for _ in run_resumable(PairList(path), todo.settings, executor, ledger):
            times.append(time.monotonic())
    skip = 2  # while these are done, the other worker may still start
    return (len(times) - 1 - skip) / (times[-1] - times[skip])


# --- overhead: beyond the pipeline itself ---------------------------------------------------------


def overhead(folder: Path) -> None:
    """The same tiny pairs by the bare pipeline, and by a batch of one worker."""
    path = listed(folder, 150, (64, 48))
    pairs = list(PairList(path))
    todo = job(folder / "bare")
    bare, batch = [], []
    for repeat in range(3):
        start = time.monotonic()
        for pair in pairs:
            out = folder / "bare" / str(repeat) / pair.name
            summary = process_pair(pair, todo.pipeline, todo.settings, out)
            (out / "summary.json").write_text(json.dumps(summary))
        bare.append((time.monotonic() - start) / len(pairs))
        out = folder / f"batch{repeat}"
        todo = job(out)
        with (
            open_ledger(out) as ledger,
            closing(Processes(todo, 1, max_memory_mb=4000, timeout_s=900)) as executor,
        ):
            running = run_resumable(pairs, todo.settings, executor, ledger)
            next(running)  # the worker has started
            start = time.monotonic()
            ended = sum(1 for _ in running)
            batch.append((time.monotonic() - start) / ended)
    print(
        f"bare pipeline {1e3 * min(bare):.2f} ms a pair, batch {1e3 * min(batch):.2f} ms, "
        f"overhead {1e3 * (min(batch) - min(bare)):.2f} ms (best of 3)"
    )


# --- growth: 100,000 pairs ------------------------------------------------------------------------


class Nobody:
    """An executor that does nothing: what remains is list, ledger and coordination."""

    def __init__(self, out: Path) -> None:
        self.out, self.tasks = out, list[Task]()

    def free(self) -> bool:
        return len(self.tasks) < 2

    def submit(self, task: Task) -> None:
        self.tasks.append(task)

    def wait(self) -> list[tuple[Task, Done]]:
        tasks, self.tasks = self.tasks, []
        facts = {"trusted": True, "files": {}, "bytes": {}, "warnings": []}
        return [
            (task, Done(PairReport(task.pair.name, task.folder, facts), 0.01)) for task in tasks
        ]

    def close(self) -> None:
        pass


def growth(folder: Path) -> None:
    """No-op pairs through list and ledger, then real tiny ones on two workers; rate by tenths."""
    for name, count in (("no-op", 100_000), ("real, two workers", 4_000)):
        path = listed(folder / name, count, (64, 48)) if (folder / name).mkdir() is None else folder
        out = folder / f"{name} out"
        todo = job(out)
        executor: Any = Nobody(out)
        if name != "no-op":
            executor = Processes(todo, 2, max_memory_mb=4000, timeout_s=900)
        with open_ledger(out) as ledger, closing(executor):
            running = run_resumable(PairList(path), todo.settings, executor, ledger, sharded=True)
            told, start = [], time.monotonic()
            for number, _ in enumerate(running, 1):
                if number % (count // 10) == 0:
                    now = time.monotonic()
                    told.append((count / 10 / (now - start), resident_memory_mb()))
                    start = now
        print(f"{name}, {count} pairs: pairs/s by tenth {[round(rate) for rate, _ in told]}")
        print(f"  memory MB {[round(mb) for _, mb in told]}")


# --- kills ----------------------------------------------------------------------------------------


def kills(folder: Path, times: int = 20) -> None:
    """Kill -9 of `stereo batch`, most in the middle of writing; what had ended is never redone."""
    path, out, rng = listed(folder, 120, (480, 360)), folder / "out", random.Random(1)
    call = [*STEREO, "batch", str(path), *RIG, "--num-disparities", "32", "--no-surfaces"]
    call += ["--matcher", "sgbm", "--outputs", "disparity,depth-tiff,depth,cloud", "-o", str(out)]
    finished: dict[str, int] = {}
    halfway = repeated = 0
    for _ in range(times):
        with subprocess.Popen(
            call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as running:
            for process in [*_stopped_in_writing(running, out, rng), running.pid]:
                os.kill(process, signal.SIGKILL)
        halfway += any(out.rglob(".*.part"))
        repeated += sum(_stamp(out / name) != stamp for name, stamp in finished.items())
        finished = {p.parent.name: _stamp(p.parent) for p in out.glob("*/summary.json")}
    left = 120 - len(finished)
    done = subprocess.run([*call, "--json"], capture_output=True, text=True, check=False)
    facts = json.loads(done.stdout)
    repeated += sum(_stamp(out / name) != stamp for name, stamp in finished.items())
    print(
        f"{times} kills, {halfway} in mid-write; {len(finished)} pairs finished before the last, "
        f"{repeated} of them repeated or lost; the rerun did {facts['done']} (of {left} left), "
        f"found {facts['done_before']}; half files left: {len(list(out.rglob('.*.part')))}"
    )


def _stopped_in_writing(
    running: subprocess.Popen[bytes], out: Path, rng: random.Random
) -> list[int]:
    """Let some pairs end, then stop the workers while a file is half written; the workers."""
    until = len(list(out.glob("*/summary.json"))) + rng.randint(1, 4)
    while running.poll() is None and len(list(out.glob("*/summary.json"))) < until:
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.05))
    told = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text()
    workers = [int(process) for process in told.split()]
    for _ in range(200):
        while running.poll() is None and not any(out.rglob(".*.part")):
            pass
        _signal(workers, signal.SIGSTOP)
        if any(out.rglob(".*.part")):
            break
        _signal(workers, signal.SIGCONT)
    return workers


def _signal(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        os.kill(process, number)


def _stamp(folder: Path) -> int:
    try:
        return (folder / "summary.json").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


# --- tasks: what a pair costs the coordinator -----------------------------------------------------


@dataclass(frozen=True)
class Nothing:
    """A pair that ends at once."""

    name: str

    def read(self, *, swap: bool = False) -> StereoFrame:
        raise ImageError(f"{self.name}: nothing")

    def facts(self) -> dict[str, Any]:
        return {}

    def identity(self) -> list[Any]:
        return [self.name]


def tasks(folder: Path, count: int = 3000) -> None:
    """No-op pairs: how many a second, on processes and on Dask, by number of workers."""
    from distributed import LocalCluster

    from stereo.run.cluster import Cluster

    print(table_head("executor", "workers", "no-op pairs/s", "ms a pair"))

    def timed(name: str, workers: int, make: Callable[[Job], Any]) -> None:
        out = folder / f"{name}{workers}"
        out.mkdir()
        with open_ledger(out) as ledger, closing(make(job(out))) as executor:
            pairs: Iterator[Any] = (Nothing(f"p{k}") for k in range(count))
            running = run_resumable(pairs, job(out).settings, executor, ledger)
            for _ in range(workers + 20):
                next(running)
            start = time.monotonic()
            ended = sum(1 for _ in running)
            rate = ended / (time.monotonic() - start)
        print(table_row(name, str(workers), f"{rate:.0f}", f"{1e3 / rate:.2f}"), flush=True)

    for workers in (1, 2):
        timed(
            "processes",
            workers,
            lambda j, n=workers: Processes(j, n, max_memory_mb=4000, timeout_s=99),
        )
    for workers, threads in ((2, 1), (2, 50), (2, 500)):
        with LocalCluster(
            workers, threads_per_worker=threads, processes=True, dashboard_address=None
        ) as dask:
            timed("dask", workers * threads, lambda j, d=dask: Cluster(j, d.scheduler_address))


# --- size: what a pair of two megapixels costs ----------------------------------------------------


def size(folder: Path) -> None:
    """Processor seconds of a 1920x1080 pair on one core, and bytes of each output."""
    every = "disparity,disparity-png,depth,depth-tiff,sigma,confidence,cloud,preview"
    for name, more in (
        ("default", []),
        ("--outputs depth", ["--outputs", "depth"]),
        ("everything", ["--outputs", every]),
    ):
        (folder / name).mkdir()
        used = {}
        for count in (1, 4):
            where = folder / name / str(count)
            where.mkdir()
            path, out = listed(where, count, (1920, 1080)), where / "out"
            call = ["taskset", "-c", "0", *STEREO, "batch", str(path), *RIG, *more, "--quiet"]
            before = cpu_s()
            done = subprocess.run(
                [*call, "-o", str(out)], capture_output=True, text=True, check=False
            )
            used[count] = cpu_s() - before
            assert (out / "p0" / "summary.json").exists(), done.stderr
        summary = json.loads((out / "p0" / "summary.json").read_text())
        sizes = {key: value / 1e6 for key, value in summary["bytes"].items()}
        each = (used[4] - used[1]) / 3
        print(f"{name}: {each:.2f} CPU s a pair, {sum(sizes.values()):.2f} MB")
        print("  " + ", ".join(f"{key} {mb:.2f} MB" for key, mb in sizes.items()), flush=True)


KINDS = {
    "workers": workers,
    "overhead": overhead,
    "growth": growth,
    "kills": kills,
    "tasks": tasks,
    "size": size,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", nargs="+", choices=KINDS)
    for kind in parser.parse_args().kind:
        with tempfile.TemporaryDirectory() as name:
            KINDS[kind](Path(name))


if __name__ == "__main__":
    main()
