"""From light to pixels as a small camera would give them: shading, exposure, noise, tone curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stereo.synthetic.noise import normal

Array = NDArray[np.float64]
_FULL_SCALE = 4095


@dataclass(frozen=True, slots=True)
class Sensor:
    """A 12-bit sensor followed by a gamma curve to 8 bits."""

    gain: float = 1.0
    """Exposure: radiance 1 becomes this share of full scale."""
    vignetting: float = 0.3
    """Share of light lost in the corners."""
    full_well: float = 16000.0
    """Electrons at full scale: their square root is the shot noise."""
    read_noise: float = 5.0
    """Electrons, one standard deviation; with ``full_well`` infinite there is no noise at all."""
    softness: float = 0.07
    """Share of light a lens spills on each of the neighbours, per axis."""

    def expose(self, radiance: NDArray[np.floating[Any]], *, seed: int) -> NDArray[np.uint8]:
        """(H, W, C) uint8 picture of (H, W, C) linear light; ``seed`` chooses the noise."""
        light = self._through_lens(np.asarray(radiance, float)) * self.gain
        share = np.clip(light, 0.0, 4.0)
        if np.isfinite(self.full_well):
            electrons = share * self.full_well
            spread = np.sqrt(electrons + self.read_noise**2)
            share = (electrons + spread * normal(radiance.shape, seed)) / self.full_well
        counts = np.clip(np.rint(share * _FULL_SCALE), 0, _FULL_SCALE)
        return _TONE[counts.astype(np.int64)]

    def _through_lens(self, light: Array) -> Array:
        for axis in (0, 1):
            wide = np.pad(light, [(1, 1) if k == axis else (0, 0) for k in range(3)], mode="edge")
            wide = np.moveaxis(wide, axis, 0)
            spilled = self.softness * (wide[:-2] + wide[2:]) + (1 - 2 * self.softness) * wide[1:-1]
            light = np.moveaxis(spilled, 0, axis)
        height, width = light.shape[:2]
        y = (2 * np.arange(height)[:, None] + 1) / height - 1
        x = (2 * np.arange(width)[None, :] + 1) / width - 1
        return np.asarray(
            light * (1.0 - self.vignetting * (0.64 * x * x + 0.36 * y * y))[..., None]
        )


def _tone_curve() -> NDArray[np.uint8]:
    """SRGB with a gentle shoulder, so that bright walls keep their shading."""
    x = np.arange(_FULL_SCALE + 1) / _FULL_SCALE
    x = x * 1.35 / (1.0 + 0.35 * x)
    srgb = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(np.clip(srgb, 0, 1) * 255), np.uint8)


_TONE: NDArray[np.uint8] = _tone_curve()
