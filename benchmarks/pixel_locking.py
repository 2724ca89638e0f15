"""Are disparities drawn to whole pixels? Histograms of their fractions, and errors by fraction.

    python benchmarks/pixel_locking.py [MANIFEST]

On rendered slanted planes, whose true disparity is known exactly and takes every fraction equally
often, and on the pairs of the manifest whose truth is finer than 1/16 px. Compares, after the same
3x3 median: "parabola" and "equal slopes" (two lines, the V-fit) through the three costs around the
minimum, "ours before" (a curve fitted to one pixel's costs), and ours as built. Also prints what
native/src/finish.cpp takes as given: the curve fitted to the true offsets by ratio of summed
slopes.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import cv2
import numpy as np
from common import Array, add_manifest, pairs_of
from numpy.typing import NDArray

from calib import Camera, StereoRig
from stereo.frame import RectifiedPair
from stereo.gray import gray8_pair
from stereo.matching.sgm import SgmMatcher, SgmParams
from stereo.synthetic import (
    Lighting,
    Pose,
    Quad,
    Quality,
    Scene,
    render_pair,
    rotation,
)
from stereo.synthetic.textures import Bricks, Carpet, Cloudy, Fabric, Wood

FOCAL_PX, BASELINE_M, SIZE = 600.0, 0.15, (640, 480)
REACH = 4  # columns to each side whose slopes are summed, as in native/src/finish.hpp


@dataclass(frozen=True, eq=False, slots=True)
class Measured:
    """One pair's pixels that can be judged."""

    name: str
    offsets: dict[str, Array]
    """Method -> (H, W) disparity px."""
    truth: Array
    """(H, W) px."""
    judged: NDArray[np.bool_]
    """(H, W) visible, answered, and the whole-pixel winner within 1 px of the truth."""
    index: Array
    """(H, W) the whole-pixel winner."""
    ratio: Array
    """(H, W) of summed slopes, -1 to 1."""


def slanted_planes() -> tuple[RectifiedPair, Array]:
    """Six bands, each a textured plane turned by 17 to 52 degrees; the pair and its disparity."""
    textures = [
        Cloudy("#c8b090", "#4a3a30", seed=1),
        Fabric(seed=2),
        Wood(seed=3),
        Cloudy("#e0e0d8", "#606870", scale_m=0.08, seed=4),
        Carpet(seed=5),
        Bricks(seed=6),
    ]
    solids = []
    for k, texture in enumerate(textures):
        depth_m = 2.0 + 0.17 * k
        band_m = SIZE[1] / len(textures) / FOCAL_PX * depth_m
        yaw = (0.9, -0.9, 0.6, -0.6, 0.3, -0.3)[k]
        centre = (0.0, (k - 2.5) * band_m, depth_m)
        solids.append(Quad(centre, (3.5, 0.49 * band_m, 1.0), texture, rotation(yaw=yaw)))
    scene = Scene.build(solids, Lighting(), quality=Quality(sky_rays=1, light_m=0.3))
    K = np.array([[FOCAL_PX, 0, SIZE[0] / 2 - 0.5], [0, FOCAL_PX, SIZE[1] / 2 - 0.5], [0, 0, 1.0]])
    camera = Camera(model="pinhole", size=SIZE, K=K, distortion=np.zeros(5))
    rig = StereoRig(camera, camera, np.eye(3), np.array([-BASELINE_M, 0.0, 0.0]))
    rendered = render_pair(scene, rig, Pose(np.eye(3), np.zeros(3)), samples=3, seed=1)
    truth = FOCAL_PX * BASELINE_M / rendered.depth_left_m.astype(float)
    truth[~(rendered.visible & rendered.textured)] = np.nan
    return RectifiedPair(*gray8_pair(rendered.left, rendered.right)), truth


