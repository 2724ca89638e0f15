"""What to say when the images show another board than the one that was named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.board import Board
from calib.detection.detect import detect
from calib.detection.guess import Difference, what_is_there
from calib.judging.finding import Finding

_WHY: dict[Difference, str] = {
    "squares": ": squares were counted instead of the inner corners between them, or the other way",
    "transposed": ": columns and rows are exchanged, which makes another board of this kind",
    "dictionary": ": its markers are of another dictionary",
    "legacy": " (OpenCV changed the pattern in 4.6)",
    "larger": ": the board goes on beyond what was named",
    "smaller": "",
    "size": "",
    "kind": "",
}


def other_board(images: Sequence[NDArray[Any]], board: Board) -> Finding | None:
    """That ``images`` (H, W) show another board than the one named, or show it in a mirror; None:
    they do not, or nobody can tell.
    """
    there = what_is_there(images, board)
    if there.mirrored and there.difference == "same":
        message = "the images are mirrored: flip them left to right and try again"
        return Finding("mirrored", message, stops=True)
    if there.board is None or there.difference not in _WHY:
        return None
    message = f"the images do not show {board.spec}, but {there.board.spec}"
    return Finding("wrong_board", message + _WHY[there.difference], stops=True)


def mirrored(image: NDArray[Any], board: Board) -> bool:
    """Whether a board whose points are known by themselves is seen only in a mirror."""
    return board.coded and detect(np.ascontiguousarray(image[:, ::-1]), board) is not None
