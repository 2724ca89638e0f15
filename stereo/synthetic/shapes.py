"""Primitives a ray can meet: quad, box, ellipsoid, cylinder; each a placed and scaled unit shape.

A ray is taken into the shape's own unit frame, ``p = R^T (x - centre) / half``; the distance t
along it is the same in both frames. Each shape is covered by rectangular charts (a, b) in
[0, 1]^2 that carry its texture and light. Only IEEE-exact operations are used on arrays (no
BLAS, no libm), so that the result does not depend on the processor.
"""

from __future__ import annotations

# ruff: noqa: D102  (what each shape overrides is described in Solid)
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stereo.synthetic.textures import Texture

Array = NDArray[np.float64]
Triple = tuple[Array, Array, Array]

_NEAR = 1e-6
_INF = np.inf


def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Array:
    """(3, 3) rotation, radians: roll about z, then pitch about x, then yaw about y (y is down)."""
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    cr, sr = math.cos(roll), math.sin(roll)
    turn_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    turn_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    turn_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return matmul3(matmul3(turn_y, turn_x), turn_z)


def matmul3(a: Array, b: Array) -> Array:
    """Matrix product of 3x3 with 3x3 or (3,), in a fixed order of additions (no BLAS)."""
    b = np.asarray(b, float)
    return np.stack([a[i, 0] * b[0] + a[i, 1] * b[1] + a[i, 2] * b[2] for i in range(3)])


def rotate(R: Array, v: Triple) -> Triple:
    """Rotate vectors held as three component arrays."""
    x, y, z = v
    return (
        R[0, 0] * x + R[0, 1] * y + R[0, 2] * z,
        R[1, 0] * x + R[1, 1] * y + R[1, 2] * z,
        R[2, 0] * x + R[2, 1] * y + R[2, 2] * z,
    )


@dataclass(frozen=True, eq=False, slots=True)
class Solid:
    """A placed primitive: subclasses say what the unit shape is."""

    centre_m: Sequence[float]
    """(3,) world position, metres."""
    half_m: Sequence[float]
    """(3,) half extents along the shape's own axes, metres."""
    texture: Texture
    R_world_local: Array = field(default_factory=lambda: np.eye(3))
    """(3, 3) rotation from the shape's frame to the world."""
    glow: float = 0.0
    """Light given off, as a multiple of the texture; lampshades and windows."""
    texel_m: float | None = None
    """Size of a texel, metres; None: the scene's."""
    casts_shadow: bool = True
    """False for crowds of small things, as books on a shelf, to keep baking quick."""

    @property
    def radius_m(self) -> float:
        """Radius of a sphere about the centre that holds the shape, metres."""
        return math.sqrt(sum(h * h for h in self.half_m))

    def to_local(self, origin: Triple, direction: Triple) -> tuple[Triple, Triple]:
        """Origin and direction of rays in the unit frame."""
        c, h, inverse = self.centre_m, self.half_m, self.R_world_local.T
        ox, oy, oz = rotate(inverse, (origin[0] - c[0], origin[1] - c[1], origin[2] - c[2]))
        dx, dy, dz = rotate(inverse, direction)
        return (ox / h[0], oy / h[1], oz / h[2]), (dx / h[0], dy / h[1], dz / h[2])

    def to_world(self, unit: Triple) -> Triple:
        """World position of points of the unit frame."""
        c, h = self.centre_m, self.half_m
        x, y, z = rotate(self.R_world_local, (unit[0] * h[0], unit[1] * h[1], unit[2] * h[2]))
        return x + c[0], y + c[1], z + c[2]

    def normal_to_world(self, unit_normal: Triple) -> Triple:
        """World unit normals (a normal scales inversely)."""
        h = self.half_m
        x, y, z = unit_normal[0] / h[0], unit_normal[1] / h[1], unit_normal[2] / h[2]
        length = np.sqrt(x * x + y * y + z * z)
        return rotate(self.R_world_local, (x / length, y / length, z / length))

    def intersect(self, origin: Triple, direction: Triple) -> Array:
        """Distance along each ray to the first hit; inf where there is none."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return self._meet(*self.to_local(origin, direction))

    def _meet(self, o: Triple, d: Triple) -> Array:
        raise NotImplementedError

    def charts_m(self) -> list[tuple[float, float]]:
        """Extent (along a, along b) of each chart, metres."""
        raise NotImplementedError

    def locate(self, p: Triple) -> tuple[NDArray[np.int64], Array, Array, Triple]:
        """Chart, a, b and unit-frame normal of points on the unit surface."""
        raise NotImplementedError

    def chart_points(self, chart: int, a: Array, b: Array) -> tuple[Triple, Triple]:
        """Unit-frame points and normals of chart coordinates, the inverse of ``locate``."""
        raise NotImplementedError

    def chart_axes_m(self, chart: int, a: Array, b: Array) -> tuple[Array, Array]:
        """Texture coordinates in metres from the chart's centre."""
        width, height = self.charts_m()[chart]
        return (a - 0.5) * width, (b - 0.5) * height


