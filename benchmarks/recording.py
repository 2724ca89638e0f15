"""How fast lossless images are written: ways to make a PNG, then the recorder as a whole.

    python benchmarks/recording.py

The image is the left one of ``sample_data/room`` at 1280x720 with noise of 2 gray levels, as a
camera has it. Times are the best of five; ratios matter, not milliseconds.
"""

from __future__ import annotations

import tempfile
import time

import cv2
import numpy as np
from common import ROOM, milliseconds

from stereo.files.images import read_image
from stereo.frame import StereoFrame
from stereo.sources.record import Recorder

FPS, SECONDS = 30, 6
LEVEL, FILTER = cv2.IMWRITE_PNG_COMPRESSION, cv2.IMWRITE_PNG_FILTER
WAYS = {
    "OpenCV's default": [],
    "level 1": [LEVEL, 1],
    "stored": [LEVEL, 0, FILTER, cv2.IMWRITE_PNG_FILTER_NONE],
}


def camera_image(name: str) -> np.ndarray:
    image = cv2.resize(read_image(ROOM / name), (1280, 720))
    noise = np.random.default_rng(0).normal(0, 2, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def encoding(image: np.ndarray) -> None:
    print(f"{'PNG':26} {'ms':>6} {'size':>6}")
    for name, options in WAYS.items():
        best = min(milliseconds(lambda o=options: cv2.imencode(".png", image, o)) for _ in range(5))
        size = cv2.imencode(".png", image, options)[1].size
        print(f"{name:26} {best:6.1f} {size / image.nbytes:6.0%}")


def recording(left: np.ndarray, right: np.ndarray) -> None:
    frame = StereoFrame(left, right)
    longest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        with Recorder(folder, min_free_bytes=0) as recorder:
            begin = time.monotonic()
            for number in range(FPS * SECONDS):
                time.sleep(max(0.0, begin + number / FPS - time.monotonic()))
                start = time.perf_counter()
                recorder.write(frame)
                longest = max(longest, time.perf_counter() - start)
            waiting = recorder.stats.waiting
        stats = recorder.stats
    print(
        f"2x 1280x720 RGB at {FPS} fps for {SECONDS} s: {stats.written} written, "
        f"{stats.dropped} dropped, {waiting} waiting at the end, longest write() "
        f"{1000 * longest:.1f} ms, {stats.bytes_written / FPS / SECONDS / frame_bytes(frame):.0%} "
        "of the raw size"
    )


def frame_bytes(frame: StereoFrame) -> int:
    return frame.left.nbytes + frame.right.nbytes


if __name__ == "__main__":
    images = camera_image("left.png"), camera_image("right.png")
    encoding(images[0])
    recording(*images)
