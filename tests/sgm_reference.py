"""The matcher once more, slow and obvious: what ``native/`` must equal bit for bit.

Cost, aggregation and winner follow their definitions with plain numpy and integers that cannot
overflow; nothing is shared with the C++ code but the formulas.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stereo.matching.code import learned_code
from stereo.matching.sgm import SgmParams

Ints = NDArray[np.int64]


def census(image: Ints) -> NDArray[np.bool_]:
    """(H, W, 24): which neighbours are at least as bright as the centre."""
    height, width = image.shape
    padded = np.pad(image, ((3, 3), (4, 4)), mode="edge")
    block = [(dx, dy) for dy in range(-2, 3) for dx in range(-2, 3) if 0 < abs(dx) + abs(dy) < 4]
    bits = [
        padded[3 + dy : 3 + dy + height, 4 + dx : 4 + dx + width] >= image
        for dx, dy in [*block, (-4, 0), (4, 0), (0, -3), (0, 3)]
    ]
    return np.stack(bits, axis=-1)


def gradient(image: Ints, gain: float) -> Ints:
    """(H, W): a quarter of the horizontal Sobel response in 8-bit units, towards zero, clipped."""
    padded = np.pad(image, 1, mode="edge")
    step = padded[:, 2:] - padded[:, :-2]
    sobel = step[:-2] + 2 * step[1:-1] + step[2:]
    return np.clip(np.trunc(sobel * gain / 4).astype(np.int64), -128, 127)


def gain_to_8_bits(left: Ints, right: Ints) -> float:
    """2^(8 - bits): bits that all but the brightest thousandth of both images need, at least 8."""
    values = np.concatenate([left.ravel(), right.ravel()])
    bits = 16
    while bits > 8 and np.count_nonzero(values >= 1 << (bits - 1)) <= values.size // 1000:
        bits -= 1
    return 2.0 ** (8 - bits)


def smoothed(image: Ints, gain: float) -> Ints:
    """(H, W): a quarter of the binomial 3x3 sum, in 8-bit units."""
    padded = np.pad(image, 1, mode="edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    total = rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]
    return np.minimum(np.trunc(total * gain / 4).astype(np.int64), 1023)


def learned(image: Ints, gain: float, code: NDArray[np.integer]) -> NDArray[np.bool_]:
    """(H, W, 40): whether each weighted sum of the smoothed image is above zero."""
    height, width = image.shape
    padded = np.pad(smoothed(image, gain), 5, mode="edge")
    sums = [
        sum(
            int(weight) * padded[5 + y : 5 + y + height, 5 + x : 5 + x + width]
            for x, y, weight in taps
        )
        for taps in code
    ]
    return np.stack(sums, axis=-1) > 0


def matching_cost(left: Ints, right: Ints, params: SgmParams, gain: float) -> Ints:
    """(H, W, D): half of the Hamming distances and the capped difference of gradients."""
    width = left.shape[1]
    d = params.min_disparity + np.arange(params.num_disparities)
    # The right image's border is repeated.
    column = np.clip(np.arange(width)[:, None] - d, 0, width - 1)
    difference = np.abs(gradient(left, gain)[:, :, None] - gradient(right, gain)[:, column])
    shape = hamming(census(left), census(right), column) + np.minimum(
        difference, params.gradient_cap
    )
    codes = (learned(image, gain, learned_code()) for image in (left, right))
    both = (shape + hamming(*codes, column) + 1) // 2
    return np.where(faint(left, gain, params.faint_levels)[..., None], both, shape)


def hamming(left: NDArray[np.bool_], right: NDArray[np.bool_], column: Ints) -> Ints:
    """(H, W, D): in how many bits each left pixel differs from its candidates."""
    return np.count_nonzero(left[:, :, None] != right[:, column], axis=-1)


def faint(image: Ints, gain: float, levels: int) -> NDArray[np.bool_]:
    """(H, W): whether the smoothed image's range over the window's grid is at most ``levels``."""
    height, width = image.shape
    smooth = smoothed(image, gain)
    padded = np.pad(smooth, 5, mode="edge")
    values = [smooth] + [
        padded[5 + y : 5 + y + height, 5 + x : 5 + x + width]
        for y in range(-5, 6, 2)
        for x in range(-5, 6, 2)
    ]
    return np.ptp(values, axis=0) <= 4 * levels


def jump_penalty(a: Ints, b: Ints, params: SgmParams, gain: float) -> Ints:
    step = np.minimum(np.trunc(np.abs(a - b) * gain), 255).astype(np.int64)
    if params.p2_width == 0:
        return np.full_like(step, params.p2)
    p2 = params.p2 * params.p2_width // (params.p2_width + np.maximum(0, step - 4))
    return np.maximum(p2, min(params.p1 + 2, params.p2))


def surcharge(cost: Ints, image: Ints, params: SgmParams, gain: float) -> Ints:
    """(N, M, D): what the path along axis 0 costs on top of its best, at each pixel."""
    out = np.zeros_like(cost)
    for i in range(1, len(cost)):
        total = cost[i - 1] + out[i - 1]
        lowest = total.min(axis=-1, keepdims=True)
        padded = np.pad(total, ((0, 0), (1, 1)), constant_values=1 << 20)
        step = np.minimum(padded[:, :-2], padded[:, 2:]) + params.p1
        jump = lowest + jump_penalty(image[i], image[i - 1], params, gain)[:, None]
        out[i] = np.minimum(np.minimum(total, step), jump) - lowest
    return out


def all_paths(cost: Ints, image: Ints, params: SgmParams, gain: float) -> Ints:
    """(H, W, D): matching cost plus the surcharges of all paths."""
    total = cost + surcharge(cost, image, params, gain)
    if params.paths == 4:
        total += surcharge(cost[::-1], image[::-1], params, gain)[::-1]
    across, turned = cost.transpose(1, 0, 2), image.T
    total += surcharge(across, turned, params, gain).transpose(1, 0, 2)
    total += surcharge(across[::-1], turned[::-1], params, gain)[::-1].transpose(1, 0, 2)
    return total


def total_cost(left: NDArray[np.generic], right: NDArray[np.generic], params: SgmParams) -> Ints:
    """(H, W, D): matching cost plus the surcharges of all paths, saturated at 255."""
    a, b = left.astype(np.int64), right.astype(np.int64)
    gain = gain_to_8_bits(a, b)
    return np.minimum(all_paths(matching_cost(a, b, params, gain), a, params, gain), 255)


def winners(total: Ints) -> Ints:
    """(H, W, 5): index, its cost, cost before and after, and the best of all others."""
    index = total.argmin(axis=-1)[..., None]
    padded = np.pad(total, ((0, 0), (0, 0), (1, 1)), constant_values=255)
    near = [np.take_along_axis(padded, index + 1 + k, axis=-1) for k in (0, -1, 1)]
    away = np.abs(np.arange(total.shape[-1]) - index) > 1
    rival = np.where(away, total, 255).min(axis=-1, keepdims=True)
    return np.concatenate([index, *near, rival], axis=-1)


def disparity(found: Ints, params: SgmParams) -> NDArray[np.float32]:
    """(H, W) px: uniqueness, left-right check and sub-pixel, before median and speckles."""
    height, width = found.shape[:2]
    out = np.full((height, width), np.nan, np.float32)
    for y in range(height):
        opinion = right_opinion(found[y], params)
        for x in range(width):
            index, cost, _, _, rival = (int(v) for v in found[y, x])
            column = x - params.min_disparity - index
            unique = rival * (100 - params.uniqueness_percent) > cost * 100
            if not (unique or params.uniqueness_percent == 0) or not 0 <= column < width:
                continue
            seen = opinion.get(column)
            if params.left_right_max_px >= 0 and (
                seen is None or abs(seen[1] - index) > params.left_right_max_px
            ):
                continue
            out[y, x] = params.min_disparity + index
            if 0 < index < params.num_disparities - 1:
                out[y, x] += np.float32(fraction(found[y, max(x - 4, 0) : x + 5], index))
    return out


def fraction(beside: Ints, index: int) -> float:
    """Sub-pixel offset from the summed slopes of the pixels beside that chose the same index."""
    same = beside[beside[:, 0] == index]
    before, after = (int((same[:, side] - same[:, 1]).sum()) for side in (2, 3))
    if max(before, after) == 0:
        return 0.0
    ratio = (before - after) / max(before, after)
    return ratio * (0.87 - 0.38 * abs(ratio))


def right_opinion(row: Ints, params: SgmParams) -> dict[int, tuple[int, int]]:
    """Right column -> (cost, index) of the cheapest left pixel, the nearer one among equals."""
    best: dict[int, tuple[int, int]] = {}
    for x in range(len(row)):
        index, cost = int(row[x, 0]), int(row[x, 1])
        column = x - params.min_disparity - index
        held = best.get(column)
        if cost < 255 and (held is None or cost <= held[0]):
            best[column] = (cost, index)
    return best


def random_pair(
    seed: int, height: int, width: int, shift: int, dtype: type = np.uint8, smooth: int = 3
) -> tuple[NDArray[np.generic], ...]:
    """A noisy texture and itself moved by ``shift`` px, so that x_right = x_left - shift."""
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    wide = rng.random((height, width + 2 * abs(shift) + smooth))
    kernel = np.ones(smooth) / smooth
    wide = np.apply_along_axis(lambda row: np.convolve(row, kernel, "valid"), 1, wide)
    start = abs(shift)
    left = wide[:, start : start + width]
    right = wide[:, start + shift : start + shift + width] + rng.normal(0, 0.02, (height, width))
    return tuple((np.clip(v, 0, 1) * top).astype(dtype) for v in (left, right))