class Quad(Solid):
    """A rectangle in its own x-y plane, seen from both sides; ``half_m[2]`` must be positive."""

    __slots__ = ()

    def _meet(self, o: Triple, d: Triple) -> Array:
        t = -o[2] / d[2]
        hit = (np.abs(o[0] + t * d[0]) <= 1.0) & (np.abs(o[1] + t * d[1]) <= 1.0) & (t > _NEAR)
        return np.where(hit, t, _INF)

    def charts_m(self) -> list[tuple[float, float]]:
        return [(2 * self.half_m[0], 2 * self.half_m[1])]

    def locate(self, p: Triple) -> tuple[NDArray[np.int64], Array, Array, Triple]:
        zero = np.zeros_like(p[0])
        normal = (zero, zero, zero - 1.0)
        return zero.astype(np.int64), (p[0] + 1.0) / 2.0, (p[1] + 1.0) / 2.0, normal

    def chart_points(self, chart: int, a: Array, b: Array) -> tuple[Triple, Triple]:
        zero = np.zeros(np.broadcast_shapes(a.shape, b.shape))
        return (2 * a - 1 + zero, 2 * b - 1 + zero, zero), (zero, zero, zero - 1.0)


class Box(Solid):
    """A block; charts -x, +x, -y (top), +y, -z (front), +z."""

    __slots__ = ()
    _AXES = ((2, 1), (0, 2), (0, 1))  # chart axes (a, b) of the faces across x, y, z

    def _meet(self, o: Triple, d: Triple) -> Array:
        near, far = np.array(-_INF), np.array(_INF)
        for k in range(3):
            t0, t1 = (-1.0 - o[k]) / d[k], (1.0 - o[k]) / d[k]
            near = np.fmax(near, np.fmin(t0, t1))  # fmin, fmax: 0/0 of a grazing ray counts not
            far = np.fmin(far, np.fmax(t0, t1))
        t = np.where(near > _NEAR, near, far)
        return np.where((near <= far) & (t > _NEAR), t, _INF)

    def charts_m(self) -> list[tuple[float, float]]:
        return [(2 * self.half_m[a], 2 * self.half_m[b]) for a, b in self._AXES for _ in (0, 1)]

    def locate(self, p: Triple) -> tuple[NDArray[np.int64], Array, Array, Triple]:
        stack = np.stack(p)
        axis = np.argmax(np.abs(stack), axis=0)
        pick = np.arange(stack.shape[1])
        positive = stack[axis, pick] > 0
        first, second = np.array(self._AXES).T
        a, b = stack[first[axis], pick], stack[second[axis], pick]
        sign = np.where(positive, 1.0, -1.0)
        normal = tuple(np.where(axis == k, sign, 0.0) for k in range(3))
        return 2 * axis + positive, (a + 1) / 2, (b + 1) / 2, normal  # type: ignore[return-value]

    def chart_points(self, chart: int, a: Array, b: Array) -> tuple[Triple, Triple]:
        zero = np.zeros(np.broadcast_shapes(a.shape, b.shape))
        axis, sign = chart // 2, 2.0 * (chart % 2) - 1.0
        first, second = self._AXES[axis]
        point, normal = [zero, zero, zero], [zero, zero, zero]
        point[axis], normal[axis] = zero + sign, zero + sign
        point[first], point[second] = 2 * a - 1 + zero, 2 * b - 1 + zero
        return (point[0], point[1], point[2]), (normal[0], normal[1], normal[2])


