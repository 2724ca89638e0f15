"""Calibration boards held into a room: their print, and poses that cover the image."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.rig import StereoRig
from stereo.synthetic.noise import pick
from stereo.synthetic.raycast import Pose
from stereo.synthetic.shapes import Array, Box, Cylinder, Solid, matmul3, rotation
from stereo.synthetic.textures import Plain, Print

_TEXEL_M = 0.00025
_BLOCK = 32  # a printed side is a whole number of the coarsest texels: no resampling


@dataclass(frozen=True, slots=True)
class PrintedBoard:
    """A board as this module prints it; ``spec`` is the syntax the command line reads."""

    spec: str
    """"charuco:11x8:30mm:22mm:DICT_5X5_100" (squares) or "chessboard:9x6:25mm" (inner corners)."""
    squares: tuple[int, int]
    """Columns and rows of squares."""
    square_m: float
    marker_m: float = 0.0
    """0: a plain chessboard."""
    dictionary: str = "DICT_5X5_100"

    def picture(self) -> NDArray[np.uint8]:
        """(h, w) the print, a quarter of a millimetre per pixel, white margin included."""
        cell = round(self.square_m / _TEXEL_M)
        columns, rows = self.squares
        if self.marker_m > 0:
            inner = self.charuco().generateImage((columns * cell, rows * cell), marginSize=0)
        else:
            dark = (np.arange(columns)[None, :] + np.arange(rows)[:, None]) % 2 == 0
            inner = np.where(np.kron(dark, np.ones((cell, cell), bool)), 0, 255).astype(np.uint8)
        pads = [_BLOCK * math.ceil((n + 80) / _BLOCK) - n for n in inner.shape]
        sides = [(p // 2, p - p // 2) for p in pads]
        return np.pad(inner, sides, constant_values=255)

    def charuco(self) -> cv2.aruco.CharucoBoard:
        """OpenCV's description of the board (not the legacy pattern)."""
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, self.dictionary))
        return cv2.aruco.CharucoBoard(self.squares, self.square_m, self.marker_m, dictionary)

    def solids(self, pose: Pose) -> list[Solid]:
        """The board, its printed side facing the camera, and the stick that holds it."""
        picture = self.picture()
        height, width = picture.shape
        half_y = height * _TEXEL_M / 2
        R, at = pose.R_world_camera, pose.position_m
        stick = at + matmul3(R, np.array([0.0, half_y + 0.3, 0.006]))
        return [
            Box(
                tuple(at),
                (width * _TEXEL_M / 2, half_y, 0.003),
                Print(picture),
                R,
                texel_m=_TEXEL_M,
            ),
            Cylinder(tuple(stick), (0.01, 0.32, 0.01), Plain("#8a6a4a", 0.1), R),
        ]

    def outline(self, pose: Pose, *, scale: float = 1.0) -> Array:
        """(N, 3) points along the board's rim, in the frame of ``pose``'s world."""
        height, width = self.picture().shape
        s = np.linspace(-1, 1, 9) * scale
        rim = [(x, y) for x in s for y in s if max(abs(x), abs(y)) > 0.99 * scale]
        half_x, half_y = width * _TEXEL_M / 2, height * _TEXEL_M / 2
        corners = [np.array([x * half_x, y * half_y, 0.0]) for x, y in rim]
        return np.stack([matmul3(pose.R_world_camera, c) + pose.position_m for c in corners])


CHARUCO = PrintedBoard("charuco:11x8:30mm:22mm:DICT_5X5_100", (11, 8), 0.03, 0.022)
CHESSBOARD = PrintedBoard("chessboard:9x6:25mm", (10, 7), 0.025)

# Where the board's centre goes, as a share of the half image, and its distance in metres: near
# ones fill the image, far ones tie down the focal length, the rest visit rim and corners.
_PLACES = (
    (0.0, 0.0, 0.5), (-0.6, -0.55, 0.55), (0.6, -0.55, 0.55), (-0.6, 0.55, 0.55), (0.6, 0.55, 0.55),
    (0.0, -0.6, 0.6), (0.0, 0.6, 0.6), (-0.75, 0.0, 0.6), (0.75, 0.0, 0.6), (0.1, 0.1, 0.42),
    (-0.3, 0.25, 0.85), (0.35, -0.2, 0.95), (0.7, 0.6, 0.7), (-0.7, -0.6, 0.7),
)  # fmt: skip
_TURNS = (0.0, 0.5, 0.55, 0.45, 0.6, -0.3, 0.35, 0.6, 0.6, -0.4, -0.55, 0.6, 0.3, 0.35)
_NODS = (0.05, 0.45, 0.3, 0.4, 0.25, 0.6, 0.6, -0.3, 0.35, 0.4, -0.2, -0.45, 0.5, 0.5)
"""Yaw and pitch of each, radians; positive turns the board's face towards the camera."""


def board_poses(board: PrintedBoard, rig: StereoRig, *, seed: int) -> Iterator[Pose]:
    """Fourteen board poses in the left camera's frame, tilted up to 35 degrees about each axis.

    A chessboard lies wholly inside both images: a place that puts its rim outside is drawn
    inwards. A ChArUco board is held nearer, and only its middle must be seen by both.
    """
    nearer, needed = (0.74, 0.7) if board.marker_m > 0 else (1.0, 0.97)
    for k, (px, py, distance) in enumerate(_PLACES):
        r = pick(4, seed + 31 * k) * 2 - 1
        yaw = math.copysign(_TURNS[k] + 0.05 * r[0], px * _TURNS[k] + 1e-9)
        pitch = math.copysign(_NODS[k] + 0.05 * r[1], -py * _NODS[k] + 1e-9)
        R = rotation(yaw, pitch, 0.35 * r[2])
        distance *= nearer
        for _ in range(60):
            ray = np.array([0.72 * px, 0.54 * py, 1.0])
            pose = Pose(R, ray * distance + np.array([0.08, 0.0, 0.0]))
            if _inside_both(board.outline(pose, scale=needed), rig):
                break
            px, py, distance = 0.95 * px, 0.95 * py, distance + 0.008
        yield pose


def _inside_both(points: Array, rig: StereoRig, margin_px: float = 6.0) -> bool:
    R, t = np.asarray(rig.R_right_left, float), np.asarray(rig.t_right_left, float).ravel()
    in_right = np.stack([matmul3(R, p) + t for p in points])
    for camera, local in ((rig.left, points), (rig.right, in_right)):
        pixels = camera.project(local)
        limit = np.array(camera.size) - 1 - margin_px
        if not ((pixels >= margin_px) & (pixels <= limit)).all():
            return False
    return True
