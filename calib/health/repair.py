"""A rig as natural images would have it: only what they can tell, and only when it is better.

What they cannot tell stays as it was calibrated: the baseline's length (everything twice as far
apart and twice as far away looks the same), what both lenses have in common, and mostly yaw, which
moves depth and hardly any row.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.health.check import Health
from calib.health.explain import Explanation
from calib.health.motion import NAMES, moved
from calib.rig import StereoRig
from calib.words import fixed

Float = NDArray[np.float64]

FEWEST_PAIRS = 3
_FEWEST_MATCHES = 150
_CELLS = (6, 4)
_SHARE_OF_CELLS = 0.5
_SIGMA_RAD = np.radians([0.03, np.inf, 0.06, np.inf, np.inf, np.inf])
_BETTER = 0.97
_NO_WORSE = 1.05
UNOBSERVABLE = (
    "the baseline's length was kept: no natural image tells it",
    "a yaw that moves no row would not be seen; --known-distance-m tells it",
)


def nothing_to_mend(health: Health) -> bool:
    """Whether the rig is good and pairs left out agree no better with any change."""
    why = health.explanation
    return health.trusted and why is not None and not _improves(why)


def why_not_mended(health: Health) -> str | None:
    """Say why the rig cannot be mended from these pairs; None: it can."""
    why, rows = health.explanation, health.rows
    stops = next((finding for finding in health.findings if finding.stops), None)
    if stops is not None:
        return stops.message
    if why is None:
        return health.verdict
    different = len({m.left.tobytes() for m in health.matches})
    if different < FEWEST_PAIRS:
        few = "1 pair is" if different == 1 else f"{different} different pairs are"
        return (
            f"{few} too few: a repair must prove itself on pairs left "
            f"out of it; give {FEWEST_PAIRS} or more, 10 are good"
        )
    if len(rows) < _FEWEST_MATCHES:
        return (
            f"{len(rows)} matches are too few, {_FEWEST_MATCHES} are needed: take images with more "
            "texture"
        )
    covered = _covered(health)
    if covered < _SHARE_OF_CELLS:
        return f"matches cover only {covered:.0%} of the image: take images with texture everywhere"
    unsure = np.flatnonzero(why.motion.sigma > _SIGMA_RAD)
    if len(unsure):
        k = int(unsure[0])
        return (
            f"{NAMES[k]} is known to {fixed(np.degrees(why.motion.sigma[k]), 3)} degrees only: "
            "take more pairs, of scenes with near and far things all over the image"
        )
    if not why.plausible and why.distance_known:
        return (
            "the rows contradict that distance: a yaw that makes it would move them; measure it "
            "from the left camera, along its axis, to what its first image shows in the middle"
        )
    if not why.plausible:
        return (
            f"no small movement of the rig explains its row errors ({fixed(rows.median_px, 2)} px, "
            f"{fixed(why.rows.median_px, 2)} px after the best one): calibrate it anew"
        )
    if not _improves(why):
        return (
            f"pairs left out would not get better: {fixed(why.held_out_before_px, 3)} px before, "
            f"{fixed(why.held_out_after_px, 3)} px after"
        )
    return None


def mended(health: Health) -> StereoRig:
    """Return the rig with what natural images tell changed, and the evidence in its notes.

    Only after ``why_not_mended`` said nothing. Of a rig that was calibrated with a covariance, the
    new rotation's is added to it, so that error bars of depth stay honest.
    """
    why = health.explanation
    assert why is not None
    old = health.rig
    notes = {**old.notes, "repair": _evidence(health, why)}
    if "calibration" in notes:
        notes["calibration"] = _with_new_rotation(dict(notes["calibration"]), why)
    row_error = float(np.mean(np.abs(why.rows.error)))
    return replace(moved(old, why.motion.change, why.turned), row_error_px=row_error, notes=notes)


def _improves(why: Explanation) -> bool:
    before, after = why.held_out_before_px, why.held_out_after_px
    if why.distance_known:  # depth gets better, not rows
        return after <= _NO_WORSE * before
    return after <= _BETTER * before


def _covered(health: Health) -> float:
    """Share of the cells of the left image with a match that counts."""
    at = np.concatenate([m.left for m in health.matches])[health.rows.kept]
    cell = np.floor(at * _CELLS / np.array(health.rig.left.size)).astype(int)
    return len(np.unique(cell, axis=0)) / (_CELLS[0] * _CELLS[1])


def _evidence(health: Health, why: Explanation) -> dict[str, Any]:
    return {
        "source": "natural images, without a board",
        "pairs": len(health.matches),
        "matches": len(why.rows),
        "changed": {
            name: value
            for name, value, free in zip(NAMES, why.motion.change, why.motion.free, strict=True)
            if free
        },
        "turned": why.turned,
        "units": "radians about the right camera's x, y, z; radians of its centre about the left "
        "camera (forward, down); natural logarithm of its focal length (zoom)",
        "names": NAMES,
        "covariance": why.motion.covariance,
        "held_out_row_error_before_px": why.held_out_before_px,
        "held_out_row_error_after_px": why.held_out_after_px,
        "kept": UNOBSERVABLE[:1] if why.distance_known else UNOBSERVABLE,
    }


def _with_new_rotation(calibration: dict[str, Any], why: Explanation) -> dict[str, Any]:
    """The evidence of the calibration without its views, which a new rotation contradicts."""
    calibration.pop("views", None)
    names = list(calibration.get("parameters", ()))
    wanted = [f"rotation.{axis}" for axis in "xyz"]
    if "covariance" in calibration and set(wanted) <= set(names):
        at = [names.index(name) for name in wanted]
        covariance = np.array(calibration["covariance"], np.float64)
        covariance[np.ix_(at, at)] += why.all_free.covariance[:3, :3]
        calibration["covariance"] = covariance
    return calibration