class Ellipsoid(Solid):
    """A ball stretched to ``half_m``; one octahedral chart (no trigonometry, even texels)."""

    __slots__ = ()

    def _meet(self, o: Triple, d: Triple) -> Array:
        a = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
        b = o[0] * d[0] + o[1] * d[1] + o[2] * d[2]
        c = o[0] * o[0] + o[1] * o[1] + o[2] * o[2] - 1.0
        root = np.sqrt(b * b - a * c)  # NaN where the ray misses: compares False below
        near, far = (-b - root) / a, (-b + root) / a
        t = np.where(near > _NEAR, near, far)
        return np.where(t > _NEAR, t, _INF)

    def charts_m(self) -> list[tuple[float, float]]:
        around = 1.6 * (self.half_m[0] + self.half_m[2])
        return [(around, around)]

    def locate(self, p: Triple) -> tuple[NDArray[np.int64], Array, Array, Triple]:
        norm = np.abs(p[0]) + np.abs(p[1]) + np.abs(p[2])
        x, y, z = p[0] / norm, p[1] / norm, p[2] / norm
        # +z (the far side) is folded outwards, so that no seam faces the camera.
        a = np.where(z > 0, np.where(x >= 0, 1 - np.abs(y), np.abs(y) - 1), x)
        b = np.where(z > 0, np.where(y >= 0, 1 - np.abs(x), np.abs(x) - 1), y)
        return np.zeros(x.shape, np.int64), (a + 1) / 2, (b + 1) / 2, p

    def chart_points(self, chart: int, a: Array, b: Array) -> tuple[Triple, Triple]:
        zero = np.zeros(np.broadcast_shapes(a.shape, b.shape))
        x, y = 2 * a - 1 + zero, 2 * b - 1 + zero
        z = np.abs(x) + np.abs(y) - 1
        fold_x = np.where(x >= 0, 1 - np.abs(y), np.abs(y) - 1)
        fold_y = np.where(y >= 0, 1 - np.abs(x), np.abs(x) - 1)
        x, y = np.where(z > 0, fold_x, x), np.where(z > 0, fold_y, y)
        length = np.sqrt(x * x + y * y + z * z)
        point = (x / length, y / length, z / length)
        return point, point


class Cylinder(Solid):
    """An upright cylinder along its own y, with caps; charts: mantle, top (-y), bottom."""

    __slots__ = ()

    def _meet(self, o: Triple, d: Triple) -> Array:
        a = d[0] * d[0] + d[2] * d[2]
        b = o[0] * d[0] + o[2] * d[2]
        c = o[0] * o[0] + o[2] * o[2] - 1.0
        root = np.sqrt(b * b - a * c)
        best = np.full(np.broadcast_shapes(a.shape, c.shape), _INF)
        for t in ((-b - root) / a, (-b + root) / a):
            hit = (np.abs(o[1] + t * d[1]) <= 1.0) & (t > _NEAR) & (t < best)
            best = np.where(hit, t, best)
        for side in (-1.0, 1.0):
            t = (side - o[1]) / d[1]
            x, z = o[0] + t * d[0], o[2] + t * d[2]
            best = np.where((x * x + z * z <= 1.0) & (t > _NEAR) & (t < best), t, best)
        return best

    def charts_m(self) -> list[tuple[float, float]]:
        x, y, z = self.half_m
        return [(math.pi * (x + z), 2 * y), (2 * x, 2 * z), (2 * x, 2 * z)]

    def locate(self, p: Triple) -> tuple[NDArray[np.int64], Array, Array, Triple]:
        x, y, z = p
        cap = np.abs(y) > np.sqrt(x * x + z * z)
        chart = np.where(cap, np.where(y < 0, 1, 2), 0)
        norm = np.abs(x) + np.abs(z) + 1e-300
        angle = np.where(x >= 0, 1.0, -1.0) * (1 + z / norm)  # diamond angle from -z, in [-2, 2]
        a = np.where(cap, (x + 1) / 2, (angle + 2) / 4)
        b = np.where(cap, (z + 1) / 2, (y + 1) / 2)
        zero = np.zeros_like(x)
        normal = (np.where(cap, zero, x), np.where(cap, np.sign(y), zero), np.where(cap, zero, z))
        return chart, a, b, normal

    def chart_points(self, chart: int, a: Array, b: Array) -> tuple[Triple, Triple]:
        zero = np.zeros(np.broadcast_shapes(a.shape, b.shape))
        if chart > 0:
            side = -1.0 if chart == 1 else 1.0
            return (2 * a - 1 + zero, zero + side, 2 * b - 1 + zero), (zero, zero + side, zero)
        angle = 4 * a - 2 + zero  # 0 faces -z, the camera; the seam is behind
        x = np.where(np.abs(angle) <= 1, angle, np.sign(angle) * (2 - np.abs(angle)))
        z = np.abs(angle) - 1
        length = np.sqrt(x * x + z * z)
        normal = (x / length, zero, z / length)
        return (normal[0], 2 * b - 1 + zero, normal[2]), normal
