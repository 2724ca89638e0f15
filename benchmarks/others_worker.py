"""Runs one library's matchers inside that library's own environment, for benchmarks/others.py.

    python others_worker.py LIBRARY CORES

Reads one JSON object a line: {method, pair, num_disparities, out}; ``pair`` is an npz file of
``left`` and ``right``, uint8 gray (H, W), and ``guide``, the left image in BGR. Writes to ``out``
as npy (2, H, W) float32 px: the disparity with NaN for holes, and what the method itself makes of
its holes (or the same again). Answers {"wall": ms, "cpu": ms} of the matching alone. Only LIBRARY
"ours" imports this project.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Maps = tuple[NDArray[Any], NDArray[Any]]
Prepared = Callable[[], Maps]


@dataclass(frozen=True, slots=True)
class Pair:
    """What every method is given."""

    left: Image
    right: Image
    guide: Image
    """The left image in colour, BGR, for filters that can use it."""


Method = Callable[[Pair, int], Prepared]
"""Pair, number of disparities -> what is timed."""

STEPS_PER_PX = 16  # of OpenCV's fixed-point disparity


def ours() -> dict[str, Method]:
    """Our matchers with our refinement and alone; OpenCV's with our padding, so without a strip."""
    from stereo.frame import RectifiedPair
    from stereo.matching import MATCHERS, make_matcher
    from stereo.pipeline import StereoPipeline
    from stereo.rectify import Rectification

    made = cache(lambda name, count: make_matcher(name, num_disparities=count))

    def whole(name: str, pair: Pair, count: int) -> Prepared:
        pipeline = StereoPipeline(
            Rectification.already_rectified(), made(name, count), quality=name == "sgm-quality"
        )

        def run() -> Maps:
            seen = RectifiedPair(pair.left, pair.right)
            sparse, dense = pipeline.disparity_and_filled(seen)
            return sparse.px, dense.px

        return run

    def alone(name: str, pair: Pair, count: int) -> Prepared:
        matcher = made(name, count)
        return lambda: 2 * (matcher.match(RectifiedPair(pair.left, pair.right)).px,)

    def opencv(name: str, pair: Pair, count: int) -> Prepared:
        matcher = made(name, count)
        return lambda: 2 * (matcher._match_padded(pair.left, pair.right),)  # without our confidence

    methods: dict[str, Method] = {"OpenCV BM": block_matching}
    for name in MATCHERS:
        if name.startswith("sgbm"):
            mode = {"sgbm": "3WAY", "sgbm-5": "SGBM"}.get(name, name[-3:].strip("-").upper())
            methods[f"OpenCV {mode}"] = partial(opencv, name)
        else:
            methods[name] = partial(whole, name)
    for name in ("sgm", "sgm-fast"):
        methods[f"{name}, matched only"] = partial(alone, name)
    return methods


def padded(image: Image, count: int) -> Image:
    """With ``count`` replicated columns on the left, which OpenCV's matchers lose."""
    return np.pad(image, ((0, 0), (count, 0), (0, 0))[: image.ndim], "edge")


def in_px(fixed_point: NDArray[np.int16], count: int) -> NDArray[np.float32]:
    return fixed_point[:, count:].astype(np.float32) / STEPS_PER_PX


def block_matching(pair: Pair, count: int) -> Prepared:
    """OpenCV's StereoBM, block of 15 px, the speckle filter of the others."""
    import cv2

    matcher = cv2.StereoBM.create(numDisparities=count, blockSize=15)
    matcher.setSpeckleWindowSize(100)
    matcher.setSpeckleRange(2)
    matcher.setDisp12MaxDiff(1)

    def run() -> Maps:
        px = in_px(matcher.compute(padded(pair.left, count), padded(pair.right, count)), count)
        return 2 * (np.where(px < 0, np.float32(np.nan), px),)

    return run


def contrib() -> dict[str, Method]:
    """The weighted least squares filter of opencv-contrib over OpenCV's matchers.

    It needs the right view too and leaves no hole. Strength 8000 is that of its own sample;
    500 does better on most of these pairs.
    """
    import cv2

    def filtered(matcher: Any, strength: float, pair: Pair, count: int) -> Maps:
        left, right, guide = (padded(v, count) for v in (pair.left, pair.right, pair.guide))
        smooth = cv2.ximgproc.createDisparityWLSFilter(matcher)
        smooth.setLambda(strength)
        smooth.setSigmaColor(1.5)
        found = matcher.compute(left, right)
        found_right = cv2.ximgproc.createRightMatcher(matcher).compute(right, left)
        px = in_px(smooth.filter(found, guide, disparity_map_right=found_right), count)
        return 2 * (np.maximum(px, 0),)

    def three_way(strength: float, pair: Pair, count: int) -> Prepared:
        matcher = cv2.StereoSGBM.create(
            numDisparities=count, blockSize=3, P1=72, P2=288, mode=cv2.StereoSGBM_MODE_SGBM_3WAY
        )
        return lambda: filtered(matcher, strength, pair, count)

    def blocks(pair: Pair, count: int) -> Prepared:
        matcher = cv2.StereoBM.create(numDisparities=count, blockSize=7)
        return lambda: filtered(matcher, 8000, pair, count)

    return {
        "OpenCV BM + WLS": blocks,
        "OpenCV 3WAY + WLS": partial(three_way, 8000),
        "OpenCV 3WAY + WLS 500": partial(three_way, 500),
    }


