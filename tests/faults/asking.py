"""Processes that are asked to do something dangerous, one thing at a time.

One that hangs is ended and one that crashed is noticed; the next question gets a new one.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
HANGS_S = 20.0
_STARTS_S = 120.0


@dataclass
class Row:
    """A line of the table."""

    kind: str
    tried: int = 0
    failed: list[str] = field(default_factory=list)
    """What failed and how."""
    note: str = ""

    def count(self, case: str, wrong: str) -> None:
        """Count one case; ``wrong``: how it failed, "" when it did not."""
        self.tried += 1
        if wrong:
            self.failed.append(f"{case}: {wrong}")


class Worker:
    """A process that runs ``faults.worker``."""

    def __init__(self, folder: Path, *, hangs_s: float = HANGS_S) -> None:
        self.folder, self._hangs_s = folder, hangs_s
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the answer; {"wrong": ...} when there is none."""
        if self._process is None:
            self._start()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            # imports take as long as the machine is busy
            line = self._line(_STARTS_S if question["do"] == "nothing" else self._hangs_s)
        except BrokenPipeError:
            line = b""
        if line is None:
            self.close()
            return {"wrong": f"hangs: no answer in {self._hangs_s:g} s"}
        if not line:
            process.communicate()
            code, self._process = process.returncode, None
            return {"wrong": f"the process ended with {code}"}
        return dict(json.loads(line))

    def _start(self) -> None:
        call = [sys.executable, "-m", "faults.worker", str(self.folder)]
        # cores too many would make CPU time of one input depend on the machine
        env = {**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env
        )
        self.ask({"do": "nothing"})  # its imports are nobody's time

    def _line(self, within_s: float) -> bytes | None:
        """The next line; None where it does not come in time, b"" when the process has ended."""
        assert self._process is not None
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(within_s):
                return None
        return self._process.stdout.readline()

    def close(self) -> None:
        """End it, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


Question = tuple[str, str, dict[str, Any]]
"""Kind of the table's row, name of the case, and what is asked."""


def ask_all(
    questions: Iterable[Question],
    *,
    workers: int,
    keep: Path | None = None,
    hangs_s: float = HANGS_S,
    told: Callable[[str], None] = print,
) -> list[Row]:
    """Ask everything; returns a row for each kind. ``keep``: where what failed is copied to."""
    rows: dict[str, Row] = {}
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        idle: SimpleQueue[Worker] = SimpleQueue()
        crew = [Worker(Path(scratch, str(k)), hangs_s=hangs_s) for k in range(workers)]
        for each in crew:
            each.folder.mkdir()
            idle.put(each)

        def one(question: Question) -> tuple[Question, dict[str, Any]]:
            worker = idle.get()
            try:
                answer = worker.ask(question[2])
                if answer["wrong"] and keep is not None:
                    kept = keep / question[1].replace("/", "_")
                    shutil.copytree(worker.folder, kept, dirs_exist_ok=True, symlinks=True,
                                    ignore=_special)  # fmt: skip
                return question, answer
            finally:
                idle.put(worker)

        try:
            with ThreadPoolExecutor(workers) as pool:
                for (kind, case, _), answer in _in_pieces(pool, one, questions, 4 * workers):
                    row = rows.setdefault(kind, Row(kind))
                    row.count(case, answer["wrong"])
                    if answer["wrong"]:
                        told(f"FAILED {case}: {answer['wrong']}")
        finally:
            for each in crew:
                each.close()
    return list(rows.values())


def _in_pieces(
    pool: ThreadPoolExecutor,
    one: Callable[[Question], tuple[Question, dict[str, Any]]],
    questions: Iterable[Question],
    length: int,
) -> Iterator[tuple[Question, dict[str, Any]]]:
    """Answers while there are questions, which may end by the clock."""
    piece: list[Question] = []
    for question in questions:
        piece.append(question)
        if len(piece) == length:
            yield from pool.map(one, piece)
            piece.clear()
    yield from pool.map(one, piece)


def _special(folder: str, names: Sequence[str]) -> set[str]:
    """Pipes and terabytes are not kept."""
    places = [Path(folder, name) for name in names]
    return {
        p.name for p in places if not p.is_dir() and (not p.is_file() or p.stat().st_size > 10**8)
    }
