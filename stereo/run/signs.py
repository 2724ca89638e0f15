"""Which reading of a calibration file is right, where its maker's own programs disagree.

A ZED conf does not say which way its translation points. Stereolabs' samples all take RX, CV, RZ as
OpenCV's rotation, but one gives OpenCV (Baseline, TY, TZ) and one (-Baseline, TY, TZ), which turns
TY and TZ around. Images decide: of the right reading the rows correspond.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib import StereoRig
from calib.health.features import match_features
from calib.solving.epipolar import rectifying_rotations
from stereo.frame import RectifiedPair, StereoFrame
from stereo.gray import gray8_pair
from stereo.rectify import Rectification

FEWEST = 30
"""With fewer points nothing is decided."""
CLEARLY = 5.0
"""A reading is taken instead of the usual one when so many more of the points lie nearer to their
row by it, in standard deviations of a coin's."""

_CORNERS = 1500

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Readings:
    """How far apart rows are by each reading of one file."""

    row_error_px: Mapping[str, float]
    """Median ``|y_left - y_right|`` after rectification by each reading; NaN: too few points."""
    best: str
    """The reading to take: the usual one, the first, unless another is clearly better."""
    points: int
    """Points that were seen in both images."""

    def line(self) -> str:
        """One line for people."""
        if self.points < FEWEST:
            return f"taken as usual, {self.best}: too little texture to see it from the images"
        told = "; ".join(f"{px:.2f} px by {name}" for name, px in self.row_error_px.items())
        usual = next(iter(self.row_error_px)) == self.best
        how = "taken as usual" if usual else "seen from the images"
        return f"{how}: {self.best} (rows differ by {told})"


def settle(readings: Mapping[str, StereoRig], frame: StereoFrame) -> Readings:
    """Find the reading by which the rows of a raw frame correspond. Raises RectificationError."""
    usual, rig = next(iter(readings.items()))
    seen = Rectification.from_rig(rig)
    left, right = _same_points(seen.apply(frame))
    off = {name: _rows_apart(left, right, seen, each) for name, each in readings.items()}
    apart = {name: float(np.median(rows)) if len(rows) else np.nan for name, rows in off.items()}
    best = min(apart, key=lambda name: apart[name])
    nearer = np.sign(off[usual] - off[best]).sum() / np.sqrt(max(len(left), 1))
    clear = len(left) >= FEWEST and nearer > CLEARLY
    return Readings(apart, best if clear else usual, len(left))


def _same_points(pair: RectifiedPair) -> tuple[Points, Points]:
    """Where points are in both images, (N, 2) each, to a fraction of a pixel."""
    left, right = gray8_pair(pair.left, pair.right)
    found = match_features(left, right, corners=_CORNERS)
    near = np.abs(found.left[:, 1] - found.right[:, 1]) < 0.02 * left.shape[0]
    return found.left[near], found.right[near]


def _rows_apart(left: Points, right: Points, seen: Rectification, rig: StereoRig) -> Points:
    """(N,) row differences, px, of points of one rectification, in that of ``rig``."""
    turns = rectifying_rotations(rig.R_right_left, rig.t_right_left)
    rows = []
    for points, before, after in (
        (left, seen.R_rect_left, turns[0]),
        (right, seen.R_rect_right, turns[1]),
    ):
        assert before is not None  # it is of a rig
        rays = np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(seen.P1[:, :3]).T
        moved = rays @ before @ after.T @ seen.P1[:, :3].T
        rows.append(moved[:, 1] / moved[:, 2])
    return np.asarray(np.abs(rows[0] - rows[1]))
