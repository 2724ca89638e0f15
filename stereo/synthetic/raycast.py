"""Looking at a scene: rays in, light and exact depth out.

Any camera that can say where its pixels look (``unproject``) can be rendered. Rays of one view
share an origin, so each tile of them is a thin cone that meets only a few solids.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.camera import Camera
from calib.rig import StereoRig
from stereo.synthetic.scene import BakedSolid, Scene
from stereo.synthetic.shapes import Array, Triple, matmul3, rotate

_TILE = 64
_CHUNK = 8192


@dataclass(frozen=True, eq=False, slots=True)
class Pose:
    """Where a camera stands: ``x_world = R x_camera + position``."""

    R_world_camera: Array
    """(3, 3) rotation."""
    position_m: Array
    """(3,) metres."""

    def right_of(self, rig: StereoRig) -> Pose:
        """Pose of the right camera when this is the pose of the left."""
        R_left_right = np.asarray(rig.R_right_left, float).T
        R = matmul3(self.R_world_camera, R_left_right)
        return Pose(R, self.position_m - matmul3(R, np.asarray(rig.t_right_left, float).ravel()))


@dataclass(frozen=True, eq=False, slots=True)
class Rendered:
    """What a perfect camera sees."""

    radiance: NDArray[np.float32]
    """(H, W, 3) linear RGB; about 1 for white paper in full light."""
    depth_m: Array
    """(H, W) metres along the optical axis, at the pixel's centre; NaN where no surface is."""


def camera_rays(
    camera: Camera, *, samples: int = 1, window: tuple[slice, slice] | None = None
) -> Array:
    """(H * samples, W * samples, 3) unit rays through the pixels, ``samples`` per side of each.

    ``window`` (rows, columns) asks for a part of the image only.
    """
    width, height = camera.size
    x = (np.arange(width * samples) + 0.5) / samples - 0.5
    y = (np.arange(height * samples) + 0.5) / samples - 0.5
    if window is not None:
        y, x = (
            axis[s.start * samples : s.stop * samples]
            for axis, s in zip((y, x), window, strict=True)
        )
    pixels = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1).reshape(-1, 2)
    rays = np.concatenate([_unit(camera.unproject(part)) for part in np.array_split(pixels, 32)])
    return rays.reshape(y.size, x.size, 3)


def pinhole_rays(K: Array, size: tuple[int, int]) -> Array:
    """(H, W, 3) unit rays of an ideal camera, one through the centre of each pixel."""
    x = (np.arange(size[0]) - K[0, 2]) / K[0, 0]
    y = (np.arange(size[1]) - K[1, 2]) / K[1, 1]
    grid = np.broadcast_arrays(x[None, :], y[:, None], np.ones((1, 1)))
    return _unit(np.stack(grid, axis=-1))


def _unit(v: Array) -> Array:
    return np.asarray(
        v
        / np.sqrt(v[..., 0:1] * v[..., 0:1] + v[..., 1:2] * v[..., 1:2] + v[..., 2:3] * v[..., 2:3])
    )


def render(
    scene: Scene, camera: Camera, pose: Pose, *, samples: int = 2, rays: Array | None = None
) -> Rendered:
    """See ``scene`` from ``pose``: antialiased light, and depth through the pixel centres.

    ``samples`` per side of a pixel; ``rays`` may hold ``camera_rays(camera, samples=samples)``
    when the same camera renders many poses.
    """
    fine = camera_rays(camera, samples=samples) if rays is None else rays
    if samples == 1:
        return look(scene, fine, pose, focal_px=float(camera.K[0, 0]))
    radiance = see(scene, fine, pose, samples=samples, focal_px=float(camera.K[0, 0]))
    return Rendered(radiance, depth_along_axis(scene, camera_rays(camera), pose))


def look(scene: Scene, rays: Array, pose: Pose, *, focal_px: float) -> Rendered:
    """See light and depth along a grid of camera-frame unit rays, one for each pixel."""
    image = np.zeros((*rays.shape[:2], 3), np.float32)
    depth = np.full(rays.shape[:2], np.nan)
    for tile in _tiles(rays.shape[0], rays.shape[1]):
        part = rays[tile].reshape(-1, 3)
        light, t = _shade(scene, part, pose, 1.0 / focal_px)
        image[tile] = light.reshape(image[tile].shape)
        along = np.where(np.isfinite(t), t * part[:, 2], np.nan)
        depth[tile] = along.reshape(depth[tile].shape)
    return Rendered(image, depth)


