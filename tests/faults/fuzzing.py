"""Every reader given spoilt files: so many, or for so long."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path

from faults.asking import Question, Row, ask_all
from faults.readers import READERS


def questions(*, most: int, seconds: float, seed: int, names: list[str]) -> Iterator[Question]:
    """Inputs in random order until there are enough of them or the time is over."""
    rng, end_s = random.Random(seed), time.monotonic() + seconds
    weights = [READERS[name].weight for name in names]
    for number in itertools.count(seed * 10**7):
        if number - seed * 10**7 >= most or time.monotonic() > end_s:
            return
        (name,) = rng.choices(names, weights)
        asked = {"do": "fuzz", "reader": name, "seed": number}
        yield f"fuzzed {READERS[name].kind}", f"{name}, seed {number}", asked


def fuzz(
    *, most: int, seconds: float, seed: int, workers: int, keep: Path | None, only: str = ""
) -> list[Row]:
    """Try them; a row for each kind of file."""
    names = [name for name in READERS if only in name]
    asked = questions(most=most, seconds=seconds, seed=seed, names=names)
    return sorted(ask_all(asked, workers=workers, keep=keep), key=lambda row: row.kind)
