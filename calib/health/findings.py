"""What else can be wrong: sides exchanged, another size, rectified already, not at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calib.camera import Camera
from calib.errors import CameraError
from calib.health.effect import FLAG_PX
from calib.health.explain import Explanation
from calib.health.features import Matches
from calib.health.row_errors import Rows, rows_of_rectified, rows_of_rig
from calib.rig import StereoRig
from calib.words import fixed, length

_MOSTLY = 0.8
_MISPLACED = 0.2  # of the image's side, between the principal point and the middle
_APART_PX = 0.3
_SURE = 5.0
_FAR_OFF_PX = 0.5  # what finding a point and holding a ruler are not to blame for
_FAR_OFF_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, by name."""

    cause: str
    """swapped, behind_infinity, rectified, resolution, principal_point, unsynchronised or
    distance."""
    message: str
    """What is wrong and what to do."""
    stops: bool = False
    """True: these images and this file do not go together."""


def other_size(side: str, size: tuple[int, int], camera: Camera) -> Finding | None:
    """Say that images of ``size`` are not those that ``camera`` was calibrated for.

    Raises CameraError where they are no scaled version of them either.
    """
    (w, h), (cw, ch) = size, camera.size
    if size == camera.size:
        return _misplaced(side, camera)
    if abs(w / cw / (h / ch) - 1) > 0.01:
        hint = "a cropped sensor mode? calibrate at this size"
        if (w, h) == (2 * cw, ch) or (w, h) == (2 * cw, 2 * ch):
            hint = "is each image both views side by side? say --side-by-side"
        raise CameraError(
            f"{side} images are {w}x{h} but the calibration is for {cw}x{ch}, and the aspect "
            f"ratio differs: {hint}"
        )
    return Finding(
        "resolution",
        f"the images are {w}x{h} and the calibration is for {cw}x{ch}: it was scaled by "
        f"{fixed(w / cw, 3)} for this check; other commands need --rescale",
    )


def _misplaced(side: str, camera: Camera) -> Finding | None:
    middle = (np.array(camera.size) - 1) / 2
    off = np.abs(camera.K[:2, 2] - middle) / camera.size
    if not (off > _MISPLACED).any():
        return None
    x, y = camera.K[:2, 2]
    return Finding(
        "principal_point",
        f"the {side} camera's principal point ({x:.0f}, {y:.0f}) lies far from the middle of its "
        f"{camera.size[0]}x{camera.size[1]} image: was it calibrated at another resolution?",
    )


def other_distance(known_m: float, disparity_px: float, off_px: float) -> list[Finding]:
    """Say that what lies ``known_m`` away, at ``disparity_px``, is seen ``off_px`` beside that."""
    if abs(off_px) < max(_FAR_OFF_PX, _FAR_OFF_SHARE * disparity_px):
        return []
    seen_px = disparity_px + off_px
    seen_m = known_m * disparity_px / seen_px if seen_px > 0 else float("inf")
    return [
        Finding(
            "distance",
            f"what lies {length(known_m)} away is {length(seen_m)} away as the rig has it: it has "
            "turned about y (yaw), which rows hardly show, or its baseline is another",
        )
    ]


def findings_of(
    rig: StereoRig, matches: Sequence[Matches], rows: Rows, why: Explanation | None
) -> list[Finding]:
    """Return what is wrong with images that ``rows`` and their explanation are of."""
    for finding in (_swapped(rig, matches, rows), _rectified(rig, matches, rows)):
        if finding is not None:
            return [finding]
    apart = None if why is None else _unsynchronised(rows, why)
    return [] if apart is None else [apart]


def _swapped(rig: StereoRig, matches: Sequence[Matches], rows: Rows) -> Finding | None:
    """Exchanged, the scene must come before the cameras, and rows must not get worse."""
    in_front = _in_front(rows)
    if in_front > _MOSTLY and rows.systematic_px <= FLAG_PX:
        return None
    other = rows_of_rig(rig, [Matches(m.right, m.left, m.tried) for m in matches])
    theirs = _in_front(other)
    level = other.systematic_px <= rows.systematic_px + FLAG_PX or len(rows) == 0
    # the sides may differ by more than the scene's disparities: rows alone can tell it too
    by_rows = 3 * other.systematic_px + 1 < rows.systematic_px
    by_depth = theirs > in_front + 0.2 and level
    if theirs >= _MOSTLY and (by_rows or by_depth) and len(other) >= 0.5 * len(rows):
        return Finding(
            "swapped",
            f"left and right are exchanged: {in_front:.0%} of the matches lie before the cameras, "
            f"the other way round {theirs:.0%}, with rows {fixed(other.median_px, 2)} px apart; "
            "exchange the images (--swap), or the cameras in the file",
            stops=True,
        )
    if in_front > 1 - _MOSTLY or len(rows) == 0:
        return None
    return Finding(
        "behind_infinity",
        f"{1 - in_front:.0%} of the matches lie behind infinity: the cameras look apart (yaw), "
        "which the file does not know",
        stops=True,
    )


def _in_front(rows: Rows) -> float:
    """Share of the matches that lie before the cameras, not behind infinity."""
    return float(np.mean(rows.disparity > -1)) if len(rows) else 0.0


def _rectified(rig: StereoRig, matches: Sequence[Matches], rows: Rows) -> Finding | None:
    if rows.systematic_px <= FLAG_PX:
        return None
    plain = rows_of_rectified(None, matches, rig.left.size)
    if not plain.systematic_px <= FLAG_PX or len(plain) < 0.8 * len(rows):
        return None
    return Finding(
        "rectified",
        f"these images are rectified already: as they are, rows agree to "
        f"{fixed(plain.median_px, 2)} px; use --rectified with the numbers of the rectified images",
        stops=True,
    )


def _unsynchronised(rows: Rows, why: Explanation) -> Finding | None:
    """Pairs whose rows lie apart from the others': time passed between left and right."""
    offsets = why.pair_offsets_px
    counts = np.bincount(why.rows.pair, minlength=len(offsets))
    if np.count_nonzero(np.isfinite(offsets)) < 3:
        return None
    error = 1.25 * why.rows.noise_px / np.sqrt(np.maximum(counts, 1))
    apart = np.abs(offsets - np.nanmedian(offsets))
    bad = np.flatnonzero((apart > _APART_PX) & (apart > _SURE * error))
    if len(bad) == 0:
        return None
    named = ", ".join(f"{i + 1} ({offsets[i]:+.1f} px)" for i in bad[:5])
    return Finding(
        "unsynchronised",
        f"in {len(bad)} of {len(offsets)} pairs rows lie apart from the others', number {named}: "
        "left and right were not taken at the same moment while the rig moved; let the rig stand "
        "still, or trigger both cameras together",
        stops=len(bad) >= 0.5 * len(offsets),
    )
