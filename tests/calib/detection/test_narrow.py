"""Images that are far from any camera's shape: no board, and no raw assertion of OpenCV."""

from __future__ import annotations

import numpy as np
import pytest

from calib.board import parse_board
from calib.detection.detect import detect
from calib.detection.guess import chessboard_size

SHAPES = [(8, 20000), (20000, 8), (1, 1), (31, 31), (32, 32), (32, 300)]
BOARDS = [
    *(
        "chessboard:9x6:25mm",
        "circles:10x10:30mm",
        "acircles:4x11:20mm",
        "charuco:7x5:30mm:22mm:DICT_4X4_50",
    ),
    "aprilgrid:6x6:30mm:0.3",
]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_board_is_found_in_a_strip(shape: tuple[int, int]) -> None:
    strip = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    for name in BOARDS:
        assert detect(strip, parse_board(name)) is None
    assert chessboard_size(strip) is None
