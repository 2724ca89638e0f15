"""What a file holds is told from its name and content."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stereo.files import outputs
from stereo.viewers.files import kind_of, read_values

GRAY8 = np.arange(64, dtype=np.uint8).reshape(8, 8)
GRAY16 = GRAY8.astype(np.uint16) * 100
COLOR = np.dstack([GRAY8, GRAY8 + 1, GRAY8 + 2])
FLOAT = GRAY8.astype(np.float32)


@pytest.mark.parametrize(
    ("name", "pixels", "kind"),
    [
        ("left.png", GRAY8, "image"),
        ("left.png", COLOR, "image"),
        ("left.png", GRAY16, "image"),
        ("im0.png", GRAY16, "image"),
        ("preview.png", COLOR, "image"),
        ("confidence_preview.png", COLOR, "image"),
        ("depth_mm.png", GRAY16, "depth"),
        ("depth_mm.png", COLOR, "image"),
        ("confidence.png", GRAY8, "confidence"),
        ("disparity.png", GRAY16, "disparity"),
        ("disp1.png", GRAY8, "disparity"),
        ("000046_10.png", GRAY16, "disparity"),
        ("depth_m.tiff", FLOAT, "depth"),
        ("sigma_m.tiff", FLOAT, "sigma"),
        ("anything.tiff", FLOAT, "depth"),
        ("scan.tiff", COLOR, "image"),
        ("photo.jpg", COLOR, "image"),
    ],
)
def test_kinds(tmp_path: Path, name: str, pixels: np.ndarray, kind: str) -> None:
    assert cv2.imwrite(str(tmp_path / name), pixels)
    assert kind_of(tmp_path / name) == kind


def test_kinds_by_ending(tmp_path: Path) -> None:
    assert kind_of(tmp_path / "a.ply") == "cloud"
    assert kind_of(tmp_path / "a.pfm") == "disparity"
    assert kind_of(tmp_path / "depth.pfm") == "depth"
    assert kind_of(tmp_path / "sigma_m.npy") == "sigma"
    with pytest.raises(ValueError, match=r"a\.txt: cannot be shown; expected one of \.ply"):
        kind_of(tmp_path / "a.txt")


def test_the_steps_of_a_png_are_as_its_name_says(tmp_path: Path) -> None:
    for name, first in (("depth_mm.png", 2.5), ("depth_left_0.1mm.png", 0.25)):
        outputs.write_image_png(tmp_path / name, np.full((4, 4), 2500, np.uint16))
        assert read_values(tmp_path / name, "depth")[0, 0] == pytest.approx(first)
