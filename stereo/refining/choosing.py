"""Choose the surface of every pixel beside an edge of depth, by all that speaks for each.

A median goes by the map and one image; which of two surfaces a pixel belongs to, the second image
knows as well. Every disparity near such a pixel is a candidate. What speaks for it are clues: how
much of what looks like the pixel has it, near and far, strictly and loosely; how well both images
agree there, at the pixel and around it; whether it is nearer or farther, and by how much. A small
network (12 and 12 units) scores each candidate by itself, and the best one wins
(native/src/choosing.cpp). Choosing among proposals by something learned, not by a sum, is the idea
of Schoenberger et al., "Learning to fuse proposals from multiple scanline optimizations", ECCV
2018.

``chooser.json`` is what ``training/train_chooser.py`` wrote. The environment variable
STEREO_CHOOSER names another such file, for judging weights on scenes they were not trained on.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.errors import MatcherError
from stereo.frame import DisparityMap, Float, Image, RectifiedPair
from stereo.gray import gray8_pair, to_8bit
from stereo.native import find_native, thread_count

Bytes = NDArray[np.uint8]

EDGE_STEP_PX = 1.5
"""Neighbours that differ by more are an edge ..."""
AROUND_PX = 1
"""... and pixels up to so far from it are chosen for; 2 and 3 do about as well, slower."""
KEEP = 0.5
"""The score by which another surface must be better; 0.3 to 1 do about as well."""
CHOSEN_CONFIDENCE = 0.6
"""At most this for a pixel that was given another surface."""
_STEP = 4  # rows and columns between those where the images are compared for their brightness
_AROUND = (17, 17)  # of those, that a mean is taken of
_MOST_LEVELS = 40.0  # more is another surface
WEIGHTS = Path(__file__).with_name("chooser.json")


def choose_surfaces(
    disparity: DisparityMap, pair: RectifiedPair, *, threads: int | None = None
) -> DisparityMap:
    """Return ``disparity`` of ``pair`` with pixels beside edges on the likeliest surface.

    Holes stay holes. Nothing changes where the native module was not built.
    Raises MatcherError for a file of other weights that does not hold them.
    """
    native = find_native()
    if native is None:
        return disparity
    px = native.choose_surfaces(*evidence(disparity, pair), chooser(), KEEP, thread_count(threads))
    changed = px != disparity.px
    changed &= np.isfinite(px)
    confidence = disparity.confidence.copy()
    confidence[changed] = np.minimum(confidence[changed], np.float32(CHOSEN_CONFIDENCE))
    return replace(disparity, px=px, confidence=confidence)


def evidence(
    disparity: DisparityMap, pair: RectifiedPair
) -> tuple[NDArray[np.float32], Bytes, Bytes, Bytes, Bytes, Bytes]:
    """Return what the native module looks at: (H, W) disparity, (H, W) weight of each, both images
    (H, W, channels), (H, W) how much they differ anyway, in quarter levels, and (H, W) where to
    choose. The left image is given the brightness of the right one.
    """
    native = find_native()
    assert native is not None
    px = np.ascontiguousarray(disparity.px)
    weight = np.asarray(cv2.convertScaleAbs(disparity.confidence, alpha=255), np.uint8)
    if pair.left.ndim == pair.right.ndim:
        images = to_8bit((pair.left, pair.right))
    else:
        images = list(gray8_pair(pair.left, pair.right))
    left, right = (image if image.ndim == 3 else image[..., None] for image in images)
    brighter, misfit = _differences(disparity, left, right)
    left = np.rint(left - brighter).clip(0, 255)
    wanted = np.asarray(native.around_edges(px, EDGE_STEP_PX, AROUND_PX))
    return px, weight, _bytes(left), _bytes(right), _bytes(np.rint(4 * misfit).clip(0, 255)), wanted


def _differences(disparity: DisparityMap, left: Image, right: Image) -> tuple[Float, Float]:
    """How much brighter the left image is, (H, W, channels), and how much they differ beyond that,
    (H, W), gray levels; both around each pixel, from what is matched there.
    """
    height, width = disparity.px.shape
    rows = np.arange(0, height, _STEP)[:, None]
    columns = np.arange(0, width, _STEP)
    px = disparity.px[::_STEP, ::_STEP]
    target = np.rint(columns - np.nan_to_num(px)).astype(np.intp)
    known = np.isfinite(px) & (target >= 0) & (target < width)
    worth = np.where(known, disparity.confidence[::_STEP, ::_STEP], 0).astype(np.float32)[..., None]
    differ = left[::_STEP, ::_STEP].astype(np.float32) - right[rows, target.clip(0, width - 1)]
    differ = differ.clip(-_MOST_LEVELS, _MOST_LEVELS)

    def around(values: Float) -> Float:
        mean = [cv2.blur(values[..., k] * worth[..., 0], _AROUND) for k in range(values.shape[-1])]
        return np.stack(mean, axis=-1) / (cv2.blur(worth[..., 0], _AROUND)[..., None] + 1e-3)

    brighter = around(differ)
    misfit = around(np.abs(differ - brighter).mean(axis=-1, keepdims=True))[..., 0]
    size = width, height
    large = np.asarray(cv2.resize(brighter, size), np.float32).reshape(left.shape)
    return large, np.asarray(cv2.resize(misfit, size), np.float32)


def _bytes(image: Image | Float) -> Bytes:
    return np.ascontiguousarray(image, np.uint8)


def chooser() -> NDArray[np.float32]:
    """Return the weights, one after the other. Raises MatcherError as ``choose_surfaces`` does."""
    return _read(Path(os.environ.get("STEREO_CHOOSER") or WEIGHTS))


@cache
def _read(path: Path) -> NDArray[np.float32]:
    try:
        layers = json.loads(path.read_text())["layers"]
        weights = np.concatenate([np.ravel(layer) for layer in layers]).astype(np.float32)
        native = find_native()
        if native is not None and len(weights) != native.CHOOSER_WEIGHTS:
            raise ValueError(f"{len(weights)} weights")
        return weights
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise MatcherError(
            f"{path}: expected the layers of a chooser, as training/train_chooser.py writes them, "
            f"but: {error!r}"
        ) from error
