"""Two streams of numbered images as they would arrive, and what the pairing makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stereo.sources.stamps import Stamp
from stereo.sources.sync import SIDES, Pairing

ORIGIN_S = 1000.0


@dataclass(frozen=True)
class Cell:
    """What is simulated."""

    kind: str = "uniform"
    """"uniform": up to ``jitter``. "exponential": a sixth of it on average, without end.
    "batches": a network that hands over what it has every ``jitter``, each stream its own."""
    jitter: float = 0.0
    """Share of a period."""
    lost: float = 0.0
    ratio: float = 1.0
    """Left rate by right rate."""
    drift: float = 0.0
    """Share by which the right clock is slow."""
    stalls: bool = False
    """The process stands still for a second every four to six."""
    period_s: float = 1 / 30
    numbers: str = ""
    """"taken": images bear the number of their exposure. "sent": that of their sending."""


@dataclass(frozen=True)
class Outcome:
    """What became of it."""

    right: int
    wrong: int
    share: float
    first_s: float
    pair_times: NDArray[np.float64]
    stall_ends: NDArray[np.float64]


def play(cell: Cell, seed: int, *, seconds: float = 60.0, offset: float = 0.1) -> Outcome:
    """``offset``: by how much of a period the right camera is later."""
    rng = np.random.default_rng([seed, *hash_of(cell)])
    stalls = _stalls(rng, seconds) if cell.stalls else np.zeros((0, 2))
    streams = {}
    for side in SIDES:
        period = cell.period_s * (cell.ratio * (1 + cell.drift) if side == "right" else 1)
        taken = np.arange(int(seconds / period)) * period
        taken += offset * cell.period_s if side == "right" else 0
        numbers = np.flatnonzero(rng.random(len(taken)) >= cell.lost)
        taken = taken[numbers]
        if cell.numbers == "sent":
            numbers = np.arange(len(taken))
        streams[side] = taken, _arrive(taken, period, cell, stalls, rng), 1000 + numbers
    merged = sorted(
        (float(at), side, float(when), Stamp(float(number)) if cell.numbers else None)
        for side, columns in streams.items()
        for when, at, number in zip(*columns, strict=True)
    )
    pairing: Pairing[float] = Pairing()
    found = []
    for at, side, when, stamp in merged:
        match = pairing.add(side, ORIGIN_S + at, when, stamp=stamp)  # type: ignore[arg-type]
        if match is not None:
            found.append((at, abs(match.left - match.right)))
    times = np.array([at for at, _ in found])
    wrong = sum(apart > cell.period_s / 2 for _, apart in found)
    possible = _possible(streams["left"][0], streams["right"][0], cell.period_s)
    first = float(times[0]) if found else float("inf")
    share = len(found) / max(possible, 1)
    return Outcome(len(found) - wrong, wrong, share, first, times, stalls[:, 1])


def hash_of(cell: Cell) -> NDArray[np.int64]:
    numbers = [cell.jitter, cell.lost, cell.ratio, 1000 * cell.drift, float(cell.stalls)]
    return np.array([len(cell.kind), *(1000 * n for n in numbers)]).astype(np.int64)


def _stalls(rng: np.random.Generator, seconds: float) -> NDArray[np.float64]:
    starts = np.cumsum(rng.uniform(4, 6, int(seconds / 4)))
    return np.stack([starts, starts + 1], axis=1)


def _arrive(
    taken: NDArray[np.float64],
    period: float,
    cell: Cell,
    stalls: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """When each image arrives: late, in order, and after a stall all at once."""
    reach = cell.jitter * cell.period_s
    arrived = taken + 0.005
    if cell.kind == "uniform":
        arrived = arrived + rng.uniform(0, reach, len(taken))
    elif cell.kind == "exponential":
        arrived = arrived + rng.exponential(reach / 6, len(taken))
    elif reach:
        reach *= 1.013  # not a whole part of a period: it would be a constant delay
        shift = rng.uniform(0, reach)
        arrived = np.ceil((arrived + shift) / reach) * reach - shift
    arrived = arrived + rng.exponential(2e-4, len(taken))
    for start, end in stalls:
        arrived = np.where((arrived >= start) & (arrived < end), end, arrived)
    decode = 0.2 * period  # what is read takes so long before the next can be
    last = -np.inf
    for k, at in enumerate(arrived):
        last = arrived[k] = max(at, last + decode)
    return arrived


def _possible(left: NDArray[np.float64], right: NDArray[np.float64], period: float) -> int:
    """How many right images have a left one that arrived at all, nearer than half a period."""
    at = np.clip(np.searchsorted(left, right), 1, len(left) - 1)
    return int((np.minimum(abs(left[at] - right), abs(left[at - 1] - right)) < period / 2).sum())
