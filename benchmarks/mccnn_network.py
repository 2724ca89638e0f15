"""A real trained stereo network for trying ours on: MC-CNN's features, compared over disparities.

    pip download --no-deps mccnn==1.4.1 && unzip -j mccnn-*.whl '*mc_cnn_fast_dw.onnx'
    .venv/bin/python benchmarks/mccnn_network.py mc_cnn_fast_dw.onnx mccnn.onnx --disparities 128
    .venv/bin/stereo eval MANIFEST --matcher 'onnx:mccnn.onnx?preset=plain'

No package registry holds a whole disparity network. MC-CNN's feature extractor (J. Zbontar,
Y. LeCun, JMLR 2016; Apache-2.0 in PyPI's mccnn) is run on both images, standardised, and the
disparity with the largest mean product over 9x9 pixels wins: rougher than any published network,
and so a hard case for the confidence that ours gives it. Trained on Middlebury: do not score it
there.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

BORDER = 5
"""What the features lack on each side, px."""
WINDOW = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--disparities", type=int, default=128)
    options = parser.parse_args()
    onnx.save(stereo_network(onnx.load(options.features), options.disparities), options.out)


def stereo_network(features: Any, disparities: int) -> Any:
    nodes: list[Any] = []
    constants: dict[str, Any] = {}

    def add(op: str, *inputs: Any, **attributes: Any) -> str:
        name = f"{op}_{len(nodes)}"
        named = []
        for number, given in enumerate(inputs):
            if not isinstance(given, str):
                constants[f"{name}_{number}"], given = np.asarray(given), f"{name}_{number}"
            named.append(given)
        nodes.append(helper.make_node(op, named, [name], **attributes))
        return name

    opset = next(o.version for o in features.opset_import if o.domain in ("", "ai.onnx"))
    planes = []
    for side in ("left", "right"):
        copy = compose.add_prefix(features, f"{side}_").graph
        image = add("Reshape", side, add("Slice", add("Shape", side), [2], [4], [0]))
        off = add("Sub", image, add("ReduceMean", image, keepdims=1))
        deviation = add("Sqrt", add("ReduceMean", add("Mul", off, off), keepdims=1))
        nodes.append(
            helper.make_node(
                "Div", [off, add("Add", deviation, np.float32(1e-6))], [copy.input[0].name]
            )
        )
        nodes.extend(copy.node)
        constants |= {c.name: numpy_helper.to_array(c) for c in copy.initializer}
        batch = add("Unsqueeze", copy.output[0].name, np.zeros(1, np.int64))
        planes.append(add("Pad", batch, [0, 0, *[BORDER] * 2, 0, 0, *[BORDER] * 2], mode="edge"))
    left, right = planes
    scores = []
    for shift in range(disparities):
        there = right
        if shift:
            padded = add("Pad", right, [0, 0, 0, shift, 0, 0, 0, 0], mode="edge")
            there = add("Slice", padded, [0], [-shift], [3])
        # a convolution sums the channels, whatever the opset calls its axes
        ones = np.ones((1, 64, 1, 1), np.float32)
        scores.append(add("Conv", add("Mul", left, there), ones, kernel_shape=[1, 1]))
    volume = add("Concat", *scores, axis=1)
    half = WINDOW // 2
    volume = add("AveragePool", volume, kernel_shape=[WINDOW] * 2, pads=[half] * 4)
    best = add("ArgMax", volume, axis=1, keepdims=1)
    nodes.append(helper.make_node("Cast", [best], ["disparity"], to=TensorProto.FLOAT))
    sides = [1, 1, "height", "width"]
    graph = helper.make_graph(
        nodes,
        "mccnn",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, sides)
            for name in ("left", "right")
        ],
        [helper.make_tensor_value_info("disparity", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=min(9, features.ir_version))


if __name__ == "__main__":
    main()
