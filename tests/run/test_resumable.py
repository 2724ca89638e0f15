"""Very many pairs: nothing that one pair does costs another, and nothing finished is done twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from run.pairs_that_harm import Harm, HarmfulPair
from support import textured_pair

from stereo.errors import InputError, OutputError, StereoError
from stereo.files import outputs
from stereo.files.urls import UrlPath
from stereo.matching import make_matcher
from stereo.pages.batch import render_page
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.run.batch import with_folders
from stereo.run.ledger import NAME, Ledger, open_ledger, read_ledger
from stereo.run.pairs import PairFiles
from stereo.run.processing import BatchSettings, PairReport, SetAside
from stereo.run.resumable import run_resumable
from stereo.run.tasks import Done, Fault, Job, Task, do
from stereo.run.workers import Processes


class Here:
    """An executor that works where it is."""

    def __init__(self, job: Job) -> None:
        self.job, self.tasks, self.done = job, list[Task](), 0

    def free(self) -> bool:
        return not self.tasks

    def submit(self, task: Task) -> None:
        self.tasks.append(task)

    def wait(self) -> list[tuple[Task, Done]]:
        tasks, self.tasks = self.tasks, []
        self.done += len(tasks)
        return [(task, do(task, self.job)) for task in tasks]

    def close(self) -> None:
        pass


def job(out: Path, written: tuple[str, ...] = ("disparity", "preview")) -> Job:
    matcher = make_matcher("sgbm", num_disparities=32)
    pipeline = StereoPipeline(Rectification.already_rectified(), matcher)
    return Job(pipeline, BatchSettings(out, written))


def run_here(
    pairs: list[HarmfulPair], out: Path, *, fail_fast: bool = False
) -> tuple[list[PairReport | SetAside], int]:
    """What came out, and how many pairs were worked on."""
    here = Here(job(out))
    with open_ledger(out) as ledger:
        found = list(run_resumable(pairs, here.job.settings, here, ledger, fail_fast=fail_fast))
    return found, here.done


@contextmanager
def processes(out: Path, **limits: float) -> Iterator[tuple[Processes, Ledger]]:
    told = {"max_memory_mb": 1500, "timeout_s": 30.0, **limits}
    with (
        open_ledger(out) as ledger,
        closing(Processes(job(out), 1, **told)) as workers,  # type: ignore[arg-type]
    ):
        yield workers, ledger


def test_a_rerun_does_nothing_twice_and_mends_what_was_damaged(tmp_path: Path) -> None:
    pairs = [HarmfulPair(name) for name in "abcd"]
    found, worked = run_here(pairs, tmp_path)
    assert worked == 4
    assert [one.name for one in found] == list("abcd")
    again, worked = run_here(pairs, tmp_path)
    assert worked == 0
    assert all(isinstance(one, PairReport) and one.skipped for one in again)

    whole = (tmp_path / "b" / "disparity.pfm").read_bytes()
    (tmp_path / "b" / "disparity.pfm").write_bytes(whole[:1000])
    (tmp_path / "c" / "preview.png").unlink()
    (tmp_path / "d" / "summary.json").write_text("{")
    _, worked = run_here(pairs, tmp_path)
    assert worked == 3
    assert (tmp_path / "b" / "disparity.pfm").read_bytes() == whole
    assert json.loads((tmp_path / "d" / "summary.json").read_text())["name"] == "d"


def test_without_its_ledger_finished_pairs_are_recognised(tmp_path: Path) -> None:
    run_here([HarmfulPair("a")], tmp_path)
    (tmp_path / NAME).unlink()
    ((found,), _) = run_here([HarmfulPair("a")], tmp_path)
    assert isinstance(found, PairReport)
    assert found.skipped
    _, worked = run_here([HarmfulPair("a")], tmp_path)
    assert worked == 0


def test_other_settings_do_all_anew(tmp_path: Path) -> None:
    run_here([HarmfulPair("a")], tmp_path)
    other = Here(Job(job(tmp_path).pipeline, BatchSettings(tmp_path, ("disparity",))))
    with open_ledger(tmp_path) as ledger:
        list(run_resumable([HarmfulPair("a")], other.job.settings, other, ledger))
    assert other.done == 1


def test_bugs_and_bad_pairs_are_set_aside_and_tried_again_by_a_rerun(tmp_path: Path) -> None:
    pairs = [HarmfulPair("a"), HarmfulPair("bug", "bug"), HarmfulPair("c")]
    found, _ = run_here(pairs, tmp_path)
    assert isinstance(found[1], SetAside)
    assert "an error of this program: ZeroDivisionError: nobody thought of it" in str(
        found[1].error
    )
    with open_ledger(tmp_path) as ledger:
        assert (ledger.count("done"), ledger.count("set aside")) == (2, 1)
        page = render_page(ledger)
    assert "nobody thought of it" in page
    assert page.count("<figure") == 2
    mended, worked = run_here([HarmfulPair("bug")], tmp_path)
    assert worked == 1
    assert isinstance(mended[0], PairReport)


def test_fail_fast_ends_at_the_first(tmp_path: Path) -> None:
    pairs = [HarmfulPair("a"), HarmfulPair("bug", "bug"), HarmfulPair("c")]
    with pytest.raises(StereoError, match="bug: an error of this program"):
        run_here(pairs, tmp_path, fail_fast=True)
    with open_ledger(tmp_path) as ledger:
        assert ledger.count("done") == 1


def test_a_passing_fault_is_tried_again(tmp_path: Path) -> None:
    pair = HarmfulPair("server", "passing", tmp_path / "tries")
    ((found,), worked) = run_here([pair], tmp_path / "out")
    assert isinstance(found, PairReport)
    assert worked == 3


def test_a_full_disk_ends_the_batch_and_keeps_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_here([HarmfulPair("a")], tmp_path)

    def full(*_: object) -> None:
        raise OutputError("disparity.pfm: cannot be written: No space left on device")

    monkeypatch.setattr("stereo.run.processing.write_outputs", full)
    with pytest.raises(OutputError, match="No space left"):
        run_here([HarmfulPair("a"), HarmfulPair("b")], tmp_path)
    monkeypatch.undo()
    _, worked = run_here([HarmfulPair("a"), HarmfulPair("b")], tmp_path)
    assert worked == 1


@pytest.mark.parametrize(
    ("harm", "timeout_s", "reason"),
    [
        ("crash", 60, "its worker died of SIGSEGV (2 times)"),
        ("hang", 5, "no result after 5 s (2 times)"),
        ("memory", 60, "more than 1500 MB (2 times)"),
    ],
)
def test_what_harms_its_worker_costs_its_own_pair_alone(
    tmp_path: Path, harm: Harm, timeout_s: float, reason: str
) -> None:
    pairs = [HarmfulPair("a"), HarmfulPair("bad", harm), HarmfulPair("b")]
    settings = job(tmp_path).settings
    with processes(tmp_path, timeout_s=timeout_s) as (workers, ledger):
        found = {one.name: one for one in run_resumable(pairs, settings, workers, ledger)}
    bad = found.pop("bad")
    assert isinstance(bad, SetAside)
    assert str(bad.error).endswith(reason)
    assert all(isinstance(one, PairReport) for one in found.values())
    assert sorted(found) == ["a", "b"]


_KILLED = """
import sys
from pathlib import Path
from run.pairs_that_harm import HarmfulPair
from run.test_resumable import job
from stereo.run.ledger import open_ledger
from stereo.run.resumable import run_resumable
from stereo.run.workers import Processes
if __name__ == "__main__":
    out = Path(sys.argv[1])
    pairs = [HarmfulPair(f"p{k}", "slow", out.parent / f"tries{k}") for k in range(12)]
    with open_ledger(out) as ledger:
        workers = Processes(job(out), 1, max_memory_mb=1500, timeout_s=30)
        for one in run_resumable(pairs, job(out).settings, workers, ledger):
            print(one.name, flush=True)
        workers.close()
