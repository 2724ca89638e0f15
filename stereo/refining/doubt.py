"""How far to trust each pixel of a finished map: its confidence, made to mean what it says.

A matcher judges a pixel by its own costs, and what came later has one confidence for all: neither
sees that a pixel lies among doubtful ones, that the two images disagree there, or that it lies just
beside an edge of depth, where hidden background is matched with what happens to look like it. Each
of these **clues** is worth points, read from a table; the sum is the logit of the probability that
the disparity is within 1 px of the truth (an additive model; Hastie and Tibshirani 1986; clues
after Hu and Mordohai, PAMI 2012, and Poggi et al., PAMI 2021). ``doubt_table.py`` has the points
and says how they were fitted; ``stereo.depth.disparity_sigma`` makes the error bar of the result.

Clues from the surroundings are looked at on every third row and column: doubt changes slowly.
native/src/doubt.cpp does it, to the same bits as what stands here for where it was not built.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import DisparityMap, Float, Mask, RectifiedPair
from stereo.gray import gray8_pair
from stereo.native import find_native, thread_count
from stereo.refining import doubt_table
from stereo.refining.surfaces import PLANE_CONFIDENCE

Bytes = NDArray[np.uint8]
Points = tuple[tuple[int, float], ...]
"""Knots (level of the clue 0 to 255, logit); between them a straight line."""

CLUES = "own", "around", "differ", "unlike", "drop", "drop_near", "rise"
"""What ``clues`` tells of a pixel, in the order of native/src/doubt.hpp."""

STEP = 3
"""Surroundings are looked at on every such row and column."""
PER_PX = 8.0
"""Levels of a clue that is a difference of disparity, per px: 32 px and more are the same."""
PER_GRAY = 4.0
"""Levels of a clue that is a difference of images, per gray level."""
PER_CONTRAST = 64.0
"""Levels of a difference that is as large as the contrast there."""

_PER_LOGIT = 20.0  # of the sum; a byte holds the logits -4 to 8.75
_LEAST_LOGIT = -4.0
_FAINT_GRAY = 2.0  # added to the contrast: fainter is noise
_START = round(-_LEAST_LOGIT * _PER_LOGIT)
_OWN = "own"
_PLANE = round(255 * (1 - math.sqrt(1 - PLANE_CONFIDENCE)))
"""The clue "own" of a plane for a surface without texture."""
_PLANE_AT_MOST = np.float32(0.7)
"""Where there is no texture the images agree at any disparity, so agreement cannot make a plane
surer. In the sample room, which no fit has seen, 48 (sgbm) to 72 % (sgm) of the planes' pixels are
right, on pairs with ground truth more; the error bar that follows holds 9 in 10 in the room too."""


@dataclass(frozen=True)
class DoubtTable:
    """What each clue is worth."""

    points: Mapping[str, Points]
    """Name of each of ``CLUES`` to its points."""

    @cached_property
    def lookups(self) -> dict[str, NDArray[np.int16]]:
        """(256,) points of each clue, in units of the sum."""
        return {name: _lookup(knots) for name, knots in self.points.items()}

    @cached_property
    def rows(self) -> NDArray[np.int16]:
        """(7, 256) the same, a row for each of ``CLUES``."""
        return np.stack([self.lookups[name] for name in CLUES])


FITTED = DoubtTable(doubt_table.POINTS)


def judged(
    disparity: DisparityMap,
    pair: RectifiedPair,
    table: DoubtTable = FITTED,
    *,
    threads: int | None = None,
) -> DisparityMap:
    """Return ``disparity`` of ``pair`` with the confidence that the clues give it, (H, W)."""
    native = find_native()
    if native is None:
        return replace(disparity, confidence=_confidence(disparity, pair, table))
    left, right = gray8_pair(pair.left, pair.right)
    confidence = native.judge(
        np.ascontiguousarray(disparity.px),
        np.ascontiguousarray(disparity.confidence),
        np.ascontiguousarray(left),
        np.ascontiguousarray(right),
        table.rows,
        _START,
        _PROBABILITY,
        _PLANE,
        float(_PLANE_AT_MOST),
        thread_count(threads),
    )
    return replace(disparity, confidence=confidence)


def _confidence(disparity: DisparityMap, pair: RectifiedPair, table: DoubtTable) -> Float:
    height, width = disparity.px.shape
    own, around = clues(disparity, pair)
    sum_ = np.full(next(iter(around.values())).shape, _START, np.int16)
    for name, clue in around.items():
        cv2.add(sum_, cv2.LUT(clue, table.lookups[name]), sum_)
    wide = cv2.resize(sum_, None, fx=STEP, fy=STEP, interpolation=cv2.INTER_NEAREST)
    own_points = cv2.LUT(own, table.lookups[_OWN])
    level = cv2.add(wide[:height, :width], own_points, dtype=cv2.CV_8U)  # saturates
    confidence = np.asarray(cv2.LUT(level, _PROBABILITY), np.float32)
    confidence *= own > 0
    np.minimum(confidence, _PLANE_AT_MOST, out=confidence, where=own == _PLANE)
    return confidence


def clues(disparity: DisparityMap, pair: RectifiedPair) -> tuple[Bytes, dict[str, Bytes]]:
    """Return the (H, W) confidence that the map came with, and what ``STEP`` leaves of the others.

    All in bytes. The confidence c as 255 (1 - sqrt(1 - c)), at least 1, 0 in a hole. ``around``:
    its mean nearby; ``differ``: how much the two images do at the match, exposure aside;
    ``unlike``: the same against the contrast; ``drop``, ``drop_near`` and ``rise``: how far the
    surroundings fall behind this pixel, or stand in front of it.
    """
    known = np.isfinite(disparity.px)
    root = cv2.sqrt(1 - disparity.confidence)  # finer where most pixels are, near certainty
    own = np.asarray(cv2.convertScaleAbs(root, alpha=-255, beta=255), np.uint8)
    np.maximum(own, np.uint8(1), out=own)
    own *= known
    here = _coarse(known)
    px = np.where(here, _coarse(disparity.px), np.float32(0))
    return own, {
        "around": np.asarray(cv2.blur(_coarse(own), (3, 3)), np.uint8),
        **_differences(pair, px, here),
        **_steps(px, here),
    }


def _coarse(plane: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(plane[::STEP, ::STEP])


def _differences(pair: RectifiedPair, px: Float, known: Mask) -> dict[str, Bytes]:
    """How much the images differ at the match, in gray levels and as a share of the contrast.

    Without what all of a neighbourhood differs by, which is exposure.
    """
    left, right = gray8_pair(pair.left, pair.right)
    height, width = px.shape
    columns = np.arange(0, STEP * width, STEP, dtype=np.float32) - px
    rows = np.repeat(np.arange(0, STEP * height, STEP, dtype=np.float32)[:, None], width, axis=1)
    there = cv2.remap(right, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    here = _coarse(left)
    off = _without_mean(cv2.subtract(here, there, dtype=cv2.CV_16S))
    off *= known
    differ = cv2.blur(off, (3, 3))
    contrast = cv2.blur(_without_mean(here.astype(np.int16)), (3, 3))
    contrast = cv2.convertScaleAbs(contrast, alpha=1, beta=PER_GRAY * _FAINT_GRAY)
    unlike = cv2.divide(differ, contrast, scale=PER_CONTRAST)
    return {"differ": np.asarray(differ, np.uint8), "unlike": np.asarray(unlike, np.uint8)}


def _without_mean(plane: NDArray[Any]) -> Bytes:
    """How far each value is from the mean of 21x21, in bytes."""
    off = cv2.subtract(plane, cv2.blur(plane, (21, 21)))
    return np.asarray(cv2.convertScaleAbs(off, alpha=PER_GRAY), np.uint8)


def _steps(px: Float, known: Mask) -> dict[str, Bytes]:
    """How far the map falls, within 15 px and within 3, and rises around each pixel; 0 in holes."""
    lowest_px = float(px.min())
    level = cv2.addWeighted(px, PER_PX, px, 0, -PER_PX * lowest_px, dtype=cv2.CV_16U)
    hole = np.where(known, np.uint16(0), np.uint16(65535))
    nearest = cv2.dilate(level & ~hole, _square(5))
    lowest = cv2.erode(level | hole, _square(1))
    farthest = cv2.erode(lowest, _square(4))
    steps = {
        "drop": cv2.subtract(level, farthest, dtype=cv2.CV_8U),
        "drop_near": cv2.subtract(level, lowest, dtype=cv2.CV_8U),
        "rise": cv2.subtract(nearest, level, dtype=cv2.CV_8U),
    }
    return {name: np.asarray(step, np.uint8) * known for name, step in steps.items()}


def _lookup(knots: Points) -> NDArray[np.int16]:
    at, worth = np.array(knots, float).T
    points = _PER_LOGIT * np.interp(np.arange(256), at, worth)
    return np.asarray(np.rint(points), np.int16)


def _square(reach: int) -> Bytes:
    return np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)


_PROBABILITY = (1 / (1 + np.exp(-(np.arange(256) / _PER_LOGIT + _LEAST_LOGIT)))).astype(np.float32)
