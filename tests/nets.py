"""Tiny stereo networks, made here: SHIFTS candidates, how the images differ at each, argmin.

Of two images of which one is the other shifted, the disparity is exact. ``expect`` makes a network
answer NaN where a value lies beyond what it expects, as a trained one answers nonsense.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SHIFTS = 8
Side = int | str


@dataclass(frozen=True)
class Net:
    """How a network is exported."""

    names: tuple[str, ...] = ("left", "right")
    layout: str = "NCHW"
    channels: int = 3
    """Of a view."""
    high: Side = "height"
    wide: Side = "width"
    dtype: int = TensorProto.FLOAT
    stacked: str = ""
    """"channels" or "batch": the only input holds both views."""
    output: str = "disparity"
    sign: float = 1.0
    output_channels: int = 1
    rank: int = 4
    expect: tuple[float, float] | None = None
    """Least and most of the left view's values."""
    extra: str = ""
    """Another output, everywhere 0.25."""


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def add(self, op: str, *inputs: str | Any, **attributes: Any) -> str:
        """Name of the node's output; arrays among the inputs become constants."""
        name = f"{op.lower()}_{len(self.nodes)}"
        names = []
        for number, given in enumerate(inputs):
            if not isinstance(given, str):
                given, array = f"{name}_{number}", given
                self.constants[given] = numpy_helper.from_array(np.asarray(array), given)
            names.append(given)
        self.nodes.append(helper.make_node(op, names, [name], **attributes))
        return name


def save_net(path: Path, net: Net | None = None) -> Path:
    net = net or Net()
    graph = _Graph()
    left, right = _views(graph, net)
    costs = [_cost(graph, left, right, shift) for shift in range(SHIFTS)]
    best = graph.add("ArgMin", graph.add("Concat", *costs, axis=1), axis=1, keepdims=1)
    px = graph.add("Cast", best, to=TensorProto.FLOAT)
    px = graph.add("Mul", px, np.float32(net.sign))
    if net.expect is not None:
        low, high = (graph.add(reduce, left, keepdims=0) for reduce in ("ReduceMin", "ReduceMax"))
        bad = graph.add(
            "Or",
            graph.add("Less", low, np.float32(net.expect[0])),
            graph.add("Greater", high, np.float32(net.expect[1])),
        )
        px = graph.add("Where", bad, np.float32(np.nan), px)
    nothing = graph.add("Mul", px, np.float32(0))
    outputs = {net.extra: graph.add("Add", nothing, np.float32(0.25))} if net.extra else {}
    if net.output_channels > 1:
        px = graph.add("Concat", px, *[nothing] * (net.output_channels - 1), axis=1)
    for _ in range(4 - net.rank):
        px = graph.add("Squeeze", px, np.zeros(1, np.int64))
    outputs[net.output] = px
    for name, value in outputs.items():
        graph.nodes.append(helper.make_node("Identity", [value], [name]))
    inputs = [
        helper.make_tensor_value_info(name, net.dtype, _shape(net, name)) for name in net.names
    ]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    return save_graph(path, graph.nodes, inputs, infos, list(graph.constants.values()))


def save_graph(
    path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any]
) -> Path:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    domains = sorted({node.domain for node in nodes} | {""})
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid(d, 1 if d else 17) for d in domains], ir_version=9
    )
    path.write_bytes(model.SerializeToString())
    return path


def image_input(name: str, shape: list[Side], dtype: int = TensorProto.FLOAT) -> Any:
    return onnx.helper.make_tensor_value_info(name, dtype, shape)


def _shape(net: Net, name: str) -> list[Side]:
    high, wide = net.high, net.wide
    if name.startswith("init"):
        assert isinstance(high, int)
        assert isinstance(wide, int)
        high, wide = high // 2, wide // 2
    channels = net.channels * (2 if net.stacked == "channels" else 1)
    sides: dict[str, Side] = {
        "N": 2 if net.stacked == "batch" else 1,
        "C": channels,
        "H": high,
        "W": wide,
    }
    return [sides[letter] for letter in net.layout]


def _views(graph: _Graph, net: Net) -> tuple[str, str]:
    """Names of two [1, C, H, W] float tensors."""
    views = {}
    for name in net.names:
        view = graph.add("Cast", name, to=TensorProto.FLOAT)
        for _ in range(4 - len(net.layout)):
            view = graph.add("Unsqueeze", view, np.zeros(1, np.int64))
        views[name] = (
            graph.add("Transpose", view, perm=[0, 3, 1, 2]) if net.layout[-1] == "C" else view
        )
    if net.stacked:
        axis = np.array([0 if net.stacked == "batch" else 1])
        count = 1 if net.stacked == "batch" else net.channels
        (both,) = views.values()
        left, right = (
            graph.add("Slice", both, np.array([first]), np.array([first + count]), axis)
            for first in (0, count)
        )
        return left, right
    full = [view for name, view in views.items() if not name.startswith("init")]
    if net.names[-1] in ("left", "next_left"):  # exported the other way round
        full.reverse()
    return full[0], full[1]


def _cost(graph: _Graph, left: str, right: str, shift: int) -> str:
    if shift:
        right = graph.add("Pad", right, np.array([0, 0, 0, shift, 0, 0, 0, 0]), mode="edge")
        ends = np.array([0]), np.array([-shift]), np.array([3])
        right = graph.add("Slice", right, *ends)
    off = graph.add("Abs", graph.add("Sub", left, right))
    mean = graph.add("ReduceMean", off, axes=[1], keepdims=1)
    return graph.add("AveragePool", mean, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
