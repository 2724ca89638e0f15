"""Time of each stage of the pipeline: medians of interleaved repeats, steady state.

    python benchmarks/stages.py [--size 1280x720] [--num-disparities 128] [--repeats 15]

The pair is the sample room, rendered at that size; also prints how long `stereo --help` takes
against `python -c "import click, numpy"`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from common import medians_ms, milliseconds, pipeline

from stereo.cloud import point_cloud
from stereo.depth import depth_frame
from stereo.frame import StereoFrame
from stereo.matching import denoise, make_matcher
from stereo.rectify import Rectification
from stereo.refining.doubt import judged
from stereo.refining.filling import fill
from stereo.refining.refine import RefineParams, refine
from stereo.synthetic import ROOM_POSE, make_sample_rig, render_pair, room_scene


def command(*arguments: str) -> Callable[[], object]:
    return lambda: subprocess.run(arguments, capture_output=True, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--num-disparities", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    width, height = (int(side) for side in arguments.size.split("x"))
    rig = make_sample_rig((width, height))
    rendered = render_pair(room_scene(), rig, ROOM_POSE, samples=1)
    frame = StereoFrame(rendered.left, rendered.right)
    once = milliseconds(lambda: Rectification.from_rig(rig))
    rect = Rectification.from_rig(rig)
    assert rect.geometry is not None
    matcher = make_matcher("sgm", num_disparities=arguments.num_disparities)
    pair = rect.apply(frame)
    matched = matcher.match(pair)
    disparity = matched
    depth = depth_frame(disparity, rect.geometry, pair.left)
    rng = np.random.default_rng(0)
    noisy = replace(
        pair,
        left=np.clip(pair.left + rng.normal(0, 5, pair.left.shape), 0, 255).astype(np.uint8),
    )
    stages: dict[str, Callable[[], object]] = {
        "rectify": lambda: rect.apply(frame),
        "look for noise": lambda: denoise(pair),
        "(smooth, if noisy)": lambda: denoise(noisy),
        "match (sgm)": lambda: matcher.match(pair),
        "refine": lambda: refine(matched, pair, RefineParams(surfaces=False)),
        "surfaces": lambda: refine(matched, pair, RefineParams()),
        "judge": lambda: judged(disparity, pair),
        "depth + sigma": lambda: depth_frame(disparity, rect.geometry, pair.left),
        "cloud": lambda: point_cloud(depth),
        "(fill, on request)": lambda: fill(disparity, pair.left),
    }
    times = medians_ms(stages, arguments.repeats)
    usual, careful = (
        pipeline(name, arguments.num_disparities, fill=True) for name in ("sgm", "sgm-quality")
    )
    ways = medians_ms(
        {
            "default": lambda: usual.disparity(pair),
            "--quality": lambda: careful.disparity(pair),
        },
        arguments.repeats,
    )
    print(f"{width}x{height}, {arguments.num_disparities} disparities, {os.cpu_count()} cores, ms")
    for name, value in times.items():
        print(f"  {name:20} {value:7.1f}")
    rest = sum(times[name] for name in ("rectify", "surfaces", "judge", "depth + sigma", "cloud"))
    print(f"  {'all but the matcher':20} {rest:7.1f}")
    print(f"  {'maps, once per rig':20} {once:7.1f}")
    default, quality = ways["default"], ways["--quality"]
    print(
        f"  match, planes and filling {default:.1f}, --quality {quality / default:.1f} times that"
    )
    starts = medians_ms(
        {
            "help": command(sys.executable, "-m", "stereo.cli.main", "--help"),
            "imports": command(sys.executable, "-c", "import click, numpy"),
        },
        9,
    )
    ratio = starts["help"] / starts["imports"]
    print(
        f"stereo --help {starts['help']:.0f} ms, import click, numpy {starts['imports']:.0f} ms: "
        f"ratio {ratio:.2f}"
    )


if __name__ == "__main__":
    main()
