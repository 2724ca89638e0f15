"""``native/src/register.cpp`` in numpy, to the last bit: for where no compiler built it, and tests.

Every line stands for the one there; float32 throughout.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stereo.frame import Float

_F = np.float32
_FARTHEST_PX = _F(1e5)
Index = NDArray[np.int32]
Packed = NDArray[np.uint64]


def register_depth(
    depth: Float,
    sigma: Float,
    pinhole: Float,
    size: tuple[int, int],
    other: Float,
    motion: Float,
    pixels: Float,
    rules: Float,
    threads: int = 1,
) -> tuple[Float, Float, Index]:
    """Return depth, sigma and source index (-1: none) as ``stereo.register`` wants them.

    ``pinhole`` is focal, cx, cy of the measured map; ``other`` fx, fy, cx, cy of the camera and
    first x, first y and cells per unit of its lens table ``pixels``; ``motion`` R and t; ``rules``
    as ``FacetRules`` in native/src/register.hpp.
    """
    with np.errstate(all="ignore"):
        u, v, near, scale = _moved(depth, pinhole, other, motion, pixels)
        facets = _facets(u, v, near, scale, pinhole, other, motion, rules)
        drawn = _drawn(u, v, near, facets, size, rules)
        return _finished(drawn, depth, sigma, motion[11], _F(rules[1] / rules[0]))


def _rays(shape: tuple[int, ...], pinhole: Float) -> tuple[Float, Float]:
    focal, cx, cy = pinhole
    ray_x = (np.arange(shape[1], dtype=_F) - cx) / focal
    return ray_x, ((np.arange(shape[0], dtype=_F) - cy) / focal)[:, None]


def _moved(
    Z: Float, pinhole: Float, other: Float, motion: Float, pixels: Float
) -> tuple[Float, Float, Float, Float]:
    """Pixel, 1/Z and Z here by Z there of each measured pixel; 0 where it is not seen."""
    R, t = motion[:9], motion[9:]
    ray_x, ray_y = _rays(Z.shape, pinhole)
    first_x, first_y, per_step = other[4:]
    away = Z * (R[6] * ray_x + (R[7] * ray_y + R[8])) + t[2]
    near = _F(1) / away
    column = ((Z * (R[0] * ray_x + (R[1] * ray_y + R[2])) + t[0]) * near - first_x) * per_step
    row = ((Z * (R[3] * ray_x + (R[4] * ray_y + R[5])) + t[1]) * near - first_y) * per_step
    rows, columns = pixels.shape[:2]
    seen = (away > _F(1e-3)) & (column >= 0) & (column < columns - 1)
    seen &= (row >= 0) & (row < rows - 1)
    i, j = (np.where(seen, n, 0).astype(np.int64) for n in (column, row))
    right, down = (column - i.astype(_F))[..., None], (row - j.astype(_F))[..., None]
    left = pixels[j, i] + (pixels[j + 1, i] - pixels[j, i]) * down
    other_side = pixels[j, i + 1] + (pixels[j + 1, i + 1] - pixels[j, i + 1]) * down
    at = left + (other_side - left) * right
    seen &= (np.abs(at) < _FARTHEST_PX).all(axis=-1)
    planes = (at[..., 0], at[..., 1], near, Z * near)
    u, v, near, scale = (np.where(seen, plane, _F(0)) for plane in planes)
    return u, v, near, scale


def _facets(
    u: Float, v: Float, near: Float, scale: Float, *cameras: Float
) -> tuple[NDArray[np.bool_], list[Float]]:
    """Which pixels are drawn; su sv tu tv near_u near_v reach_u reach_v of each."""
    pinhole, other, motion, rules = cameras
    R = motion[:9]
    limit = _F(rules[1] / rules[0])
    fx, fy, cx, cy = other[:4]
    tx, ty = (u - cx) * (_F(1) / fx), (v - cy) * (_F(1) / fy)
    su, sv = (fx / pinhole[0]) * scale, (fy / pinhole[0]) * scale
    ux0, uy0 = su * (R[0] - tx * R[6]), su * (R[1] - tx * R[7])
    vx0, vy0 = sv * (R[3] - ty * R[6]), sv * (R[4] - ty * R[7])
    (ux, vx, wx), (uy, vy, wy) = (
        _slopes((u, v, near), axis, limit, alone)
        for axis, alone in ((1, (ux0, vx0)), (0, (uy0, vy0)))
    )
    turn, facing = ux * vy - uy * vx, ux0 * vy0 - uy0 * vx0
    inverse = _F(1) / turn
    drawn = (near > 0) & (turn > rules[4] * facing)
    half, largest = rules[2:4]
    reach_u = np.minimum(half * (np.abs(ux) + np.abs(uy)), largest)
    reach_v = np.minimum(half * (np.abs(vx) + np.abs(vy)), largest)
    near_u, near_v = (wx * vy - wy * vx) * inverse, (wy * ux - wx * uy) * inverse
    edges = [vy * inverse, -uy * inverse, -vx * inverse, ux * inverse]
    return drawn, [*edges, near_u, near_v, reach_u, reach_v]


def _slopes(
    planes: tuple[Float, Float, Float], axis: int, limit: np.float32, alone: tuple[Float, Float]
) -> list[Float]:
    """Step from pixel to pixel along an axis, of u, v and 1/Z."""
    rim = [(1, 1) if k == axis else (0, 0) for k in (0, 1)]
    width = planes[0].shape[axis]

    def beside(plane: Float) -> tuple[Float, Float]:
        wide = np.pad(plane, rim)
        return wide.take(range(width), axis), wide.take(range(2, width + 2), axis)

    here = planes[2]
    before, after = beside(here)
    leads = (before > 0) & (np.abs(here - before) <= limit)
    follows = (after > 0) & (np.abs(here - after) <= limit)
    slopes = []
    for plane, single in zip(planes, (*alone, np.zeros_like(here)), strict=True):
        before, after = beside(plane)
        forward, backward = after - plane, plane - before
        one = np.where(follows, forward, np.where(leads, backward, single))
        two = np.where(leads, backward, np.where(follows, forward, single))
        slopes.append((one + two) * _F(0.5))
    return slopes


def _drawn(
    u: Float,
    v: Float,
    near: Float,
    facets: tuple[NDArray[np.bool_], list[Float]],
    size: tuple[int, int],
    rules: Float,
) -> Packed:
    """(H, W) 1/Z of the nearest facet above the index of its pixel; 0: none."""
    (width, height), half = size, rules[2]
    index = np.flatnonzero(facets[0])
    u, v, near = (plane.ravel()[index] for plane in (u, v, near))
    su, sv, tu, tv, near_u, near_v, reach_u, reach_v = (p.ravel()[index] for p in facets[1])
    first = np.maximum(np.ceil(u - reach_u), 0).astype(np.int64)
    last = np.minimum(np.floor(u + reach_u), width - 1).astype(np.int64)
    first_row = np.maximum(np.ceil(v - reach_v), 0).astype(np.int64)
    last_row = np.minimum(np.floor(v + reach_v), height - 1).astype(np.int64)
    drawn = np.zeros(height * width, np.uint64)
    columns, rows = (
        int((end - start).max(initial=-1)) + 1
        for start, end in ((first, last), (first_row, last_row))
    )
    for j in range(rows):
        for i in range(columns):
            column, row = first + i, first_row + j
            du, dv = column.astype(_F) - u, row.astype(_F) - v
            s, t = su * du + sv * dv, tu * du + tv * dv
            there = near + (near_u * du + near_v * dv)
            hit = (column <= last) & (row <= last_row) & (there > 0)
            hit &= (np.abs(s) <= half) & (np.abs(t) <= half)
            at = (row * width + column)[hit]
            np.maximum.at(drawn, at, _packed(there[hit], index[hit]))
    return drawn.reshape(height, width)


def _packed(near: Float, index: NDArray[np.integer]) -> Packed:
    bits = np.ascontiguousarray(near, _F).view(np.uint32).astype(np.uint64)
    return (bits << np.uint64(32)) | index.astype(np.uint64)


def _near_of(drawn: Packed) -> Float:
    return (drawn >> np.uint64(32)).astype(np.uint32).view(_F)


def _across(here: Packed, one: Packed, two: Packed, limit: np.float32) -> Packed:
    """What opposite neighbours say of a pixel: 0, or the surface that hides it."""
    first, second = _near_of(one), _near_of(two)
    said = (one > 0) & (two > 0) & (np.abs(first - second) <= limit)
    said &= (here == 0) | (np.minimum(first, second) - _near_of(here) > limit)
    mean = _packed((first + second) * _F(0.5), one & np.uint64(0xFFFFFFFF))
    return np.where(said, mean, np.uint64(0))


def _finished(
    drawn: Packed, seen: Float, sigma: Float, shift_z: np.float32, limit: np.float32
) -> tuple[Float, Float, Index]:
    found = drawn.copy()
    inner = found[:, 1:-1]
    np.maximum(inner, _across(drawn[:, 1:-1], drawn[:, :-2], drawn[:, 2:], limit), out=inner)
    inner = found[1:-1]
    np.maximum(inner, _across(drawn[1:-1], drawn[:-2], drawn[2:], limit), out=inner)
    known = found > 0
    index = (found & np.uint64(0xFFFFFFFF)).astype(np.int64)
    depth = np.where(known, _F(1) / _near_of(found), _F(np.nan))
    source = np.where(known, index, -1).astype(np.int32)
    share = np.abs(depth - shift_z) / seen.ravel()[index]  # the error bar's share is kept
    return depth, np.where(known, sigma.ravel()[index] * share, _F(np.nan)), source
