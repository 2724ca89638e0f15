"""Procedural surfaces: what the things in a synthetic room are made of.

A texture is called with the chart coordinates of a grid of texels, ``u`` (1, W) and ``v`` (H, 1)
in metres from the chart's centre, and the number of the chart; it answers linear albedo (H, W, 3).
Edges are softened over ``SOFT_M``, so that no texture has detail finer than its texels.
"""

from __future__ import annotations

# ruff: noqa: D102  (what a texture's call means is said above)
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stereo.synthetic.noise import fbm, hash01, pick, value_noise

Array = NDArray[np.float64]
Texture = Callable[[Array, Array, int], Array]

SOFT_M = 0.002


def linear(color: str) -> Array:
    """(3,) linear RGB in [0, 1] of an sRGB colour written "#rrggbb"."""
    srgb = [int(color[k : k + 2], 16) / 255.0 for k in (1, 3, 5)]
    return np.array(
        [math.pow((c + 0.055) / 1.055, 2.4) if c > 0.04045 else c / 12.92 for c in srgb]
    )


def inside(x: Array, low: float, high: float, soft: float = SOFT_M) -> Array:
    """1 where low < x < high, 0 outside, a ramp of width ``soft`` between."""
    return np.clip(np.minimum(x - low, high - x) / soft + 0.5, 0.0, 1.0)


def mix(a: Array, b: Array, weight: Array) -> Array:
    """Blend colours (3,) or (H, W, 3) by a weight (H, W)."""
    return np.asarray(a + (b - a) * weight[..., None])


@dataclass(frozen=True, slots=True)
class Plain:
    """Paint, plaster, plastic: one colour with the faintest cloudiness."""

    color: str
    mottle: float = 0.02
    """Relative size of the clouds; 0 is perfectly even."""
    scale_m: float = 0.15
    seed: int = 0

    def __call__(self, u: Array, v: Array, chart: int) -> Array:
        clouds = fbm(u / self.scale_m, v / self.scale_m, self.seed + chart, 2) - 0.5
        return np.asarray(linear(self.color) * (1.0 + 2.0 * self.mottle * clouds)[..., None])


@dataclass(frozen=True, slots=True)
class Wood:
    """Grain along the longer side; with ``plank_m`` a floor of staggered planks."""

    light: str = "#b98a58"
    dark: str = "#7c5230"
    plank_m: tuple[float, float] | None = None
    """(length, width) of a plank, metres; None: one piece."""
    seed: int = 0

    def __call__(self, u: Array, v: Array, chart: int) -> Array:
        if np.ptp(v) > np.ptp(u):
            return self(v.T, u.T, chart).transpose(1, 0, 2)
        seed = self.seed + 7 * chart
        tone = np.zeros((1, 1))
        gap = np.zeros((1, 1))
        if self.plank_m is not None:
            length, width = self.plank_m
            row = np.floor(v / width)
            shifted = u + hash01(row, np.zeros(1), seed) * length
            column = np.floor(shifted / length)
            tone = hash01(column, row, seed + 1)
            across, along = v - row * width, shifted - column * length
            gap = 1.0 - inside(across, 0.0015, width - 0.0015) * inside(
                along, 0.0015, length - 0.0015
            )
            u, v = u + 31.7 * hash01(column, row, seed + 2), v + 5.3 * tone
        warp = value_noise(u * 1.7, v * 9.0, seed + 3) + 0.3 * value_noise(
            u * 7.0, v * 30.0, seed + 4
        )
        rings = value_noise(u * 0.9, (v + 0.03 * warp) * 75.0, seed + 5)
        fibre = value_noise(u * 18.0, v * 420.0, seed + 6)
        weight = np.clip(0.65 * rings + 0.35 * fibre - 0.1, 0.0, 1.0)
        color = mix(linear(self.light), linear(self.dark), weight)
        color = color * (0.72 + 0.5 * tone)[..., None]
        return np.asarray(color * (1.0 - 0.75 * gap)[..., None])


