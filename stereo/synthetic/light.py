"""Light falling on surfaces: lamps with soft shadows, and a sky dimmed in corners."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stereo.synthetic.shapes import Array, Solid, Triple

_AO_RANGE_M = 0.8
_SHADOW_BATCH = 256


@dataclass(frozen=True, eq=False, slots=True)
class Lamp:
    """A glowing rectangle: window, ceiling panel."""

    centre_m: Sequence[float]
    """(3,) world, metres."""
    side_a_m: Sequence[float]
    """(3,) vector from the centre to the middle of one side, metres."""
    side_b_m: Sequence[float]
    """(3,) the same for the other side; the light leaves along a x b."""
    power: Sequence[float]
    """(3,) RGB radiance times area; 1 lights a white wall at 1 m to about 1/pi."""


@dataclass(frozen=True, eq=False, slots=True)
class Lighting:
    """Lamps, and the soft light that comes from everywhere."""

    lamps: tuple[Lamp, ...] = ()
    sky: Sequence[float] = (0.9, 0.9, 0.9)
    """(3,) ambient light on surfaces that look up."""
    ground: Sequence[float] = (0.7, 0.7, 0.7)
    """(3,) ambient light on surfaces that look down: bounced from the floor."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How finely a scene is baked."""

    texel_m: float = 0.0025
    """Size of a texel, metres."""
    light_m: float = 0.05
    """Spacing of the points where light is computed, metres."""
    light_points: int = 9
    """At least so many of them per side of a chart."""
    lamp_points: int = 6
    """Points per side of a lamp: soft shadows are sums of the square of this many."""
    sky_rays: int = 32
    """Rays per point that test how open the surroundings are."""


FAST = Quality(texel_m=0.008, light_m=0.12, light_points=4, lamp_points=2, sky_rays=12)
"""For tests at low resolution: a room bakes in two seconds."""


def light_on(
    solid: Solid, scene: Sequence[Solid], lighting: Lighting, quality: Quality
) -> list[Array]:
    """(h, w, 3) light falling on a coarse grid of each chart, shadows and crevices included."""
    least = quality.light_points if solid.casts_shadow else 4
    sizes = [
        [min(256, max(least, math.ceil(e / quality.light_m))) for e in extent]
        for extent in solid.charts_m()
    ]
    points, normals = [], []
    for chart, (width, height) in enumerate(sizes):
        a = (np.arange(width)[None, :] + 0.5) / width
        b = (np.arange(height)[:, None] + 0.5) / height
        point, normal = solid.chart_points(chart, a, b)
        points.append(np.stack([c.ravel() for c in solid.to_world(point)]))
        normals.append(np.stack([c.ravel() for c in solid.normal_to_world(normal)]))
    n = np.concatenate(normals, axis=1)
    p = np.concatenate(points, axis=1) + 2e-3 * n  # off the surface itself
    blockers = [s for s in scene if s.casts_shadow]
    light = np.zeros((p.shape[1], 3))
    for start in range(0, len(light), _SHADOW_BATCH):
        part = slice(start, start + _SHADOW_BATCH)
        here, facing = (p[0, part], p[1, part], p[2, part]), (n[0, part], n[1, part], n[2, part])
        light[part] = _ambient(here, facing, blockers, lighting, quality)
        for lamp in lighting.lamps:
            light[part] += _lamp_light(here, facing, lamp, blockers, quality)
    ends = np.cumsum([w * h for w, h in sizes])[:-1]
    split = np.split(light, ends)
    return [part.reshape(h, w, 3) for part, (w, h) in zip(split, sizes, strict=True)]


def _reach(solids: Sequence[Solid], centre: Array, reach_m: float) -> list[Solid]:
    """Solids whose bounding ball comes within ``reach_m`` of a point."""
    return [s for s in solids if math.dist(s.centre_m, centre.tolist()) <= s.radius_m + reach_m]


def _bounds(point: Triple) -> tuple[Array, float]:
    """A ball around the points."""
    low, high = (np.array([f(c) for c in point]) for f in (np.min, np.max))
    return (low + high) / 2, float(math.dist(low, high)) / 2


