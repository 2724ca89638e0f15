"""What is said of a session that shows another board than the one that was named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from boards import project, random_poses, random_rig, rendered, seen
from numpy.typing import NDArray

from calib.board import parse_board
from calib.detection.detect import detect
from calib.detection.extent import full_size
from calib.detection.files import detect_files
from calib.detection.guess import what_is_there
from calib.detection.levels import stretched


@pytest.mark.parametrize(
    ("shown", "named"),
    [
        (
            "chessboard:9x6:25mm",
            {
                "chessboard:6x9:25mm": "same",
                "chessboard:10x7:25mm": "squares",
                "chessboard:8x6:25mm": "larger",
                "chessboard:10x6:25mm": "smaller",
                "circles:9x6:25mm": "kind",
            },
        ),
        (
            "charuco:8x6:30mm:22mm:DICT_4X4_50",
            {
                "charuco:8x6:30mm:22mm:DICT_4X4_100": "same",
                "charuco:8x6:30mm:22mm:DICT_6X6_50": "dictionary",
                "charuco:8x6:30mm:22mm:DICT_4X4_50:legacy": "legacy",
                "charuco:6x8:30mm:22mm:DICT_4X4_50": "transposed",
            },
        ),
        ("circles:7x5:30mm", {"circles:8x5:30mm": "smaller", "acircles:4x11:20mm": "kind"}),
        ("acircles:4x11:20mm", {"acircles:4x10:20mm": "larger", "acircles:4x11:20mm": "same"}),
    ],
)
def test_another_board_is_told_by_how_it_differs(shown: str, named: dict[str, str]) -> None:
    image, _ = seen(shown)
    found = {text: what_is_there([image], parse_board(text)) for text in named}
    assert {text: evidence.difference for text, evidence in found.items()} == named
    assert not any(evidence.mirrored for evidence in found.values())


@pytest.mark.parametrize("spec", ["charuco:8x6:30mm:22mm:DICT_4X4_50", "aprilgrid:4x3:60mm:0.3"])
def test_mirrored_markers_are_recognised_as_such(spec: str) -> None:
    image, _ = seen(spec)
    evidence = what_is_there([np.ascontiguousarray(image[:, ::-1])], parse_board(spec))
    assert evidence.mirrored
    assert evidence.difference == "same"


@pytest.mark.parametrize(
    ("shown", "part"),
    [("chessboard:9x6:25mm", (8, 6)), ("circles:7x5:30mm", (6, 5)), ("circles:7x5:30mm", (7, 4))],
)
def test_a_part_of_a_board_is_seen_to_go_on(shown: str, part: tuple[int, int]) -> None:
    image, truth = seen(shown, 1)  # not at the image's edge, beyond which nobody can see
    board = parse_board(shown)
    columns, rows = part
    points = truth.reshape(board.rows, board.columns, 2)[-rows:, :columns].reshape(-1, 2)
    named = type(board)(columns, rows, board.square_m)
    assert full_size(stretched(image), points, named) == (board.columns, board.rows)
    assert full_size(stretched(image), truth, board) == (board.columns, board.rows)
    assert detect(image, named) is None


def test_nothing_is_made_of_nothing() -> None:
    blank = np.full((480, 640), 128, np.uint8)
    assert what_is_there([blank] * 3, parse_board("chessboard:9x6:25mm")).difference == "nothing"
    assert what_is_there([], parse_board("chessboard:9x6:25mm")).looked == 0


def test_a_session_with_another_board_is_given_up_early(tmp_path: Path) -> None:
    image, _ = seen("chessboard:9x6:25mm")
    paths = [tmp_path / f"{i}.png" for i in range(8)]
    for path in paths:
        cv2.imwrite(str(path), image)
    assert detect_files(paths, parse_board("chessboard:10x7:25mm")) == [None] * 8
    assert all(detect_files(paths, parse_board("chessboard:6x9:25mm")))


@pytest.mark.parametrize(("spec", "trim"), [("circles:7x5:30mm", 18), ("acircles:4x11:20mm", 16)])
@pytest.mark.parametrize("background", [20, 255])
def test_what_lies_behind_a_narrow_border_moves_no_disc(
    spec: str, trim: float, background: int
) -> None:
    board = parse_board(spec)
    rng = np.random.default_rng(1)
    rig = random_rig(rng)
    R, t = random_poses(rng, rig, 1, board=board, tilt=0.5)[0]
    truth = project(rig, board.points @ R.T + t)[0]
    image = rendered(rig, R, t, board=board, background=background, trim_m=trim * 1e-3)[0]
    found = detect(image, board)
    assert found is not None
    gaps = [np.linalg.norm(found.points - truth[p], axis=1).max() for p in board.symmetries]
    assert min(gaps) < 0.05  # 0.5 px when half a spacing is weighed in


@pytest.mark.parametrize(
    "spec",
    ["chessboard:9x6:25mm", "charuco:8x6:30mm:22mm:DICT_4X4_50", "aprilgrid:4x3:60mm:0.3",
     "circles:7x5:30mm", "acircles:4x11:20mm"],
)  # fmt: skip
def test_blur_widens_the_edges_of_every_board(spec: str) -> None:
    image, _ = seen(spec)
    sigma = 1 if "aprilgrid" in spec else 2  # tags whose cells are 4 px are not read at 2
    widths = [_width(image, spec), _width(cv2.GaussianBlur(image, (0, 0), sigma), spec)]
    assert 1 < widths[0] < 3.5
    assert widths[1] > 1.4 * widths[0]


def _width(image: NDArray[Any], spec: str) -> float:
    found = detect(image, parse_board(spec))
    assert found is not None
    return found.edge_px
