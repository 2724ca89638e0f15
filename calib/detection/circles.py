"""Centres of printed discs, freed of what perspective does to them.

The middle of a disc's picture is not the picture of its middle: a tilted disc appears larger on
its near half. The offset grows with the square of the disc's size, reaches 0.1 px at 640x480 and
is the same in all images of one tilt, so that no number of views averages it out
(J. Heikkila, "Geometric camera calibration using circular control points", PAMI 2000).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import Board
from calib.detection.subpixel import sampled

Float = NDArray[np.float64]

_FLOOR = 0.1  # share of the contrast between paper and ink that counts as paper: noise
_RAYS = 32
_LEAST_CONTRAST = 8


def disc_centres(image: NDArray[np.float32], points: Float, spacing: Float, board: Board) -> Float:
    """Where the centres of the printed discs are: (N, 2) pixels, from blobs near ``points``.

    ``spacing`` (N,): distance from each blob to its nearest neighbour, pixels.
    """
    middles, areas = _middles(image, points, 0.5 * spacing)
    centres = middles
    for _ in range(2):  # the map is fitted to the centres, which it moves
        centres = middles - _perspective_offsets(centres, areas, board)
    return centres


def disc_edge_width(image: NDArray[np.float32], centres: Float, spacing: Float) -> float:
    """Median 10-to-90 % width of the discs' outlines, pixels."""
    return _outlines(image, centres, 0.5 * spacing).edge_px


class _Outlines(NamedTuple):
    """The outlines of discs, in each of ``_RAYS`` directions from the middle."""

    radius: Float
    """(N, rays) pixels; NaN where the disc has none."""
    lightest: Float
    """(N, rays) pixels to where the paper is seen best; on a narrow border, what lies behind the
    board is blurred into the rest.
    """
    ink: Float
    """(N,) level within."""
    paper: Float
    """(N,) level around."""
    edge_px: float
    """10-to-90 % width, median of all."""


def _outlines(image: NDArray[np.float32], centres: Float, reach: Float) -> _Outlines:
    angle = np.arange(_RAYS) * (2 * np.pi / _RAYS)
    share = np.linspace(0, 1, int(np.clip(np.median(reach) / 0.4, 24, 160)))
    away = reach[:, None, None] * share
    ray = np.column_stack([np.cos(angle), np.sin(angle)])
    level = sampled(image, centres[:, None, None] + ray[:, None] * away[..., None])
    ink = np.median(level[:, :, share < 0.12], axis=(1, 2))
    rise = level - ink[:, None, None]
    sign = 1 if np.median(rise[:, :, share > 0.9]) > 0 else -1
    rise *= sign
    # what three quarters of the rays reach: beyond the paper's edge there may be anything
    paper = np.quantile(rise.max(axis=2), 0.25, axis=1)
    rise /= np.maximum(paper, _LEAST_CONTRAST)[:, None, None]
    low, half, high = (_first(rise, at) * reach[:, None] for at in (0.2, 0.5, 0.8))
    widths = (high - low)[np.isfinite(high - low)]
    # of a Gaussian edge; 20 % and 80 % are farther from the noise than 10 % and 90 %
    edge_px = 1.523 * float(np.median(widths)) if len(widths) else float("nan")
    lightest = rise.argmax(axis=2) * share[1] * reach[:, None]
    return _Outlines(half, lightest, ink, ink + sign * paper, edge_px)


def _first(rise: Float, level: float) -> Float:
    """(N, rays) share of the reach at which profiles first rise to a level; NaN: nowhere."""
    above = rise >= level
    k = np.maximum(above.argmax(axis=2), 1)[..., None]
    there, before = (np.take_along_axis(rise, i, axis=2)[..., 0] for i in (k, k - 1))
    place = k[..., 0] - (there - level) / np.maximum(there - before, 1e-9)
    return np.where(above.any(axis=2) & ~above[..., 0], place / (rise.shape[2] - 1), np.nan)


def _middles(image: NDArray[np.float32], points: Float, reach: Float) -> tuple[Float, Float]:
    """Centre of gravity (N, 2) and area (N,) of each disc's darkness (or lightness); NaN: none."""
    centres, areas = points.copy(), np.full(len(points), np.nan)
    for _ in range(3):
        seen = _outlines(image, centres, reach)
        # as far as the blur goes: on a narrow border the background is a few pixels away
        margin = np.clip(1.1 * seen.edge_px, 2, None)
        mean = np.nanmean(np.stack([seen.radius, np.roll(seen.radius, _RAYS // 2, 1)]), axis=0)
        bounds = np.minimum(mean + margin, seen.lightest)
        for i, (x, y) in enumerate(centres):
            if abs(seen.paper[i] - seen.ink[i]) < _LEAST_CONTRAST or np.isnan(bounds[i]).any():
                continue
            found = _gravity(image, x, y, bounds[i], seen.ink[i], seen.paper[i])
            centres[i], areas[i] = found[:2], found[2]
    far = np.linalg.norm(centres - points, axis=1) > 0.25 * reach
    centres[far], areas[far] = points[far], np.nan
    return centres, areas


def _gravity(
    image: NDArray[np.float32], x: float, y: float, bound: Float, ink: float, paper: float
) -> tuple[float, float, float]:
    """Centre of gravity (x, y) and area of what is ink within ``bound``, a radius for each ray."""
    r = float(bound.max())
    left, top = max(int(x - r), 0), max(int(y - r), 0)
    patch = image[top : int(y + r) + 2, left : int(x + r) + 2]
    yy, xx = np.mgrid[: patch.shape[0], : patch.shape[1]]
    dx, dy = xx + left - x, yy + top - y
    turn = np.arctan2(dy, dx) * (_RAYS / (2 * np.pi)) % _RAYS
    inside = np.hypot(dx, dy) <= np.interp(turn, np.arange(_RAYS + 1), np.r_[bound, bound[:1]])
    share = (paper - patch) / (paper - ink)
    weight = np.clip(share - _FLOOR, 0, 1 - _FLOOR) * inside
    total = max(float(weight.sum()), 1e-9)
    return (
        x + float((weight * dx).sum()) / total,
        y + float((weight * dy).sum()) / total,
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
