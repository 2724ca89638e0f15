"""What two streams show tells which images belong together, or that it cannot be told."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stereo.sources.motion import MotionJudge, look
from stereo.sources.sync import SIDES, Pairing, Side

MOVING = ("shaken", "walking")
RNG = np.random.default_rng(0)
SCENE = cv2.resize(RNG.integers(0, 255, (60, 60), dtype=np.uint8), (720, 720)).astype(np.float32)


def path(kind: str, count: int, seed: int) -> np.ndarray:
    """(N, 2) where the cameras look, px."""
    rng = np.random.default_rng(seed)
    if kind == "still":
        return np.full((count, 2), 300.0)
    if kind == "steady":
        return 300 + np.arange(count)[:, None] % 200 * np.array([0.5, 0.3])
    if kind == "swinging":
        return 300 + 20 * np.sin(np.arange(count) * np.pi / 3)[:, None] * np.ones(2)
    speed = rng.normal(0, 1.0, (count, 2)) * rng.uniform(0.2, 3, (count, 1))
    if kind == "walking":
        speed = cv2.blur(speed.reshape(-1, 1, 2), (1, 3)).reshape(-1, 2)
    return np.clip(300 + np.cumsum(speed, axis=0), 30, 570)


def views(kind: str, count: int, seed: int) -> dict[str, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    found: dict[str, list[np.ndarray]] = {side: [] for side in SIDES}
    for x, y in path(kind, count, seed):
        for side, disparity in zip(SIDES, (0, 12), strict=True):
            view = cv2.getRectSubPix(SCENE, (96, 72), (x + disparity, y + disparity / 6))
            found[side].append(
                np.clip(view + rng.normal(0, 2, view.shape), 0, 255).astype(np.uint8)
            )
    return found


def told(kind: str, seed: int, *, lost: float = 0.0, behind: int = 3) -> tuple[int, int]:
    """How many partners are right, and wrong; the right stream comes ``behind`` images later."""
    rng = np.random.default_rng(seed)
    count, judge, right, wrong = 160, MotionJudge(), 0, 0
    shown, numbers = views(kind, count, seed), {side: list[int]() for side in SIDES}
    order = sorted(
        (k + 0.5 * s + behind * s, side, k) for k in range(count) for s, side in enumerate(SIDES)
    )
    for _, side, number in order:
        if rng.random() < lost:
            continue
        judge.add(side, look(shown[side][number]))
        numbers[side].append(number)
        at = judge.partner(side)
        if at is not None:
            same = numbers["right" if side == "left" else "left"][-1 - at] == number
            right, wrong = right + same, wrong + (not same)
    return right, wrong


@pytest.mark.parametrize("kind", MOVING)
def test_irregular_motion_tells(kind: str) -> None:
    right, wrong = told(kind, 3)
    assert wrong == 0
    assert right >= 5  # of 160; of real sequences it is more, see benchmarks/motion.py


@pytest.mark.parametrize("kind", [*MOVING, "swinging"])
def test_no_partner_is_wrong(kind: str) -> None:
    assert told(kind, 2, lost=0.03)[1] == 0


@pytest.mark.parametrize("kind", ["still", "steady"])
def test_what_does_not_move_or_moves_evenly_tells_nothing(kind: str) -> None:
    assert told(kind, 3, lost=0.02) == (0, 0)


def played(kind: str, pairing: Pairing[int]) -> list[tuple[int, int]]:
    """Pairs of two streams that are late by up to a frame and a half: time proves nothing."""
    rng, shown = np.random.default_rng(0), views(kind, 240, 5)
    order: list[tuple[float, Side, int]] = []
    for side in SIDES:
        late = np.maximum.accumulate(np.arange(240) * 0.05 + rng.uniform(0, 0.075, 240))
        order += [(1000 + float(at), side, k) for k, at in enumerate(late)]
    found = []
    for at, side, number in sorted(order):
        seen = look(shown[side][number]) if pairing.in_doubt else None
        match = pairing.add(side, at, number, seen=seen)
        if match is not None:
            found.append((match.left, match.right))
            assert pairing.proof.by == "motion"
            assert 0.9 < pairing.proof.confidence <= 1
    return found


def test_motion_pairs_what_time_leaves_in_doubt() -> None:
    pairing: Pairing[int] = Pairing()
    pairs = played("walking", pairing)
    assert len(pairs) > 20
    assert all(left == right for left, right in pairs)
    assert pairing.unpaired == {"left": 240 - len(pairs), "right": 240 - len(pairs)}


def test_a_limit_of_skew_is_not_kept_by_motion() -> None:
    assert not played("walking", Pairing(max_skew_s=0.01))
    assert not played("still", Pairing())
