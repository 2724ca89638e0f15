"""A blank wall in a textured surround, and a map that guesses inside it."""

from __future__ import annotations

import numpy as np

from stereo.frame import DisparityMap

SIZE = (160, 240)
WALL = (slice(30, 130), slice(60, 190))


def scene(
    truth: np.ndarray, *, answered: float, sure: float, seed: int = 0
) -> tuple[DisparityMap, np.ndarray, np.ndarray]:
    """A textured surround with a blank wall in it, and a map that guesses inside the wall."""
    rng = np.random.default_rng(seed)
    height, width = SIZE
    right = rng.integers(0, 255, (height, width + 60)).astype(np.float32)
    columns = np.arange(width)[None, :] - truth + 30
    low = np.floor(columns).astype(int)
    share = columns - low
    rows = np.arange(height)[:, None]
    left = right[rows, low] * (1 - share) + right[rows, low + 1] * share
    left[WALL] = 128
    blank = np.full(right.shape, False)
    for y in range(*WALL[0].indices(height)):
        start, stop = low[y, WALL[1].start], low[y, WALL[1].stop - 1]
        blank[y, start : stop + 1] = True
    right[blank] = 128
    px = truth.astype(np.float32).copy()
    confidence = np.full(SIZE, 0.97, np.float32)
    core = np.zeros(SIZE, bool)
    core[WALL] = True
    core[WALL[0].start : WALL[0].start + 5, WALL[1]] = False  # the rim is matched
    wrong = core & (rng.random(SIZE) < 0.5)
    px[wrong] += 6
    px[core & (rng.random(SIZE) > answered)] = np.nan
    confidence[core] = sure
    confidence[np.isnan(px)] = 0
    cut = right[:, 30 : 30 + width]
    return DisparityMap(px, confidence), left.astype(np.uint8), cut.astype(np.uint8)


def slanted() -> np.ndarray:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return 12 + 0.03 * x - 0.02 * y
