"""Break everything that can be broken; a table of what was tried, survived and failed.

    PYTHONPATH=tests python -m faults [--short] [--only fuzz bombs kills disks live tests]

A fuzzed input that failed is kept in --finds; `--seed` makes other inputs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faults.asking import Row
from faults.samples import REPO

ROOMS = ("bombs", "kills", "disks", "live", "tests", "fuzz")


@dataclass(frozen=True)
class Extent:
    """How much is tried."""

    inputs: int
    """At most so many fuzzed inputs."""
    fuzz_s: float
    """For at most so long."""
    kills: int
    """Of each kind of writing."""
    rounds: int
    """Of live faults."""
    every: int
    """One bomb in so many."""
    full: bool
    """Whether disks are tried at every size."""


FULL = Extent(inputs=200_000, fuzz_s=330, kills=8, rounds=1, every=1, full=True)
SHORT = Extent(inputs=600, fuzz_s=8, kills=1, rounds=0, every=12, full=False)


def rooms(
    extent: Extent, scratch: Path, seed: int, finds: Path
) -> dict[str, Callable[[], list[Row]]]:
    """What is tried, by name; each is imported when it is."""

    def fuzz() -> list[Row]:
        from faults.fuzzing import fuzz

        return fuzz(most=extent.inputs, seconds=extent.fuzz_s, seed=seed, workers=2, keep=finds)

    def bombs() -> list[Row]:
        from faults.bombs import bombs

        return bombs(scratch / "bombs", workers=2, every=extent.every)

    def kills() -> list[Row]:
        from faults.kills import kills

        return kills(scratch / "kills", times=extent.kills, seed=seed)

    def disks() -> list[Row]:
        from faults.disks import disks

        return disks(scratch, full=extent.full)

    def live() -> list[Row]:
        from faults.live import live

        return live(rounds=extent.rounds)

    def tests() -> list[Row]:
        from faults.live import tested

        return tested()

    return {
        "bombs": bombs,
        "kills": kills,
        "disks": disks,
        "live": live,
        "tests": tests,
        "fuzz": fuzz,
    }


def table(rows: list[Row]) -> str:
    """What was tried, in columns, and below it every case that failed."""
    width = max(len(row.kind) for row in rows)
    lines = [f"{'kind':{width}}  {'tried':>7} {'survived':>8} {'failed':>6}"]
    for row in rows:
        failed = min(len(row.failed), row.tried)
        line = f"{row.kind:{width}}  {row.tried:7d} {row.tried - failed:8d} {len(row.failed):6d}"
        lines.append(f"{line}  {row.note}".rstrip())
    total = sum(row.tried for row in rows)
    bad = sum(len(row.failed) for row in rows)
    lines.append(f"{'all':{width}}  {total:7d} {total - bad:8d} {bad:6d}")
    return "\n".join(lines + [f"FAILED {row.kind}: {case}" for row in rows for case in row.failed])


def main() -> None:
    """Parse, try, show."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--short", action="store_true", help="a minute's sample of it")
    parser.add_argument("--only", nargs="+", choices=ROOMS, default=ROOMS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--finds", type=Path, default=REPO / "build" / "finds")
    told = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        chosen = rooms(SHORT if told.short else FULL, Path(name), told.seed, told.finds)
        for room in told.only:
            start_s = time.monotonic()
            rows += chosen[room]()
            print(f"{room}: {time.monotonic() - start_s:.0f} s", flush=True)
    print(table(rows))
    sys.exit(1 if any(row.failed for row in rows) else 0)


if __name__ == "__main__":
    main()
