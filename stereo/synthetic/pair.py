"""A stereo pair of a scene, with everything a test wants to know about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calib.rig import StereoRig
from stereo.synthetic.raycast import (
    Pose,
    camera_rays,
    depth_along_axis,
    see,
    seen_by_both,
)
from stereo.synthetic.scene import Scene
from stereo.synthetic.sensor import Sensor
from stereo.synthetic.shapes import Array

LEFT_SENSOR = Sensor(gain=1.25)
RIGHT_SENSOR = Sensor(gain=1.25 * 0.92, vignetting=0.34)
"""The right camera is a little darker, as two cameras of one kind are."""


@dataclass(frozen=True, eq=False, slots=True)
class RenderedPair:
    """Two raw images and the truth about the left one."""

    left: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    right: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    depth_left_m: NDArray[np.float32]
    """(H, W) metres along the optical axis of the raw left camera; NaN where nothing is."""
    visible: NDArray[np.bool_]
    """(H, W) True where the right camera sees the same surface point too."""
    textured: NDArray[np.bool_]
    """(H, W) True where the noise-free left image has horizontal contrast to match by."""


def render_pair(
    scene: Scene,
    rig: StereoRig,
    pose: Pose,
    *,
    samples: int = 2,
    seed: int = 0,
    sensors: tuple[Sensor, Sensor] = (LEFT_SENSOR, RIGHT_SENSOR),
) -> RenderedPair:
    """Photograph ``scene`` with ``rig``, whose left camera stands at ``pose``.

    ``samples`` per side of a pixel; ``seed`` chooses the noise; ``sensors`` are (left, right).
    A 320x240 pair at one sample takes half a second.
    """
    right_pose = pose.right_of(rig)
    views = []
    for camera, place in ((rig.left, pose), (rig.right, right_pose)):
        rays = camera_rays(camera, samples=samples)
        views.append(see(scene, rays, place, samples=samples, focal_px=float(camera.K[0, 0])))
    rays = camera_rays(rig.left)
    depth = depth_along_axis(scene, rays, pose)
    clean = replace(sensors[0], full_well=np.inf).expose(views[0], seed=0)
    return RenderedPair(
        left=sensors[0].expose(views[0], seed=2 * seed + 1),
        right=sensors[1].expose(views[1], seed=2 * seed + 2),
        depth_left_m=depth.astype(np.float32),
        visible=seen_by_both(scene, rays, depth, pose, rig.right, right_pose),
        textured=textured(clean),
    )


def textured(
    image: NDArray[np.uint8], *, window_px: int = 9, contrast: float = 2.0
) -> NDArray[np.bool_]:
    """(H, W) True where the RMS of the horizontal gray step over a window is >= ``contrast``.

    Vertical steps count not: they say nothing about disparity. ``contrast`` is in gray levels;
    meant for noise-free images.
    """
    gray = image.astype(np.int64).sum(axis=2)  # three times the gray level
    step = np.zeros_like(gray)
    step[:, 1:-1] = gray[:, 2:] - gray[:, :-2]  # over two pixels: six times the level per pixel
    half = window_px // 2
    square = np.pad(step * step, half, mode="edge")
    total = np.cumsum(np.cumsum(np.pad(square, ((1, 0), (1, 0))), axis=0), axis=1)
    w = 2 * half + 1
    window = total[w:, w:] - total[:-w, w:] - total[w:, :-w] + total[:-w, :-w]
    return np.asarray(window >= (6.0 * contrast) ** 2 * w * w)


def world_points(depth_m: Array, rays: Array, pose: Pose) -> Array:
    """(H, W, 3) world position of each pixel, from depth (H, W) and camera rays (H, W, 3)."""
    local = rays * (depth_m / rays[..., 2])[..., None]
    R = pose.R_world_camera
    x, y, z = local[..., 0], local[..., 1], local[..., 2]
    turned = [R[k, 0] * x + R[k, 1] * y + R[k, 2] * z for k in range(3)]
    return np.asarray(np.stack(turned, axis=-1) + pose.position_m)
