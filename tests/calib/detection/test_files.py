from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from boards import seen

from calib.board import Chessboard, parse_board
from calib.detection.files import detect_files


def test_files_are_detected_in_order_and_remembered(tmp_path: Path) -> None:
    image, _ = seen("chessboard:9x6:25mm")
    blank = np.full_like(image, 128)
    (tmp_path / "broken.png").write_bytes(b"not an image")
    cv2.imwrite(str(tmp_path / "a.png"), image)
    cv2.imwrite(str(tmp_path / "b.png"), blank)
    paths = [tmp_path / n for n in ("b.png", "a.png", "broken.png", "absent.png")]
    board, cache = parse_board("chessboard:9x6:25mm"), tmp_path / "cache"
    told: list[tuple[int, int]] = []
    first = detect_files(paths, board, cache=cache, progress=lambda n, m: told.append((n, m)))
    assert [found is not None for found in first] == [False, True, False, False]
    assert told[-1] == (4, 4)
    assert len(list(cache.glob("*.npz"))) == 2
    again = detect_files(paths, board, cache=cache)
    assert first[1] is not None
    assert again[1] is not None
    assert np.array_equal(first[1].points, again[1].points)
    for entry in cache.glob("*.npz"):
        entry.write_bytes(b"damaged")
    assert detect_files(paths, board, cache=cache)[1] is not None


def test_all_real_views_are_found(shared_data: Path) -> None:
    """13 of 13 pairs of OpenCV's samples, left05 included, which the sector finder misses."""
    folder = shared_data / "calibration" / "opencv_samples"
    found = detect_files(sorted(folder.glob("*.jpg")), Chessboard(9, 6, 1.0, False))
    assert len(found) == 26
    assert all(found)
