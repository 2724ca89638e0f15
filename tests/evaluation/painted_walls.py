"""A painted wall seen by a rectified rig: exact geometry, known noise."""

from __future__ import annotations

import numpy as np

from stereo.frame import RectifiedPair, StereoGeometry
from stereo.synthetic.noise import fbm

SIZE = (320, 240)
GEOMETRY = StereoGeometry(350.0, 0.12, 159.5, 119.5)


def painted_wall(
    distance_m: float,
    *,
    yaw_deg: float = 0.0,
    noise: float = 0.0,
    seed: int = 0,
    blank: float = 0.0,
) -> tuple[RectifiedPair, np.ndarray]:
    """A pair that sees the wall ``n . X = distance_m``, and its true disparity, (H, W) px.

    ``noise`` is the sensor's, gray levels; the lowest share ``blank`` of the wall has no texture.
    """
    normal = np.array([np.sin(np.radians(yaw_deg)), 0.0, np.cos(np.radians(yaw_deg))])
    g = GEOMETRY
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    rays = np.stack(
        [(x - g.cx_px) / g.focal_px, (y - g.cy_px) / g.focal_px, np.ones(x.shape)], axis=-1
    )
    random = np.random.default_rng(seed)
    views = []
    for centre in (0.0, g.baseline_m):
        depth = (distance_m - normal[0] * centre) / (rays @ normal)
        points = rays * depth[..., None] + [centre, 0, 0]
        scale = 40 / distance_m  # so that texture is as fine in the image at any distance
        paint = 60 + 140 * fbm(points[..., 0] * scale, points[..., 1] * scale, 7)
        paint = np.where(points[..., 1] > (0.5 - blank) * 240 / 350 * distance_m, 128, paint)
        views.append(np.clip(paint + random.normal(0, noise, paint.shape), 0, 255).astype(np.uint8))
    truth = g.focal_px * g.baseline_m * (rays @ normal) / distance_m
    return RectifiedPair(*views), truth
