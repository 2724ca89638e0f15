"""Pairing two streams by time alone: simulated arrivals, no camera and no waiting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from arrivals import Cell
from arrivals import play as play_cell
from hypothesis import given, settings
from hypothesis import strategies as st

from stereo.sources.phase import FrameClock, find_period
from stereo.sources.sync import SIDES, Pairing

ORIGIN_S = 1000.0


@dataclass(frozen=True)
class Outcome:
    """What became of a simulated recording."""

    right: int
    wrong: int
    pairing: Pairing[int]
    first_s: float


def play(
    seed: int,
    *,
    period_s: float = 0.05,
    jitter_s: float = 0.0,
    lost: float = 0.0,
    every: int = 1,
    delay_s: float = 0.0,
    frames: int = 500,
    pairing: Pairing[int] | None = None,
) -> Outcome:
    """Two streams of numbered frames, the right one delayed and with only ``every`` nth frame."""
    rng = np.random.default_rng(seed)
    arrivals = []
    for side, step, delay in (("left", 1, 0.0), ("right", every, delay_s)):
        last = 0.0
        for number in range(0, frames, step):
            if rng.random() < lost:
                continue
            time_s = ORIGIN_S + number * period_s + delay + rng.uniform(0, jitter_s)
            last = max(time_s, last + 1e-4)  # a stream delivers in order
            arrivals.append((last, side, number))
    pairing = pairing or Pairing()
    matches = []
    for time_s, side, number in sorted(arrivals):
        match = pairing.add(side, time_s, number)  # type: ignore[arg-type]
        if match is not None:
            matches.append((time_s, match))
    right = sum(match.left == match.right for _, match in matches)
    first = matches[0][0] - ORIGIN_S if matches else float("inf")
    return Outcome(right, len(matches) - right, pairing, first)


@given(seed=st.integers(0, 10_000), jitter_s=st.floats(0, 0.02), lost=st.floats(0, 0.05))
@settings(max_examples=15, deadline=None)
def test_pairs_carry_the_same_number(seed: int, jitter_s: float, lost: float) -> None:
    done = play(seed, jitter_s=jitter_s, lost=lost, frames=300)
    assert done.wrong == 0
    assert done.right > 150


@pytest.mark.parametrize("seed", range(6))
def test_jitter_of_most_of_a_frame_pairs_late_and_never_wrongly(seed: int) -> None:
    done = play(seed, jitter_s=0.04, lost=0.05, frames=800)
    assert done.wrong == 0
    assert done.right > 200


@pytest.mark.parametrize("seed", [1001, 1029])
@pytest.mark.parametrize("every", [1, 2])
def test_a_cycle_that_slips_pairs_nothing(seed: int, every: int) -> None:
    """These arrivals also fit a period 0.2 to 0.4 % too long, with a frame too few."""
    assert play(seed, jitter_s=0.04, lost=0.05, every=every, frames=400).wrong == 0


CELLS = [
    Cell("uniform", 0.75, 0.05),  # 25 ms at 30 a second: two of twelve pairs were wrong
    Cell("uniform", 0.9, 0.05, drift=2e-4),  # 57 of 644
    Cell("uniform", 0.45, 0.0, 2.0),  # 105 of 605
    Cell("uniform", 0.4, 0.2, 1.5, 8e-4, stalls=True),
    Cell("exponential", 0.8, 0.2, stalls=True),
    Cell("exponential", 0.3, 0.05, 2.0),
    Cell("batches", 0.8, 0.05, drift=8e-4, stalls=True),
    Cell("batches", 0.4, 0.2),
    Cell("exponential", 0.6, 0.05, drift=8e-4, stalls=True),
    *(Cell("uniform", 0.4, 0.05, numbers=numbers) for numbers in ("taken", "sent")),
    Cell("uniform", 0.0, 0.05, drift=2e-4, numbers="sent"),
    Cell("exponential", 1.5, 0.2, numbers="taken"),
]


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_no_pair_is_wrong_however_images_arrive(cell: Cell) -> None:
    """A short form of benchmarks/sync.py."""
    assert play_cell(cell, 1, seconds=30).wrong == 0


@pytest.mark.parametrize("kind", ["uniform", "exponential", "batches"])
def test_what_can_be_proven_is_paired(kind: str) -> None:
    assert play_cell(Cell(kind, 0.2, 0.05), 1, seconds=30).share > 0.6
    assert play_cell(Cell("uniform", 0.8, 0.05), 1, seconds=60).share > 0.5


@pytest.mark.parametrize("jitter", [0.0, 0.4, 0.8])
def test_numbered_images_pair_whatever_is_lost(jitter: float) -> None:
    """Without numbers a third of them are."""
    done = play_cell(Cell("uniform", jitter, 0.2, numbers="taken"), 1, seconds=30)
    assert done.wrong == 0
    assert done.share > 0.8


@pytest.mark.parametrize("kind", ["uniform", "exponential"])
def test_pairs_come_within_a_second_of_a_stall(kind: str) -> None:
    done = play_cell(Cell(kind, 0.4, 0.0, stalls=True), 2, seconds=30)
    ends = done.stall_ends[done.stall_ends < 28]
    waited = [done.pair_times[done.pair_times > end].min() - end for end in ends]
    assert len(waited) >= 4
    assert max(waited) < 1
    assert done.wrong == 0


def test_what_is_not_proven_is_said_with_its_figures() -> None:
    pairing: Pairing[int] = Pairing()
    rng = np.random.default_rng(0)
    for k in range(60):
        late = float(rng.uniform(0, 0.045))
        for side in SIDES:
            assert pairing.add(side, ORIGIN_S + k * 0.05 + late, k) is None
    assert "left images arrive" in pairing.explain()
    assert pairing.proof.confidence < 0.5


def test_a_match_rests_on_stated_figures() -> None:
    done = play(0, jitter_s=0.01)
    proof = done.pairing.proof
    assert proof.jitter_s == pytest.approx(0.01, rel=0.05)
    assert proof.margin == pytest.approx(0.8, abs=0.1)
    assert proof.confidence > 0.9999


def test_without_jitter_the_first_pair_comes_after_ten_frames() -> None:
    done = play(0, jitter_s=0.001)
    assert done.first_s < 0.6
    assert done.wrong == 0


def test_a_slow_camera_does_not_wait_for_six_frames() -> None:
    assert play(0, period_s=1.0, jitter_s=0.01, frames=20).first_s < 3.5


@pytest.mark.parametrize("every", [2, 3])
def test_a_stream_of_fewer_frames_pairs_with_those_it_has(every: int) -> None:
    done = play(1, jitter_s=0.02, lost=0.05, every=every, frames=900)
    assert done.wrong == 0
    assert done.right > 0.65 * 900 / every
    assert done.pairing.unpaired["left"] > done.pairing.unpaired["right"]


def test_a_constant_delay_is_reported_as_skew() -> None:
    pairing: Pairing[int] = Pairing()
    for k in range(100):
        pairing.add("left", ORIGIN_S + k * 0.05, k)
        match = pairing.add("right", ORIGIN_S + k * 0.05 + 0.015, k)
    assert match is not None
    assert match.skew_s == pytest.approx(0.015, abs=1e-4)
    assert match.time_s == pytest.approx(ORIGIN_S + 99 * 0.05, abs=1e-4)


def test_max_skew_leaves_out_what_is_further_apart() -> None:
    done = play(0, delay_s=0.015, pairing=Pairing(max_skew_s=0.01))
    assert done.right + done.wrong == 0
    assert done.pairing.unpaired["left"] > 400


def test_exact_stamps_pair_from_the_first_frames() -> None:
    pairing: Pairing[int] = Pairing(max_skew_s=0.01)
    found = [
        pairing.add(side, ORIGIN_S + k * 0.05 + late, k, exact=True)  # type: ignore[arg-type]
        for k in range(3)
        for side, late in (("left", 0.0), ("right", 0.004))
    ]
    matches = [match for match in found if match is not None]
    assert [match.left for match in matches] == [match.right for match in matches]
    assert len(matches) >= 2
    assert matches[0].skew_s == pytest.approx(0.004)


def test_waiting_images_are_bounded() -> None:
    pairing: Pairing[int] = Pairing()
    for k in range(1000):
        pairing.add("left", k * 0.05, k, exact=True)
    assert pairing.unpaired["left"] >= 1000 - 20


def test_after_a_reconnection_the_phase_is_found_anew() -> None:
    pairing: Pairing[int] = Pairing()
    for offset in (0.0, 40.013):  # the stream comes back off the old phase
        pairing.reset("right")
        numbers = []
        for k in range(60):
            pairing.add("left", ORIGIN_S + offset + k * 0.05, k)
            match = pairing.add("right", ORIGIN_S + offset + k * 0.05 + 0.003, k)
            if match:
                numbers.append((match.left, match.right))
        assert len(numbers) > 45
        assert all(left == right for left, right in numbers)


@given(
    period_s=st.floats(0.01, 0.5),
    jitter=st.floats(0, 0.5),
    seed=st.integers(0, 1000),
)
@settings(max_examples=30, deadline=None)
def test_period_is_found(period_s: float, jitter: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    taken = ORIGIN_S + np.arange(60) * period_s
    kept = rng.random(60) > 0.05
    arrivals = (taken + rng.uniform(0, jitter * period_s, 60))[kept]
    explained = find_period(arrivals, float(np.median(np.diff(arrivals))))
    if explained is None:
        assert jitter > 0.3
        return
    found, start, gap = explained
    assert found == pytest.approx(period_s, rel=0.02)
    assert gap > 0.8 * (1 - jitter)
    late = (arrivals - start) % found / found
    assert np.all((late < 1 - gap + 0.01) | (late > 0.99))


def test_a_stream_without_a_phase_says_so() -> None:
    clock = FrameClock()
    rng = np.random.default_rng(0)
    for time_s in np.cumsum(rng.exponential(0.05, 150)):
        clock.taken_s(float(time_s))
    assert not clock.proven
    assert clock.period_s is None
