"""Train the learned part of the matching cost: signs of sparse linear filters.

    python training/train.py PAIRS OUT [--fold 0] [--minutes 12] [--bits 40] [--taps 8] [--seed 0]

Each bit says whether a weighted sum of a few pixels of the smoothed image is above zero. The
weights sum to zero, so that gain and offset cancel; census is the special case of two taps. The
loss is the cross-entropy over the disparities of a row, of the whole cost as the matcher adds it up
(census and gradient included, so that the bits learn what those do not know). Signs pass their
gradient straight through. Filters begin dense and are pruned to a few taps each, then their weights
become whole numbers. See docs/learned-cost.md.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from samples import DISPARITIES, MARGIN, Samples
from torch.nn import functional

REACH = 5
"""Columns and rows to each side that a filter may look at."""
SIDE = 2 * REACH + 1
POSITIVE_SUM = 31
"""What the positive weights of a filter sum to: times 1020, the brightest of the smoothed image,
it fits in 16 bits, also when rounding adds one."""
GRADIENT_CAP = 20
BATCH = 12
STEP_Y, STEP_X = 4, 2
"""Of the pixels of a crop that are compared: neighbours say much the same."""

CENSUS = [(x, y) for y in range(-2, 3) for x in range(-2, 3) if 0 < abs(x) + abs(y) < 4] + [
    (-4, 0),
    (4, 0),
    (0, -3),
    (0, 3),
]


class Filters(torch.nn.Module):
    """K sparse zero-sum filters."""

    def __init__(self, bits: int, seed: int) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        start = rng.normal(0, 0.02, (bits, 1, SIDE, SIDE))
        for k in range(bits):  # differences of two pixels, near or far
            spread = rng.uniform(1, 3)
            for sign in (0.3, -0.3):
                y, x = np.clip(np.rint(rng.normal(0, spread, 2)), -REACH, REACH).astype(int)
                start[k, 0, y + REACH, x + REACH] += sign
        self.weight = torch.nn.Parameter(torch.tensor(start, dtype=torch.float32))
        self.gain = torch.nn.Parameter(torch.full((bits,), 3.0))
        self.temperature = torch.nn.Parameter(torch.tensor(math.log(0.35)))
        self.register_buffer("mask", torch.ones(bits, 1, SIDE, SIDE))
        self.whole = False

    def effective(self) -> torch.Tensor:
        """Zero-sum, positive weights sum to one."""
        w = self.weight * self.mask
        w = (w - w.sum((2, 3), keepdim=True) / self.mask.sum((2, 3), keepdim=True)) * self.mask
        w = w / (w.abs().sum((2, 3), keepdim=True) / 2 + 1e-6)
        if self.whole:
            q = torch.tensor(whole_numbers(w.detach().numpy()), dtype=torch.float32) / POSITIVE_SUM
            w = w + (q - w).detach()
        return w

    def prune(self, taps: int) -> None:
        """Keep the heaviest taps of each filter."""
        w = self.effective().detach().abs().flatten(1)
        kept = w.topk(taps, dim=1).indices
        self.mask.zero_()
        self.mask.view(len(w), -1).scatter_(1, kept, 1)


def whole_numbers(w: np.ndarray) -> np.ndarray:
    """Weights (K, 1, S, S) whose positive ones sum to 1, as integers that sum to zero exactly."""
    exact = w * POSITIVE_SUM
    q = np.rint(exact)
    for k in range(len(q)):
        while (excess := q[k].sum()) != 0:
            step = -np.sign(excess)
            regret = np.where(w[k] != 0, (exact[k] - q[k]) * step, -np.inf)
            q[k][np.unravel_index(regret.argmax(), regret.shape)] += step
    return q


def smoothed(image: torch.Tensor) -> torch.Tensor:
    """(B, 1, H, W) levels -> quarter of the binomial 3x3 sum, as whole numbers, (H-2, W-2)."""
    line = torch.tensor([1.0, 2.0, 1.0])
    return torch.floor(functional.conv2d(image, (line[:, None] * line)[None, None]) / 4)


def spread(image: torch.Tensor) -> torch.Tensor:
    """Deviation of the smoothed image over 11 x 11, plus some: what a response is measured by."""
    mean = functional.avg_pool2d(image, SIDE, (STEP_Y, 1))
    square = functional.avg_pool2d(image * image, SIDE, (STEP_Y, 1))
    return (square - mean * mean).clamp(min=0).sqrt() + 12


def signs(response: torch.Tensor) -> torch.Tensor:
    """+1 or -1, with the gradient of tanh."""
    soft = torch.tanh(response)
    hard = torch.where(response > 0, 1.0, -1.0)
    return soft + (hard - soft).detach()


def described(filters: Filters, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Signs (B, H, W, K + 24) of every STEP_Y-th row, and gradient (B, H, W)."""
    smooth = smoothed(image)
    response = functional.conv2d(smooth, filters.effective(), stride=(STEP_Y, 1))
    response = response / spread(smooth)
    code = signs(response * filters.gain[:, None, None])
    m = MARGIN
    h, w = image.shape[2] - 2 * m, image.shape[3] - 2 * m
    centre = image[:, 0, m : m + h : STEP_Y, m : m + w]
    census = torch.stack(
        [
            torch.where(
                image[:, 0, m + y : m + y + h : STEP_Y, m + x : m + x + w] >= centre, 1.0, -1.0
            )
            for x, y in CENSUS
        ],
        1,
    )
    step = image[:, 0, :, m + 1 : m + 1 + w] - image[:, 0, :, m - 1 : m - 1 + w]
    sobel = step[:, m - 1 : m - 1 + h] + 2 * step[:, m : m + h] + step[:, m + 1 : m + 1 + h]
    gradient = torch.trunc(sobel[:, ::STEP_Y] / 4).clamp(-128, 127)
    return torch.cat([code, census], 1).permute(0, 2, 3, 1), gradient


