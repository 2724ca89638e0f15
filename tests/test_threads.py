"""The newest wins; threads of ours are all seen at the end, since one module starts them."""

from __future__ import annotations

import ast
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from streams import wait_for

from stereo.threads import Latest, start_thread, start_timer, still_busy

REPO = Path(__file__).resolve().parents[1]


# --- Latest -------------------------------------------------------------------------------------


def test_the_newest_replaces_what_nobody_took() -> None:
    latest: Latest[int] = Latest()
    assert all(latest.put(number) for number in range(4))
    assert latest.take(0) == 3
    assert latest.superseded == 3
    assert latest.take(0) is None  # each is given once
    assert not latest.ended


def test_taking_waits_so_long_and_no_longer() -> None:
    latest: Latest[int] = Latest()
    start = time.monotonic()
    assert latest.take(0.15) is None
    assert time.monotonic() - start >= 0.15
    start_thread("late", lambda: time.sleep(0.05) or latest.put(7))
    assert latest.take() == 7


def test_the_patient_lose_nothing() -> None:
    latest: Latest[int] = Latest()

    def fill() -> None:
        for number in range(20):
            latest.put(number, patient=True)
        latest.end()

    start_thread("fill", fill)
    taken = []
    while (number := latest.take()) is not None:
        taken.append(number)
    assert taken == list(range(20))
    assert latest.superseded == 0


def test_what_was_left_comes_before_the_error_it_ended_with() -> None:
    latest: Latest[int] = Latest()
    latest.put(1)
    latest.end(ValueError("lost"))
    latest.end(ValueError("something that came of it"))
    assert not latest.put(2)
    assert not latest.ended
    assert latest.take() == 1
    assert latest.ended
    for _ in range(2):
        with pytest.raises(ValueError, match="lost"):
            latest.take()


def test_closing_forgets_what_is_left_and_wakes_who_waits() -> None:
    latest: Latest[int] = Latest()
    latest.put(1)
    refused = []
    waiting = start_thread("patient", lambda: refused.append(not latest.put(2, patient=True)))
    latest.close()
    waiting.join(5)
    assert refused == [True]
    assert latest.ended
    latest.end(ValueError("of no interest any more"))
    assert latest.take() is None


def test_ending_wakes_who_takes() -> None:
    latest: Latest[int] = Latest()
    taken: list[int | None] = []
    waiting = start_thread("take", lambda: taken.append(latest.take()))
    latest.end()
    waiting.join(5)
    assert taken == [None]


# --- starting and ending ------------------------------------------------------------------------


def test_a_thread_of_ours_is_seen_until_it_ends() -> None:
    go_on = threading.Event()
    thread = start_thread("busy", go_on.wait)
    assert still_busy()
    go_on.set()
    thread.join(5)
    assert thread not in threading.enumerate()


def test_a_timer_works_once_unless_cancelled() -> None:
    done: list[str] = []
    never = threading.Event()
    start_timer("early", 0.01, lambda: done.append("early"), threading.Event())
    cancelled = start_timer("late", 60, lambda: done.append("late"), never)
    assert wait_for(lambda: done == ["early"])
    never.set()
    cancelled.join(5)
    assert not cancelled.is_alive()
    assert done == ["early"]


def test_a_program_waits_for_a_thread_of_ours() -> None:
    script = (
        "import time; from stereo.threads import start_thread\n"
        "start_thread('slow', lambda: (time.sleep(0.3), print('whole', flush=True)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "whole\n", "")


# --- every thread comes from there --------------------------------------------------------------

_STARTS = {
    *("Thread", "Timer", "start_new_thread", "start_joinable_thread"),
    *("ThreadPool", "ThreadingHTTPServer", "to_thread", "run_in_executor"),
}
_POOL = "ThreadPoolExecutor"
"""Allowed where a ``with`` opens it, and so waits for its threads."""


def starts_of_threads(code: str) -> list[str]:
    """What in a module starts threads that nobody waits for: "line: name"."""
    tree = ast.parse(code)
    joined = {
        id(item.context_expr)
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        for item in node.items
    }
    found = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name in _STARTS or (name == _POOL and id(node) not in joined):
                names = [name]
        elif isinstance(node, ast.ClassDef):
            bases = [base.attr if isinstance(base, ast.Attribute) else base for base in node.bases]
            names = [base for base in bases if base in _STARTS]  # type: ignore[misc]
        elif isinstance(node, ast.ImportFrom):
            renamed = [alias.name for alias in node.names if alias.asname is not None]
            names = [name for name in renamed if name in {*_STARTS, _POOL}]
            names += ["_thread"] if node.module == "_thread" else []
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name == "_thread"]
        found += [f"{node.lineno}: {name}" for name in names]  # type: ignore[attr-defined]
    return found


def test_no_other_module_starts_a_thread() -> None:
    found = {
        str(path.relative_to(REPO)): starts
        for package in ("stereo", "calib")
        for path in sorted((REPO / package).rglob("*.py"))
        if (starts := starts_of_threads(path.read_text()))
    }
    assert list(found) == ["stereo/threads.py"]


@pytest.mark.parametrize(
    "code",
    [
        "import threading\nthreading.Thread(target=print).start()",
        "from threading import Timer\nTimer(1, print)",
        "from threading import Thread as T",
        "import threading\nclass Worker(threading.Thread): ...",
        "import _thread",
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)",
    ],
)
def test_a_start_is_seen(code: str) -> None:
    assert len(starts_of_threads(code)) == 1


def test_a_pool_that_is_waited_for_is_no_start() -> None:
    code = "with open('x') as file, ThreadPoolExecutor(2) as pool:\n    pool.submit(print)"
    assert not starts_of_threads(code)