def _ambient(
    p: Triple, n: Triple, scene: Sequence[Solid], lighting: Lighting, quality: Quality
) -> Array:
    """Sky and ground light, dimmed by what stands close by."""
    centre, radius = _bounds(p)
    t, b = _tangents(n)
    weights = np.array([_hemisphere(k, quality.sky_rays) for k in range(quality.sky_rays)]).T
    dx, dy, dz = (
        t[k][:, None] * weights[0] + b[k][:, None] * weights[1] + n[k][:, None] * weights[2]
        for k in range(3)
    )
    origin = (p[0][:, None], p[1][:, None], p[2][:, None])
    distance = np.full(dx.shape, np.inf)
    for solid in _reach(scene, centre, radius + _AO_RANGE_M):
        distance = np.minimum(distance, solid.intersect(origin, (dx, dy, dz)))
    close = np.clip(1.0 - distance / _AO_RANGE_M, 0.0, 1.0)
    blocked = np.zeros(p[0].size)
    for k in range(quality.sky_rays):  # a fixed order of additions
        blocked += close[:, k] / quality.sky_rays
    upward = (1.0 - n[1]) / 2.0
    sky, ground = np.asarray(lighting.sky), np.asarray(lighting.ground)
    tint = ground + (sky - ground) * upward[:, None]
    # Squared, nearly: light that comes by way of a corner has been dimmed there too.
    return np.asarray(tint * ((1.0 - blocked) * (1.0 - 0.6 * blocked))[:, None])


def _tangents(n: Triple) -> tuple[Triple, Triple]:
    """Two unit vectors that are perpendicular to the normals and to each other."""
    steep = np.abs(n[1]) < 0.9
    hx, hy = np.where(steep, 0.0, 1.0), np.where(steep, 1.0, 0.0)  # anything not along the normal
    x, y, z = hy * n[2], -hx * n[2], hx * n[1] - hy * n[0]
    length = np.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    return (x, y, z), (n[1] * z - n[2] * y, n[2] * x - n[0] * z, n[0] * y - n[1] * x)


def _hemisphere(k: int, count: int) -> tuple[float, float, float]:
    """Direction k of ``count``, cosine weighted, on a golden spiral."""
    r2 = (k + 0.5) / count
    angle = k * math.pi * (3.0 - math.sqrt(5.0))
    return math.sqrt(r2) * math.cos(angle), math.sqrt(r2) * math.sin(angle), math.sqrt(1.0 - r2)


def _lamp_light(
    p: Triple, n: Triple, lamp: Lamp, scene: Sequence[Solid], quality: Quality
) -> Array:
    """Light of one lamp, summed over a grid of points on it."""
    c, a, b = (np.asarray(v, float) for v in (lamp.centre_m, lamp.side_a_m, lamp.side_b_m))
    out = np.cross(a, b)
    out /= math.sqrt(sum(out * out))
    steps = (2 * np.arange(quality.lamp_points) + 1) / quality.lamp_points - 1
    at = np.array([c + s * a + t * b for s in steps for t in steps])
    d = tuple(at[:, k] - p[k][:, None] for k in range(3))
    square = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    on = n[0][:, None] * d[0] + n[1][:, None] * d[1] + n[2][:, None] * d[2]
    off = -(out[0] * d[0] + out[1] * d[1] + out[2] * d[2])
    share = np.clip(on, 0, None) * np.clip(off, 0, None) / (square * square)
    if share.max() > 0:
        origin = tuple(x[:, None] for x in p)
        for solid in _between(scene, p, c, math.dist(a, -b)):
            share = np.where(solid.intersect(origin, d) < 0.999, 0.0, share)  # type: ignore[arg-type]
    total = np.zeros(p[0].size)
    for k in range(at.shape[0]):
        total += share[:, k]
    return np.asarray(total[:, None] / at.shape[0] * np.asarray(lamp.power))


def _between(scene: Sequence[Solid], p: Triple, lamp: Array, lamp_radius: float) -> list[Solid]:
    """Solids that may stand between the points and the lamp."""
    centre, radius = _bounds(p)
    way = lamp - centre
    found = []
    for solid in scene:
        v = np.asarray(solid.centre_m) - centre
        s = min(1.0, max(0.0, float(sum(v * way) / sum(way * way))))
        if math.dist(v, s * way) <= solid.radius_m + max(radius, lamp_radius):
            found.append(solid)
    return found
