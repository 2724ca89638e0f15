from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from boards import project, random_poses, random_rig, rendered, seen
from numpy.typing import NDArray

from calib.board import parse_board
from calib.detection.detect import detect
from calib.detection.detection import Detection, match_order

SPECS = (
    "chessboard:9x6:25mm",
    "chessboard:8x6:25mm",
    "circles:7x5:30mm",
    "acircles:4x11:20mm",
    "charuco:8x6:30mm:22mm:DICT_4X4_50",
    "aprilgrid:4x3:60mm:0.3",
)


def error(found: Detection, truth: NDArray[np.float64], spec: str) -> float:
    """rms distance, whatever the order a symmetric board was listed in."""
    orders = parse_board(spec).symmetries
    return min(
        float(np.sqrt(((found.points - truth[p][found.ids]) ** 2).sum(axis=1).mean()))
        for p in orders
    )


@pytest.mark.parametrize("spec", SPECS)
def test_rendered_board_is_found_to_a_tenth_of_a_pixel(spec: str) -> None:
    image, truth = seen(spec)
    found = detect(image, parse_board(spec))
    assert found is not None
    assert len(found.ids) > 0.9 * len(truth)
    # a disc's centre of gravity is not the picture of its centre: up to 0.2 px when tilted
    assert error(found, truth, spec) < (0.25 if "circles" in spec else 0.12)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("inverted", lambda image: 255 - image),
        ("dark", lambda image: (image * 0.12 + 3).astype(np.uint8)),
        ("sixteen bit", lambda image: image.astype(np.uint16) * 16),
        ("large", lambda image: cv2.resize(image, None, fx=4, fy=4)),
    ],
)
def test_found_under_all_conditions(name: str, change: Any) -> None:
    spec = SPECS[0]
    image, truth = seen(spec)
    found = detect(change(image), parse_board(spec))
    assert found is not None, name
    scale = found.size[0] / 640
    assert error(found, (truth + 0.5) * scale - 0.5, spec) < 0.25 * scale


def test_part_of_a_coded_board_is_enough() -> None:
    spec = "charuco:8x6:30mm:22mm:DICT_4X4_50"
    image, truth = seen(spec)
    middle = int(truth[:, 0].mean())
    found = detect(np.ascontiguousarray(image[:, :middle]), parse_board(spec))
    assert found is not None
    assert 6 <= len(found.ids) < len(truth)
    assert error(found, truth, spec) < 0.12


@pytest.mark.parametrize("spec", ["chessboard:9x6:25mm", "chessboard:8x6:25mm", "circles:7x5:30mm"])
def test_left_and_right_agree_on_the_first_corner(spec: str) -> None:
    board = parse_board(spec)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        rig = random_rig(rng)
        R, t = random_poses(rng, rig, 1, board=board)[0]
        pair = [detect(image, board) for image in rendered(rig, R, t, board=board)]
        left, right = pair
        assert left is not None
        assert right is not None
        right = match_order(left, right, board)
        truth = project(rig, board.points @ R.T + t)
        order = [
            int(np.argmin([np.abs(one.points - p[s]).sum() for s in board.symmetries]))
            for one, p in zip((left, right), truth, strict=True)
        ]
        assert order[0] == order[1]


def test_no_board_no_answer() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (96, 128), dtype=np.uint8)
    for spec in SPECS:
        assert detect(noise, parse_board(spec)) is None
        assert detect(np.full((96, 128), 128, np.uint8), parse_board(spec)) is None


def test_blur_is_measured() -> None:
    image, _ = seen(SPECS[0])
    board = parse_board(SPECS[0])
    sharp, blurred = detect(image, board), detect(cv2.GaussianBlur(image, (0, 0), 3), board)
    assert sharp is not None
    assert blurred is not None
    assert sharp.edge_px < 3 < 5 < blurred.edge_px
