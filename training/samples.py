"""Crops to learn from: real pairs, layered scenes made on the fly, and what cameras do to both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from families import FAMILIES, family_of, left_out
from numpy.typing import NDArray

ROWS, COLUMNS = 32, 144
"""Of a crop's known pixels."""
DISPARITIES = 128
MARGIN = 6
"""Pixels around them that filters may look at, after smoothing."""

HEIGHT = ROWS + 2 * MARGIN
WIDTH = COLUMNS + 2 * MARGIN
RIGHT_WIDTH = WIDTH + DISPARITIES - 1
LAYERED = 0.3
"""Share of crops that are layered scenes."""

Image = NDArray[np.float32]
WEIGHTS = {"kitti": 3.0, "flyingthings": 3.0, "karlsruhe": 3.0, "smooth": 2.0}
"""How often a family is drawn, where not once."""


@dataclass(frozen=True, eq=False)
class Pair:
    """One pair at one scale, borders replicated by ``pad`` columns and MARGIN rows."""

    left: Image
    right: Image
    disparity: Image
    """(H, W), NaN unknown; not padded."""


@dataclass(frozen=True, eq=False)
class Crop:
    left: Image
    """(HEIGHT, WIDTH)."""
    right: Image
    """(HEIGHT, RIGHT_WIDTH); column e holds what left column e - (DISPARITIES - 1) sees at
    disparity `first`."""
    disparity: Image
    """(ROWS, COLUMNS) minus ``first``."""


