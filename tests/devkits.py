"""The metrics again, written from the development kits and the data's README, not from ours.

Middlebury: ``evaldisp.cpp`` of MiddEval3. KITTI: ``evaluate_scene_flow.cpp`` of 2015, with its
``interpolateBackground``. Everything in float64 and row by row, as their loops go.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float64]


def background(px: Array, *, columns: bool) -> Array:
    """Holes take the smaller neighbour on the row; ``columns``: empty rows as KITTI has it."""
    out = px.copy()
    for row in out:
        known = np.flatnonzero(np.isfinite(row))
        if known.size == 0:
            continue
        for a, b in pairwise(known):
            row[a + 1 : b] = min(row[a], row[b])
        row[: known[0]] = row[known[0]]
        row[known[-1] + 1 :] = row[known[-1]]
    if columns:
        for column in out.T:
            known = np.flatnonzero(np.isfinite(column))
            if known.size:
                column[: known[0]] = column[known[0]]
                column[known[-1] + 1 :] = column[known[-1]]
    return np.where(np.isfinite(out), out, 0.0)


def middlebury(px: Array, truth: Array, seen: NDArray[np.bool_], t: float) -> dict[str, float]:
    """What ``evaldisp`` prints, without its cut at ndisp: bad, invalid, totbad (%), avgErr (px)."""
    n = bad = invalid = 0
    serr = 0.0
    for y in range(truth.shape[0]):
        use = seen[y] & np.isfinite(truth[y])
        d, gt = px[y][use], truth[y][use]
        valid = np.isfinite(d)
        err = np.abs(d[valid] - gt[valid])
        n += len(d)
        bad += int(np.count_nonzero(err > t))
        invalid += int(len(d) - valid.sum())
        serr += math.fsum(err)
    return {
        "bad": 100 * bad / n,
        "invalid": 100 * invalid / n,
        "totbad": 100 * (bad + invalid) / n,
        "avgErr": serr / max(n - invalid, 1),
    }


def kitti(px: Array, truth: Array, where: NDArray[np.bool_]) -> float:
    """The share of D1 outliers of a map without holes, over the known pixels ``where``, %."""
    errors = pixels = 0
    for y in range(truth.shape[0]):
        use = where[y] & np.isfinite(truth[y])
        gap = np.abs(truth[y][use] - px[y][use])
        errors += int(np.count_nonzero((gap > 3.0) & (gap / np.abs(truth[y][use]) > 0.05)))
        pixels += int(use.sum())
    return 100 * errors / pixels if pixels else math.nan


def every_figure(
    px: Array,
    dense: Array,
    truth: Array,
    seen: NDArray[np.bool_],
    foreground: NDArray[np.bool_] | None = None,
    focal_baseline_doffs: tuple[float, float, float] | None = None,
) -> dict[str, float]:
    """By the names of ``Metrics``; holes of ``dense`` are filled as the data's README says."""
    filled = background(dense, columns=False)
    everywhere = np.isfinite(truth)
    found: dict[str, float] = {}
    sparse = middlebury(px, truth, seen, 2.0)
    found["density"] = 100 - sparse["invalid"]
    for name, t in (("0_5", 0.5), ("1", 1.0), ("2", 2.0), ("3", 3.0), ("4", 4.0)):
        if name != "3":
            bad = middlebury(px, truth, seen, t)["bad"]
            found[f"sparse_{name}"] = 100 * bad / found["density"] if bad else 0.0
        found[f"dense_{name}"] = middlebury(filled, truth, seen, t)["bad"]
    found["dense_mae_px"] = middlebury(filled, truth, seen, 1.0)["avgErr"]
    found["all_2"] = middlebury(filled, truth, everywhere, 2.0)["bad"]
    found["all_3"] = middlebury(filled, truth, everywhere, 3.0)["bad"]
    found["d1_all"] = kitti(filled, truth, everywhere)
    found["d1_fg"] = found["d1_bg"] = math.nan
    if foreground is not None:
        found["d1_fg"] = kitti(filled, truth, foreground)
        found["d1_bg"] = kitti(filled, truth, ~foreground)
    error = sorted(np.abs(filled - truth)[seen & everywhere].tolist())
    found["dense_rms_px"] = math.sqrt(math.fsum(e * e for e in error) / len(error))
    for percent in (50, 90, 95, 99):
        found[f"a{percent}_px"] = error[math.ceil(percent * len(error) / 100) - 1]
    found |= _depth(px, truth, seen & everywhere & np.isfinite(px), focal_baseline_doffs)
    return found


def regions(dense: Array, truth: Array, seen: NDArray[np.bool_], gray: Array) -> dict[str, float]:
    """``edge_2`` and ``smooth_2`` of a map without holes; ``gray`` is the left image."""
    steps = np.zeros(truth.shape, bool)
    for axis in (0, 1):
        for shift in (1, -1):
            beside = np.roll(truth, shift, axis)
            end = [slice(None), slice(None)]
            end[axis] = slice(0, 1) if shift == 1 else slice(-1, None)
            beside[tuple(end)] = np.nan
            with np.errstate(invalid="ignore"):
                steps |= np.abs(truth - beside) > 2
    edge = ndimage.maximum_filter(steps, 17, mode="constant")
    slopes = [ndimage.sobel(gray, axis, mode="mirror") / 8 for axis in (0, 1)]
    steep = (np.abs(slopes[0]) > 3) | (np.abs(slopes[1]) > 3)
    smooth = ~ndimage.maximum_filter(steep, 7, mode="constant")
    found = {}
    for name, where in (("edge_2", edge), ("smooth_2", smooth)):
        use = where & seen & np.isfinite(truth)
        off = np.abs(dense[use] - truth[use])
        found[name] = 100 * float(np.mean(off > 2)) if off.size else math.nan
    return found


def bars(
    px: Array, truth: Array, seen: NDArray[np.bool_], confidence: Array, sigma: Array
) -> dict[str, float]:
    """Coverage of the error bars over all known answers, and AUSE over the visible ones."""
    use = np.isfinite(px) & np.isfinite(truth)
    error = np.abs(px - truth)
    found = {f"sigma_{k}": 100 * float(np.mean(error[use] <= k * sigma[use])) for k in (1, 2, 3)}
    use &= seen
    order = sorted(range(int(use.sum())), key=(-confidence[use]).tolist().__getitem__)
    by_confidence, ideal = error[use][order], np.sort(error[use])
    kept = np.arange(1, len(ideal) + 1)
    area = np.cumsum(by_confidence) / kept - np.cumsum(ideal) / kept
    return found | {"ause_px": math.fsum(area) / len(area)}


def _depth(
    px: Array,
    truth: Array,
    use: NDArray[np.bool_],
    focal_baseline_doffs: tuple[float, float, float] | None,
) -> dict[str, float]:
    names = "depth_mae_m", "depth_median_m", "depth_mae_percent", "depth_median_percent"
    if focal_baseline_doffs is None:
        return dict.fromkeys(names, math.nan)
    f, b, doffs = focal_baseline_doffs
    both = [
        (f * b / (d + doffs), f * b / (t + doffs))
        for d, t in zip(px[use].tolist(), truth[use].tolist(), strict=True)
        if d + doffs > 0 and t + doffs > 0
    ]
    off = sorted(abs(z - true) for z, true in both)
    share = sorted(100 * abs(z - true) / true for z, true in both)
    middle = [(v[(len(v) - 1) // 2] + v[len(v) // 2]) / 2 for v in (off, share)]
    means = [math.fsum(v) / len(v) for v in (off, share)]
    return dict(zip(names, (means[0], middle[0], means[1], middle[1]), strict=True))
