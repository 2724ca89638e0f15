"""How images of any size meet a network's size: padded, never stretched.

Where the graph leaves the size open, images are padded to its multiple. Where it is fixed and the
images fit in, they are padded too; where they do not, both are scaled alike (and disparity with
them), or cut into tiles that overlap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import Float, Image

Planes = list[Float]
"""Disparity (H, W), px, then whatever else the network says of each pixel."""
Run = Callable[[Image, Image], Planes]
"""The network on two images of exactly its size."""
Size = tuple[int, int]
"""(height, width)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How images of one size meet a network."""

    image: Size
    """Of the images."""
    inner: Size
    """Of what is padded: the images', or as they are scaled, or of a tile."""
    network: Size
    """What the network gets."""
    tiles: tuple[tuple[int, int], ...] = ()
    """(row, column) of each tile's corner; empty: the image is not cut."""

    @property
    def scaled(self) -> bool:
        """Whether the images are scaled."""
        return not self.tiles and self.inner != self.image

    @property
    def in_words(self) -> str:
        """For people."""
        (high, wide), (h, w), (net_high, net_wide) = self.image, self.inner, self.network
        what = f"{wide}x{high} images"
        if self.tiles:
            return f"{what} are cut into {len(self.tiles)} tiles of {w}x{h} that overlap"
        if self.scaled:
            return (
                f"{what} are scaled to {w}x{h} for the network's {net_wide}x{net_high}, and "
                "disparity with them; --tile keeps their resolution"
            )
        if self.inner != self.network:
            return f"{what} are padded to {net_wide}x{net_high}"
        return f"{what} go in as they are"


def fit_of(
    image: Size, fixed: tuple[int | None, int | None], multiple: int, tile: Size | None
) -> Fit:
    """Return how images of this size meet a network of this size (None: open).

    ``tile``: cut into such tiles where the image is larger, sides that are fixed being those.
    """
    goal = _taken(image, fixed, multiple)
    if tile is not None:
        cut = tuple(
            limit or min(-(-wanted // multiple) * multiple, whole)
            for wanted, limit, whole in zip(tile, fixed, goal, strict=True)
        )
        inner = min(cut[0], image[0]), min(cut[1], image[1])
        if inner != image:
            corners = _corners(image, inner)
            return Fit(image, inner, (cut[0], cut[1]), corners)
    scale = min(1.0, goal[0] / image[0], goal[1] / image[1])
    inner = image if scale == 1 else _scaled(image, scale)
    if scale < 1:  # an open side follows the one that is fixed
        goal = _taken(inner, fixed, multiple)
    return Fit(image, inner, goal)


def _taken(size: Size, fixed: tuple[int | None, int | None], multiple: int) -> Size:
    """What the network takes of such images: its own sides, else the next multiple."""
    high, wide = (
        -(-side // multiple) * multiple if limit is None else limit
        for side, limit in zip(size, fixed, strict=True)
    )
    return high, wide


def _scaled(image: Size, scale: float) -> Size:
    return max(1, int(image[0] * scale)), max(1, int(image[1] * scale))


def overlaps(tile: Size) -> Size:
    """Return how far tiles overlap, px: by half their width, since a pixel's partner lies left."""
    return tile[0] // 8, tile[1] // 2


def _corners(image: Size, tile: Size) -> tuple[tuple[int, int], ...]:
    starts = []
    for side, length, overlap in zip(image, tile, overlaps(tile), strict=True):
        count = 1 + max(0, -(-(side - length) // max(1, length - overlap)))
        starts.append(np.linspace(0, side - length, count).round().astype(int).tolist())
    return tuple((row, column) for row in starts[0] for column in starts[1])


def run_fitted(fit: Fit, left: Image, right: Image, run: Run) -> Planes:
    """Return the network's planes at the size of the images; disparity in their px."""
    if fit.tiles:
        return _tiled(fit, left, right, run)
    if not fit.scaled:
        return _padded(fit, left, right, run)
    size = fit.inner[1], fit.inner[0]
    planes = _padded(fit, _resized(left, size), _resized(right, size), run)
    full = fit.image[1], fit.image[0]
    planes = [np.asarray(cv2.resize(p, full, interpolation=cv2.INTER_LINEAR)) for p in planes]
    planes[0] *= np.float32(fit.image[1] / fit.inner[1])
    return planes


def _resized(image: Image, size: tuple[int, int]) -> Image:
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _padded(fit: Fit, left: Image, right: Image, run: Run) -> Planes:
    (high, wide), (net_high, net_wide) = left.shape[:2], fit.network
    if (high, wide) == (net_high, net_wide):
        return run(left, right)
    top, before = (net_high - high) // 2, (net_wide - wide) // 2
    sides = top, net_high - high - top, before, net_wide - wide - before
    planes = run(*(_bordered(image, sides) for image in (left, right)))
    return [np.ascontiguousarray(p[top : top + high, before : before + wide]) for p in planes]


def _bordered(image: Image, sides: tuple[int, int, int, int]) -> Image:
    return cv2.copyMakeBorder(image, *sides, cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _tiled(fit: Fit, left: Image, right: Image, run: Run) -> Planes:
    """Each tile counts less towards its borders, and nothing where partners lie outside of it."""
    (high, wide), (h, w) = fit.image, fit.inner
    total = np.zeros((high, wide), np.float32)
    sums: Planes = []
    for row, column in fit.tiles:
        part = slice(row, row + h), slice(column, column + w)
        planes = _padded(fit, left[part], right[part], run)
        weight = _weight(fit, row, column)
        known = np.isfinite(planes[0]) * weight
        sums = sums or [np.zeros((high, wide), np.float32) for _ in planes]
        for plane, into in zip(planes, sums, strict=True):
            into[part] += np.where(known > 0, plane, np.float32(0)) * known
        total[part] += known
    with np.errstate(divide="ignore", invalid="ignore"):
        return [plane / total for plane in sums]  # NaN where no tile knows


def _weight(fit: Fit, row: int, column: int) -> NDArray[np.float32]:
    """(h, w) of a tile: 1 inside, falling across the second half of each overlap."""
    (high, wide), (h, w) = fit.image, fit.inner
    down, across = (max(1, overlap // 2) for overlap in overlaps(fit.inner))
    rows, columns = np.arange(h, dtype=np.float32), np.arange(w, dtype=np.float32)
    vertical, horizontal = np.ones(h, np.float32), np.ones(w, np.float32)
    if row > 0:
        vertical = np.minimum(vertical, (rows + 1) / down)
    if row + h < high:
        vertical = np.minimum(vertical, (h - rows) / down)
    if column > 0:
        horizontal = np.minimum(horizontal, np.maximum(columns + 1 - across, 0) / across)
    if column + w < wide:
        horizontal = np.minimum(horizontal, (w - columns) / across)
    return np.outer(vertical, horizontal)
