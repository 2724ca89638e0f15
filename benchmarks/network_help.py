"""What a network gives our own matcher: its features as a code, or its disparity as a guide.

    .venv/bin/python benchmarks/network_help.py --features FEATURES.onnx[?preset=NAME]
    .venv/bin/python benchmarks/network_help.py --guide 'onnx:MODEL.onnx?preset=NAME'
    .venv/bin/python benchmarks/network_help.py --made

against our own learned code in the same run, on what MC-CNN, the real network at hand, was not
trained on: outdoors (kitti_000046), synthetic (flyingthings_a), both with noise, and five rendered
views of a room. What was trained or fitted of ours has not seen the family it is judged on.
``--made``: guides made of the truth at a quarter of the size, blurred and wrong by so many px, on
every pair with truth too: what a good network would give.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from common import MORE_PAIRS, PAIRS, pairs_of, table_head, table_row
from families import family_of, fitted_without, use_code_without
from scipy import ndimage

from calib import Camera, StereoRig
from stereo.depth import SIGMA_OF_DOUBT_PX, disparity_sigma
from stereo.evaluation.evaluate import Metrics, evaluate, geometric_mean, mean_of
from stereo.frame import DisparityMap, Float, Image, Mask, RectifiedPair
from stereo.matching import Matcher, SgmMatcher, SgmParams, make_matcher
from stereo.networks.guide import SCALE, Guide
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
UNTRAINED = ("kitti_000046", "flyingthings_a")
SHOWN = ("density", "sparse_2", "dense_1", "dense_2", "dense_mae_px", "sigma_2")
WRONG = {"a good one": (1.0, 0.0), "a mediocre one": (2.0, 0.03)}
"""How far off a made guide is, px, one sigma; and in what share of the image by 12 px more."""


@dataclass(frozen=True, eq=False)
class Case:
    """A pair to judge on."""

    name: str
    pair: RectifiedPair
    truth: Float
    visible: Mask
    disparities: int


Build = Callable[[Case], Matcher]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features")
    parser.add_argument("--guide")
    parser.add_argument("--made", action="store_true")
    parser.add_argument("--matcher", default="sgm")
    parser.add_argument("--faint-levels", type=int, nargs="*", default=[12])
    options = parser.parse_args()
    builds: dict[str, Build] = {}
    for levels in options.faint_levels:
        for name, params in {
            "own code": {},
            "features": {"features": options.features},
            "guide": {"guide": options.guide},
        }.items():
            if all(params.values()):
                label = f"{name}, faint_levels {levels}"
                builds[label] = _building(options.matcher, faint_levels=levels, **params)
    if options.made:
        builds |= {f"guide: {label}": _guided(*wrong) for label, wrong in WRONG.items()}
    found: dict[str, list[Metrics]] = {label: [] for label in builds}
    names = []
    for case in cases(everything=options.made):
        names.append(case.name)
        for label, build in builds.items():
            found[label].append(score(case, build, options.matcher))
        print(f"{case.name} is done", flush=True)
    for metric in SHOWN:
        print("\n" + table_head(metric, *names, "mean", "geometric mean"))
        for label, scores in found.items():
            values = [getattr(one, metric) for one in scores]
            means = getattr(mean_of(scores), metric), geometric_mean(values)
            print(table_row(label, *(f"{value:.2f}" for value in (*values, *means))))


def _building(matcher: str, **params: object) -> Build:
    return lambda case: make_matcher(matcher, num_disparities=case.disparities, **params)


def _guided(off_px: float, lost: float) -> Build:
    def build(case: Case) -> Matcher:
        guide = made_guide(case.truth, off_px, lost)
        return _Guided(SgmMatcher(SgmParams(num_disparities=case.disparities)), guide)

    return build


@dataclass(frozen=True, eq=False)
class _Guided:
    matcher: SgmMatcher
    guide: Float

    def match(self, pair: RectifiedPair) -> DisparityMap:
        return self.matcher.match(pair, Guide(self.guide, self.guide))


def made_guide(truth: Float, off_px: float, lost: float) -> Float:
    """(H, W) px: the truth at a quarter of the size, blurred, with noise of two sizes, and wrong
    by 12 px more in patches that make up the share ``lost``.
    """
    rng = np.random.default_rng(0)
    indices = ndimage.distance_transform_edt(
        ~np.isfinite(truth), return_distances=False, return_indices=True
    )
    size = truth.shape[1] // SCALE, truth.shape[0] // SCALE
    small = cv2.resize(truth[tuple(indices)], size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 1.0)

    def noise(size: tuple[int, int]) -> Float:
        return rng.normal(0, 1, size[::-1]).astype(np.float32)

    broad = noise((max(2, size[0] // 16), max(2, size[1] // 16)))
    broad = np.asarray(cv2.resize(broad, size, interpolation=cv2.INTER_CUBIC))
    small = small + np.float32(off_px / np.sqrt(2)) * (broad + noise(size))
    patches = cv2.GaussianBlur(noise(size), (0, 0), 6)
    small = small + np.float32(12) * (patches > np.quantile(patches, 1 - lost))
    return np.asarray(cv2.resize(small, truth.shape[::-1], interpolation=cv2.INTER_LINEAR))


def cases(*, everything: bool) -> Iterator[Case]:
    """Those that a network may be judged on; ``everything``: all that have truth."""
    for item in [*pairs_of(PAIRS), *pairs_of(MORE_PAIRS)]:
        if not everything and item.name not in UNTRAINED:
            continue
        truth, count = item.truth(), item.num_disparities
        assert isinstance(count, int)
        case = Case(item.name, item.pair(), truth, item.visible(truth), count)
        yield case
        if item.name in UNTRAINED:
            yield replace(case, name=f"{item.name} noisy", pair=noisy(case.pair))
    yield from rooms()


def rooms() -> Iterator[Case]:
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
        yield Case(f"room {number}", RectifiedPair(shot.left, shot.right), truth, shot.visible, 64)


def noisy(pair: RectifiedPair) -> RectifiedPair:
    rng = np.random.default_rng(0)

    def spoilt(image: Image) -> Image:
        return np.clip(image + rng.normal(0, NOISE, image.shape), 0, 255).astype(np.uint8)

    return replace(pair, left=spoilt(pair.left), right=spoilt(pair.right))


def score(case: Case, build: Build, matcher: str) -> Metrics:
    family = family_of(case.name.split()[0])
    use_code_without(family)
    fitted = fitted_without(family)
    pipeline = StereoPipeline(
        Rectification.already_rectified(),
        build(case),
        quality=matcher == "sgm-quality",
        doubt=DoubtTable(fitted["doubt"]) if "doubt" in fitted else FITTED,
    )
    sparse, dense = pipeline.disparity_and_filled(case.pair)
    sigma = disparity_sigma(sparse.confidence, fitted.get("sigma", SIGMA_OF_DOUBT_PX))
    return evaluate(sparse.px, case.truth, visible=case.visible, dense=dense.px, sigma_px=sigma)


if __name__ == "__main__":
    main()
