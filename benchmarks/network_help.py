"""A network's features in our matching cost, against our own learned code, in the same run.

    .venv/bin/python benchmarks/features.py MODEL.onnx[?preset=NAME] [--matcher sgm-quality]

On what such a network is for and was not trained on: outdoors (kitti_000046), synthetic
(flyingthings_a), both with noise, and five rendered views of a room. Our code, and what scripts
fit, has not seen the family it is judged on. MC-CNN was trained on Middlebury, which is left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from common import PAIRS, pairs_of, table_head, table_row
from families import family_of, fitted_without, use_code_without

from calib import Camera, StereoRig
from stereo.evaluation.evaluate import Metrics, evaluate, geometric_mean
from stereo.frame import Float, Image, Mask, RectifiedPair
from stereo.matching import make_matcher
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.refining.doubt import FITTED, DoubtTable
from stereo.synthetic import FAST, Pose, render_pair, room_scene, rotation

NOISE = 8.0
"""Gray levels, one sigma."""
FOCAL_PX, BASELINE_M = 480.0, 0.16
PLACES = (
    (0.0, -0.13, 0.0),
    (0.5, -0.1, 0.1),
    (-0.5, -0.2, -0.1),
    (0.2, -0.3, 0.0),
    (-0.25, 0.1, 0.1),
)
"""Yaw, pitch and x of the left camera."""
SHOWN = ("density", "sparse_2", "dense_1", "dense_2", "dense_mae_px")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features")
    parser.add_argument("--matcher", default="sgm")
    parser.add_argument("--faint-levels", type=int, nargs="*", default=[12, 40, 255])
    options = parser.parse_args()
    costs = {
        f"{name}, faint_levels {levels}": {"faint_levels": levels, **params}
        for name, params in (("own code", {}), ("features", {"features": options.features}))
        for levels in options.faint_levels
    }
    found: dict[str, list[Metrics]] = {label: [] for label in costs}
    names = []
    for name, pair, truth, visible, disparities in scenes():
        names.append(name)
        for label, params in costs.items():
            params = {"num_disparities": disparities, **params}
            found[label].append(score(name, options.matcher, params, pair, truth, visible))
    for metric in SHOWN:
        print("\n" + table_head(metric, *names, "geometric mean"))
        for label, scores in found.items():
            values = [getattr(one, metric) for one in scores]
            cells = [f"{value:.2f}" for value in (*values, geometric_mean(values))]
            print(table_row(label, *cells))


def scenes() -> Iterator[tuple[str, RectifiedPair, Float, Mask, int]]:
    """Name, pair, truth, which pixels both cameras see, and how many disparities."""
    for item in pairs_of(PAIRS):
        if item.name not in ("kitti_000046", "flyingthings_a"):
            continue
        pair, truth, count = item.pair(), item.truth(), item.num_disparities
        assert isinstance(count, int)
        yield item.name, pair, truth, item.visible(truth), count
        yield f"{item.name} noisy", noisy(pair), truth, item.visible(truth), count
    camera = Camera(
        model="pinhole",
        size=(640, 480),
        K=np.array([[FOCAL_PX, 0, 319.5], [0, FOCAL_PX, 239.5], [0, 0, 1]]),
        distortion=np.zeros(5),
    )
    rig = StereoRig(
        left=camera,
        right=camera,
        R_right_left=np.eye(3),
        t_right_left=np.array([-BASELINE_M, 0, 0]),
    )
    scene = room_scene(quality=FAST)
    for number, (yaw, pitch, x) in enumerate(PLACES):
        pose = Pose(rotation(yaw=yaw, pitch=pitch), np.array([x, -0.1, 0.0]))
        shot = render_pair(scene, rig, pose, samples=2, seed=number)
        truth = np.asarray(FOCAL_PX * BASELINE_M / shot.depth_left_m, np.float32)
        yield f"room {number}", RectifiedPair(shot.left, shot.right), truth, shot.visible, 64


def noisy(pair: RectifiedPair) -> RectifiedPair:
    rng = np.random.default_rng(0)

    def spoilt(image: Image) -> Image:
        return np.clip(image + rng.normal(0, NOISE, image.shape), 0, 255).astype(np.uint8)

    return replace(pair, left=spoilt(pair.left), right=spoilt(pair.right))


def score(
    name: str,
    matcher: str,
    params: dict[str, object],
    pair: RectifiedPair,
    truth: Float,
    visible: Mask,
) -> Metrics:
    family = family_of(name.split()[0])
    use_code_without(family)
    fitted = fitted_without(family)
    pipeline = StereoPipeline(
        Rectification.already_rectified(),
        make_matcher(matcher, **{**fitted.get("matcher", {}), **params}),
        quality=matcher == "sgm-quality",
        doubt=DoubtTable(fitted["doubt"]) if "doubt" in fitted else FITTED,
    )
    sparse, dense = pipeline.disparity_and_filled(pair)
    return evaluate(sparse.px, truth, visible=visible, dense=dense.px, confidence=sparse.confidence)


if __name__ == "__main__":
    main()