class Samples:
    """Draws crops from a folder that prepare.py wrote."""

    def __init__(self, folder: Path, fold: int | None, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        hidden = left_out(fold)
        names = [n for n in sorted(p.stem for p in folder.glob("*.npz")) if n not in hidden]
        self._families: dict[str, list[list[Pair]]] = {}
        for name in names:
            self._families.setdefault(family_of(name), []).append(load(folder / f"{name}.npz"))
        weights = np.array([WEIGHTS.get(f, 1.0) for f in self._families])
        self._weights = weights / weights.sum()
        assert all(family in FAMILIES for family in self._families)

    def draw(self) -> Crop:
        """One crop, spoilt as cameras do."""
        rng = self._rng
        crop = self._layers() if rng.random() < LAYERED else self._real()
        left, right = spoilt(crop.left, crop.right, rng)
        if rng.random() < 0.5:
            left, right, disparity = (
                np.ascontiguousarray(v[::-1]) for v in (left, right, crop.disparity)
            )
            return Crop(left, right, disparity)
        return Crop(left, right, crop.disparity)

    def _pair(self) -> Pair:
        family = self._rng.choice(list(self._families), p=self._weights)
        scales = self._families[family][self._rng.integers(len(self._families[family]))]
        return scales[self._rng.integers(len(scales))]

    def _real(self) -> Crop:
        rng = self._rng
        while True:
            pair = self._pair()
            height, width = pair.disparity.shape
            y, x = (
                int(rng.integers(height - ROWS + 1)),
                int(rng.integers(max(1, width - COLUMNS + 1))),
            )
            truth = pair.disparity[y : y + ROWS, x : x + COLUMNS]
            known = truth[np.isfinite(truth)]
            if truth.shape == (ROWS, COLUMNS) and known.size > 300:
                break
        first = int(rng.choice(known)) - int(rng.integers(4, DISPARITIES - 4))
        first = max(first, -8)
        left = window(pair.left, y, x, WIDTH)
        right = window(pair.right, y, x - first - (DISPARITIES - 1), RIGHT_WIDTH)
        return Crop(left, right, truth - np.float32(first))

    def _texture(self, height: int, width: int) -> Image:
        """A piece of some picture, or hardly anything, at some contrast."""
        rng = self._rng
        kind = rng.random()
        if kind < 0.7:
            image = self._pair().left
            scale = rng.uniform(0.5, 1.5)
            h, w = int(height * scale) + 1, int(width * scale) + 1
            if h >= image.shape[0] or w >= image.shape[1]:
                h, w = min(h, image.shape[0] - 1), min(w, image.shape[1] - 1)
            y, x = rng.integers(image.shape[0] - h), rng.integers(image.shape[1] - w)
            piece = cv2.resize(image[y : y + h, x : x + w], (width, height))
        else:
            small = rng.normal(
                0, 30, (max(2, height // rng.integers(2, 20)), max(2, width // rng.integers(2, 20)))
            )
            piece = cv2.resize(
                small.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
            )
        contrast = np.float32(rng.choice([1.0, 1.0, 0.5, 0.2, 0.08]))
        slope = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(rng.normal(0, 10))
        return (piece - piece.mean()) * contrast + np.float32(rng.uniform(30, 220)) + slope

    def _layers(self) -> Crop:
        """A slanted background and a few things in front of it."""
        rng = self._rng
        slack = 8
        left = np.zeros((HEIGHT, WIDTH), np.float32)
        right = np.zeros((HEIGHT, RIGHT_WIDTH), np.float32)
        truth = np.zeros_like(left)
        owner_l, owner_r = np.zeros(left.shape, int), np.zeros(right.shape, int)
        y = np.arange(HEIGHT, dtype=np.float32)[:, None] - HEIGHT / 2
        x_l = np.arange(WIDTH, dtype=np.float32)[None]
        x_r = np.arange(RIGHT_WIDTH, dtype=np.float32)[None] - (DISPARITIES - 1)
        level = rng.uniform(0, 40)
        for layer in range(int(rng.integers(1, 6))):
            slope_x, slope_y = rng.normal(0, 0.05), rng.normal(0, 0.1)
            if rng.random() < 0.4:
                slope_x = slope_y = 0.0

            def plane(x: Image, a: float = level, b: float = slope_x, c: float = slope_y) -> Image:
                return np.float32(a) + np.float32(b) * (x - WIDTH / 2) + np.float32(c) * y

            at_left = np.broadcast_to(x_l, left.shape)
            # x_r = x - plane(x): solved for the left column that a right one sees
            at_right = (x_r + level - slope_x * WIDTH / 2 + slope_y * y) / (1 - slope_x)
            texture = self._texture(HEIGHT, WIDTH + DISPARITIES + 2 * slack)
            shape = np.ones_like(texture) if layer == 0 else self._shape(texture.shape)
            for seen, image, owner in ((at_left, left, owner_l), (at_right, right, owner_r)):
                rows = np.broadcast_to(y + HEIGHT / 2, seen.shape).astype(np.float32)
                columns = (seen + DISPARITIES / 2).astype(np.float32)
                drawn = cv2.remap(
                    texture, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
                )
                alpha = cv2.remap(
                    shape, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
                )
                image[:] = image * (1 - alpha) + drawn * alpha
                owner[alpha > 0.5] = layer
            truth = np.where(owner_l == layer, plane(x_l), truth)
            level += rng.uniform(1, 25)
        column = np.rint(x_l - truth).astype(int) + DISPARITIES - 1
        inside = (column >= 0) & (column < RIGHT_WIDTH)
        seen = np.take_along_axis(owner_r, column.clip(0, RIGHT_WIDTH - 1), axis=1) == owner_l
        truth = np.where(inside & seen, truth, np.nan)
        return Crop(left, right, truth[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32))

    def _shape(self, size: tuple[int, int]) -> Image:
        """Ones in an ellipse, a box or a thin bar."""
        rng = self._rng
        mask = np.zeros(size, np.float32)
        centre = (int(rng.integers(size[1] // 4, 3 * size[1] // 4)), int(rng.integers(size[0])))
        kind = rng.random()
        if kind < 0.4:
            axes = (int(rng.integers(4, 50)), int(rng.integers(4, 30)))
            cv2.ellipse(mask, centre, axes, rng.uniform(0, 180), 0, 360, 1.0, -1)
        elif kind < 0.7:
            corner = (centre[0] + int(rng.integers(6, 90)), centre[1] + int(rng.integers(6, 40)))
            cv2.rectangle(mask, centre, corner, 1.0, -1)
        else:
            end = (centre[0] + int(rng.normal(0, 40)), centre[1] + int(rng.normal(0, 40)))
            cv2.line(mask, centre, end, 1.0, int(rng.integers(1, 7)))
        return mask


def load(path: Path) -> list[Pair]:
    """A pair at three scales."""
    data = np.load(path)
    pairs = []
    for scale in (0.65, 1.0, 1.4):
        left, right, disparity = data["left"], data["right"], data["disparity"]
        if scale != 1:
            size = (round(left.shape[1] * scale), round(left.shape[0] * scale))
            way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
            left, right = (cv2.resize(v, size, interpolation=way) for v in (left, right))
            disparity = cv2.resize(disparity, size, interpolation=cv2.INTER_NEAREST)
            disparity = disparity * (size[0] / data["left"].shape[1])
        if min(left.shape) < ROWS or left.shape[1] < COLUMNS:
            continue
        pairs.append(Pair(left.astype(np.float32), right.astype(np.float32), disparity))
    return pairs


def window(image: Image, y: int, x: int, width: int) -> Image:
    """(HEIGHT, width) whose known part begins at row y; x: column of its known part."""
    rows = np.arange(y - MARGIN, y - MARGIN + HEIGHT).clip(0, image.shape[0] - 1)
    columns = np.arange(x - MARGIN, x - MARGIN + width).clip(0, image.shape[1] - 1)
    return image[rows[:, None], columns]


def spoilt(left: Image, right: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    """Exposure, gamma, blur, a row of misalignment, faint contrast and noise; whole levels."""
    if rng.random() < 0.3:  # faint scenes: what noise then does to them
        contrast, middle = np.float32(rng.uniform(0.2, 1)), np.float32(rng.uniform(60, 180))
        left, right = ((v - middle) * contrast + middle for v in (left, right))
    images = []
    rows = rng.random() < 0.25
    for k, source in enumerate((left, right)):
        image = source
        if k == 1 and rows:
            shift = rng.uniform(-1, 1)
            move = np.array([[1, 0, 0], [0, 1, shift]], np.float32)
            image = cv2.warpAffine(image, move, image.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        if rng.random() < 0.15:
            image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.1))
        if k == 1 and rng.random() < 0.5:
            image = image * np.float32(rng.uniform(0.7, 1.3)) + np.float32(rng.uniform(-12, 12))
            power = np.float32(np.exp(rng.uniform(-0.35, 0.35)))
            image = 255 * (image.clip(0, 255) / 255) ** power
        images.append(image)
    if rng.random() < 0.7:
        sigma = 4 * rng.random() ** 2
        images = [v + rng.normal(0, sigma, v.shape).astype(np.float32) for v in images]
    return tuple(np.rint(v.clip(0, 255)).astype(np.float32) for v in images)  # type: ignore[return-value]
