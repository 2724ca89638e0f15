"""What a graph's inputs are: which view, which layout, which size; from names and shapes.

One input holds both views (2 or 6 channels, or two images of a batch), two hold one each, four hold
both at half and at full size.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stereo.errors import MatcherError

TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
"""Of inputs and outputs, as onnxruntime names them."""
_LAYOUTS = {4: ("NCHW", "NHWC"), 3: ("CHW", "HWC"), 2: ("HW",)}
_CHANNELS = (1, 3, 2, 6)
_LEFT = re.compile(r"left|(^|[^a-z])(im|img|image)?_?l([^a-z]|$)|[a-z]_?[.]?0*1$")
_RIGHT = re.compile(r"right|(^|[^a-z])(im|img|image)?_?r([^a-z]|$)|[a-z]_?[.]?0*2$")
_HALF = re.compile(r"init|half|low|small|coarse|down")


@dataclass(frozen=True, slots=True)
class Port:
    """One input and what belongs into it."""

    name: str
    dtype: Any
    layout: str
    """"NCHW", "NHWC", "CHW", "HWC" or "HW"."""
    channels: int
    """Of all that it holds."""
    size: tuple[int | None, int | None]
    """(height, width); None: open."""
    view: str = "both"
    """"left", "right", "both", or "one": no matter which."""
    stacked: str = "channels"
    """How it holds both: along "channels" or the "batch"."""
    half: bool = False
    """Whether it takes the images at half size."""

    @property
    def view_channels(self) -> int:
        """Channels of one view: 1 gray, 3 colour."""
        both = self.view == "both" and self.stacked == "channels"
        return self.channels // 2 if both else self.channels

    def in_words(self) -> str:
        """For people: left, RGB, NCHW, 480x640 float32."""
        kind = {1: "gray", 3: "colour"}[self.view_channels]
        how = f", stacked along the {self.stacked}" if self.view == "both" else ""
        high, wide = ("any" if side is None else str(side) for side in self.size)
        view = "both views" if self.view == "both" else f"{self.view} view"
        half = " at half size" if self.half else ""
        return (
            f"{self.name}: {view}{half}{how}, {kind}, {self.layout}, {wide}x{high}, "
            f"{np.dtype(self.dtype).name}"
        )


def recognised(inputs: Sequence[Any], *, left: str = "") -> tuple[Port, ...]:
    """Return what each of onnxruntime's inputs (name, shape, type) takes.

    ``left`` names the left one where names do not tell. Raises MatcherError naming the input that
    is no image, or the number of inputs that no stereo network has.
    """
    ports = [_port(given.name, list(given.shape), given.type) for given in inputs]
    if left and left not in [port.name for port in ports]:
        raise MatcherError(
            f"left={left!r} names no input; it has {', '.join(port.name for port in ports)}"
        )
    if len(ports) == 1:
        return (_checked_both(ports[0]),)
    if any(port.channels not in (1, 3) for port in ports):
        raise MatcherError(
            "with several inputs each holds one view of 1 or 3 channels, got "
            + "; ".join(f"{port.name} with {port.channels}" for port in ports)
        )
    if len(ports) == 2:
        return _sided(ports, left)
    if len(ports) == 4:
        half, full = _halves(ports)
        return (*_sided(half, "", half=True), *_sided(full, left))
    raise MatcherError(
        f"has {len(ports)} inputs ({', '.join(port.name for port in ports)}); 1, 2 or 4 images are "
        "understood; fix the others when exporting"
    )


def one_view(inputs: Sequence[Any]) -> Port | None:
    """Return what the only input takes where that is one image of one view; else None."""
    if len(inputs) != 1:
        return None
    port = _port(inputs[0].name, list(inputs[0].shape), inputs[0].type)
    one = port.stacked == "channels" and port.channels in (1, 3)
    return replace(port, view="one") if one else None


def _port(name: str, shape: list[Any], kind: str) -> Port:
    def refuse(why: str) -> MatcherError:
        sides = ", ".join(str(side) for side in shape)
        return MatcherError(f"input {name!r} [{sides}] {kind} is no image: {why}")

    if kind not in TYPES:
        raise refuse(f"expected one of {', '.join(TYPES)}")
    if len(shape) not in _LAYOUTS:
        raise refuse("expected 2 to 4 dimensions")
    known = [side if isinstance(side, int) and side > 0 else None for side in shape]
    for layout in _LAYOUTS[len(shape)]:
        channels = known[layout.index("C")] if "C" in layout else 1
        if channels in _CHANNELS:
            break
    else:
        raise refuse("no dimension of 1 or 3 channels (2 or 6 for both views)")
    assert channels is not None
    batch = known[0] if layout[0] == "N" else 1
    if batch not in (None, 1, 2):
        raise refuse(f"takes {batch} images at a time")
    return Port(
        name,
        TYPES[kind],
        layout,
        channels,
        (known[layout.index("H")], known[layout.index("W")]),
        stacked="batch" if batch == 2 else "channels",
    )


def _checked_both(port: Port) -> Port:
    if port.stacked == "batch" and port.channels in (1, 3):
        return port
    if port.stacked == "channels" and port.channels in (2, 6):
        return port
    raise MatcherError(
        f"its only input {port.name!r} holds {port.channels} channels: one view. A stereo network "
        "takes two; one that gives features goes into our own matcher: --matcher sgm "
        "--matcher-param features=MODEL.onnx"
    )


def _halves(ports: list[Port]) -> tuple[list[Port], list[Port]]:
    """The two at half size and the two at full size: by size, else by name, else by order."""
    widths = [port.size[1] for port in ports]
    if None not in widths and len(set(widths)) == 2:
        small = min(width for width in widths if width is not None)
        half = [port for port in ports if port.size[1] == small]
    else:
        half = [port for port in ports if _HALF.search(port.name.lower())]
    if len(half) != 2:
        half = ports[:2]
    return half, [port for port in ports if port not in half]


def _sided(ports: list[Port], left: str, *, half: bool = False) -> tuple[Port, Port]:
    one, two = ports
    names = [port.name.lower() for port in ports]
    swapped = two.name == left or (
        not left and bool(_RIGHT.search(names[0]) and _LEFT.search(names[1]))
    )
    if swapped and one.name != left:
        one, two = two, one
    return _as(one, "left", half), _as(two, "right", half)


def _as(port: Port, view: str, half: bool) -> Port:
    return Port(port.name, port.dtype, port.layout, port.channels, port.size, view, "", half)


def chosen_output(names: Sequence[str], wanted: str) -> str:
    """Return which output is the disparity: the one told, the only one, or the one named so.

    Raises MatcherError listing them where that does not decide.
    """
    if wanted:
        if wanted not in names:
            raise MatcherError(f"output={wanted!r} is none of its outputs: {', '.join(names)}")
        return wanted
    rest = [name for name in names if not _SURE.search(name.lower())]
    if len(names) == 1 or len(rest) == 1:
        return rest[0] if rest else names[0]
    named = [name for name in rest if re.search("disp|flow", name.lower())]
    exact = [name for name in named if name.lower() in ("disparity", "disp")]
    first = exact or [name for name in named if "reference" in name.lower()] or named
    if len(first) != 1:
        raise MatcherError(
            f"has the outputs {', '.join(names)}; say which is the disparity: output = "
            f'"{names[-1]}" in MODEL.toml'
        )
    return first[0]


def confidence_output(names: Sequence[str], wanted: str) -> str | None:
    """Return the output that says how sure the network is, if any. Raises MatcherError."""
    if wanted and wanted not in names:
        raise MatcherError(f"confidence={wanted!r} is none of its outputs: {', '.join(names)}")
    return wanted or next((name for name in names if "conf" in name.lower()), None)


_SURE = re.compile("conf|occ|uncert|sigma|mask")