def measure(name: str, pair: RectifiedPair, truth: Array, num_disparities: int) -> Measured:
    """Match once; place the minimum in three ways."""
    matcher = SgmMatcher(SgmParams(num_disparities=num_disparities))
    found = matcher.match(pair).px
    raw = matcher._matcher._winners(pair.left, pair.right).astype(float)
    index, cost, before, after, _ = np.moveaxis(raw, -1, 0)
    left, right = before - cost, after - cost
    total, steeper = np.maximum(left + right, 1), np.maximum(np.maximum(left, right), 1)
    offsets = {
        "parabola": (left - right) / (2 * total),
        "equal slopes": (left - right) / (2 * steeper),
    }
    ratio = (left - right) / steeper
    offsets["ours before"] = ratio * (0.7 - 0.22 * np.abs(ratio))
    maps = {k: cv2.medianBlur((index + v).astype(np.float32), 3) for k, v in offsets.items()}
    judged = np.isfinite(found) & np.isfinite(truth)
    judged[judged] = np.abs(truth - index)[judged] < 1
    maps["ours"] = found
    return Measured(name, maps, truth, judged, index, summed_ratio(index, left, right))


def summed_ratio(index: Array, left: Array, right: Array) -> Array:
    """Sum the slopes of the pixels within REACH on the row that chose the same index."""
    sums = [np.zeros_like(index), np.zeros_like(index)]
    for shift in range(-REACH, REACH + 1):
        same = np.roll(index, shift, axis=1) == index
        for total, slope in zip(sums, (left, right), strict=True):
            total += np.where(same, np.roll(slope, shift, axis=1), 0)
    return np.asarray((sums[0] - sums[1]) / np.maximum(np.maximum(*sums), 1))


def report(data: list[Measured]) -> None:
    print(
        "how often each tenth of a pixel occurs (1.00: evenly), error, bias by tenth of the truth"
    )
    for pair in data:
        print(pair.name)
        truth = pair.truth[pair.judged]
        print(f"  {'truth':14}{spread(truth)}")
        for method, px in pair.offsets.items():
            error = px[pair.judged] - truth
            tenth = (truth % 1 * 10).astype(int)
            bias = " ".join(f"{np.median(error[tenth == k]):+.2f}" for k in range(10))
            size = f"median |error| {np.median(np.abs(error)):.3f} px"
            print(f"  {method:14}{spread(px[pair.judged])}  {size}  bias {bias}")


def spread(disparity: Array) -> str:
    counts = np.histogram(disparity % 1, 10, (0, 1))[0]
    return " ".join(f"{v:.2f}" for v in counts / counts.mean())


def fit_curve(data: list[Measured]) -> tuple[float, float]:
    """Offset = ratio (a - b |ratio|), least absolute error, each pair weighing the same."""
    rng = np.random.default_rng(0)
    rows, offsets = [], []
    for pair in data:
        chosen = rng.choice(np.flatnonzero(pair.judged), 30000)
        ratio = pair.ratio.ravel()[chosen]
        rows.append(np.column_stack([ratio, -ratio * np.abs(ratio)]))
        offsets.append((pair.truth - pair.index).ravel()[chosen])
    x, y = np.concatenate(rows), np.concatenate(offsets)
    curve = np.linalg.lstsq(x, y, rcond=None)[0]
    for _ in range(30):  # iteratively reweighted
        weight = 1 / np.maximum(np.abs(y - x @ curve), 0.02)
        curve = np.linalg.solve((x * weight[:, None]).T @ x, (x * weight[:, None]).T @ y)
    return float(curve[0]), float(curve[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_manifest(parser)
    pairs = pairs_of(parser.parse_args().manifest)
    data = [measure("slanted planes, rendered", *slanted_planes(), 96)]
    for item in pairs:
        pair, truth = item.pair(), item.truth().astype(float)
        if len(np.unique(truth[np.isfinite(truth)] % 1)) > 16:
            truth[~item.visible(truth.astype(np.float32))] = np.nan
            gray = RectifiedPair(*gray8_pair(pair.left, pair.right))
            data.append(measure(item.name, gray, truth, item.num_disparities))
    report(data)
    print("fitted: offset = ratio ({:.3f} - {:.3f} |ratio|)".format(*fit_curve(data)))


if __name__ == "__main__":
    main()