@dataclass(frozen=True, slots=True)
class Bricks:
    """A brick wall in stretcher bond, each brick its own tone, with rough mortar."""

    length_m: float = 0.215
    height_m: float = 0.072
    mortar_m: float = 0.011
    colors: tuple[str, str] = ("#9c5a41", "#6f3d2f")
    seed: int = 0

    def __call__(self, u: Array, v: Array, chart: int) -> Array:
        rough = 0.006 * (fbm(u * 40.0, v * 40.0, self.seed + 9, 2) - 0.5)
        row = np.floor(v / self.height_m)
        shifted = u + 0.5 * self.length_m * (row % 2)
        column = np.floor(shifted / self.length_m)
        along, across = shifted - column * self.length_m + rough, v - row * self.height_m + rough
        half = self.mortar_m / 2
        brick = inside(along, half, self.length_m - half, 0.004)
        brick = brick * inside(across, half, self.height_m - half, 0.004)
        tone = hash01(column, row, self.seed + 1)
        grain = fbm(u * 110.0, v * 110.0, self.seed + 2, 3)
        stain = fbm(u * 9.0, v * 9.0, self.seed + 3, 3)
        face = mix(
            linear(self.colors[0]), linear(self.colors[1]), np.clip(tone + stain - 0.5, 0, 1)
        )
        face = face * (0.65 + 0.7 * grain)[..., None]
        mortar = linear("#a9a196") * (0.7 + 0.5 * grain)[..., None]
        return mix(mortar, face, brick)


@dataclass(frozen=True, slots=True)
class Carpet:
    """A woven rug: border, lozenges and the speckle of its tufts."""

    ground: str = "#7d2f2c"
    figure: str = "#c9b48a"
    border: str = "#22304a"
    pitch_m: float = 0.24
    seed: int = 0

    def __call__(self, u: Array, v: Array, chart: int) -> Array:
        wobble = 0.006 * (value_noise(u * 60.0, v * 60.0, self.seed + 4) - 0.5)
        a, b = np.abs((u / self.pitch_m) % 1.0 - 0.5), np.abs((v / self.pitch_m) % 1.0 - 0.5)
        lozenge = (a + b) * self.pitch_m + wobble
        figure = inside(lozenge, 0.055, 0.075, 0.004) + inside(lozenge, -1.0, 0.025, 0.004)
        color = mix(linear(self.ground), linear(self.figure), np.clip(figure, 0.0, 1.0))
        edge = np.minimum(np.abs(u).max() - np.abs(u), np.abs(v).max() - np.abs(v)) + wobble
        color = mix(color, linear(self.border), inside(edge, -1.0, 0.14, 0.004))
        color = mix(
            color, linear(self.figure), inside(edge, 0.03, 0.045) + inside(edge, 0.12, 0.135)
        )
        tufts = 0.6 * value_noise(u * 260.0, v * 260.0, self.seed) + 0.4 * fbm(
            u * 60.0, v * 60.0, self.seed + 1, 2
        )
        worn = fbm(u * 3.0, v * 3.0, self.seed + 2, 3)
        return np.asarray(color * (0.35 + 0.9 * tufts)[..., None] * (0.75 + 0.5 * worn)[..., None])


@dataclass(frozen=True, slots=True)
class Fabric:
    """Upholstery: two threads over and under, and slubs."""

    warp: str = "#5b6b73"
    weft: str = "#87949a"
    thread_m: float = 0.006
    seed: int = 0

    def __call__(self, u: Array, v: Array, chart: int) -> Array:
        over = (np.floor(u / self.thread_m) + np.floor(v / self.thread_m)) % 2.0
        slub = fbm(u * 90.0, v * 90.0, self.seed + chart, 3)
        fold = fbm(u * 5.0, v * 5.0, self.seed + 1 + chart, 2)
        color = mix(linear(self.warp), linear(self.weft), np.clip(0.5 * over + slub - 0.25, 0, 1))
        return np.asarray(color * (0.7 + 0.35 * slub + 0.25 * fold)[..., None])


