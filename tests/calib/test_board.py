from __future__ import annotations

import re
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.board import BOARDS, BoardError, Charuco, parse_board
from calib.page import lay_out, render, write_pages

SPECS = (
    "chessboard:9x6:25mm",
    "chessboard:7x7:1u",
    "charuco:11x8:30mm:22mm:DICT_5X5_50:legacy",
    "charuco:5x7:30mm:22mm:DICT_4X4_50",
    "circles:10x10:30mm",
    "acircles:4x11:20mm",
    "aprilgrid:6x6:88mm:0.3",
)


@pytest.mark.parametrize("spec", SPECS)
def test_spec_is_read_back(spec: str) -> None:
    assert parse_board(spec).spec == spec


@given(st.integers(3, 20), st.integers(3, 20), st.floats(0.5, 500))
def test_any_chessboard_is_read_back(columns: int, rows: int, mm: float) -> None:
    board = parse_board(f"chessboard:{columns}x{rows}:{mm}mm")
    again = parse_board(board.spec)
    assert again.square_m == pytest.approx(board.square_m)
    assert len(board.points) == columns * rows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("checker:9x6:25mm", "unknown kind"),
        ("chessboard", "expected chessboard"),
        ("chessboard:9x6", "expected chessboard"),
        ("chessboard:9x6:25", "not a length"),
        ("chessboard:9x6:-25mm", "not a length"),
        ("chessboard:9x6:0mm", "not a length"),
        ("chessboard:9x6:25mm:3", "too many"),
        ("chessboard:1x6:25mm", "expected 3 to 199"),
        ("chessboard:9x6:200m", "expected a length"),
        ("charuco:5x7:30mm:40mm:DICT_4X4_50", "smaller than"),
        ("charuco:5x7:30mm:22mm:DICT_9X9_50", "unknown dictionary"),
        ("charuco:25x17:30mm:22mm:DICT_4X4_50", "larger dictionary"),
        ("charuco:5x7:30mm:22u:DICT_4X4_50", "same kind of unit"),
        ("aprilgrid:6x6:88mm:x", "not a number"),
    ],
)
def test_bad_text_is_refused(text: str, expected: str) -> None:
    with pytest.raises(BoardError, match=expected):
        parse_board(text)


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ("chessboard:9x6:1u", 2),
        ("chessboard:7x7:1u", 4),
        ("acircles:4x11:1u", 1),
        ("acircles:4x10:1u", 2),
        ("aprilgrid:6x6:1u:0.3", 1),
    ],
)
def test_symmetries_map_the_board_on_itself(spec: str, count: int) -> None:
    board = parse_board(spec)
    assert len(board.symmetries) == count
    gaps = np.linalg.norm(board.points[:, None] - board.points, axis=2)
    for order in board.symmetries:
        assert np.allclose(gaps[order][:, order], gaps)  # a motion keeps all distances


@pytest.mark.parametrize("spec", [s for s in SPECS if s.startswith("charuco")])
def test_opencv_finds_every_corner_of_our_charuco(spec: str) -> None:
    board = parse_board(spec)
    assert isinstance(board, Charuco)
    image = render(board.artwork(), 2000, border_px=60)
    corners, ids, _, _ = cv2.aruco.CharucoDetector(board.cv_board).detectBoard(image)
    expected = board.points[np.asarray(ids).ravel(), :2] * 2000 + 59.5
    assert len(ids) == len(board.points)
    assert np.abs(corners.reshape(-1, 2) - expected).max() < 0.1


@pytest.mark.parametrize("ending", [".svg", ".pdf", ".png"])
@pytest.mark.parametrize("kind", sorted(BOARDS))
def test_every_board_is_written(tmp_path: Path, kind: str, ending: str) -> None:
    extra = {"charuco": ":11mm:DICT_4X4_50", "aprilgrid": ":0.3"}.get(kind, "")
    pages = lay_out(parse_board(f"{kind}:5x4:15mm{extra}"))
    assert len(pages) == 1
    write_pages(pages, tmp_path / f"board{ending}")
    assert (tmp_path / f"board{ending}").stat().st_size > 500


def test_pdf_is_at_true_scale(tmp_path: Path) -> None:
    path = tmp_path / "board.pdf"
    write_pages(lay_out(parse_board("chessboard:6x4:25mm")), path)
    stream = re.search(rb"stream\n(.*?)\nendstream", path.read_bytes(), re.S)
    assert stream is not None
    drawing = zlib.decompress(stream[1]).decode("latin-1")
    assert drawing.startswith(f"{72 / 25.4:.8f} 0 0 -{72 / 25.4:.8f}")  # millimetres to points
    sides = re.findall(r"[\d.]+ [\d.]+ ([\d.]+) ([\d.]+) re", drawing)
    assert sides[0] == ("25.00000", "25.00000")
    assert "--board chessboard:6x4:25mm" in drawing


def test_larger_board_is_spread_over_sheets_without_losing_area() -> None:
    board = parse_board("charuco:11x8:30mm:22mm:DICT_5X5_50")
    pages = lay_out(board, "A4")
    assert len(pages) == 2
    whole = board.artwork().rectangles[:, 2:].prod(axis=1).sum() * 1e6
    assert sum(page.window[2] for page in pages) == pytest.approx(330)
    inside = 0.0
    for page in pages:
        x, y, w, h = page.window
        box = page.rectangles
        part = (box[:, 0] >= x - 1e-6) & (box[:, 0] + box[:, 2] <= x + w + 1e-6)
        part &= (box[:, 1] >= y - 1e-6) & (box[:, 1] + box[:, 3] <= y + h + 1e-6)
        inside += box[part, 2:].prod(axis=1).sum()
    assert inside == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize(
    ("spec", "paper", "expected"),
    [
        ("chessboard:9x6:25mm", "B4", "unknown paper"),
        ("chessboard:9x6:1u", "A4", "needs its size"),
        ("chessboard:30x30:90mm", "A5", "larger paper"),
    ],
)
def test_impossible_page_is_refused(spec: str, paper: str, expected: str) -> None:
    with pytest.raises(BoardError, match=expected):
        lay_out(parse_board(spec), paper)


def test_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"\.pdf, \.svg or \.png"):
        write_pages(lay_out(parse_board("chessboard:6x4:25mm")), tmp_path / "board.doc")