def pandora() -> dict[str, Method]:
    """CNES pandora with its libSGM plug-in, set as in its sample a_semi_global_matching.json."""
    import pandora as library
    import rasterio
    from pandora.check_configuration import check_conf
    from pandora.constants import Criteria
    from pandora.img_tools import create_dataset_from_inputs
    from pandora.state_machine import PandoraMachine

    library.import_plugin()
    invalid = Criteria.PANDORA_MSK_PIXEL_INVALID.value
    median = {"filter_method": "median", "filter_size": 3}
    penalty = {"penalty_method": "sgm_penalty", "P1": 8, "P2": 32, "p2_method": "constant"}
    steps = {
        "matching_cost": {"matching_cost_method": "census", "window_size": 5, "subpix": 1},
        "optimization": {"optimization_method": "sgm", "overcounting": False, "penalty": penalty},
        "disparity": {"disparity_method": "wta", "invalid_disparity": "NaN"},
        "refinement": {"refinement_method": "vfit"},
        "filter": median,
        "validation": {"validation_method": "cross_checking_accurate"},
        "filter.after_validation": median,
    }

    def prepared(pair: Pair, count: int) -> Prepared:
        machine = PandoraMachine()
        with TemporaryDirectory() as folder:
            for name, image in (("left", pair.left), ("right", pair.right)):
                height, width = image.shape
                with rasterio.open(
                    Path(folder) / f"{name}.tif", "w", "GTiff", width, height, 1, dtype="uint8"
                ) as file:
                    file.write(image, 1)
            inputs = {
                "left": {"img": f"{folder}/left.tif", "disp": [1 - count, 0], "nodata": -1},
                "right": {"img": f"{folder}/right.tif", "disp": [0, count - 1], "nodata": -1},
            }
            settings = check_conf({"input": inputs, "pipeline": steps}, machine)
            images = [create_dataset_from_inputs(settings["input"][k]) for k in ("left", "right")]

        def run() -> Maps:
            found, _ = library.run(machine, *images, settings)
            rejected = found["validity_mask"].data & invalid > 0
            return 2 * (np.where(rejected, np.nan, -found["disparity_map"].data),)

        return run

    return {"pandora + libSGM": prepared}


def elas() -> dict[str, Method]:
    """Geiger's libelas through pyelas; its preset "Middlebury" closes every gap by itself."""
    import elas as library

    def prepared(preset: int, pair: Pair, count: int) -> Prepared:
        matcher = library.Elas()
        matcher.set_preset(preset)
        matcher.disp_max = count - 1

        def run() -> Maps:
            px, _ = matcher.process(pair.left, pair.right)
            return 2 * (np.where(px < 0, np.float32(np.nan), px),)

        return run

    return {
        "libelas, robotics": partial(prepared, library.PRESET_ROBOTICS),
        "libelas, Middlebury": partial(prepared, library.PRESET_MIDDLEBURY),
    }


LIBRARIES = {"ours": ours, "contrib": contrib, "pandora": pandora, "elas": elas}


def main() -> None:
    library, cores = sys.argv[1], int(sys.argv[2])
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])  # before any thread starts
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever the library prints must not look like an answer
    logging.disable(logging.WARNING)
    methods = LIBRARIES[library]()
    print(json.dumps(list(methods)), file=answers)
    for line in sys.stdin:
        request = json.loads(line)
        pair = Pair(**np.load(request["pair"]))
        run = methods[request["method"]](pair, request["num_disparities"])
        wall, cpu = time.perf_counter(), time.process_time()
        maps = run()
        took = {
            "wall": 1e3 * (time.perf_counter() - wall),
            "cpu": 1e3 * (time.process_time() - cpu),
        }
        np.save(request["out"], np.stack(maps).astype(np.float32))
        print(json.dumps(took), file=answers)


if __name__ == "__main__":
    main()