def see(
    scene: Scene, rays: Array, pose: Pose, *, samples: int, focal_px: float
) -> NDArray[np.float32]:
    """(H, W, 3) light arriving along a grid of camera-frame unit rays, averaged per pixel."""
    height, width = rays.shape[0] // samples, rays.shape[1] // samples
    image = np.zeros((height, width, 3), np.float32)

    def fill(tile: tuple[slice, slice]) -> None:
        ys, xs = (slice(s.start * samples, s.stop * samples) for s in tile)
        part = rays[ys, xs]
        light, _ = _shade(scene, part.reshape(-1, 3), pose, 1.0 / (focal_px * samples))
        light = light.reshape(*part.shape[:2], 3)
        total = np.zeros((part.shape[0] // samples, part.shape[1] // samples, 3))
        for dy in range(samples):  # a fixed order of additions
            for dx in range(samples):
                total += light[dy::samples, dx::samples]
        image[tile] = total / samples**2

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, _tiles(height, width)))
    return image


def depth_along_axis(scene: Scene, rays: Array, pose: Pose) -> Array:
    """(H, W) depth in metres along a grid of camera-frame unit rays; NaN where nothing is met."""
    depth = np.full(rays.shape[:2], np.nan)
    for tile in _tiles(rays.shape[0], rays.shape[1]):
        part = rays[tile].reshape(-1, 3)
        t, which = _first_hit(scene, _components(pose.R_world_camera, part), pose.position_m)
        depth[tile] = np.where(which >= 0, t * part[:, 2], np.nan).reshape(rays[tile].shape[:2])
    return depth


def truth_depth(
    scene: Scene, K: Array, size: tuple[int, int], pose: Pose, *, R_rect: Array | None = None
) -> Array:
    """(H, W) exact depth in metres of the ideal camera ``K`` at ``pose``.

    With ``R_rect`` (3, 3) (``x_rectified = R_rect x_camera``) it is the depth of the rectified
    camera that stands at ``pose``: what a stereo pipeline should measure.
    """
    if R_rect is not None:
        pose = Pose(matmul3(pose.R_world_camera, np.asarray(R_rect, float).T), pose.position_m)
    return depth_along_axis(scene, pinhole_rays(np.asarray(K, float), size), pose)


def visible_from(
    scene: Scene, points: Array, position_m: Array, *, slack_m: float = 2e-3
) -> NDArray[np.bool_]:
    """(N,) True where nothing stands between world ``points`` (N, 3) and a position."""
    seen = np.zeros(len(points), bool)
    for start in range(0, len(points), _CHUNK):
        offset = points[start : start + _CHUNK] - position_m
        known = np.isfinite(offset[:, 0])
        ray = np.where(known[:, None], offset, 1.0)
        length = np.sqrt(ray[:, 0] ** 2 + ray[:, 1] ** 2 + ray[:, 2] ** 2)
        t, _ = _first_hit(
            scene, (ray[:, 0] / length, ray[:, 1] / length, ray[:, 2] / length), position_m
        )
        seen[start : start + _CHUNK] = known & (t >= length - slack_m)
    return seen


def seen_by_both(
    scene: Scene, rays: Array, depth_m: Array, pose: Pose, right: Camera, right_pose: Pose
) -> NDArray[np.bool_]:
    """(H, W) True where the surface behind a left pixel is inside and visible in the right view."""
    points = (rays * (depth_m / rays[..., 2])[..., None]).reshape(-1, 3)
    world = np.stack(_components(pose.R_world_camera, points), axis=-1) + pose.position_m
    local = _components(right_pose.R_world_camera.T, world - right_pose.position_m)
    in_front = np.nan_to_num(local[2], nan=-1.0) > 1e-3
    pixels = np.full((len(points), 2), -1.0)
    pixels[in_front] = right.project(np.stack(local, axis=-1)[in_front])
    width, height = right.size
    inside = (pixels[:, 0] >= 0) & (pixels[:, 0] <= width - 1)
    inside &= (pixels[:, 1] >= 0) & (pixels[:, 1] <= height - 1)
    seen = np.zeros(len(points), bool)
    seen[inside] = visible_from(scene, world[inside], right_pose.position_m)
    return seen.reshape(depth_m.shape)


