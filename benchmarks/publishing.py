"""What publishing costs the matcher: VGA results to MCAP and Foxglove at 20 a second.

Blocks with and without publishing take turns, so that a busy machine disturbs both; the figure is
the median of the pairs' ratios. One viewer in a process of its own has subscribed to every topic
and reads all of it. Beside it stands the processor time that one published frame takes, of this
process and of the system on its behalf, which other programs disturb less; where the matcher uses
all cores, that time is what it loses.

    python benchmarks/publishing.py [--blocks 8] [--seconds 3] [--to mcap --to foxglove]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from stereo.frame import StereoFrame
from stereo.live.pipeline import LivePipeline, LiveSettings
from stereo.publishing.foxglove import FoxglovePublisher
from stereo.publishing.messages import FrameMessages
from stereo.publishing.publish import Publisher, Publishing, open_publisher
from stereo.rectify import Rectification
from stereo.sources import SourceOptions, open_source

PERIOD_S = 1 / 20
VIEWER = """
import json, socket, struct, sys
from websockets.sync.client import connect
if sys.argv[2] == "frames":  # takes messages apart, as a viewer in Python would
    link = f"ws://127.0.0.1:{sys.argv[1]}"
    with connect(link, subprotocols=["foxglove.sdk.v1"], max_size=None) as connection:
        wanted = ()
        while not wanted:
            channels = json.loads(connection.recv()).get("channels", ())
            wanted = [{"id": c["id"], "channelId": c["id"]} for c in channels]
        connection.send(json.dumps({"op": "subscribe", "subscriptions": wanted}))
        print("ready", flush=True)
        for data in connection:
            pass
plain = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
plain.sendall(
    f"GET / HTTP/1.1\\r\\nHost: 127.0.0.1:{sys.argv[1]}\\r\\nConnection: Upgrade\\r\\n"
    "Upgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Protocol: "
    "foxglove.sdk.v1\\r\\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\\r\\n\\r\\n".encode()
)
plain.recv(4096)
wanted = [{"id": number, "channelId": number} for number in range(1, 12)]  # all that it has
text = json.dumps({"op": "subscribe", "subscriptions": wanted}).encode()
plain.sendall(struct.pack(">BBHI", 0x81, 0x80 | 126, len(text), 0) + text)
print("ready", flush=True)
buffer = bytearray(1 << 20)
while plain.recv_into(buffer):  # what a viewer elsewhere costs this computer: nothing
    pass
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--to", action="append", choices=["mcap", "foxglove"])
    parser.add_argument("--viewer", choices=["bytes", "frames"], default="bytes")
    options = parser.parse_args()
    with open_source("synthetic:room", SourceOptions(size=(640, 480))) as source:
        first, rig = next(iter(source)), source.calibration
    # a camera that turns: what stands is hardly matched anew, so nothing could take its time
    frames = [turned(first, 40 * number) for number in range(16)]
    pipeline = LivePipeline(Rectification.from_calibration(rig), LiveSettings())
    result, _ = pipeline.process(first)
    print(f"{result.left.shape[1]}x{result.left.shape[0]}, {result.left.ndim} dimensions")
    ratios, plain_s, published_s = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        publishers: list[tuple[str, Publisher]] = []
        viewers = []
        for kind in options.to or ["mcap", "foxglove"]:
            if kind == "mcap":
                publishers.append((kind, open_publisher(f"mcap:{Path(folder) / 'out.mcap'}")))
            else:
                foxglove = FoxglovePublisher(port=0)
                foxglove.publish(FrameMessages(result, 0))  # says what topics there are
                publishers.append((kind, foxglove))
                viewers.append(start_viewer(foxglove.port, options.viewer))
        with Publishing(publishers, live=True) as publishing:

            def run(publish: bool) -> tuple[float, float, float]:
                """Frames a second, processor time a frame, frames for each that was offered."""
                start, spent, count, offered = time.perf_counter(), os.times(), 0, 0
                due = start
                while time.perf_counter() - start < options.seconds:
                    for frame in frames:  # all of them, which take more or less time
                        made, _ = pipeline.process(frame)
                        now = time.perf_counter()
                        count += 1
                        if publish and now >= due:
                            due = max(due + PERIOD_S, now - PERIOD_S)
                            publishing.offer(frame, made)
                            offered += 1
                took, now_spent = time.perf_counter() - start, os.times()
                cpu_s = sum(now_spent[:2]) - sum(spent[:2])
                return count / took, cpu_s / count, count / max(offered, 1)

            for block in range(options.blocks):
                order = (False, True) if block % 2 else (True, False)
                found = {publish: run(publish) for publish in order}
                (without, plain, _), (with_it, cpu, share) = found[False], found[True]
                ratios.append(with_it / without)
                plain_s.append(plain)
                published_s.append((cpu, share))
                print(f"without {without:.1f} fps, with {with_it:.1f}, {ratios[-1]:.3f}")
            for viewer in viewers:
                viewer.kill()
                viewer.wait()
        print(publishing.stats)
    base = statistics.median(plain_s)
    each_ms = 1e3 * statistics.median((cpu - base) * share for cpu, share in published_s)
    cores = len(os.sched_getaffinity(0))
    share = each_ms / 1e3 / PERIOD_S / cores
    print(f"{each_ms:.1f} ms of processor time a published frame: {share:.0%} of {cores} cores")
    print(f"publishing costs {1 - statistics.median(ratios):.0%} of the matcher's fps")


def turned(frame: StereoFrame, px: int) -> StereoFrame:
    """Both images moved sideways."""
    left, right = (np.roll(image, px, axis=1) for image in (frame.left, frame.right))
    return replace(frame, left=left, right=right)


def start_viewer(port: int, kind: str) -> subprocess.Popen[str]:
    """Start a viewer, and wait until it has subscribed."""
    viewer = subprocess.Popen(
        [sys.executable, "-c", VIEWER, str(port), kind],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert viewer.stdout is not None
    viewer.stdout.readline()
    return viewer


if __name__ == "__main__":
    main()
