"""What a network costs a frame beside its own run: a no-op network at 1280x720, in ms.

    .venv/bin/python benchmarks/networks.py

The network gives one number for every pixel and computes nothing worth the name, so that what is
measured is ours: images into tensors, outputs into maps, the right view's flips, agreement. The
time within onnxruntime is taken off. Both are told: the least time of all frames, and the median of
what the processor worked on it, on all cores, which says more on a busy machine.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from stereo.frame import RectifiedPair
from stereo.networks.matcher import NetworkMatcher, NetworkParams
from stereo.networks.session import Network

WIDE, HIGH = 1280, 720


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=60)
    frames = parser.parse_args().frames
    with tempfile.TemporaryDirectory() as folder:
        print("ms a frame of ours          both views: time, work    left only: time, work")
        for channels, layout, dtype in (
            (1, "NCHW", TensorProto.FLOAT),
            (3, "NCHW", TensorProto.FLOAT),
            (3, "NCHW", TensorProto.UINT8),
            (3, "NHWC", TensorProto.FLOAT),
        ):
            path = Path(folder) / f"{channels}{layout}{dtype}.onnx"
            no_op(path, channels, layout, dtype)
            kind = f"{'gray' if channels == 1 else 'RGB'} {layout} " + (
                "bytes" if dtype == TensorProto.UINT8 else "float"
            )
            for images in (1, 3):
                took = [ours_ms(path, images, frames, left_right=both) for both in (True, False)]
                name = "gray" if images == 1 else "RGB"
                cells = "".join(f"{least:12.1f}{work:8.1f}" for least, work in took)
                print(f"{kind:20}{name:6}{cells}")


def ours_ms(path: Path, channels: int, frames: int, *, left_right: bool) -> tuple[float, float]:
    """Least time of a match, and its median work, without what onnxruntime took."""
    matcher = NetworkMatcher(path, NetworkParams(preset="plain", left_right=left_right))
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (HIGH, WIDE, channels), np.uint8)
    pair = RectifiedPair(*(np.squeeze(image) for _ in range(2)))
    inside = now()
    real = Network.run

    def timed(network: Network, *arguments: Any) -> Any:
        nonlocal inside
        began = now()
        found = real(network, *arguments)
        inside = inside + now() - began
        return found

    Network.run = timed  # type: ignore[method-assign]
    took = []
    for _ in range(frames + 5):
        inside, began = np.zeros(2), now()
        matcher.match(pair)
        took.append(1000 * (now() - began - inside))
    Network.run = real  # type: ignore[method-assign]
    return min(one[0] for one in took[5:]), statistics.median(one[1] for one in took[5:])


def now() -> NDArray[np.float64]:
    """By the clock, and by what the process worked, s."""
    return np.array([time.perf_counter(), time.process_time()])


def no_op(path: Path, channels: int, layout: str, dtype: int) -> None:
    """One channel of the left image, times 0, plus 20."""
    sides = {"N": 1, "C": channels, "H": "high", "W": "wide"}
    shape = [sides[letter] for letter in layout]
    axis = layout.index("C")
    constants = {
        "zero": np.float32(0),
        "twenty": np.float32(20),
        "first": np.array([0]),
        "second": np.array([1]),
        "axis": np.array([axis]),
    }
    nodes = [
        helper.make_node("Slice", ["left", "first", "second", "axis"], ["channel"]),
        helper.make_node("Cast", ["channel"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "twenty"], ["disparity"]),
    ]
    graph = helper.make_graph(
        nodes,
        "no-op",
        [helper.make_tensor_value_info(name, dtype, shape) for name in ("left", "right")],
        [helper.make_tensor_value_info("disparity", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
