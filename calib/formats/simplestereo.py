"""SimpleStereo's ``rig.json``: OpenCV's matrices under numbered names; T in the board's unit.

Described at https://github.com/decadenza/SimpleStereo. ``Rcommon`` and the homographies of its
rectified rigs are left out: the images are rectified here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib.camera import Camera
from calib.formats.fields import Fields, rotation
from calib.formats.guessing import metres_of
from calib.formats.reading import Stated, load_json, number, read_text
from calib.formats.sides import left_first
from calib.rig import StereoRig


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file has res1 and intrinsic1."""
    return b'"res1"' in head and b'"intrinsic1"' in head


def read(path: Path, stated: Stated) -> StereoRig:
    """Read the file; RigFileError naming the file and the key."""
    top = Fields(path, load_json(read_text(path), path))
    left, right = (
        Camera(
            stated.model or "pinhole",
            top.size(f"res{i}"),
            top.matrix(f"intrinsic{i}", 3, 3),
            top.numbers(f"distCoeffs{i}", 0, 4, 5, 8, 12, 14),
        )
        for i in (1, 2)
    )
    R = rotation(top.matrix("R", 3, 3), path, "R")
    T = top.numbers("T", 3)
    metres, notes = metres_of(float(np.linalg.norm(T)), "|T|", stated, str(path))
    rms = number(top.values.get("reprojectionError"))
    rig = StereoRig(left, right, R, T * metres, reprojection_rms_px=rms, notes=notes)
    return left_first(rig, ("camera 1", "camera 2"))
