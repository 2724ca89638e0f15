from __future__ import annotations

from pathlib import Path

import numpy as np
from boards import seen

from calib.detection.files import read_gray
from calib.detection.guess import guess_board


def test_board_is_guessed() -> None:
    for spec in ("chessboard:9x6:25mm", "charuco:8x6:30mm:22mm:DICT_4X4_50"):
        board = guess_board([seen(spec, seed)[0] for seed in (3,)])
        assert board is not None
        assert (board.kind, board.columns, board.rows) == (
            spec.split(":")[0],
            *map(int, spec.split(":")[1].split("x")),
        )
        assert not board.unit_known
    assert guess_board([np.full((96, 128), 128, np.uint8)]) is None


def test_legacy_pattern_of_a_real_charuco_is_guessed(shared_data: Path) -> None:
    folder = shared_data / "calibration" / "fhgr_charuco" / "left"
    images = [g for n in (0, 9) if (g := read_gray(folder / f"{n:03d}.jpg")) is not None]
    board = guess_board(images, square_m=0.03, unit_known=True)
    assert board is not None
    assert board.spec.startswith("charuco:11x8:30mm:")
    assert board.spec.endswith("DICT_5X5_50:legacy")
