"""Whether the two images of every pair that a live stream delivers belong together.

    python benchmarks/streams.py [--seconds 20]

Real sequences over loopback: serves ``sample_data``'s clip, and from ../shared/data/sequences
oak_video and karlsruhe, as two MJPEG streams and as one side by side at 20 frames a second, with a
frame number burned into each view: steady, with jitter and drops, with one stream at half the rate,
with one delayed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from common import ROOT, SEQUENCES, from_tests, table_head, table_row
from numpy.typing import NDArray

from stereo.sources import open_source
from stereo.synthetic import burn_frame_number, read_frame_number

helper = from_tests("streams")
Behaviour, MjpegCamera, encode = helper.Behaviour, helper.MjpegCamera, helper.encode

Views = list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]

BEHAVIOURS: dict[str, tuple[Behaviour, Behaviour]] = {
    "steady": (Behaviour(), Behaviour()),
    "jitter 20 ms, 5 % lost": (
        Behaviour(jitter_s=0.02, lost=0.05),
        Behaviour(jitter_s=0.02, lost=0.05),
    ),
    "jitter 40 ms, 5 % lost": (
        Behaviour(jitter_s=0.04, lost=0.05),
        Behaviour(jitter_s=0.04, lost=0.05),
    ),
    "one at half the rate": (Behaviour(), Behaviour(every=2)),
    "one 15 ms late": (Behaviour(), Behaviour(delay_s=0.015)),
}


def sample_clip(count: int) -> Views:
    both = _video(ROOT / "sample_data" / "clip" / "room.mp4", count)
    return [(np.split(image, 2, axis=1)[0], np.split(image, 2, axis=1)[1]) for image in both]


def oak(count: int) -> Views:
    folder = SEQUENCES / "oak_video"
    lefts, rights = (_video(folder / f"{side}.mp4", count) for side in ("left", "right"))
    return list(zip(lefts, rights, strict=True))


def karlsruhe(count: int) -> Views:
    folder = SEQUENCES / "karlsruhe"
    lefts, rights = (sorted((folder / side).glob("*.png")) for side in ("left", "right"))
    pairs = list(zip(lefts, rights, strict=True))
    read = [tuple(cv2.imread(str(path))[..., ::-1] for path in pair) for pair in pairs]
    return [read[k % len(read)] for k in range(count)]


def _video(path: Path, count: int) -> list[NDArray[np.uint8]]:
    capture = cv2.VideoCapture(str(path))
    images = []
    while len(images) < count:
        done, image = capture.read()
        if not done:
            break
        images.append(image[..., ::-1])
    return images


def measure(spec: str, seconds: float) -> tuple[int, int, float, float]:
    """Return pairs with equal and with unequal numbers, time to the first, median latency."""
    equal = unequal = 0
    latencies = []
    start = time.monotonic()
    first = float("nan")
    with open_source(spec) as source:
        for frame in source:
            if not equal + unequal:
                first = time.monotonic() - start
            latencies.append(time.monotonic() - frame.host_s)
            left, right = read_frame_number(frame.left), read_frame_number(frame.right)
            if left is not None and left == right:
                equal += 1
            else:
                unequal += 1
            if time.monotonic() - start > seconds:
                break
    return equal, unequal, first, 1000 * float(np.median(latencies))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    sequences: dict[str, Callable[[int], Views]] = {"sample clip": sample_clip}
    if SEQUENCES.is_dir():
        sequences |= {"oak_video": oak, "karlsruhe": karlsruhe}
    columns = "sequence", "streams", "behaviour", "same number", "other"
    print(table_head(*columns, "first after s", "latency ms"))
    for name, views_of in sequences.items():
        views = [
            tuple(burn_frame_number(view, k) for view in pair)
            for k, pair in enumerate(views_of(60))
        ]
        lefts, rights = ([encode(pair[side]) for pair in views] for side in (0, 1))
        both = [encode(np.hstack(pair)) for pair in views]
        now = time.monotonic()
        with MjpegCamera(both, started_s=now) as one:
            show(name, "side by side", "steady", measure(one.url, arguments.seconds / 2))
        for words, behaviours in BEHAVIOURS.items():
            with (
                MjpegCamera(lefts, started_s=now, seed=1) as left,
                MjpegCamera(rights, started_s=now, seed=2) as right,
            ):
                left.behaviour, right.behaviour = behaviours
                show(name, "two", words, measure(f"{left.url},{right.url}", arguments.seconds))


def show(name: str, streams: str, words: str, found: tuple[int, int, float, float]) -> None:
    equal, unequal, first, latency = found
    figures = equal, unequal, f"{first:.1f}", f"{latency:.0f}"
    print(table_row(name, streams, words, *figures), flush=True)


if __name__ == "__main__":
    main()
