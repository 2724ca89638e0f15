"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import textured_pair

from stereo.files import outputs


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A small rectified pair with disparity 6 everywhere."""
    images = textured_pair(6.0)
    left, right = tmp_path / "left.png", tmp_path / "right.png"
    outputs.write_image_png(left, images.left)
    outputs.write_image_png(right, images.right)
    return left, right
