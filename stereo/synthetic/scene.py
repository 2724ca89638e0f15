"""A lit scene: solids whose texture and light are baked once into mip-mapped texels.

Every surface is Lambertian and every lamp stands still, so light leaving a point is the same in
every direction: it is computed once, when a solid is first seen, and a camera only looks it up.
That makes images cheap, and left and right agree exactly on what they see.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from stereo.synthetic.light import Lighting, Quality, light_on
from stereo.synthetic.shapes import Array, Solid

_DEEPEST = 6


@dataclass(frozen=True, eq=False, slots=True)
class BakedSolid:
    """A solid and the light that leaves it, as one pyramid of texels per chart."""

    solid: Solid
    texels: NDArray[np.float32]
    """(T, 3) linear RGB of all levels of all charts, one after another."""
    first: NDArray[np.int64]
    """(charts, levels) index of the level's first texel."""
    columns: NDArray[np.int64]
    """(charts, levels) width of the level, texels."""
    rows: NDArray[np.int64]
    """(charts, levels) height of the level, texels."""
    texel_m: Array
    """(charts,) mean size of a texel of the finest level, metres."""


class LitSolid:
    """A solid in its light; baked when it is first looked at, so that depth alone costs nothing."""

    def __init__(self, solid: Solid, bake: Callable[[], BakedSolid]) -> None:
        self.solid = solid
        self._bake = bake
        self._baked: BakedSolid | None = None
        self._lock = Lock()

    def baked(self) -> BakedSolid:
        """Texels of the solid; the same at whatever moment it is asked."""
        with self._lock:
            if self._baked is None:
                self._baked = self._bake()
            return self._baked

    def moved(self, centre_m: Sequence[float]) -> LitSolid:
        """The same thing elsewhere, in the light that it has here."""
        there = replace(self.solid, centre_m=centre_m)
        return LitSolid(there, lambda: replace(self.baked(), solid=there))


@dataclass(frozen=True, eq=False, slots=True)
class Scene:
    """Solids in their light, ready to be looked at."""

    things: tuple[LitSolid, ...]
    lighting: Lighting
    quality: Quality
    centres_m: Array = field(init=False, repr=False)
    """(things, 3) of the balls that hold them, metres."""
    radii_m: Array = field(init=False, repr=False)
    """(things,) of the same, metres."""

    def __post_init__(self) -> None:
        solids = [thing.solid for thing in self.things]
        centres = np.array([solid.centre_m for solid in solids], float).reshape(-1, 3)
        object.__setattr__(self, "centres_m", centres)
        object.__setattr__(self, "radii_m", np.array([solid.radius_m for solid in solids]))

    @classmethod
    def build(
        cls, solids: Iterable[Solid], lighting: Lighting, *, quality: Quality | None = None
    ) -> Scene:
        """Put ``solids`` under ``lighting``."""
        return cls((), lighting, quality or Quality()).with_solids(solids)

    def with_solids(self, solids: Iterable[Solid], *, lighting: Lighting | None = None) -> Scene:
        """The scene with more in it, lit by ``lighting`` or the scene's own.

        What stands already keeps the light it has: the new solids cast no shadow on it.
        """
        solids = tuple(solids)
        around = tuple(thing.solid for thing in self.things) + solids
        light = lighting or self.lighting
        added = tuple(
            LitSolid(solid, partial(_bake, solid, around, light, self.quality)) for solid in solids
        )
        return Scene(self.things + added, self.lighting, self.quality)


def _bake(solid: Solid, scene: Sequence[Solid], lighting: Lighting, quality: Quality) -> BakedSolid:
    charts = enumerate(
        zip(solid.charts_m(), light_on(solid, scene, lighting, quality), strict=True)
    )
    pyramids = [_pyramid(light, extent, quality, solid, k) for k, (extent, light) in charts]
    depth = max(len(p) for p in pyramids)
    levels = [p + [p[-1]] * (depth - len(p)) for p in pyramids]  # repeat the coarsest
    flat, first, start = [], np.zeros((len(levels), depth), np.int64), 0
    for c, pyramid in enumerate(levels):
        for k, level in enumerate(pyramid):
            first[c, k] = start
            flat.append(level.reshape(-1, 3))
            start += flat[-1].shape[0]
    columns = np.array([[level.shape[1] for level in p] for p in levels])
    rows = np.array([[level.shape[0] for level in p] for p in levels])
    extents = np.array(solid.charts_m())
    texel = np.sqrt(extents[:, 0] / columns[:, 0] * extents[:, 1] / rows[:, 0])
    return BakedSolid(solid, np.concatenate(flat).astype(np.float32), first, columns, rows, texel)


def _pyramid(
    light: Array, extent: tuple[float, float], quality: Quality, solid: Solid, chart: int
) -> list[Array]:
    """Texture times light at the finest level, then halved and halved again."""
    texel = solid.texel_m or quality.texel_m
    size = [max(4, math.ceil(e / texel)) for e in extent]
    depth = min(_DEEPEST, int(math.log2(min(size))) - 1)
    block = 2 ** (depth - 1)
    width, height = (block * math.ceil(s / block) for s in size)
    a = (np.arange(width)[None, :] + 0.5) / width
    b = (np.arange(height)[:, None] + 0.5) / height
    albedo = solid.texture(*solid.chart_axes_m(chart, a, b), chart)
    level = albedo * (_upsample(light, height, width) + solid.glow)
    pyramid = [level]
    for _ in range(depth - 1):
        level = (level[::2, ::2] + level[1::2, ::2] + level[::2, 1::2] + level[1::2, 1::2]) / 4
        pyramid.append(level)
    return pyramid


def _upsample(grid: Array, height: int, width: int) -> Array:
    """Bilinear, by rows then by columns, clamped at the rim."""
    for axis, size in ((0, height), (1, width)):
        grid = np.moveaxis(grid, axis, 0)
        at = np.clip((np.arange(size) + 0.5) * grid.shape[0] / size - 0.5, 0, grid.shape[0] - 1)
        low = np.minimum(at.astype(np.int64), max(grid.shape[0] - 2, 0))
        high = np.minimum(low + 1, grid.shape[0] - 1)
        weight = (at - low)[:, None, None]
        grid = np.moveaxis(grid[low] + (grid[high] - grid[low]) * weight, 0, axis)
    return grid