@dataclass(frozen=True, slots=True)
class Book:
    """A bound book: printed spine on the front chart, page edges above, cloth elsewhere."""

    cloth: str
    ink: str
    seed: int

    def __call__(self, u: Array, v: Array, chart: int) -> Array:
        shape = np.broadcast_shapes(u.shape, v.shape)
        if chart in (2, 3):
            leaves = value_noise(u * 900.0, v * 4.0, self.seed)
            return np.asarray(linear("#d9cfb4") * (0.75 + 0.25 * leaves)[..., None])
        weave = fbm(u * 200.0, v * 200.0, self.seed + chart, 2)
        color = linear(self.cloth) * (0.85 + 0.3 * weave)[..., None]
        half_u, half_v = np.abs(u).max(), np.abs(v).max()
        share = pick(6, self.seed + 5)
        ink = np.zeros(shape)
        for k in range(2):  # a pair of bands near head and foot
            at = half_v * (0.86 - 0.1 * k)
            ink = ink + inside(np.abs(v) - at, -0.0025, 0.0025)
        title = inside(np.abs(u), -1.0, half_u * (0.2 + 0.25 * share[0]))
        title = title * inside(v, -half_v * (0.3 + 0.35 * share[1]), half_v * 0.25)
        letters = value_noise(u / 0.012, v / 0.007, self.seed + 2)
        ink = np.clip(ink + title * inside(letters, 0.5, 2.0, 0.06), 0.0, 1.0)
        return mix(color, linear(self.ink), ink)


@dataclass(frozen=True, slots=True)
class Poster:
    """A print behind its frame: ``art`` 0 mountains at dusk, 1 shapes, 2 leaves of text."""

    art: int
    seed: int = 0
    frame: str = "#2b2622"
    frame_m: float = 0.025

    def __call__(self, u: Array, v: Array, chart: int) -> Array:
        shape = np.broadcast_shapes(u.shape, v.shape)
        half_u, half_v = float(np.abs(u).max()), float(np.abs(v).max())
        picture = (_mountains, _shapes, _page)[self.art](u / half_u, v / half_v, self.seed)
        paper = 0.92 + 0.16 * fbm(u * 120.0, v * 120.0, self.seed + 8, 2)
        edge = np.minimum(half_u - np.abs(u), half_v - np.abs(v))
        mount = inside(edge, -1.0, self.frame_m + 0.05)
        color = mix(picture * paper[..., None], linear("#e8e2d4"), np.broadcast_to(mount, shape))
        rail = np.broadcast_to(inside(edge, -1.0, self.frame_m), shape)
        grain = 0.8 + 0.4 * fbm(u * 90.0, v * 90.0, self.seed + 9, 2)
        return mix(color, linear(self.frame) * grain[..., None], rail)


def _mountains(x: Array, y: Array, seed: int) -> Array:
    sky = np.broadcast_to((y + 1.0) / 1.6, np.broadcast_shapes(x.shape, y.shape))
    color = mix(linear("#2f4f78"), linear("#f0b27a"), np.clip(sky, 0.0, 1.0))
    sun = (x - 0.3) * (x - 0.3) + (y + 0.15) * (y + 0.15) * 1.8
    color = mix(color, linear("#fbe6b0"), inside(sun, -1.0, 0.03, 0.01))
    ridges = ("#8d7a92", "#5d5a7c", "#3a4160", "#222a3d")
    for k, tint in enumerate(ridges):
        line = 0.05 + 0.24 * k - 0.55 * (fbm(x * (1.5 + 0.7 * k) + 9.0, y * 0.0, seed + k, 5) - 0.5)
        shade = 0.7 + 0.6 * fbm(x * 9.0, y * 14.0, seed + 20 + k, 3)
        color = mix(color, linear(tint) * shade[..., None], inside(y, line, 9.0, 0.01))  # type: ignore[arg-type]
    return color


def _shapes(x: Array, y: Array, seed: int) -> Array:
    color = np.broadcast_to(linear("#e6dcc3"), (*np.broadcast_shapes(x.shape, y.shape), 3))
    tints = ("#c8452f", "#1f4e79", "#e0a526", "#22262b", "#5f8f7d")
    r = pick(60, seed).reshape(-1, 5)
    for k, (px, py, size, kind, tone) in enumerate(r):
        cx, cy, s = 1.3 * px - 0.65, 1.3 * py - 0.65, 0.08 + 0.3 * size / (1.0 + 0.15 * k)
        if kind < 0.4:
            disc = (x - cx) * (x - cx) + (y - cy) * (y - cy)
            mask = inside(disc, 0.3 * s * s if kind < 0.15 else -1.0, s * s, 0.005)
        elif kind < 0.7:
            mask = inside(x, cx - s, cx + s, 0.005) * inside(y, cy - 0.3 * s, cy + 0.3 * s, 0.005)
        else:
            mask = inside(x + 0.8 * y - cx - cy, -0.06 * s, 0.25 * s, 0.005)
            mask = mask * inside(x - 0.8 * y, cx - 1.5 * s, cx + 1.5 * s, 0.005)
        color = mix(color, linear(tints[int(tone * len(tints))]), mask)
    return color


