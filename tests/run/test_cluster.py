"""Pairs on a real Dask cluster of this computer: killed workers, lacking ones, a lost scheduler."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from run.pairs_that_harm import HarmfulPair
from run.test_resumable import job

pytest.importorskip("distributed", reason="needs the extra cluster")

from stereo.errors import MissingLibraryError, StereoError
from stereo.run.cluster import Cluster
from stereo.run.ledger import Ledger, open_ledger
from stereo.run.processing import PairReport, SetAside
from stereo.run.resumable import run_resumable

TESTS = Path(__file__).parents[1]
STARTED = """
import sys, asyncio
sys.path.insert(0, {tests!r})
from distributed import Scheduler, Worker
async def main():
    if sys.argv[1] == "scheduler":
        server = Scheduler(host="127.0.0.1", port=0, dashboard=False, dashboard_address=None)
    else:
        server = Worker(sys.argv[1], nthreads=1, host="127.0.0.1", name=sys.argv[2])
    async with server:
        print(server.address, flush=True)
        await server.finished()
asyncio.run(main())
"""


@contextmanager
def server(*arguments: str, before: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A scheduler or a worker in a process of its own, and its address."""
    code = before + STARTED.format(tests=str(TESTS))
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        try:
            yield running, running.stdout.readline().strip()
        finally:
            running.kill()


@contextmanager
def cluster(out: Path, address: str) -> Iterator[tuple[Cluster, Ledger]]:
    out.mkdir(exist_ok=True)
    with open_ledger(out) as ledger, closing(Cluster(job(out), address)) as workers:
        yield workers, ledger


def slow_pairs(folder: Path, count: int) -> list[HarmfulPair]:
    return [HarmfulPair(f"p{k}", "slow", folder / f"tries{k}") for k in range(count)]


def test_a_killed_worker_costs_nothing_and_a_lost_scheduler_keeps_what_is_done(
    tmp_path: Path,
) -> None:
    out, pairs = tmp_path / "out", slow_pairs(tmp_path, 16)
    with (
        server("scheduler") as (scheduler, address),
        server(address, "one") as (first, _),
        server(address, "two"),
    ):
        with cluster(out, address) as (workers, ledger):
            running = run_resumable(pairs[:8], job(out).settings, workers, ledger)
            found = [next(running)]
            first.kill()
            found += running
        assert sorted(one.name for one in found) == sorted(pair.name for pair in pairs[:8])
        assert all(isinstance(one, PairReport) for one in found)
        with cluster(out, address) as (workers, ledger):
            running = run_resumable(pairs, job(out).settings, workers, ledger)
            for _ in range(10):
                next(running)
            scheduler.kill()
            with pytest.raises(StereoError, match="the Dask scheduler is gone"):
                list(running)
    with open_ledger(out) as ledger:
        done = ledger.count("done")
    assert 10 <= done < 16
    with (
        server("scheduler") as (_, address),
        server(address, "three"),
        cluster(out, address) as (workers, ledger),
    ):
        found = list(run_resumable(pairs, job(out).settings, workers, ledger))
    assert sum(isinstance(one, PairReport) and one.skipped for one in found) >= done
    assert len(found) == 16


def test_a_worker_that_lacks_the_package_is_named(tmp_path: Path) -> None:
    lacking = (
        "import importlib.metadata as m\n"
        "def version(name, known=m.version):\n"
        "    if name == 'stereo-depth': raise m.PackageNotFoundError(name)\n"
        "    return known(name)\n"
        "m.version = version\n"
    )
    with (
        server("scheduler") as (_, address),
        server(address, "lacking", before=lacking) as (_, name),
        pytest.raises(StereoError, match=f"every worker needs.*{re.escape(name)} lacks it"),
        cluster(tmp_path / "out", address),
    ):
        pass


def test_no_scheduler_and_no_workers_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stereo.run.cluster._CONNECT_S", 0.5)
    with pytest.raises(StereoError, match="no Dask scheduler answers there"):
        Cluster(job(tmp_path), "tcp://127.0.0.1:9")
    with (
        server("scheduler") as (_, address),
        open_ledger(tmp_path) as ledger,
        closing(Cluster(job(tmp_path), address, patience_s=1)) as workers,
        pytest.raises(StereoError, match="has had no workers for 1 s"),
    ):
        list(run_resumable([HarmfulPair("a")], job(tmp_path).settings, workers, ledger))


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingLibraryError, match=r"stereo-depth\[cluster\]"):
        Cluster(job(tmp_path), "tcp://127.0.0.1:9")


def test_a_bad_pair_is_set_aside(tmp_path: Path) -> None:
    pairs = [HarmfulPair("a"), HarmfulPair("bug", "bug")]
    with (
        server("scheduler") as (_, address),
        server(address, "one"),
        cluster(tmp_path, address) as (workers, ledger),
    ):
        found = {p.name: p for p in run_resumable(pairs, job(tmp_path).settings, workers, ledger)}
    assert isinstance(found["bug"], SetAside)
    assert isinstance(found["a"], PairReport)
