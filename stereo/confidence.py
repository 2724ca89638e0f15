"""How likely is a disparity right? A measured answer for matchers that give none themselves.

A logistic regression on four things that can be seen without the matcher's costs: how well the two
images agree at the match, how much texture there was to match, how many neighbours have an answer,
and how far the answer is from theirs. The weights are fitted by ``benchmarks/confidence.py`` so
that the confidence estimates the probability of an error of at most 1 px; after X. Hu and
P. Mordohai, "A Quantitative Evaluation of Confidence Measures for Stereo Vision", PAMI 2012.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import Float

WEIGHTS = (-2.447, -0.739, -2.07, 5.377, -0.907)
"""Constant, then one weight for each row of ``evidence``; printed by benchmarks/confidence.py."""


def match_confidence(left: NDArray[np.uint8], right: NDArray[np.uint8], px: Float) -> Float:
    """Return the probability in [0, 1] that each disparity is within 1 px; 0 where it is NaN.

    ``left`` and ``right`` are gray (H, W), ``px`` the left view's disparity with NaN holes.
    """
    known = np.isfinite(px)
    constant, *weights = WEIGHTS
    score = np.full(px.shape, constant, np.float32)
    for weight, plane in zip(weights, evidence(left, right, px, known), strict=True):
        cv2.scaleAdd(plane, weight, score, score)
    probability = 1 / (1 + cv2.exp(-score))
    return np.where(known, probability, np.float32(0))


def evidence(
    left: NDArray[np.uint8], right: NDArray[np.uint8], px: Float, known: NDArray[np.bool_]
) -> list[Float]:
    """Return the (H, W) float32 planes that speak for or against a match.

    In order: log of the residual between the images (5x5, brightness difference removed), lack
    of texture (1 on a flat surface, 0 with gradients far above 1 gray level, 7x7), share of known
    neighbours (31x31), log of the distance from the neighbours' mean disparity (5x5, clipped at
    8 px).
    """
    disparity = np.where(known, px, np.float32(0))
    share = known.astype(np.float32)

    difference = cv2.subtract(left, _warp(right, disparity), dtype=cv2.CV_32F)
    bias = cv2.blur(difference, (5, 5))
    residual = cv2.blur(cv2.absdiff(difference, bias), (5, 5))

    gradient = np.abs(cv2.Sobel(left, cv2.CV_16S, 1, 0, ksize=3))
    texture = cv2.blur(gradient.astype(np.float32), (7, 7)) * np.float32(1 / 8)

    neighbors = np.maximum(cv2.blur(share, (5, 5)), np.float32(1e-3))
    roughness = np.minimum(cv2.absdiff(disparity, cv2.blur(disparity, (5, 5)) / neighbors), 8)

    planes: list[Any] = [
        cv2.log(residual + 1),
        1 / (1 + texture * texture),
        cv2.blur(share, (31, 31)),
        cv2.log(roughness + np.float32(0.1)),
    ]
    return planes


def _warp(right: NDArray[np.uint8], disparity: Float) -> NDArray[np.uint8]:
    """The right image as the left camera would see it."""
    height, width = disparity.shape
    columns = np.arange(width, dtype=np.float32) - disparity
    rows = np.repeat(np.arange(height, dtype=np.float32)[:, None], width, axis=1)
    return cv2.remap(  # type: ignore[return-value]
        right, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
