"""Karlsruhe sequences (Geiger 2010): ``calib.txt`` with K1, R1, P1_roi and the like.

The images that come with it are rectified and cut to ``roi`` (first and last column, first and
last row), so P1_roi and P2_roi hold; metres. Described at http://www.cvlibs.net/datasets/.
"""

from __future__ import annotations

import re
from pathlib import Path

from calib.errors import RigFileError
from calib.formats.fields import whole_size
from calib.formats.kitti import key_lines, rectified
from calib.formats.reading import Stated
from calib.rig import RectifiedRig


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file has a line ``P1_roi:``."""
    return re.search(rb"^P1_roi[ \t]*:", head, re.MULTILINE) is not None


def read(path: Path, stated: Stated) -> RectifiedRig:
    """Read the file; RigFileError naming the file and the key."""
    lines = key_lines(path)
    first_x, last_x, first_y, last_y = lines.numbers("roi", 4)
    size = whole_size(last_x - first_x + 1, last_y - first_y + 1, path, "roi")
    if stated.size is not None and stated.size != size:
        raise RigFileError(
            f"{path}: Karlsruhe calibration of rectified images of {size[0]}x{size[1]} (its roi), "
            f"not of {stated.size[0]}x{stated.size[1]}"
        )
    return rectified(lines, ("P1_roi", "P2_roi"), size, stated, {})
