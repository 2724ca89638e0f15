"""Depth for a third camera: its error against rendered truth, and its time at 1280x720.

    python benchmarks/register.py

Wall time and processor time, by threads, best of thirty; the least that a busy computer allows.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.spatial.transform import Rotation

from calib import Camera, PlacedCamera
from stereo.frame import DepthFrame, StereoGeometry
from stereo.register import Registration
from stereo.synthetic import (
    FAST,
    ROOM_POSE,
    Pose,
    camera_rays,
    depth_along_axis,
    room_scene,
    truth_depth,
)

SIZE = (1280, 720)
GEOMETRY = StereoGeometry(700.0, 0.12, 639.5, 359.5)
NOISE_PX = 0.15


def main() -> None:
    scene = room_scene(quality=FAST)
    truth = truth_depth(scene, GEOMETRY.K, SIZE, ROOM_POSE).astype(np.float32)
    scale = np.float32(GEOMETRY.focal_px * GEOMETRY.baseline_m)
    noise = np.random.default_rng(0).normal(0, NOISE_PX, truth.shape).astype(np.float32)
    depth = scale / (scale / truth + noise)
    color = np.zeros((*truth.shape, 3), np.uint8)
    frame = DepthFrame(depth, depth * depth / scale * np.float32(NOISE_PX), color, GEOMETRY)
    K = np.array([[720.0, 0, 650], [0, 722, 350], [0, 0, 1]])
    camera = Camera("pinhole", SIZE, K, np.array([0.1, -0.2, 0.001, 0.0005, 0.05]))
    turn = Rotation.from_rotvec([0.01, 0.02, -0.015]).as_matrix()
    placed = PlacedCamera(camera, turn, np.array([-0.06, 0.002, 0.003]))
    R = ROOM_POSE.R_world_camera @ turn.T
    pose = Pose(R, ROOM_POSE.position_m - R @ placed.t_camera_left)
    there = depth_along_axis(scene, camera_rays(camera), pose)
    moving = Registration(placed)
    found = moving.apply(frame, color)
    error = float(np.nanmedian(np.abs(found.depth_m - there) / there))
    before = float(np.nanmedian(np.abs(depth - truth) / truth))
    known = np.isfinite(found.depth_m).mean()
    print(f"median error {error:.3%} of depth, {error / before:.3f} times that of the map before")
    print(f"{known:.1%} of the pixels known, bias {np.nanmedian(found.depth_m / there - 1):+.3%}")
    for threads in (1, 2):
        wall, work = [], []
        for _ in range(30):
            start = time.perf_counter(), time.process_time()
            moving.apply(frame, color, threads=threads)
            wall.append(time.perf_counter() - start[0])
            work.append(time.process_time() - start[1])
        print(
            f"{threads} threads: {1000 * min(wall):.1f} ms, median {1000 * np.median(wall):.1f}; "
            f"{1000 * min(work):.1f} ms of processor time"
        )


if __name__ == "__main__":
    main()
