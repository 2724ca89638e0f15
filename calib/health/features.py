"""The same scene points in both images of a pair, to a few hundredths of a pixel, everywhere.

Corners are chosen cell by cell, so that a carpet does not outvote the rest of the room; recognised
by their looks alone (ORB, or SIFT for cameras that nothing is known of), so that no geometry is
assumed that is then to be measured; and refined by Lucas and Kanade's method, there and back.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Gray = NDArray[np.uint8]

SMALLEST_PX = 64
"""Shorter sides are no image to look for features in: a descriptor is half as large."""
_CELLS = (12, 8)
_MORE_RIGHT = 3  # times the corners there: the partner may not be among the strongest of its cell
_FAST_LEVELS = 7  # gray levels that a corner stands out by; noise of 2 levels seldom does
_UNLIKE = 0.85  # Lowe's ratio: the second best match must be this much worse
_WINDOW_PX = 21
_RETURN_PX = 0.25  # there and back must end where it began
_STRAY_PX = 4.0  # how far refining may move a match


@dataclass(frozen=True, eq=False, slots=True)
class Matches:
    """Where one scene point is in both images."""

    left: Float
    """(N, 2) x and y in the left image, pixels."""
    right: Float
    """(N, 2) x and y in the right image, pixels."""
    tried: int
    """Corners of the left image that a partner was sought for."""

    def __len__(self) -> int:
        return len(self.left)

    def kept(self, which: NDArray[np.bool_]) -> Matches:
        """Return those that are ``which``, (N,)."""
        return Matches(self.left[which], self.right[which], self.tried)


def match_features(
    left: Gray, right: Gray, *, corners: int = 2000, any_pose: bool = False
) -> Matches:
    """Match features of two gray images, (H, W) uint8 each, not necessarily of one size.

    ``corners`` at most are looked for in the left image. ``any_pose``: the cameras may be turned
    and scaled towards each other, which takes ten times as long. Few or none come back where
    little is to be seen.
    """
    none = Matches(np.zeros((0, 2)), np.zeros((0, 2)), 0)
    if min(*left.shape, *right.shape) < SMALLEST_PX:
        return none
    describe = _sift if any_pose else _orb
    keys_left, looks_left = describe(left, corners)
    keys_right, looks_right = describe(right, _MORE_RIGHT * corners)
    if min(len(keys_left), len(keys_right)) < 2:
        return none
    one, two = _recognised(looks_left, looks_right)
    start, end = keys_left[one], keys_right[two]
    if len(start) == 0:
        return none
    if left.shape != right.shape:
        return Matches(start, end, len(keys_left))
    fine_start, fine_end, good = _refined(left, right, start, end)
    if any_pose:  # a turned or scaled patch cannot be followed; SIFT's own place is good to 0.3 px
        mostly = np.count_nonzero(good) >= 0.5 * len(good)
        fine_start, fine_end = (fine_start, fine_end) if mostly else (start, end)
        good = good if mostly else np.ones(len(start), bool)
    return Matches(fine_start[good], fine_end[good], len(keys_left))


def _orb(image: Gray, corners: int) -> tuple[Float, NDArray[np.uint8]]:
    """Places (N, 2) and looks (N, 32): FAST corners, the strongest of each cell, upright."""
    found = cv2.FastFeatureDetector.create(_FAST_LEVELS).detect(image)
    if not found:
        return np.zeros((0, 2)), np.zeros((0, 32), np.uint8)
    places = np.array([key.pt for key in found])
    strength = np.array([key.response for key in found])
    chosen = _spread(places, strength, image.shape, corners)
    keys, looks = cv2.ORB.create(len(chosen)).compute(image, [found[i] for i in chosen])
    if looks is None:
        return np.zeros((0, 2)), np.zeros((0, 32), np.uint8)
    return np.array([key.pt for key in keys]).reshape(-1, 2), np.asarray(looks, np.uint8)


def _sift(image: Gray, corners: int) -> tuple[Float, NDArray[np.float32]]:
    keys, looks = cv2.SIFT.create(corners, contrastThreshold=0.02).detectAndCompute(image, None)
    if looks is None:
        return np.zeros((0, 2)), np.zeros((0, 128), np.float32)
    return np.array([key.pt for key in keys]).reshape(-1, 2), np.asarray(looks, np.float32)


def _spread(
    places: Float, strength: Float, shape: tuple[int, ...], corners: int
) -> NDArray[np.intp]:
    """The strongest of each cell of the image, together at most ``corners``."""
    columns, rows = _CELLS
    cell = (places[:, 0] * columns / shape[1]).astype(int)
    cell += columns * (places[:, 1] * rows / shape[0]).astype(int)
    order = np.lexsort((-strength, cell))
    first = np.searchsorted(cell[order], cell[order])
    rank = np.arange(len(order)) - first  # within its cell
    return order[rank < max(1, corners // (columns * rows))]


def _recognised(
    left: NDArray[np.uint8] | NDArray[np.float32], right: NDArray[np.uint8] | NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of looks that are each other's best, and clearly better than the second best."""
    binary = left.dtype == np.uint8
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING if binary else cv2.NORM_L2)
    there = matcher.knnMatch(left, right, k=2)
    back = {m.queryIdx: m.trainIdx for m in matcher.match(right, left)}
    good = [
        (best.queryIdx, best.trainIdx)
        for best, second in there
        if best.distance < _UNLIKE * second.distance and back.get(best.trainIdx) == best.queryIdx
    ]
    pairs = np.array(good, np.intp).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _refined(
    left: Gray, right: Gray, start: Float, end: Float
) -> tuple[Float, Float, NDArray[np.bool_]]:
    """Places in both images, the right ones moved to where they fit best, and whether they hold."""
    views = [_equalized(image) for image in (left, right)]
    begin = start.astype(np.float32)
    fine, went = _followed(views[0], views[1], begin, end.astype(np.float32))
    back, returned = _followed(views[1], views[0], fine, begin)
    good = went & returned
    good &= np.hypot(*(back - begin).T) < _RETURN_PX
    good &= np.hypot(*(fine - end).T) < _STRAY_PX
    return begin.astype(np.float64), fine.astype(np.float64), good


def _followed(
    source: Gray, target: Gray, start: NDArray[np.float32], guess: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    end, status, _ = cv2.calcOpticalFlowPyrLK(
        source,
        target,
        start[:, None],
        guess[:, None].copy(),
        winSize=(_WINDOW_PX, _WINDOW_PX),
        maxLevel=1,
        criteria=(cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 30, 0.003),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(end, np.float32).reshape(-1, 2), np.asarray(status).ravel() == 1


def _equalized(gray: Gray) -> Gray:
    """Local mean and contrast taken out, so that exposure does not matter."""
    detail = gray.astype(np.float32)
    detail -= cv2.GaussianBlur(detail, (0, 0), 5)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 8)) + 4
    return np.asarray(np.clip(128 + 40 * detail / contrast, 0, 255), np.uint8)
