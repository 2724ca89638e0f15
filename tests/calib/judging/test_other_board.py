"""A board that is not the one that was named is known from the images."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from boards import random_poses, random_rig, rendered

from calib.board import parse_board
from calib.detection.detect import detect
from calib.judging.failure import explain_unseen
from calib.judging.other_board import mirrored, other_board


@cache
def pictures(spec: str) -> list[Any]:
    board = parse_board(spec)
    rng = np.random.default_rng(3)
    rig = random_rig(rng)
    poses = random_poses(rng, rig, 3, board=board, tilt=0.4)
    return [rendered(rig, R, t, board=board)[0] for R, t in poses]


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("chessboard:9x6:25mm", None),
        ("chessboard:6x9:25mm", None),
        ("chessboard:10x7:25mm", "squares were counted"),
        ("chessboard:8x6:25mm", "9x6"),
        ("chessboard:9x7:25mm", "9x6"),
    ],
)
def test_a_chessboard_of_another_size_is_named(said: str, says: str | None) -> None:
    found = other_board(pictures("chessboard:9x6:25mm"), parse_board(said))
    assert found is None if says is None else says in str(found)


CHARUCO = "charuco:8x6:30mm:22mm:DICT_5X5_50"


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (CHARUCO, None),
        ("charuco:8x6:30mm:21mm:DICT_5X5_50", None),
        ("charuco:8x6:30mm:22mm:DICT_4X4_50", "another dictionary"),
        ("charuco:6x8:30mm:22mm:DICT_5X5_50", "8x6"),
    ],
)
def test_a_board_with_markers_is_named(said: str, says: str | None) -> None:
    found = other_board(pictures(CHARUCO), parse_board(said))
    assert found is None if says is None else says in str(found)


def test_a_mirrored_board_with_markers_is_no_other_board() -> None:
    board = parse_board(CHARUCO)
    flipped = [np.ascontiguousarray(image[:, ::-1]) for image in pictures(CHARUCO)]
    assert mirrored(flipped[0], board)
    assert not mirrored(pictures(CHARUCO)[0], board)
    assert explain_unseen(flipped, board).cause == "mirrored"


def test_parts_of_a_board_are_no_evidence_of_another() -> None:
    board = parse_board("chessboard:9x6:25mm")
    covered = []
    for k, image in enumerate(pictures(board.spec)):
        found = detect(image, board)
        assert found is not None
        hidden = image.copy()
        for x, y in found.points[k :: 9 - k]:
            cv2.circle(hidden, (int(x), int(y)), 30, 90, -1)
        covered.append(hidden)
    assert explain_unseen(covered, board).cause == "not_found"
