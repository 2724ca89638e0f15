"""What the browser page costs the matcher: results a second with one browser's socket connected,
against none, in interleaved repeats.

    .venv/bin/python benchmarks/web_viewer.py [--repeats 5] [--seconds 4]
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from typing import Any

import cv2
import msgspec
import numpy as np
import viser
from common import ROOM, from_tests
from websockets.sync.client import connect

from calib import load_rig
from stereo.frame import StereoFrame
from stereo.live.depth import LiveFrame
from stereo.live.pipeline import LivePipeline, LiveSettings
from stereo.rectify import Rectification
from stereo.viewers.web import WebViewer

browser = from_tests("browser")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    args = parser.parse_args()
    images = [
        np.asarray(cv2.cvtColor(cv2.imread(str(ROOM / name)), cv2.COLOR_BGR2RGB), np.uint8)
        for name in ("left.png", "right.png")
    ]
    frame = StereoFrame(images[0], images[1])
    pipeline = LivePipeline(
        Rectification.from_calibration(load_rig(ROOM / "rig.yaml")), LiveSettings()
    )
    ratios, shown = [], 0
    with WebViewer(port=0) as viewer:
        for _ in range(args.repeats):
            alone = rate(pipeline, frame, viewer, args.seconds)
            stop, received = threading.Event(), [0]
            browser = threading.Thread(target=read, args=(viewer, stop, received))
            browser.start()
            while not viewer.browsers:
                time.sleep(0.05)
            watched = rate(pipeline, frame, viewer, args.seconds)
            stop.set()
            browser.join()
            shown += received[0]
            ratios.append(watched / alone)
            print(f"alone {alone:6.2f} fps   watched {watched:6.2f} fps   {ratios[-1]:.3f}")
    mb = shown / 1e6 / (args.repeats * args.seconds)
    print(f"median of the ratios {statistics.median(ratios):.3f}; the browser got {mb:.1f} MB/s")


def rate(pipeline: LivePipeline, frame: StereoFrame, viewer: WebViewer, seconds: float) -> float:
    """Results a second, each handed to the viewer."""
    start, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < seconds:
        result, took = pipeline.process(frame)
        viewer.show(LiveFrame(count, frame, result, took))
        viewer.status(f"frame {count}")
        count += 1
    return count / spent


def read(viewer: WebViewer, stop: threading.Event, received: list[int]) -> None:
    """Read all that a browser would get. Its work is counted against the viewer too."""
    protocol: Any = f"viser-v{viser.__version__}"
    with connect(viewer.url.replace("http", "ws"), subprotocols=[protocol], max_size=None) as one:
        one.send(msgspec.msgpack.encode(browser.CAMERA))
        while not stop.is_set():
            try:
                received[0] += len(one.recv(timeout=0.2))
            except TimeoutError:
                continue


if __name__ == "__main__":
    main()
