"""Our matchers against OpenCV, opencv-contrib, CNES pandora and libelas: same pairs, same run.

    python benchmarks/others.py [--manifest FILE] [--cache FOLDER] [--repeats 15]
                                [--only sgm pandora ...] [--json FILE]

Each library lives in an environment of its own, made on demand by pip under the cache folder
(~/.cache/stereo-depth-benchmarks) and kept; what does not install is said and left out. All get
the same 8-bit gray images (the WLS filter its guide in colour) and the manifest's number of
disparities. Accuracy: mean over all pairs, metrics as in stereo.evaluation; ours, and what closes
its own gaps, with its own filling, the others filled as the benchmark does. Times: medians of
interleaved repeats on one pair (motorcycle_q); CPU time of a process held to one core, which other
work on the machine disturbs least, and wall time of one held to two. benchmarks/figures.py draws
what --json writes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from common import PAIRS, ROOT, pairs_of, table_head, table_row

from stereo.evaluation.evaluate import Metrics, evaluate, geometric_mean
from stereo.evaluation.manifest import ManifestPair
from stereo.gray import gray8_pair

CACHE = Path.home() / ".cache" / "stereo-depth-benchmarks"
TIMED = "motorcycle_q"
ENOUGH_MS = 10_000  # a method that has run so long, three times, is not timed further
COLUMNS = (
    "density",
    "sparse_2",
    "dense_1",
    "dense_2",
    "dense_2 geometric",
    "dense_mae_px",
    "d1_all",
)


@dataclass(frozen=True, slots=True)
class Library:
    """Where a library's matchers come from."""

    packages: tuple[str, ...]
    """What pip installs; empty: this project's own environment."""
    sources_need_numpy: bool = False
    """Whether its sources are compiled against numpy's headers without saying so."""


LIBRARIES = {
    "ours": Library(()),
    "contrib": Library(("opencv-contrib-python-headless",)),
    "pandora": Library(("pandora[sgm]",)),
    "elas": Library(("pyelas",), sources_need_numpy=True),
}


def install(name: str, library: Library, cache: Path) -> Path:
    """Return the library's python, installed when it is not yet. Raises CalledProcessError."""
    if not library.packages:
        return Path(sys.executable)
    home = cache / name
    python, done = home / "bin" / "python", home / "installed"
    if done.exists():
        return python
    venv.create(home, with_pip=True, clear=True)
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    environment = dict(os.environ)
    if library.sources_need_numpy:
        run_quietly([*pip, "numpy", "setuptools", "wheel"])
        headers = run_quietly([str(python), "-c", "import numpy; print(numpy.get_include())"])
        environment["CPATH"] = headers.strip()
        pip.append("--no-build-isolation")
    run_quietly([*pip, *library.packages], environment)
    done.touch()
    return python


def run_quietly(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


class Worker:
    """A process that runs one library's matchers, held to some cores."""

    def __init__(self, library: str, python: Path, cores: int) -> None:
        script = ROOT / "benchmarks" / "others_worker.py"
        self._process = subprocess.Popen(
            [str(python), str(script), library, str(cores)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.methods: list[str] = self._answer()

    def __call__(self, method: str, pair: Path, count: int, out: Path) -> dict[str, float]:
        """Match; return {"wall": ms, "cpu": ms}. Raises RuntimeError when the library fails."""
        request = {"method": method, "pair": str(pair), "num_disparities": count, "out": str(out)}
        assert self._process.stdin is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return dict(self._answer())

    def close(self) -> None:
        """Let the process end."""
        self._process.communicate()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"ended with exit code {self._process.wait()}")
        return json.loads(line)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    method: str
    library: str
    figures: dict[str, float]
    """Means over the pairs, see COLUMNS."""
    ms: dict[int, float]
    """Cores -> median time on the timed pair: of the CPU for one core, of the clock for two."""


def start_workers(cache: Path) -> dict[str, dict[int, Worker]]:
    """The workers by library and cores, of those libraries that install and load."""
    workers: dict[str, dict[int, Worker]] = {}
    for name, library in LIBRARIES.items():
        try:
            python = install(name, library, cache)
            workers[name] = {cores: Worker(name, python, cores) for cores in (1, 2)}
        except (subprocess.CalledProcessError, RuntimeError) as error:
            why = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
            print(f"{name}: left out, it does not install or load here: {why}", flush=True)
    return workers


def score(worker: Worker, method: str, items: list[ManifestPair], folder: Path) -> dict[str, float]:
    """The means over the pairs."""
    scores: list[Metrics] = []
    for item in items:
        truth = item.truth()
        worker(method, pair_file(item, folder), item.num_disparities, folder / "out.npy")
        px, dense = np.load(folder / "out.npy")
        scores.append(evaluate(px, truth, visible=item.visible(truth), dense=dense))
    means = {column: float(np.mean([getattr(s, column, 0) for s in scores])) for column in COLUMNS}
    return means | {"dense_2 geometric": geometric_mean([s.dense_2 for s in scores])}


def pair_file(item: ManifestPair, folder: Path) -> Path:
    path = folder / f"{item.name}.npz"
    if not path.exists():
        pair = item.pair()
        left, right = gray8_pair(pair.left, pair.right)
        color = pair.left if pair.left.ndim == 3 else np.repeat(left[..., None], 3, axis=2)
        np.savez(path, left=left, right=right, guide=color[..., ::-1])
    return path


def measure_times(
    workers: dict[str, dict[int, Worker]],
    methods: list[tuple[str, str]],
    item: ManifestPair,
    folder: Path,
    repeats: int,
) -> dict[tuple[str, int], float]:
    """(method, cores) -> median ms; the repeats of all methods take turns, the first is unused."""
    times: dict[tuple[str, int], list[float]] = {}
    pair = pair_file(item, folder)
    for _ in range(repeats + 1):
        for library, method in methods:
            for cores, worker in workers[library].items():
                spent = times.setdefault((method, cores), [])
                if len(spent) < 3 or sum(spent) < ENOUGH_MS:
                    took = worker(method, pair, item.num_disparities, folder / "out.npy")
                    spent.append(took["cpu" if cores == 1 else "wall"])
    return {key: float(np.median(values[1:])) for key, values in times.items()}


def table(rows: list[Row]) -> str:
    lines = [table_head("method", *COLUMNS, "CPU ms, 1 core", "ms, 2 cores")]
    for row in rows:
        figures = (f"{row.figures[column]:.2f}" for column in COLUMNS)
        lines.append(table_row(row.method, *figures, f"{row.ms[1]:.0f}", f"{row.ms[2]:.0f}"))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manifest", type=Path, default=PAIRS)
    parser.add_argument("--cache", type=Path, default=CACHE, help="where environments are made")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--only", nargs="+", default=[""], help="methods whose name begins so")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    arguments = parser.parse_args()
    items = pairs_of(arguments.manifest)
    timed = next((item for item in items if item.name == TIMED), items[0])
    workers = start_workers(arguments.cache)
    methods = [
        (library, method)
        for library, by_cores in workers.items()
        for method in by_cores[1].methods
        if method.startswith(tuple(arguments.only))
    ]
    with TemporaryDirectory() as name:
        folder = Path(name)
        ms = measure_times(workers, methods, timed, folder, arguments.repeats)
        rows = [
            Row(
                method,
                library,
                score(workers[library][2], method, items, folder),
                {cores: ms[method, cores] for cores in (1, 2)},
            )
            for library, method in methods
        ]
    for by_cores in workers.values():
        for worker in by_cores.values():
            worker.close()
    print(f"times on {timed.name}; medians of {arguments.repeats} interleaved repeats")
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