"""


def test_kill_9_loses_and_repeats_nothing_that_was_finished(tmp_path: Path) -> None:
    """Twice in the middle, then to the end."""
    out = tmp_path / "out"
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)
    tests = str(Path(__file__).parents[1])
    finished = set[str]()
    for after in (2, 3, None):
        with subprocess.Popen(
            [sys.executable, str(script), str(out)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": tests},
        ) as running:
            assert running.stdout is not None
            fresh = 0
            for line in running.stdout:
                fresh += line.strip() not in finished
                finished.add(line.strip())
                if fresh == after:
                    time.sleep(0.05)  # the next is under way
                    running.send_signal(signal.SIGKILL)
                    break
        for pair in finished:  # no half file
            assert json.loads((out / pair / "summary.json").read_text())["name"] == pair
    assert len(finished) == 12
    tries = [(tmp_path / f"tries{k}").stat().st_size for k in range(12)]
    assert sum(tries) <= 12 + 2 * 2  # only what was under way at a kill


def test_two_batches_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        open_ledger(tmp_path),
        pytest.raises(InputError, match="another stereo batch is at work"),
        open_ledger(tmp_path),
    ):
        pass


def test_ledgers_of_another_version_or_none_are_refused(tmp_path: Path) -> None:
    assert read_ledger(tmp_path) is None
    with open_ledger(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        connection.execute("PRAGMA user_version = 7")
    with pytest.raises(InputError, match="is a ledger of version 7, this program knows 1"):
        read_ledger(tmp_path)
    with pytest.raises(InputError, match="version 7"), open_ledger(tmp_path):
        pass
    (tmp_path / NAME).write_text("no ledger at all, but long enough to be looked at" * 30)
    with pytest.raises(InputError, match="is no ledger of a batch"), open_ledger(tmp_path):
        pass


def test_many_folders_are_spread_and_found_again(tmp_path: Path) -> None:
    here = Here(job(tmp_path))
    pairs = [HarmfulPair(f"p{k}") for k in range(5)]
    for expected in (5, 5):
        with open_ledger(tmp_path) as ledger:
            list(run_resumable(pairs, here.job.settings, here, ledger, sharded=True))
        assert here.done == expected
    assert len(list(tmp_path.glob("??/p*/summary.json"))) == 5


def test_real_images_written_by_workers_equal_those_written_here(tmp_path: Path) -> None:
    images = textured_pair(5.0)
    for side in ("left", "right"):
        outputs.write_image_png(tmp_path / f"{side}.png", getattr(images, side))
    pair = PairFiles("p", tmp_path / "left.png", tmp_path / "right.png")
    with processes(tmp_path / "there") as (workers, ledger):
        list(run_resumable([pair], job(tmp_path / "there").settings, workers, ledger))
    here = do(Task(pair, tmp_path / "here" / "p"), job(tmp_path / "here"))
    assert not isinstance(here.outcome, Fault)
    for file in ("disparity.pfm", "preview.png"):
        one, other = (tmp_path / where / "p" / file for where in ("here", "there"))
        assert one.read_bytes() == other.read_bytes()


def test_a_result_folder_that_is_removed_midway_is_said(tmp_path: Path) -> None:
    here = Here(job(tmp_path / "out"))
    with open_ledger(tmp_path / "out") as ledger:
        running = run_resumable(
            [HarmfulPair("a"), HarmfulPair("b")], here.job.settings, here, ledger
        )
        next(running)
        shutil.rmtree(tmp_path / "out")
        with pytest.raises(OutputError, match="was removed or replaced while the batch"):
            list(running)
    found, worked = run_here([HarmfulPair("a"), HarmfulPair("b")], tmp_path / "out")
    assert (len(found), worked) == (2, 2)
    assert json.loads((tmp_path / "out" / "a" / "summary.json").read_text())["name"] == "a"


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".disparity.pfm.0a1b2c3d.part").write_bytes(b"half")
    run_here([HarmfulPair("a")], tmp_path)
    assert not list((tmp_path / "a").glob(".*"))


def test_no_two_pairs_write_to_one_folder(tmp_path: Path) -> None:
    names = ["a", "a_2", "a", "a", "x/y", "x_y", "..", "index.html", "n" * 300, "n" * 299 + "m"]
    folders = [it[1].name for it in with_folders(map(HarmfulPair, names), tmp_path)]  # type: ignore[index]
    assert folders[:7] == ["a", "a_2", "a_3", "a_4", "x_y", "x_y_2", "pair"]
    assert len(set(folders)) == len(names)
    assert "index.html" not in folders
    assert max(map(len, folders)) < 255


def test_results_go_to_a_url_and_pairs_come_from_one(tmp_path: Path) -> None:
    """``memory://`` is a store of objects, as s3:// is."""
    fsspec = pytest.importorskip("fsspec", reason="needs the extra cluster")
    store = fsspec.filesystem("memory")
    for side in ("left", "right"):
        outputs.write_image_png(tmp_path / f"{side}.png", getattr(textured_pair(5.0), side))
        store.pipe_file(f"/in/{side}.png", (tmp_path / f"{side}.png").read_bytes())
    out = UrlPath("memory://results")
    pairs = [
        PairFiles("p", UrlPath("memory://in/left.png"), UrlPath("memory://in/right.png")),
        PairFiles("gone", UrlPath("memory://in/none.png"), UrlPath("memory://in/right.png")),
    ]
    here = Here(Job(job(tmp_path).pipeline, BatchSettings(out, ("disparity", "preview"))))
    for desk, worked in (("one", 2), ("one", 3), ("other", 5)):  # the bad one is tried each time
        with open_ledger(tmp_path / desk) as ledger:
            found = list(run_resumable(pairs, here.job.settings, here, ledger, sharded=True))
        assert here.done == worked
    done, bad = found if isinstance(found[0], PairReport) else found[::-1]
    assert isinstance(done, PairReport)
    assert done.skipped  # without its ledger a worker looks
    assert isinstance(bad, SetAside)
    assert str(bad.error) == "memory://in/none.png: no such file"
    pair = PairFiles("p", tmp_path / "left.png", tmp_path / "right.png")
    do(Task(pair, tmp_path / "here"), job(tmp_path))
    there = (done.folder / "disparity.pfm").read_bytes()
    assert there == (tmp_path / "here" / "disparity.pfm").read_bytes()
    # what a store lost is made anew when a worker looks
    (done.folder / "preview.png").unlink(missing_ok=False)  # type: ignore[call-arg]
    with open_ledger(tmp_path / "third") as ledger:
        found = list(run_resumable(pairs[:1], here.job.settings, here, ledger, sharded=True))
    assert isinstance(found[0], PairReport)
    assert not found[0].skipped
