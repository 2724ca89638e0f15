"""What publishing costs the matcher: VGA results to MCAP and Foxglove at 20 a second.

Blocks with and without publishing take turns, so that a busy machine disturbs both; the figure is
the median of the pairs' ratios. One viewer in a process of its own has subscribed to every topic.

    python benchmarks/publishing.py [--blocks 8] [--seconds 3]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stereo.live.pipeline import LivePipeline, LiveSettings
from stereo.publishing.foxglove import FoxglovePublisher
from stereo.publishing.mcap import McapFile, McapPublisher
from stereo.publishing.publish import Publishing
from stereo.rectify import Rectification
from stereo.sources import SourceOptions, open_source

PERIOD_S = 1 / 20
VIEWER = """
import json, sys
from websockets.sync.client import connect
with connect(sys.argv[1], subprotocols=["foxglove.sdk.v1"], max_size=None) as socket:
    for data in socket:
        if isinstance(data, str):
            channels = json.loads(data).get("channels", ())
            wanted = [{"id": c["id"], "channelId": c["id"]} for c in channels]
            if wanted:
                socket.send(json.dumps({"op": "subscribe", "subscriptions": wanted}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    with open_source("synthetic:room", SourceOptions(size=(640, 480))) as source:
        frame, rig = next(iter(source)), source.calibration
    pipeline = LivePipeline(Rectification.from_calibration(rig), LiveSettings())
    result, _ = pipeline.process(frame)
    print(f"{result.left.shape[1]}x{result.left.shape[0]}, {result.left.ndim} dimensions")
    foxglove = FoxglovePublisher(port=0)
    viewer = subprocess.Popen([sys.executable, "-c", VIEWER, f"ws://127.0.0.1:{foxglove.port}"])
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        mcap = McapPublisher(McapFile(Path(folder) / "out.mcap", checksums=False))
        with Publishing([("mcap", mcap), ("foxglove", foxglove)], live=True) as publishing:
            time.sleep(2)

            def fps(publish: bool) -> float:
                start, due, count = time.perf_counter(), time.perf_counter(), 0
                while time.perf_counter() - start < options.seconds:
                    made, _ = pipeline.process(frame)
                    count += 1
                    if publish and time.perf_counter() >= due:
                        due = max(due + PERIOD_S, time.perf_counter() - PERIOD_S)
                        publishing.offer(frame, made)
                return count / (time.perf_counter() - start)

            for block in range(options.blocks):
                order = (False, True) if block % 2 else (True, False)
                found = {publish: fps(publish) for publish in order}
                ratios.append(found[True] / found[False])
                print(f"without {found[False]:.1f} fps, with {found[True]:.1f}, {ratios[-1]:.3f}")
            viewer.kill()
            viewer.wait()
        print(publishing.stats)
    print(f"publishing costs {1 - statistics.median(ratios):.0%} of the matcher's fps")


if __name__ == "__main__":
    main()
