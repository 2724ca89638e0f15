"""Fuzz every reader of calibration files: a rig or RigFileError, within a second, never more.

    PYTHONPATH=tests python benchmarks/fuzz_formats.py --minutes 30            # our own mutations
    PYTHONPATH=tests python benchmarks/fuzz_formats.py --minutes 30 --atheris  # by coverage

The second needs ``pip install atheris``.

Each run breaks a sample of a random format (tests/calibration_samples.py) and reads it, as it is
and with its format forced. A find is kept in --finds and printed; tests/calib/formats keeps it.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

if "--atheris" in sys.argv:
    import atheris

    with atheris.instrument_imports(include=["calib.formats"]):
        import calib.formats  # noqa: F401  (whoever imports it later gets the instrumented one)

from calibration_samples import put, samples
from faults.mutating import mutated

from calib import RigFileError, load_rig

_SLOW_S = 1.0


class Target:
    """Samples on disk in one folder, broken one by one."""

    def __init__(self, folder: Path, finds: Path) -> None:
        self.samples = {name: dict(files) for name, files in samples().items()}
        self.names = sorted(self.samples)
        self.folder, self.finds = folder, finds
        self.runs = self.read = self.found = 0
        self.slowest = 0.0

    def try_bytes(self, name: str, file: str, raw: bytes) -> None:
        """Read one broken file in its set, recognised and forced."""
        place = self.folder / name
        path = put({**self.samples[name], file: raw}, place)
        for format in (None, name):
            self.runs += 1
            start = time.process_time()
            try:
                load_rig(path, format=format)
                self.read += 1
            except RigFileError as error:
                if str(self.folder) not in str(error):
                    self.keep(name, file, raw, f"no file named: {error}")
            except Exception as error:
                self.keep(name, file, raw, f"{type(error).__name__}: {error}")
            took = time.process_time() - start
            self.slowest = max(self.slowest, took)
            if took > _SLOW_S:
                self.keep(name, file, raw, f"{took:.1f} s")

    def keep(self, name: str, file: str, raw: bytes, why: str) -> None:
        """Write a find and print what it was."""
        self.found += 1
        place = self.finds / f"{name}-{self.found:03d}-{Path(file).name}"
        self.finds.mkdir(parents=True, exist_ok=True)
        place.write_bytes(raw)
        print(f"{place}: {why:.200}", flush=True)

    def report(self) -> str:
        """What was done so far."""
        return (
            f"{self.runs} reads, {self.read} of them rigs, {self.found} finds, slowest "
            f"{self.slowest:.2f} s of CPU"
        )


def by_ourselves(target: Target, minutes: float, seed: int) -> None:
    """Random mutations until the time is over."""
    rng = random.Random(seed)
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        name = rng.choice(target.names)
        file = rng.choice(sorted(target.samples[name]))
        target.try_bytes(name, file, mutated(target.samples[name][file], rng))
    print(target.report())


def by_atheris(target: Target, minutes: float, seed: int) -> None:
    """Mutations guided by which lines of the readers they reach; ends the process."""
    corpus = target.folder / "corpus"
    corpus.mkdir()
    for i, name in enumerate(target.names):
        for j, file in enumerate(sorted(target.samples[name])):
            (corpus / f"{i}-{j}").write_bytes(bytes([i, j]) + target.samples[name][file])

    def one(data: bytes) -> None:
        if len(data) < 3:
            return
        name = target.names[data[0] % len(target.names)]
        files = sorted(target.samples[name])
        target.try_bytes(name, files[data[1] % len(files)], data[2:])
        if target.runs % 20_000 < 2:
            print(target.report(), flush=True)

    flags = [f"-max_total_time={int(60 * minutes)}", f"-seed={seed}", "-max_len=8192"]
    atheris.Setup([sys.argv[0], *flags, "-verbosity=0", str(corpus)], one)
    atheris.Fuzz()


def main() -> None:
    """Parse, fuzz, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--atheris", action="store_true")
    parser.add_argument("--finds", type=Path, default=Path("fuzz_finds"))
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        target = Target(Path(folder), told.finds)
        (by_atheris if told.atheris else by_ourselves)(target, told.minutes, told.seed)


if __name__ == "__main__":
    main()