def _tiles(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    for y in range(0, height, _TILE):
        for x in range(0, width, _TILE):
            yield slice(y, min(y + _TILE, height)), slice(x, min(x + _TILE, width))


def _components(R: Array, vectors: Array) -> Triple:
    return rotate(R, (vectors[:, 0], vectors[:, 1], vectors[:, 2]))


def _candidates(scene: Scene, d: Triple, origin: Array) -> NDArray[np.int64]:
    """Solids whose bounding ball touches the cone around unit directions ``d``."""
    known = np.isfinite(d[0])  # a pixel no ray of the lens reaches has none
    if not known.any():
        return np.empty(0, np.int64)
    d = (d[0][known], d[1][known], d[2][known])
    axis = np.array([float(np.mean(c)) for c in d])
    axis /= np.sqrt(sum(axis * axis)) + 1e-12
    spread = np.arccos(np.clip((axis[0] * d[0] + axis[1] * d[1] + axis[2] * d[2]).min(), -1, 1))
    x, y, z = (scene.centres_m - origin).T
    distance = np.maximum(np.sqrt(x * x + y * y + z * z), scene.radii_m)  # within: half the sphere
    angle = np.arccos(np.clip((axis[0] * x + axis[1] * y + axis[2] * z) / distance, -1, 1))
    around = np.arcsin(scene.radii_m / distance)
    inside = distance <= scene.radii_m
    # conservative: never changes a hit
    return np.flatnonzero(inside | (angle <= spread + around + 1e-6))


def _first_hit(scene: Scene, d: Triple, origin: Array) -> tuple[Array, NDArray[np.int64]]:
    """Distance to, and index of, the first solid along each world ray; inf and -1 for none."""
    best = np.full(d[0].shape, np.inf)
    which = np.full(d[0].shape, -1)
    start: Triple = (origin[0], origin[1], origin[2])
    for k in _candidates(scene, d, origin):
        t = scene.things[k].solid.intersect(start, d)
        closer = t < best
        np.copyto(best, t, where=closer)
        which[closer] = k
    return best, which


def _shade(scene: Scene, rays: Array, pose: Pose, ray_angle: float) -> tuple[Array, Array]:
    """(N, 3) light and (N,) distance, inf where nothing is met, along camera-frame unit rays (N, 3)
    that are ``ray_angle`` radians wide.
    """
    d = _components(pose.R_world_camera, rays)
    t, which = _first_hit(scene, d, pose.position_m)
    light = np.zeros((len(rays), 3))
    for k in np.unique(which):
        if k >= 0:
            mine = np.flatnonzero(which == k)
            part = (d[0][mine], d[1][mine], d[2][mine])
            baked = scene.things[k].baked()
            light[mine] = _surface_light(baked, part, t[mine], pose.position_m, ray_angle)
    return light, t


def _surface_light(
    baked: BakedSolid, d: Triple, t: Array, origin: Array, ray_angle: float
) -> Array:
    solid = baked.solid
    o, e = solid.to_local((origin[0], origin[1], origin[2]), d)
    p = (o[0] + t * e[0], o[1] + t * e[1], o[2] + t * e[2])
    chart, a, b, normal = solid.locate(p)
    n = solid.normal_to_world(normal)
    cosine = np.abs(n[0] * d[0] + n[1] * d[1] + n[2] * d[2])
    # A grazing pixel covers a long strip; the geometric mean of its sides trades blur for jaggies.
    footprint = t * ray_angle / np.sqrt(np.maximum(cosine, 0.05)) / baked.texel_m[chart]
    mantissa, exponent = np.frexp(np.maximum(footprint, 1.0))
    level = np.minimum(exponent - 1 + (2.0 * mantissa - 1.0), baked.first.shape[1] - 1.0)
    coarse = level.astype(np.int64)
    near = _bilinear(baked, chart, coarse, a, b)
    far = _bilinear(baked, chart, np.minimum(coarse + 1, baked.first.shape[1] - 1), a, b)
    return np.asarray(near + (far - near) * (level - coarse)[:, None])


def _bilinear(
    baked: BakedSolid, chart: NDArray[np.int64], level: NDArray[np.int64], a: Array, b: Array
) -> Array:
    w, h = baked.columns[chart, level], baked.rows[chart, level]
    x, y = np.clip(a * w - 0.5, 0, w - 1), np.clip(b * h - 0.5, 0, h - 1)
    x0, y0 = np.minimum(x.astype(np.int64), w - 2), np.minimum(y.astype(np.int64), h - 2)
    fx, fy = (x - x0)[:, None], (y - y0)[:, None]
    at = baked.first[chart, level] + y0 * w + x0
    top = baked.texels[at]
    top = top + (baked.texels[at + 1] - top) * fx
    low = baked.texels[at + w]
    low = low + (baked.texels[at + w + 1] - low) * fx
    return np.asarray(top + (low - top) * fy)
