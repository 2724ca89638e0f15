"""Does a rig file still describe the cameras? The whole of the check on one page.

health = check_rig(rig, [(left, right), ...])
print(health.verdict)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calib.camera import Camera
from calib.errors import CameraError
from calib.health.effect import FLAG_PX, GOOD_PX, UNUSABLE_PX, Effect, effect_of
from calib.health.explain import Explanation, explain
from calib.health.features import Gray, Matches, match_features
from calib.health.findings import Finding, findings_of, other_distance, other_size
from calib.health.motion import Problem
from calib.health.row_errors import (
    FEWEST_MATCHES,
    Rows,
    mean_focal_px,
    rectified,
    sight,
)
from calib.rig import RectifiedRig, StereoRig
from calib.solving.solve import one_thread
from calib.words import fixed

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Grade = Literal["good", "fair", "moved", "unusable", "unknown"]

_MIDDLE = 0.06  # of the image's diagonal: what lies "in the middle"
_FEWEST_MIDDLE = 5


@dataclass(frozen=True, eq=False, slots=True)
class Health:
    """What natural images say of a rig."""

    grade: Grade
    """good: up to 0.15 px of row error that is not noise; fair: up to 0.3; moved: up to 1, mend it;
    unusable: more, or something is wrong with the images; unknown: too little is seen."""
    verdict: str
    """One sentence."""
    findings: tuple[Finding, ...]
    """What is wrong besides, by name."""
    rig: StereoRig
    """As it was checked: two cameras of the images' size."""
    matches: tuple[Matches, ...]
    """Of each pair, before wrong ones were taken out."""
    rows: Rows
    explanation: Explanation | None
    """None where too little is seen, or the images are not of this rig."""
    effect: Effect | None

    @property
    def trusted(self) -> bool:
        """Whether the rig may be used as it is."""
        return self.grade in ("good", "fair")


def check_rig(
    rig: StereoRig | RectifiedRig,
    pairs: Sequence[tuple[Gray, Gray]],
    *,
    known_distance_m: float | None = None,
) -> Health:
    """Return how well ``rig`` fits ``pairs``: (left, right) gray images, (H, W) uint8.

    ``known_distance_m``: how far away what the left image of the first pair shows in its middle
    is; it makes a yaw visible, which rows hardly do. Raises CameraError when the images cannot be
    of the rig, by their sizes, or the middle of the first pair shows nothing to measure.
    """
    sizes = {(image.shape[1], image.shape[0]) for pair in pairs for image in pair[:1]}
    if len(sizes) != 1 or len({pair[1].shape for pair in pairs}) != 1:
        raise CameraError("pairs: expected one or more, all of one size")
    found: list[Finding] = []
    cameras = _of_size(as_cameras(rig, next(iter(sizes))), *pairs[0], found)
    matches = tuple(match_features(*pair) for pair in pairs)
    return check_matches(cameras, matches, found, known_distance_m=known_distance_m)


def check_matches(
    rig: StereoRig,
    matches: Sequence[Matches],
    found: Sequence[Finding] = (),
    *,
    known_distance_m: float | None = None,
) -> Health:
    """Return the same from points that were found already, in images of the rig's size.

    ``found``: what is known to be wrong. Raises CameraError for a distance nothing tells of.
    """
    with one_thread():
        return _checked(rig, matches, found, known_distance_m)


def _checked(
    rig: StereoRig, matches: Sequence[Matches], found: Sequence[Finding], distance_m: float | None
) -> Health:
    problem = Problem.of(rig, matches)
    rows = problem.rows(np.zeros(6))
    problem = replace(problem, known=_known(rig, matches, rows, distance_m))
    if len(rows) < FEWEST_MATCHES:
        found = [*found, *findings_of(rig, matches, rows, None)]
        grade: Grade = "unusable" if any(f.stops for f in found) else "unknown"
        verdict = _too_little(matches, rows)
        return Health(grade, verdict, tuple(found), rig, tuple(matches), rows, None, None)
    why = explain(problem, rows)
    found = [*found, *findings_of(rig, matches, rows, why)]
    if distance_m is not None and problem.known is not None:
        off_px = float(problem.residuals(np.zeros(6))[1].sum())
        found += other_distance(distance_m, problem.known[1], off_px)
    effect = effect_of(
        rows.pattern,
        focal_px=rows.focal_px,
        baseline_m=rig.baseline_m,
        yaw_sigma_rad=float(why.all_free.sigma[1]),
        yaw_rad=float(why.motion.change[1]),
    )
    grade = _grade(rows, found)
    verdict = _verdict(grade, rows, why, len(matches), found)
    return Health(grade, verdict, tuple(found), rig, tuple(matches), rows, why, effect)


