"""Value noise from an integer hash: the same numbers on every machine and in every numpy.

``numpy.random`` may change its streams between versions and libm differs between processors, so
all randomness of the synthetic scenes comes from here: integer mixing, then IEEE + - * / only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_M32 = 0xFFFFFFFF


def hash01(ix: NDArray[Any], iy: NDArray[Any], seed: int) -> Array:
    """Uniform [0, 1) for each integer lattice point, broadcast; mixing as in "lowbias32"."""
    h = ix.astype(np.int64).astype(np.uint32) * np.uint32(0x8DA6B343)
    h = h ^ (iy.astype(np.int64).astype(np.uint32) * np.uint32(0xD8163841))
    h = h ^ np.uint32((seed * 0xCB1AB31F + 0x165667B1) & _M32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        h = (h ^ (h >> np.uint32(shift))) * np.uint32(factor)
    return (h ^ (h >> np.uint32(16))).astype(np.float64) * 2.0**-32


def pick(count: int, seed: int) -> Array:
    """(count,) uniform numbers in [0, 1)."""
    return hash01(np.arange(count), np.zeros(1), seed)


def normal(shape: tuple[int, ...], seed: int) -> Array:
    """Unit-variance, zero-mean noise: the sum of four uniforms (Irwin-Hall), within +-3.5 sigma."""
    index = np.arange(int(np.prod(shape)))
    total = np.zeros(index.size)
    for k in range(4):
        total += hash01(index, np.array(k), seed)
    return np.asarray((total - 2.0) * np.sqrt(3.0)).reshape(shape)


def _fade(x: Array) -> tuple[NDArray[np.int64], Array]:
    cell = np.floor(x)
    f = x - cell
    return cell.astype(np.int64), f * f * f * (f * (f * 6.0 - 15.0) + 10.0)


def value_noise(u: Array, v: Array, seed: int) -> Array:
    """Smooth noise in [0, 1] with one lattice cell per unit; ``u`` and ``v`` broadcast."""
    iu, fu = _fade(u)
    iv, fv = _fade(v)
    if u.shape[:1] == (1,) and v.shape[1:] == (1,):  # a regular grid: interpolate separably
        columns = np.arange(iu.min(), iu.max() + 2)
        rows = np.arange(iv.min(), iv.max() + 2)
        lattice = hash01(columns[None, :], rows[:, None], seed)
        iv = iv[:, 0] - rows[0]
        iu = iu[0] - columns[0]
        bands = lattice[iv] + (lattice[iv + 1] - lattice[iv]) * fv
        near = bands[:, iu]
        return np.asarray(near + (bands[:, iu + 1] - near) * fu)
    top = hash01(iu, iv, seed)
    top = top + (hash01(iu + 1, iv, seed) - top) * fu
    low = hash01(iu, iv + 1, seed)
    low = low + (hash01(iu + 1, iv + 1, seed) - low) * fu
    return np.asarray(top + (low - top) * fv)


def fbm(u: Array, v: Array, seed: int, octaves: int = 4) -> Array:
    """Fractal noise in [0, 1]: ``octaves`` of value noise, each half as large and twice as fine."""
    total = np.zeros(np.broadcast_shapes(u.shape, v.shape))
    weight, scale = 1.0, 1.0
    for k in range(octaves):
        total += weight * value_noise(u * scale + 17.3 * k, v * scale - 9.1 * k, seed + 101 * k)
        weight *= 0.5
        scale *= 2.0
    return np.asarray(total / (2.0 - 2.0 * weight))
