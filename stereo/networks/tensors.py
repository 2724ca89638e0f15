"""Images into a network's inputs, its outputs back into planes."""

from __future__ import annotations

import threading
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
    views = {"right": [right], "both": [left, right]}.get(port.view, [left])
    if port.half:
        views = [_halved(view, port) for view in views]
    high, wide = views[0].shape[:2]
    channels = port.view_channels
    kind = np.float32 if port.dtype == np.float16 else port.dtype
    last = port.layout.endswith("C")
    of_a_view = (high, wide, channels) if last else (channels, high, wide)
    batch = port.stacked == "batch" and port.view == "both"
    if batch or len(views) == 1 or not last:
        tensor = _buffer(port.name, (len(views), *of_a_view), kind)
        parts = list(tensor)
        whole = tensor if batch else tensor.reshape(1, -1, *of_a_view[1:])
    else:
        whole = _buffer(port.name, (1, high, wide, 2 * channels), kind)
        parts = [whole[0, ..., :channels], whole[0, ..., channels:]]
    for view, part in zip(views, parts, strict=True):
        (_fill_last if last else _fill)(part, view, convention)
    for _ in range(4 - len(port.layout)):
        whole = whole[0]
    return whole.astype(port.dtype, copy=False)


def _buffer(name: str, shape: tuple[int, ...], kind: Any) -> NDArray[Any]:
    """The same memory for the next frame of the same size: fresh memory costs more than filling."""
    kept = _kept.__dict__
    found = kept.get(name)
    if found is None or found.shape != shape or found.dtype != kind:
        found = kept[name] = np.empty(shape, kind)
    return found


_kept = threading.local()


def _halved(view: Bytes, port: Port) -> Bytes:
    high, wide = view.shape[:2]
    size = port.size[1] or wide // 2, port.size[0] or high // 2
    return np.asarray(cv2.resize(view, size, interpolation=cv2.INTER_AREA), np.uint8)


def _fill(planes: NDArray[Any], view: Bytes, convention: Convention) -> None:
    """The channels in the network's order and values; a table does it, pixels being bytes."""
    order = range(len(planes)) if convention.colour == "rgb" else range(len(planes) - 1, -1, -1)
    for number, (plane, channel) in enumerate(zip(planes, order, strict=True)):
        pixels = view if view.ndim == 2 else cv2.extractChannel(view, channel)
        if plane.dtype == np.uint8:
            plane[...] = pixels
        else:
            cv2.LUT(pixels, _table(convention, number, pixels).astype(plane.dtype), dst=plane)


def _fill_last(part: NDArray[Any], view: Bytes, convention: Convention) -> None:
    """The same for (H, W, channels)."""
    channels = part.shape[-1]
    if channels > 1 and view.ndim == 2:
        view = np.asarray(cv2.cvtColor(view, cv2.COLOR_GRAY2RGB), np.uint8)
    elif channels > 1 and convention.colour == "bgr":
        view = np.asarray(cv2.cvtColor(view, cv2.COLOR_RGB2BGR), np.uint8)
    if part.dtype == np.uint8:
        part[...] = view.reshape(part.shape)
    else:
        planes = [view if channels == 1 else view[..., number] for number in range(channels)]
        tables = [_table(convention, number, plane) for number, plane in enumerate(planes)]
        table = np.stack(tables, axis=-1)[None].astype(part.dtype)
        part[...] = cv2.LUT(view, table).reshape(part.shape)


def _table(convention: Convention, number: int, pixels: NDArray[Any]) -> NDArray[np.float64]:
    """What the network gets for each of 256 values; ``pixels`` are the channel ``number``."""
    if convention.standardise:
        mean, std = float(pixels.mean()), max(float(pixels.std()), 1e-6)
        return (np.arange(256, dtype=np.float64) - mean) / std
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
