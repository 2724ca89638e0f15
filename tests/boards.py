"""Synthetic rigs that look at a board: corners with exact truth, and rendered images."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import AprilGrid, Board, parse_board
from calib.camera import Camera
from calib.detection.detection import Detection
from calib.page import render
from calib.rig import StereoRig
from calib.solving.calibration import View
from calib.solving.state import State, exp

Float = NDArray[np.float64]
BOARD = parse_board("chessboard:9x6:25mm")


def random_rig(rng: np.random.Generator, *, model: str = "pinhole") -> StereoRig:
    """Two similar cameras of 640x480, 6 to 15 cm apart."""
    cameras = []
    for _ in range(2):
        fisheye = model == "fisheye"
        f = rng.uniform(240, 300) if fisheye else rng.uniform(480, 900)
        K = np.array(
            [[f, 0, 319.5 + rng.normal(0, 8)], [0, f * 1.001, 239.5 + rng.normal(0, 8)], [0, 0, 1]]
        )
        d = (
            rng.normal(0, 0.01, 4)
            if fisheye
            else [rng.uniform(-0.3, 0.05), rng.uniform(-0.05, 0.15), *rng.normal(0, 5e-4, 2), 0.0]
        )
        cameras.append(Camera(model, (640, 480), K, np.array(d)))  # type: ignore[arg-type]
    R = exp(rng.normal(0, 0.02, (1, 3)))[0]
    t = np.array([-rng.uniform(0.06, 0.15), *rng.normal(0, 0.003, 2)])
    return StereoRig(cameras[0], cameras[1], R, t)


def random_poses(
    rng: np.random.Generator, rig: StereoRig, count: int, *, board: Board = BOARD, tilt: float = 0.5
) -> list[tuple[Float, Float]]:
    """Poses (R, t) of the board, wholly seen by both cameras."""
    middle = board.points.mean(axis=0)
    width = float(np.ptp(board.points[:, 0]))
    poses: list[tuple[Float, Float]] = []
    for _ in range(100_000):
        R = exp(np.array([[*rng.uniform(-tilt, tilt, 2), rng.uniform(-0.3, 0.3)]]))[0]
        f = rig.left.K[0, 0]
        z = width * f / rng.uniform(150, 330)
        xy = (rng.uniform([60, 60], [580, 420]) - [320, 240]) / f * z
        t = np.array([*xy, z]) - R @ middle
        pixels = project(rig, board.points @ R.T + t)
        if all(
            np.isfinite(p).all() and (p > 8).all() and (p < np.array([632, 472])).all()
            for p in pixels
        ):
            poses.append((R, t))
        if len(poses) == count:
            return poses
    raise AssertionError("no pose of the board is seen by both cameras")


def project(rig: StereoRig, points: Float) -> tuple[Float, Float]:
    return rig.left.project(points), rig.right.project(
        points @ rig.R_right_left.T + rig.t_right_left
    )


def synthetic_views(
    rng: np.random.Generator,
    rig: StereoRig,
    count: int = 15,
    *,
    noise_px: float = 0.15,
    board: Board = BOARD,
    tilt: float = 0.5,
    bent: Float | None = None,
) -> list[View]:
    """What a detector with Gaussian noise would find."""
    points = board.points if bent is None else bent
    ids = np.arange(len(board.points))
    views = []
    for i, (R, t) in enumerate(random_poses(rng, rig, count, board=board, tilt=tilt)):
        left, right = (
            Detection(p + rng.normal(0, noise_px, p.shape), ids, rig.left.size)
            for p in project(rig, points @ R.T + t)
        )
        views.append(View(f"view{i:02d}", left, right))
    return views


def truth_state(rig: StereoRig) -> State:
    """The truth as the solver writes its answer."""

    def values(c: Camera) -> Float:
        return np.r_[c.K[0, 0], c.K[1, 1], c.K[0, 2], c.K[1, 2], c.distortion]

    none = np.zeros((0, 3, 3))
    intrinsics = (values(rig.left), values(rig.right))
    return State(
        (rig.left.model, rig.right.model),
        intrinsics,
        rig.R_right_left,
        rig.t_right_left,
        none,
        none[:, 0],
        np.zeros(0),
    )


@lru_cache(maxsize=4)
def fine_rays(camera: Camera) -> Float:
    """Rays of an image of twice the size."""
    x, y = np.meshgrid(np.arange(1280.0), np.arange(960.0))
    return camera.scaled((1280, 960)).unproject(np.column_stack([x.ravel(), y.ravel()]))


def rendered(
    rig: StereoRig,
    R: Float,
    t: Float,
    *,
    board: Board = BOARD,
    background: int = 200,
    trim_m: float = 0.0,
) -> tuple[Any, Any]:
    """Both images of the board at a pose, through the lenses, anti-aliased.

    ``trim_m`` of the paper are cut off on each side; behind it lies ``background``.
    """
    art = board.artwork()
    scale = 900 / max(art.size_m)
    border = 60
    picture = render(art, scale, border_px=border)
    cut = round(trim_m * scale)
    if cut:
        whole = border + cut
        picture = np.ascontiguousarray(picture[whole:-whole, whole:-whole])
        border = -cut
    origin = board.square_m if board.kind == "chessboard" else 0.0
    if isinstance(board, AprilGrid):
        origin = board.gap * board.square_m
    if board.kind.endswith("circles"):
        origin = float(art.discs[0, 0] - board.points[0, 0])
    images = []
    for side, camera in enumerate((rig.left, rig.right)):
        rays = fine_rays(camera)
        turn, shift = (
            (R, t) if side == 0 else (rig.R_right_left @ R, rig.R_right_left @ t + rig.t_right_left)
        )
        # where each ray meets the board's plane z = 0
        o, d = -turn.T @ shift, rays @ turn
        with np.errstate(all="ignore"):
            at = o + d * (-o[2] / d[:, 2:])
        uv = np.nan_to_num((at[:, :2] + origin) * scale + border - 0.5, nan=-1e4)
        maps = [uv[:, i].reshape(960, 1280).astype(np.float32) for i in (0, 1)]
        fine = cv2.remap(picture, *maps, cv2.INTER_LINEAR, borderValue=background)
        image = cv2.resize(fine, (640, 480), interpolation=cv2.INTER_AREA)
        images.append(cv2.GaussianBlur(image, (0, 0), 0.6))
    return images[0], images[1]


@lru_cache(maxsize=16)
def seen(spec: str, seed: int = 3) -> tuple[Any, NDArray[np.float64]]:
    """A rendered left image and where the points truly are."""
    board = parse_board(spec)
    rng = np.random.default_rng(seed)
    rig = random_rig(rng)
    R, t = random_poses(rng, rig, 1, board=board, tilt=0.35)[0]
    left, _ = rendered(rig, R, t, board=board)
    return left, project(rig, board.points @ R.T + t)[0]
