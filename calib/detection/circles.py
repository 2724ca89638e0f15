"""Centres of printed discs, freed of what perspective does to them.

The middle of a disc's picture is not the picture of its middle: a tilted disc appears larger on
its near half. The offset grows with the square of the disc's size, reaches 0.1 px at 640x480 and
is the same in all images of one tilt, so that no number of views averages it out
(J. Heikkila, "Geometric camera calibration using circular control points", PAMI 2000).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import Board

Float = NDArray[np.float64]

_FLOOR = 0.1  # share of the contrast between paper and ink that counts as paper: noise


def disc_centres(image: NDArray[np.float32], points: Float, spacing: Float, board: Board) -> Float:
    """Where the centres of the printed discs are: (N, 2) pixels, from blobs near ``points``.

    ``spacing`` (N,): distance from each blob to its nearest neighbour, pixels.
    """
    middles, areas = _middles(image, points, 0.5 * spacing)
    centres = middles
    for _ in range(2):  # the map is fitted to the centres, which it moves
        centres = middles - _perspective_offsets(centres, areas, board)
    return centres


def _middles(image: NDArray[np.float32], points: Float, reach: Float) -> tuple[Float, Float]:
    """Centre of gravity (N, 2) and area (N,) of each disc's darkness (or lightness); NaN: none."""
    centres, areas = points.copy(), np.full(len(points), np.nan)
    for _ in range(2):
        for i, ((x, y), r) in enumerate(zip(centres, reach, strict=True)):
            left, top = max(int(np.floor(x - r)), 0), max(int(np.floor(y - r)), 0)
            patch = image[top : int(y + r) + 2, left : int(x + r) + 2]
            found = _gravity(patch, x - left, y - top, r)
            if found is not None:
                centres[i], areas[i] = (found[0] + left, found[1] + top), found[2]
    far = np.linalg.norm(centres - points, axis=1) > 0.25 * reach
    centres[far], areas[far] = points[far], np.nan
    return centres, areas


def _gravity(
    patch: NDArray[np.float32], x: float, y: float, r: float
) -> tuple[float, float, float] | None:
    yy, xx = np.mgrid[: patch.shape[0], : patch.shape[1]]
    away = np.hypot(xx - x, yy - y)
    rim = patch[(away > 0.85 * r) & (away <= r)]
    core = patch[away < 0.2 * r + 0.7]
    if rim.size < 4 or core.size < 1:
        return None
    paper, ink = float(np.median(rim)), float(np.median(core))
    if abs(paper - ink) < 8:
        return None
    share = (paper - patch) / (paper - ink)
    weight = np.clip(share - _FLOOR, 0, 1 - _FLOOR) * (away <= r)
    total = float(weight.sum())
    return (
        float((weight * xx).sum()) / total,
        float((weight * yy).sum()) / total,
        total / (1 - _FLOOR),
    )


def _perspective_offsets(centres: Float, areas: Float, board: Board) -> Float:
    """(N, 2) middle of each disc's picture minus the picture of its centre, pixels.

    The picture of the board is taken as a homography and, for the lens, a cubic; the middle is an
    integral over the disc, each part weighted by the area it covers in the image.
    """
    xy = (board.points[:, :2] - board.points[:, :2].mean(axis=0)) / np.ptp(board.points[:, :2])
    H: Any = cv2.findHomography(xy, centres)[0]  # None, which its stubs do not say, or (3, 3)
    if H is None or not np.isfinite(areas).any():
        return np.zeros_like(centres)
    bend: Float = np.zeros((10, 2))
    if len(xy) >= 20:  # fewer would fit the noise
        bend = np.asarray(
            np.linalg.lstsq(_cubic(xy), centres - _pictured(H, xy), rcond=None)[0], np.float64
        )

    def picture(at: Float) -> Float:
        return _pictured(H, at) + _cubic(at) @ bend

    size = np.abs(_stretch(picture, xy))
    radius = float(np.sqrt(np.nanmedian(areas / size) / np.pi))
    angle = np.arange(8) * np.pi / 4
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    # Gauss: two rings integrate polynomials over a disc exactly up to the third degree in r^2
    parts = [radius * share * ring for share in (0.459701, 0.888074)]
    spots = np.concatenate([xy + part[k] for part in parts for k in range(8)])
    weight = np.abs(_stretch(picture, spots)).reshape(16, -1, 1)
    middles = (picture(spots).reshape(16, -1, 2) * weight).sum(axis=0) / weight.sum(axis=0)
    return np.asarray(middles - picture(xy))


def _pictured(H: Float, xy: Float) -> Float:
    h = np.column_stack([xy, np.ones(len(xy))]) @ H.T
    return np.asarray(h[:, :2] / h[:, 2:])


def _cubic(xy: Float) -> Float:
    """(N, 10) monomials up to the third degree."""
    x, y = xy.T
    terms = [x**i * y**j for i in range(4) for j in range(4 - i)]
    return np.column_stack(terms)


def _stretch(picture: Callable[[Float], Float], xy: Float) -> Float:
    """(N,) determinant of the picture's derivative: image area per area of the board."""
    step = 1e-4
    dx, dy = ((picture(xy + e) - picture(xy - e)) / (2 * step) for e in np.eye(2) * step)
    return np.asarray(dx[:, 0] * dy[:, 1] - dx[:, 1] * dy[:, 0])
