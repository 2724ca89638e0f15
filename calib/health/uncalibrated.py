"""Rows that match without any calibration: two cameras, or one carried from place to place.

Turns of both cameras, one focal length and one bend of the lenses are found that put every point
on the same row (after A. Fusiello, L. Irsara: Quasi-Euclidean epipolar rectification of
uncalibrated images, Machine Vision and Applications 2011), the bend as A. Fitzgibbon's division
model (CVPR 2001). Rows then match; scale and shape of what is seen stay unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from calib.errors import CameraError
from calib.health.features import Gray, Matches, match_features
from calib.health.row_errors import Rows, clean_rows
from calib.solving.solve import one_thread

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Size = tuple[int, int]

FEWEST_MATCHES = 40
LEAST_PARALLAX_PX = 3.0
"""Between near and far: less is no stereo pair, or shows a wall."""
_MOST_FITTED = 3000
_SAMPSON_PX = 2.0
_HFOV_DEG = 60.0  # of a camera nobody said anything about
_PRIOR = np.array([0.3, 0.3, 0.3, 0.3, 0.3, 0.4, 0.1, 0.3])
"""Standard deviations: yaw and roll left; pitch, yaw, roll right; logarithm of the focal length and
of its ratio; bend. Decide only where the images do not."""
_BELIEF = 0.1  # half pixels that all matches together give for one standard deviation
_BENT = 0.9  # of the cost without: a bend must earn its place
_MARGIN_PX = 4.0
_STEEPEST = np.radians(60)


@dataclass(frozen=True, eq=False, slots=True)
class SelfRectification:
    """How to warp two images so that rows match."""

    H_left: Float
    """(3, 3) from unbent left pixels to rectified ones."""
    H_right: Float
    """(3, 3) the same of the right image."""
    bend: float
    """Of both lenses, 0: none; ``p = c + (q - c) / (1 + bend |q - c|^2 / r^2)`` unbends pixel q,
    with c the middle of the image and r half its diagonal."""
    sizes: tuple[Size, Size]
    """(width, height) of the images it takes, left and right."""
    size: Size
    """(width, height) of the rectified images."""
    focal_px: float
    """Of the rectified images, if the guessed or told field of view is true."""
    doffs_px: float
    """By which the right image was moved so that disparities are positive."""
    rows: Rows
    """Row errors after it."""
    parallax_px: float
    """Between near and far: 95 % less 5 % of the disparities."""

    def sources(self, side: int) -> NDArray[np.float32]:
        """Return (H, W, 2) where each rectified pixel of the left (0) or right (1) image lies."""
        H = (self.H_left, self.H_right)[side]
        x, y = np.meshgrid(
            np.arange(self.size[0], dtype=float), np.arange(self.size[1], dtype=float)
        )
        at = _through(np.asarray(np.linalg.inv(H)), np.column_stack([x.ravel(), y.ravel()]))
        bent = _bent(at, self.bend, self.sizes[side])
        return bent.reshape(self.size[1], self.size[0], 2).astype(np.float32)


def self_rectified(
    pairs: Sequence[tuple[Gray, Gray]], *, hfov_deg: float | None = None
) -> SelfRectification:
    """Return what makes the rows of ``pairs`` match: gray images (H, W) uint8 of the same cameras.

    ``hfov_deg``: the left camera's field of view; None: found with the rest, badly. Raises
    CameraError where too little matches, or one camera stands in front of the other.
    """
    matches = [match_features(*pair, any_pose=True) for pair in pairs]
    sizes = tuple((image.shape[1], image.shape[0]) for image in pairs[0])
    kept = _of_one_geometry(matches)
    if np.count_nonzero(kept) < FEWEST_MATCHES:
        raise CameraError(
            f"only {np.count_nonzero(kept)} points of both images agree on one geometry, "
            f"{FEWEST_MATCHES} are needed: the images must show the same scene, from places beside "
            "each other, with texture"
        )
    left = np.concatenate([m.left for m in matches])
    right = np.concatenate([m.right for m in matches])
    with one_thread():
        solved = _solved(left[kept], right[kept], (sizes[0], sizes[1]), hfov_deg)
    pair = np.repeat(np.arange(len(matches)), [len(m) for m in matches])
    return _placed(solved, left[kept], right[kept], pair[kept])


def _of_one_geometry(matches: Sequence[Matches]) -> Bool:
    """Which matches obey one fundamental matrix; roughly, as lenses may bend."""
    left = np.concatenate([m.left for m in matches])
    right = np.concatenate([m.right for m in matches])
    if len(left) < FEWEST_MATCHES:
        return np.zeros(len(left), bool)
    _, inlier = cv2.findFundamentalMat(left, right, cv2.USAC_MAGSAC, _SAMPSON_PX, 0.999, 10000)
    if inlier is None:
        return np.zeros(len(left), bool)
    return np.asarray(inlier).ravel().astype(bool)


@dataclass(frozen=True, eq=False, slots=True)
class _Guess:
    """Two cameras as eight numbers, see ``_PRIOR``."""

    values: Float
    sizes: tuple[Size, Size]
    told_focal: bool
    hfov_deg: float

    @property
    def turns(self) -> tuple[Float, Float]:
        """From either camera's axes to the common rectified ones."""
        v = self.values
        left = Rotation.from_euler("yz", v[:2]).as_matrix()
        return left, Rotation.from_euler("xyz", v[2:5]).as_matrix()

    @property
    def focals(self) -> tuple[float, float]:
        """Focal lengths, pixels."""
        base = 0.5 * self.sizes[0][0] / np.tan(np.radians(self.hfov_deg) / 2)
        left = base * (1.0 if self.told_focal else float(np.exp(self.values[5])))
        wider = self.sizes[1][0] / self.sizes[0][0]
        return left, left * wider * float(np.exp(self.values[6]))

    @property
    def cameras(self) -> list[Float]:
        """K of either camera, (3, 3), its principal point in the middle."""
        return [
            np.array([[f, 0, (w - 1) / 2], [0, f, (h - 1) / 2], [0, 0, 1]])
            for f, (w, h) in zip(self.focals, self.sizes, strict=True)
        ]

    def off(self, left: Float, right: Float) -> Float:
        """(N,) Sampson's distance of each match from the epipolar geometry, pixels."""
        across = np.array([[0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
        K, turns = self.cameras, self.turns
        F = np.linalg.inv(K[1]).T @ turns[1].T @ across @ turns[0] @ np.linalg.inv(K[0])
        a, b = (
            np.column_stack([_unbent(at, self.values[7], size), np.ones(len(at))])
            for at, size in zip((left, right), self.sizes, strict=True)
        )
        Fa, Fb = a @ F.T, b @ F
        length = np.sqrt((Fa[:, :2] ** 2).sum(axis=1) + (Fb[:, :2] ** 2).sum(axis=1))
        return np.asarray((b * Fa).sum(axis=1) / np.maximum(length, 1e-12))


def _solved(left: Float, right: Float, sizes: tuple[Size, Size], hfov_deg: float | None) -> _Guess:
    """The cameras that fit best; with a bend of the lenses only where that fits clearly better."""
    every = max(1, -(-len(left) // _MOST_FITTED))
    start = _Guess(np.zeros(8), sizes, hfov_deg is not None, hfov_deg or _HFOV_DEG)
    straight = np.arange(8) != 7
    if hfov_deg is not None:
        straight &= np.arange(8) != 5
    flat = _fitted(start, left[::every], right[::every], straight)
    bent = _fitted(flat, left[::every], right[::every], straight | (np.arange(8) == 7))
    costs = [float(np.mean(np.minimum(np.abs(g.off(left, right)), 3.0))) for g in (flat, bent)]
    found = bent if costs[1] < _BENT * costs[0] else flat
    if max(abs(found.values[1]), abs(found.values[4])) > _STEEPEST or (
        max(abs(found.values[0]), abs(found.values[3])) > _STEEPEST
    ):
        raise CameraError(
            "rows cannot match: one camera stands in front of the other, or above it; take both "
            "images from places side by side, held upright"
        )
    return found


def _fitted(start: _Guess, left: Float, right: Float, free: Bool) -> _Guess:
    def guess(x: Float) -> _Guess:
        values = start.values.copy()
        values[free] = x
        return replace(start, values=values)

    def residuals(x: Float) -> Float:
        ridge = _BELIEF * np.sqrt(len(left)) * x / _PRIOR[free]
        return np.concatenate([guess(x).off(left, right) / 0.5, ridge])

    solution = least_squares(residuals, start.values[free], loss="soft_l1", max_nfev=60)
    return guess(np.asarray(solution.x))


def _placed(found: _Guess, left: Float, right: Float, pair: NDArray[np.intp]) -> SelfRectification:
    """Homographies that keep scale and middle, with disparities from a few pixels up."""
    size = found.sizes[0]
    K, turns = found.cameras, found.turns
    focal = found.focals[0]
    new = np.array([[focal, 0, 0], [0, focal, 0], [0, 0, 1.0]])
    H = [new @ turn @ np.linalg.inv(camera) for turn, camera in zip(turns, K, strict=True)]
    views = [
        _through(h, _unbent(at, found.values[7], each))
        for h, at, each in zip(H, (left, right), found.sizes, strict=True)
    ]
    rows = clean_rows(views[0], views[1], pair, focal)
    if len(rows) < FEWEST_MATCHES:
        raise CameraError(
            f"rows could not be made to match: {len(rows)} of {len(left)} points agree; is the "
            "scene still, and the lens not a fisheye?"
        )
    middles = [
        _through(h, (np.array([each]) - 1) / 2)[0] for h, each in zip(H, found.sizes, strict=True)
    ]
    shift = (np.array(size) - 1) / 2 - [middles[0][0], (middles[0][1] + middles[1][1]) / 2]
    doffs = float(np.percentile(rows.disparity, 1)) - _MARGIN_PX
    into = [np.array([[1, 0, shift[0] + x], [0, 1, shift[1]], [0, 0, 1]]) for x in (0.0, doffs)]
    p5, p95 = np.percentile(rows.disparity, [5, 95])
    return SelfRectification(
        into[0] @ H[0],
        into[1] @ H[1],
        float(found.values[7]),
        found.sizes,
        size,
        focal,
        doffs,
        rows,
        float(p95 - p5),
    )


def _through(H: Float, at: Float) -> Float:
    """(N, 2) pixels after a homography; NaN behind the camera."""
    x, y, z = H @ np.column_stack([at, np.ones(len(at))]).T
    with np.errstate(all="ignore"):
        return np.where((z > 0)[:, None], np.column_stack([x / z, y / z]), np.nan)


def _scaled(at: Float, size: Size) -> tuple[Float, Float, float]:
    middle = (np.array(size) - 1) / 2
    return at - middle, middle, float(np.hypot(*size)) / 2


def _unbent(at: Float, bend: float, size: Size) -> Float:
    out, middle, r = _scaled(at, size)
    return np.asarray(middle + out / (1 + bend * (out**2).sum(axis=1, keepdims=True) / r**2))


def _bent(at: Float, bend: float, size: Size) -> Float:
    """The inverse of ``_unbent``; NaN where the lens has no such ray."""
    out, middle, r = _scaled(at, size)
    if abs(bend) < 1e-9:
        return at
    far = (out**2).sum(axis=1, keepdims=True) / r**2
    with np.errstate(all="ignore"):
        grown = 2 / (1 + np.sqrt(1 - 4 * bend * far))
    return np.asarray(middle + out * grown)