def as_cameras(rig: StereoRig | RectifiedRig, size: tuple[int, int]) -> StereoRig:
    """Return two cameras; of rectified images the pinholes that they amount to."""
    if isinstance(rig, StereoRig):
        return rig
    size = rig.size or size

    def camera(cx: float) -> Camera:
        K = np.array([[rig.focal_px, 0, cx], [0, rig.focal_px, rig.cy_px], [0, 0, 1]])
        return Camera("pinhole", size, K)

    left, right = camera(rig.cx_left_px), camera(rig.cx_right_px)
    return StereoRig(left, right, np.eye(3), np.array([-rig.baseline_m, 0, 0]))


def _of_size(rig: StereoRig, left: Gray, right: Gray, found: list[Finding]) -> StereoRig:
    """The rig for images of this size; what is said of it is added to ``found``."""
    cameras = []
    for side, camera, image in (("left", rig.left, left), ("right", rig.right, right)):
        size = (image.shape[1], image.shape[0])
        finding = other_size(side, size, camera)
        if finding is not None and not found:
            found.append(finding)
        cameras.append(camera if size == camera.size else camera.scaled(size))
    return replace(rig, left=cameras[0], right=cameras[1])


def _known(
    rig: StereoRig, matches: Sequence[Matches], rows: Rows, distance_m: float | None
) -> tuple[Bool, float] | None:
    """Which matches lie in the middle of the first left image, and the disparity of a distance."""
    if distance_m is None:
        return None
    if not 0 < distance_m < 1e6:
        raise CameraError(f"known distance: expected metres > 0, got {distance_m:g}")
    size = np.array(rig.left.size)
    at = np.concatenate([m.left for m in matches])
    near = np.hypot(*(at - (size - 1) / 2).T) < _MIDDLE * np.hypot(*size)
    near[len(matches[0]) :] = False
    near &= rows.kept
    if np.count_nonzero(near) < _FEWEST_MIDDLE:
        raise CameraError(
            f"known distance: only {np.count_nonzero(near)} points are found in the middle of the "
            "first left image; give first a pair that shows something with texture there"
        )
    return near, mean_focal_px(rig) * rig.baseline_m / distance_m


def measured_distance_m(health: Health) -> float:
    """Return how far away the rig has the middle of the first left image, metres; NaN: unknown."""
    seen = sight(health.rig, health.matches[:1])
    focal = mean_focal_px(health.rig)
    left, right = rectified(seen, health.rig.R_right_left, health.rig.t_right_left, focal)
    size = np.array(health.rig.left.size)
    near = np.hypot(*(health.matches[0].left - (size - 1) / 2).T) < _MIDDLE * np.hypot(*size)
    near &= health.rows.kept[: len(near)]
    if not near.any():
        return float("nan")
    disparity = float(np.median((left - right)[near, 0]))
    return focal * health.rig.baseline_m / disparity if disparity > 0 else float("inf")


def _grade(rows: Rows, found: Sequence[Finding]) -> Grade:
    if any(finding.stops for finding in found) or rows.systematic_px > UNUSABLE_PX:
        return "unusable"
    if rows.systematic_px > FLAG_PX or any(finding.cause == "distance" for finding in found):
        return "moved"
    return "fair" if rows.systematic_px > GOOD_PX else "good"


def _verdict(
    grade: Grade, rows: Rows, why: Explanation, pairs: int, found: Sequence[Finding]
) -> str:
    many = "1 pair" if pairs == 1 else f"{pairs} pairs"
    facts = (
        f"rows differ by {fixed(rows.median_px, 2)} px (median of {len(rows)} matches in {many}), "
        f"of which {fixed(rows.systematic_px, 2)} px is no noise"
    )
    stops = next((finding for finding in found if finding.stops), None)
    if stops is not None:
        return f"Do not use it: {stops.message}; {facts}."
    if any(finding.cause == "distance" for finding in found):
        return f"The rig has moved (yaw), or its baseline is not as long as the file says: {facts}."
    cause = " and ".join(why.named()[:2]) or "the lenses"
    if grade in ("good", "fair"):
        return f"{grade.capitalize()}: {facts}."
    if why.plausible:
        return f"The rig has moved ({cause}): {facts}."
    return (
        f"Do not use it: {facts}, and no small movement of the rig explains that: is it this "
        "rig's file?"
    )


def _too_little(matches: Sequence[Matches], rows: Rows) -> str:
    total = sum(len(m) for m in matches)
    if total < FEWEST_MATCHES:
        return (
            f"Too little to say: {total} points were found in both images; show a scene with "
            "texture, in light, and check that both images show the same scene."
        )
    return (
        f"Rows do not correspond: {total} points were found in both images, but no {FEWEST_MATCHES}"
        " of them agree on where rows lie; is it this rig's file?"
    )