def _page(x: Array, y: Array, seed: int) -> Array:
    shape = np.broadcast_shapes(x.shape, y.shape)
    line = np.floor(y * 22.0)
    in_line = inside(y * 22.0 - line, 0.25, 0.75, 0.2)
    words = inside(value_noise(x * 34.0, line * 7.7 + 0.0 * x, seed), 0.36, 2.0, 0.1)
    margin = inside(np.abs(x), -1.0, 0.72, 0.01) * inside(y, -0.3, 0.8, 0.01)
    head = inside(y, -0.72, -0.45, 0.01) * inside(np.abs(x), -1.0, 0.6, 0.01)
    head = head * inside(value_noise(x * 9.0, y * 5.0, seed + 1), 0.45, 2.0, 0.05)
    color = mix(linear("#efe7d2"), linear("#a8322a"), np.broadcast_to(head, shape))
    return mix(color, linear("#26231f"), np.broadcast_to(in_line * words * margin, shape))


@dataclass(frozen=True, slots=True)
class Cloudy:
    """Stone, glaze, leaf, fruit skin: two colours in fractal clouds with fine speckle."""

    first: str
    second: str
    scale_m: float = 0.03
    contrast: float = 1.8
    seed: int = 0

    def __call__(self, u: Array, v: Array, chart: int) -> Array:
        seed = self.seed + chart
        clouds = fbm(u / self.scale_m, v / self.scale_m, seed, 5)
        weight = np.clip(0.5 + self.contrast * (clouds - 0.5), 0.0, 1.0)
        speckle = 0.9 + 0.2 * value_noise(u * 300.0, v * 300.0, seed + 50)
        return np.asarray(mix(linear(self.first), linear(self.second), weight) * speckle[..., None])


@dataclass(frozen=True, slots=True)
class Stripes:
    """Bands across ``v``, as on a mug, a cushion or a blind."""

    colors: tuple[str, ...]
    pitch_m: float = 0.03
    seed: int = 0

    def __call__(self, u: Array, v: Array, chart: int) -> Array:
        if chart > 0:
            return Plain(self.colors[0])(u, v, chart)
        base = fbm(u * 150.0, v * 150.0, self.seed, 2)
        band = v / self.pitch_m + 0.03 * fbm(u * 8.0, v * 8.0, self.seed + 1, 2)
        count = len(self.colors)
        color = np.zeros((*np.broadcast_shapes(u.shape, v.shape), 3))
        for k, name in enumerate(self.colors):
            mask = inside((band - k) % count, 0.0, 1.0, SOFT_M / self.pitch_m)
            color += mask[..., None] * linear(name)
        return np.asarray(color * (0.8 + 0.4 * base)[..., None])


@dataclass(frozen=True, eq=False, slots=True)
class Print:
    """A gray picture laid over one chart, nearest texel; the other charts are bare board."""

    gray: NDArray[np.uint8]
    """(h, w) uint8."""
    chart: int = 4
    """The printed chart: 4 is the front of a box."""
    white: float = 0.82
    black: float = 0.03

    def __call__(self, u: Array, v: Array, chart: int) -> Array:
        shape = np.broadcast_shapes(u.shape, v.shape)
        if chart != self.chart:
            return np.full((*shape, 3), 0.35)
        h, w = self.gray.shape
        rows = ((np.arange(v.size) + 0.5) * h / v.size).astype(np.int64)
        columns = ((np.arange(u.size) + 0.5) * w / u.size).astype(np.int64)
        level = self.gray[rows][:, columns] / 255.0
        return np.repeat((self.black + (self.white - self.black) * level)[..., None], 3, axis=2)
