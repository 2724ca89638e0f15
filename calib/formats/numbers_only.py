"""Text and numpy files of nothing but numbers: FoundationStereo's K.txt and 4 x 4 Q matrices.

``K.txt`` is K row by row, then the baseline in metres. Q is OpenCV's reprojection matrix
``[1 0 0 -cx; 0 1 0 -cy; 0 0 0 f; 0 0 1/B doffs/B]``; its length unit is that of the calibration.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from calib.checks import Float
from calib.errors import RigFileError
from calib.formats.fields import shown
from calib.formats.guessing import metres_of
from calib.formats.reading import Stated, number, read_text, stated_metres
from calib.rig import RectifiedRig

_FEW = re.compile(rb"[\s\d.eE+\-,;\[\]()]+\Z")
_MOST_BYTES = 4_096


def matches_k(path: Path, head: bytes) -> bool:
    """Tell whether a file is K and perhaps a baseline: 9 or 10 numbers."""
    found = _numbers(head)
    return len(found) in (9, 10) and found[1] == found[3] == found[6] == found[7] == 0


def matches_q(path: Path, head: bytes) -> bool:
    """Tell whether a file is a 4 x 4 matrix: 16 numbers, and the last row 0 0 a b."""
    found = _numbers(head)
    return len(found) == 16 and found[12] == found[13] == 0 == found[8] == found[9]


def _numbers(raw: bytes) -> list[float]:
    """The numbers of a text that holds nothing else; none of any other text."""
    if len(raw) > _MOST_BYTES or not _FEW.match(raw):
        return []
    found = [number(word) for word in re.split(r"[\s,;\[\]()]+", raw.decode()) if word]
    return [] if None in found else [value for value in found if value is not None]


def read_k(path: Path, stated: Stated) -> RectifiedRig:
    """Read a K.txt; RigFileError naming the file and what is wrong."""
    found = _numbers(read_text(path).encode())
    if len(found) not in (9, 10):
        raise RigFileError(f"{path}: expected the nine numbers of K, then the baseline in metres")
    K = np.array(found[:9]).reshape(3, 3)
    if len(found) == 9:
        raise RigFileError(
            f"{path}: K.txt without a baseline (focal length {K[0, 0]:g} px); add it in metres as "
            f"a second line, or give --focal-px {K[0, 0]:g} --baseline-m"
        )
    if K[0, 1] or not np.array_equal(K[2], [0, 0, 1]) or abs(K[0, 0] - K[1, 1]) > 1e-3 * K[0, 0]:
        raise RigFileError(f"{path}: expected K = f 0 cx 0 f cy 0 0 1, got {shown(K.tolist())}")
    baseline = found[9] * stated_metres(stated, "m", path)
    return RectifiedRig(stated.size, K[0, 0], baseline, K[0, 2], K[0, 2], K[1, 2])


def read_q(path: Path, stated: Stated) -> RectifiedRig:
    """Read a Q matrix from text; RigFileError naming the file and what is wrong."""
    found = _numbers(read_text(path).encode())
    if len(found) != 16:
        raise RigFileError(f"{path}: expected the sixteen numbers of Q, got {len(found)}")
    return from_q(np.array(found).reshape(4, 4), stated, str(path))


def from_q(Q: Float, stated: Stated, source: str) -> RectifiedRig:
    """Return the rectified rig of a (4, 4) Q, what was assumed of its unit in the notes."""
    if Q[1, 1] == -1:
        raise RigFileError(
            f"{source}: Q turns y and z around and has no real baseline: the guess of OpenCV's "
            "sample, no calibration; give --focal-px and --baseline-m"
        )
    ideal = np.zeros((4, 4), bool)
    ideal[0, 3] = ideal[1, 3] = ideal[2, 3] = ideal[3, 2] = ideal[3, 3] = True
    rest = np.where(ideal, 0, Q)
    if not np.allclose(rest, np.diag([1.0, 1, 0, 0]), atol=1e-9) or not Q[3, 2] or not Q[2, 3] > 0:
        raise RigFileError(
            f"{source}: Q: expected 1 0 0 -cx / 0 1 0 -cy / 0 0 0 f / 0 0 1/B doffs/B, got "
            f"{shown(Q.tolist())}"
        )
    if Q[3, 2] < 0:
        raise RigFileError(
            f"{source}: Q: 1/B is negative: left and right were exchanged when it was computed"
        )
    metres, notes = metres_of(1 / Q[3, 2], "1 / Q[3][2]", stated, source)
    baseline, cx = metres / Q[3, 2], -Q[0, 3]
    doffs = Q[3, 3] / Q[3, 2]
    return RectifiedRig(stated.size, Q[2, 3], baseline, cx, cx + doffs, -Q[1, 3], notes=notes)
