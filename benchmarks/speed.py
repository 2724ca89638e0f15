"""Time of our matchers against OpenCV's, on the same images in the same run.

    python benchmarks/speed.py [--repeats 7] [--threads 1 2] [--sizes 640x480x64 ...] [--hh]
        [--coarse-to-fine] [--memory] [--cpu]

Prints medians of interleaved repeats and their ratio to 3WAY with padding (above 1: faster than
it). Times hold median filter and speckle removal; OpenCV is timed without our confidence. With
--memory, also by how much a fresh process grows at most while it matches one pair (Linux). With
--cpu, processor time of all threads, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
from collections.abc import Callable
from pathlib import Path

import cv2
from common import medians_ms

from stereo.frame import RectifiedPair
from stereo.gray import to_gray
from stereo.matching import SgbmMatcher, SgbmParams, SgmMatcher, SgmParams
from stereo.matching.pyramid import PyramidMatcher
from stereo.matching.sgm import simd_level
from stereo.synthetic import ROOM_POSE, make_sample_rig, render_pair, room_scene

SIZES = ["640x480x64", "1280x720x128", "1400x1000x256"]


def room_pair(width: int, height: int) -> RectifiedPair:
    """The sample room, rectified and resized: times depend little on what is seen."""
    from stereo.frame import StereoFrame
    from stereo.rectify import Rectification

    rig = make_sample_rig()
    rendered = render_pair(room_scene(), rig, ROOM_POSE, samples=1)
    pair = Rectification.from_rig(rig).apply(StereoFrame(rendered.left, rendered.right))
    images = [
        cv2.resize(to_gray(image), (width, height), interpolation=cv2.INTER_AREA)
        for image in (pair.left, pair.right)
    ]
    return RectifiedPair(images[0], images[1])


def methods(
    pair: RectifiedPair, disparities: int, threads: int, *, hh: bool, coarse: bool
) -> dict[str, Callable[[], object]]:
    """Name -> one matching of the pair."""
    found: dict[str, Callable[[], object]] = {}
    for name, mode in (("3WAY padded", "3way"), ("HH4 padded", "hh4"), ("HH padded", "hh")):
        if mode == "3way" or hh:
            params = SgbmParams(num_disparities=disparities, mode=mode, max_memory_mb=20000)
            matcher = SgbmMatcher(params)
            found[name] = lambda m=matcher: m._match_padded(pair.left, pair.right)
    for name, paths in (("sgm", 4), ("sgm-fast", 3)):
        ours = SgmMatcher(SgmParams(num_disparities=disparities, paths=paths, threads=threads))
        found[name] = lambda m=ours: m.match(pair)
    if coarse:
        params = SgmParams(num_disparities=disparities, threads=threads, coarse_to_fine=True)
        pyramid = PyramidMatcher(params)
        found["coarse to fine"] = lambda: pyramid.match(pair)
    return found


def resident_mb(*, most: bool) -> float:
    field = "VmHWM:" if most else "VmRSS:"
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index(field) + 1]) / 1024


def growth_mb(pair: RectifiedPair, disparities: int, threads: int, name: str) -> float:
    """By how much this process grows at most while the method of that name matches the pair."""
    cv2.setNumThreads(threads)
    run = methods(pair, disparities, threads, hh=True, coarse=True)[name]
    Path("/proc/self/clear_refs").write_text("5")  # forget the highest so far
    before = resident_mb(most=False)
    run()
    return resident_mb(most=True) - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="WIDTHxHEIGHTxDISPARITIES")
    parser.add_argument("--hh", action="store_true", help="also OpenCV's HH and HH4")
    parser.add_argument("--coarse-to-fine", action="store_true", help="sgm in that way, too")
    parser.add_argument("--memory", action="store_true", help="also the memory each one takes")
    parser.add_argument("--cpu", action="store_true", help="processor time, of all threads")
    arguments = parser.parse_args()
    print(
        f"{platform.machine()}, {simd_level()}, medians of {arguments.repeats}, ms (ratio to 3WAY)"
    )
    for size in arguments.sizes:
        width, height, disparities = (int(part) for part in size.split("x"))
        pair = room_pair(width, height)
        for threads in arguments.threads:
            cv2.setNumThreads(threads)
            runs = methods(
                pair, disparities, threads, hh=arguments.hh, coarse=arguments.coarse_to_fine
            )
            medians = medians_ms(runs, arguments.repeats, cpu=arguments.cpu)
            reference = medians["3WAY padded"]
            row = "  ".join(f"{n} {ms:.1f} ({reference / ms:.2f})" for n, ms in medians.items())
            print(f"{size:14} {threads} threads  {row}", flush=True)
            if arguments.memory:
                with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as fresh:
                    tasks = [(pair, disparities, threads, name) for name in runs]
                    grown = fresh.starmap(growth_mb, tasks, chunksize=1)
                row = "  ".join(f"{n} {mb:.0f}" for n, mb in zip(runs, grown, strict=True))
                print(f"{'':14} MB         {row}", flush=True)


if __name__ == "__main__":
    main()
