"""Images into a network's inputs, its outputs back into planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.errors import MatcherError
from stereo.frame import Float
from stereo.networks.ports import Port
from stereo.networks.presets import Convention

Bytes = NDArray[np.uint8]


def feeds(
    ports: Sequence[Port], left: Bytes, right: Bytes, convention: Convention
) -> dict[str, NDArray[Any]]:
    """Return what each input gets of two images (H, W) or (H, W, 3) RGB of the network's size."""
    return {port.name: _tensor(port, left, right, convention) for port in ports}


def _tensor(port: Port, left: Bytes, right: Bytes, convention: Convention) -> NDArray[Any]:
    views = {"left": [left], "right": [right], "both": [left, right]}[port.view]
    if port.half:
        views = [_halved(view, port) for view in views]
    high, wide = views[0].shape[:2]
    channels, batch = port.view_channels, port.view == "both" and port.stacked == "batch"
    kind = np.float32 if port.dtype == np.float16 else port.dtype
    planes: NDArray[Any]
    if "C" in port.layout and port.layout.index("C") > port.layout.index("W"):
        planes = np.empty((len(views), high, wide, channels), kind)
        for view, into in zip(views, planes, strict=True):
            for number, plane in enumerate(_planes(view, channels, kind, convention)):
                into[..., number] = plane
        if not batch:
            planes = np.concatenate(list(planes), axis=-1)[None]
    else:
        planes = np.empty((len(views), channels, high, wide), kind)
        for view, into in zip(views, planes, strict=True):
            for number, plane in enumerate(_planes(view, channels, kind, convention)):
                into[number] = plane
        if not batch:
            planes = planes.reshape(1, len(views) * channels, high, wide)
    if "N" not in port.layout:
        planes = planes[0]
    if "C" not in port.layout:
        planes = planes[0]
    return planes.astype(port.dtype, copy=False)


def _halved(view: Bytes, port: Port) -> Bytes:
    high, wide = view.shape[:2]
    size = port.size[1] or wide // 2, port.size[0] or high // 2
    return np.asarray(cv2.resize(view, size, interpolation=cv2.INTER_AREA), np.uint8)


def _planes(view: Bytes, channels: int, kind: Any, convention: Convention) -> list[NDArray[Any]]:
    """The channels in the network's order and values; a table does it, pixels being bytes."""
    order = range(channels) if convention.colour == "rgb" else range(channels - 1, -1, -1)
    planes = []
    for number, channel in enumerate(order):
        plane = view if view.ndim == 2 else cv2.extractChannel(view, channel)
        if kind != np.uint8:
            plane = cv2.LUT(plane, _table(convention, number).astype(kind))
        planes.append(plane)
    return planes


def _table(convention: Convention, number: int) -> NDArray[np.float64]:
    mean, std = (values[number % len(values)] for values in (convention.mean, convention.std))
    return (np.arange(256) / convention.scale - mean) / std


def plane_of(
    array: NDArray[Any], size: tuple[int, int], channel: int, factor: float | None, name: str
) -> Float:
    """Return (H, W) float32 of an output, at the network's ``size``.

    ``factor`` is what its values are multiplied by; 0: 1, if it has that size; None: they are no
    pixels. Raises MatcherError for what is no plane of one value a pixel.
    """
    flat = array
    while flat.ndim > 3:
        flat = flat[0]
    if flat.ndim == 3:
        first = flat.shape[0] <= flat.shape[2]
        if channel >= (flat.shape[0] if first else flat.shape[2]):
            raise MatcherError(f"output {name!r} {list(array.shape)} has no channel {channel}")
        flat = flat[channel] if first else flat[..., channel]
    if flat.ndim != 2 or min(flat.shape) < 1 or flat.dtype.kind not in "fiu":
        raise MatcherError(
            f"output {name!r} {list(array.shape)} {array.dtype} is no map of one number a pixel"
        )
    plane = np.asarray(flat, np.float32)
    if plane.shape != size:
        if factor == 0:
            raise MatcherError(
                f"output {name!r} is {plane.shape[1]}x{plane.shape[0]} for an input of "
                f"{size[1]}x{size[0]}: say in MODEL.toml by what its values must be multiplied to "
                f"be px of the input, such as factor = {size[1] / plane.shape[1]:.4g} or 1"
            )
        plane = np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR))
    return np.ascontiguousarray(
        plane if factor in (None, 0, 1) else plane * np.float32(factor or 1)
    )