def costs(filters: Filters, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """(B, H, W, D), the last axis from the farthest right column, i.e. the largest disparity."""
    (a, grad_a), (b, grad_b) = described(filters, left), described(filters, right)
    batch, rows, width, bits = a.shape
    a, grad_a, width = a[:, :, ::STEP_X], grad_a[:, :, ::STEP_X], width // STEP_X
    products = torch.matmul(a, b.transpose(2, 3))  # of all columns with all
    n = products.shape[-1]
    flat = functional.pad(products.reshape(batch, rows, width * n), (0, width * STEP_X))
    along = flat.view(batch, rows, width, n + STEP_X)[..., :DISPARITIES]
    gradient = (grad_b.unfold(2, DISPARITIES, 1)[:, :, ::STEP_X] - grad_a[..., None]).abs()
    return (bits - along) / 2 + gradient.clamp(max=GRADIENT_CAP)


def supported(cost: torch.Tensor, disparity: torch.Tensor) -> torch.Tensor:
    """The mean cost over the pixels around on the same surface, as the paths would find it.

    A loss of single pixels asks for windows as wide as can be, which then blur the edges that the
    paths keep. Neighbours: two to each side on the row, one above and below.
    """
    for axis, reach in ((2, 2), (1, 1)):
        total, count = cost, torch.ones_like(disparity)
        size = cost.shape[axis]
        for step in range(1, reach + 1):
            here, there = (disparity.narrow(axis, start, size - step) for start in (0, step))
            same = ((here - there).abs() < 1).float()  # False where unknown
            zeros = list(same.shape)
            zeros[axis] = step
            empty = torch.zeros(zeros)
            before = torch.cat([empty, same], axis)
            after = torch.cat([same, empty], axis)
            total = (
                total
                + before[..., None] * torch.roll(cost, step, axis)
                + after[..., None] * torch.roll(cost, -step, axis)
            )
            count = count + before + after
        cost = total / count[..., None]
    return cost


def loss_of(
    filters: Filters, cost: torch.Tensor, disparity: torch.Tensor
) -> tuple[torch.Tensor, float]:
    """Cross-entropy where known, and the share of winners within a pixel."""
    place = DISPARITIES - 1 - disparity
    known = torch.isfinite(place) & (place >= 0) & (place <= DISPARITIES - 1)
    logits = torch.log_softmax(-cost[known] * filters.temperature.exp(), dim=1)
    place = place[known]
    low = place.floor().clamp(max=DISPARITIES - 2).long()
    part = place - low
    likelihood = (
        logits.gather(1, low[:, None])[:, 0] * (1 - part)
        + logits.gather(1, low[:, None] + 1)[:, 0] * part
    )
    right = (cost[known].argmin(1) - place).abs() <= 1
    return -likelihood.clamp(min=-8).mean(), float(right.float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--fold", type=int)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--iterations", type=int, help="instead of --minutes, to repeat a training")
    parser.add_argument("--bits", type=int, default=40)
    parser.add_argument("--taps", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    samples = Samples(args.pairs, args.fold, args.seed)
    filters = Filters(args.bits, args.seed)
    optimizer = torch.optim.Adam(filters.parameters(), 4e-3)
    start, done, iteration, taps = time.monotonic(), 0.0, 0, SIDE * SIDE
    log: list[tuple[float, float]] = []
    while done < 1:
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * (0.5 + 0.5 * math.cos(math.pi * done)) + 5e-5
        wanted = taps_at(done, args.taps)
        if wanted < taps:
            filters.prune(wanted)
            taps = wanted
        filters.whole = done > 0.7
        crops = [samples.draw() for _ in range(BATCH)]
        left, right = (
            torch.tensor(np.stack([getattr(c, side) for c in crops]))[:, None]
            for side in ("left", "right")
        )
        truth = torch.tensor(np.stack([c.disparity for c in crops]))[:, ::STEP_Y, ::STEP_X]
        cost = supported(costs(filters, left, right), truth)
        loss, accuracy = loss_of(filters, cost, truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        log.append((loss.item(), accuracy))
        iteration += 1
        if iteration % 100 == 0:
            mean = np.mean(log[-100:], axis=0)
            print(
                f"{iteration:6} {time.monotonic() - start:6.0f} s  loss {mean[0]:.4f}  "
                f"right {mean[1]:.4f}  taps {taps}  "
                f"temperature {math.exp(filters.temperature.item()):.3f}",
                flush=True,
            )
        if args.iterations:
            done = iteration / args.iterations
        else:
            done = (time.monotonic() - start) / (60 * args.minutes)
    filters.whole = True
    save(args.out, filters, vars(args) | {"iterations": iteration})


def taps_at(done: float, final: int) -> int:
    """Dense at first, then fewer by and by."""
    dense = SIDE * SIDE
    share = min(max((done - 0.25) / 0.3, 0), 1)
    return round(dense * (final / dense) ** share)


def save(out: Path, filters: Filters, settings: dict[str, object]) -> None:
    """Weights as text, heaviest tap first: a line per filter would be read by eye."""
    w = whole_numbers(filters.effective().detach().numpy())[:, 0]
    lines = []
    for plane in w:
        taps = [
            [int(x) - REACH, int(y) - REACH, int(plane[y, x])] for y, x in np.argwhere(plane != 0)
        ]
        lines.append(sorted(taps, key=lambda tap: -abs(tap[2])))
    settings = {k: v for k, v in settings.items() if not isinstance(v, Path)}
    rows = ",\n".join(f"  {json.dumps(taps)}" for taps in lines)
    out.write_text(f'{{"trained": {json.dumps(settings)},\n"filters": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    main()
