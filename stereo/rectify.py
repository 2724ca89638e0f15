"""Turn both images so that every scene point lies on the same row in both.

The two cameras are turned half-way towards each other and then together until the baseline runs
along the rows (J.-Y. Bouguet's method, as in his calibration toolbox and OpenCV). Both then share
one pinhole: the focal length and principal point are ours to choose, and ``alpha`` chooses between
"only pixels that both cameras see" (0) and "every pixel that either camera sees" (1). The same
code serves pinhole and fisheye lenses: it asks the cameras only to ``project`` and ``unproject``.

Images of cameras above each other are turned by 90 degrees on the way, and their depth is turned
back: it lies in the left camera's own frame. The two cameras may differ in lens and image size;
the rectified images have the left one's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib import Camera, RectifiedRig, StereoRig
from calib.common_view import common_intrinsics
from calib.judging.uncertainty import disparity_variance
from calib.solving.epipolar import half_way_baseline, quarter_turns, rectifying_rotations
from calib.words import fixed, length
from stereo.depth import DisparityVariance, depth_frame
from stereo.errors import InputError, RectificationError
from stereo.frame import (
    DepthFrame,
    DisparityMap,
    Image,
    Mask,
    RectifiedPair,
    StereoFrame,
    StereoGeometry,
    check_same_size,
)
from stereo.turning import turned_depth, turned_disparity

Matrix = NDArray[np.float64]
Maps = tuple[NDArray[np.int16], NDArray[np.uint16]]
Size = tuple[int, int]

_VARIANCE_GRID = (17, 11)
"""Columns and rows on which the calibration's error is computed."""


@dataclass(frozen=True, eq=False, slots=True)
class Rectification:
    """Computed once for a rig, applied to every frame.

    Build it with ``from_rig`` for a calibrated rig, or with ``already_rectified`` for images that
    come rectified, with or without known geometry.
    """

    geometry: StereoGeometry | None
    """Focal length, baseline and principal point of the rectified images; None: unknown."""
    size: Size | None
    """(width, height) of the rectified images; None: any."""
    input_sizes: tuple[Size, Size] | None = None
    """(width, height) of the left and right images that ``apply`` takes; None: as ``size``."""
    R_rect_left: Matrix | None = None
    """(3, 3) turns the left camera's axes into the rectified ones; None: nothing to turn."""
    R_rect_right: Matrix | None = None
    """(3, 3) the same for the right camera."""
    maps_left: Maps | None = None
    """cv2's fixed-point maps of the left image; None: passed through untouched."""
    maps_right: Maps | None = None
    """The same for the right image."""
    valid_left: Mask | None = None
    """(H, W) True where the left camera saw something; None: everywhere."""
    valid_right: Mask | None = None
    """(H, W) True where the right camera saw something; None: everywhere."""
    calibration_px2: DisparityVariance | None = None
    """What the rig's covariance says of each disparity; None: the rig keeps none."""
    turns: int = 0
    """Quarter turns, counter-clockwise, from the left camera's own image to the rectified one: 0,
    except where the right camera stands below the left one (1) or above it (-1)."""

    def __repr__(self) -> str:
        size = "any size" if self.size is None else f"{self.size[0]}x{self.size[1]}"
        how = "images pass through" if self.maps_left is None else "images are remapped"
        if self.geometry is None:
            return f"Rectification({size}, {how}, no metric depth)"
        focal, baseline = self.geometry.focal_px, self.geometry.baseline_m
        return f"Rectification({size}, {how}, focal {focal:.1f} px, baseline {baseline:.4f} m)"

    @property
    def R_depth_left(self) -> Matrix | None:  # noqa: N802
        """(3, 3) turns the left camera's axes into those of its depth: ``R_rect_left``, without
        the quarter turn of cameras above each other; None: nothing to turn.
        """
        if self.R_rect_left is None or self.turns == 0:
            return self.R_rect_left
        return np.array([[0.0, -self.turns, 0], [self.turns, 0, 0], [0, 0, 1]]) @ self.R_rect_left

    @property
    def P1(self) -> Matrix:  # noqa: N802
        """(3, 4) projection of the rectified left camera, as ``cv2.stereoRectify`` gives it.

        Raises RectificationError when focal length and baseline are unknown.
        """
        return np.column_stack([self._known_geometry.K, np.zeros(3)])

    @property
    def P2(self) -> Matrix:  # noqa: N802
        """(3, 4) projection of the rectified right camera, its last column in pixels x metres."""
        geometry = self._known_geometry
        P = self.P1
        P[0, 2] += geometry.doffs_px
        P[0, 3] = -geometry.focal_px * geometry.baseline_m
        return P

    @property
    def Q(self) -> Matrix:  # noqa: N802
        """(4, 4) turns (x, y, disparity, 1) into a point in metres, for ``cv2.reprojectImageTo3D``.

        Raises RectificationError when focal length and baseline are unknown.
        """
        g = self._known_geometry
        return np.array(
            [
                [1, 0, 0, -g.cx_px],
                [0, 1, 0, -g.cy_px],
                [0, 0, 0, g.focal_px],
                [0, 0, 1 / g.baseline_m, g.doffs_px / g.baseline_m],
            ]
        )

    @property
    def _known_geometry(self) -> StereoGeometry:
        if self.geometry is None:
            raise RectificationError(
                "no metric depth without focal length and baseline; give a calibration"
            )
        return self.geometry

    @classmethod
    def from_rig(
        cls,
        rig: StereoRig,
        *,
        alpha: float = 0.0,
        size: Size | None = None,
        rescale: bool = False,
    ) -> Rectification:
        """Compute the rectification of ``rig``.

        ``alpha`` in [0, 1]: 0 keeps only what both cameras see, 1 keeps everything. ``size`` is
        the (width, height) of the left images you have; another size than the calibration's is
        refused unless ``rescale``, which scales the calibration by the half-pixel rule, the right
        camera in proportion.

        Raises RectificationError for swapped cameras, one in front of the other or another image
        size, and InputError for a senseless ``alpha``.
        """
        if not 0 <= alpha <= 1:
            raise InputError(f"alpha must lie between 0 and 1, got {alpha}")
        calibrated = rig  # its covariance speaks of the size it was calibrated at
        if size is not None:
            rig = _rig_for_size(rig, size, rescale=rescale)
        R_left, R_right = _rectifying_rotations(rig)
        turns = quarter_turns(rig.R_right_left, rig.t_right_left)
        out = rig.left.size if turns == 0 else rig.left.size[::-1]
        K = common_intrinsics(((rig.left, R_left), (rig.right, R_right)), out, alpha)
        maps_left, valid_left = _maps(rig.left, R_left, K, out)
        maps_right, valid_right = _maps(rig.right, R_right, K, out)
        geometry = StereoGeometry(float(K[0, 0]), rig.baseline_m, float(K[0, 2]), float(K[1, 2]))
        return cls(
            geometry,
            out,
            (rig.left.size, rig.right.size),
            R_left,
            R_right,
            maps_left,
            maps_right,
            None if valid_left.all() else valid_left,
            None if valid_right.all() else valid_right,
            _calibration_variance(calibrated, R_left, K, out, geometry),
            turns,
        )

    @classmethod
    def from_calibration(
        cls,
        calibration: StereoRig | RectifiedRig,
        *,
        alpha: float = 0.0,
        size: Size | None = None,
        rescale: bool = False,
    ) -> Rectification:
        """Compute it from whatever ``calib.load_rig`` returned.

        As ``from_rig`` for a rig; images of a calibration that is rectified already pass through
        untouched. Raises what ``from_rig`` raises.
        """
        if isinstance(calibration, StereoRig):
            return cls.from_rig(calibration, alpha=alpha, size=size, rescale=rescale)
        if size is not None and calibration.size is not None and size != calibration.size:
            if not rescale:
                _check_size("left", size, calibration.size, None)
            calibration = calibration.scaled(size)
        geometry = StereoGeometry(
            calibration.focal_px,
            calibration.baseline_m,
            calibration.cx_left_px,
            calibration.cy_px,
            calibration.cx_right_px - calibration.cx_left_px,
        )
        return cls.already_rectified(geometry, size=calibration.size)

    @classmethod
    def already_rectified(
        cls, geometry: StereoGeometry | None = None, *, size: Size | None = None
    ) -> Rectification:
        """Pass images through untouched; depth needs ``geometry``."""
        return cls(geometry, size)

    def apply(self, frame: StereoFrame) -> RectifiedPair:
        """Return the rectified pair; where a camera saw nothing it is black and masked.

        Raises RectificationError when the images are not of the calibration's size and ImageError
        when rectified images differ in size.
        """
        left_size, right_size = self.input_sizes or (self.size, self.size)
        _check_size("left", _size_of(frame.left), left_size, right_size)
        _check_size("right", _size_of(frame.right), right_size, left_size)
        if self.maps_left is None or self.maps_right is None:
            check_same_size(frame.left, frame.right)
            return RectifiedPair(frame.left, frame.right, time_s=frame.time_s)
        return RectifiedPair(
            _remap(frame.left, self.maps_left),
            _remap(frame.right, self.maps_right),
            self.valid_left,
            self.valid_right,
            frame.time_s,
        )

    def depth(
        self,
        disparity: DisparityMap,
        pair: RectifiedPair,
        *,
        min_depth_m: float = 0.0,
        max_depth_m: float = np.inf,
    ) -> DepthFrame:
        """Return metric depth with its error bar, in the left camera's own frame.

        ``disparity`` is that of ``pair``, as a matcher gives it; images that were turned are
        turned back. Raises RectificationError when focal length and baseline are unknown.
        """
        found = depth_frame(
            disparity,
            self._known_geometry,
            pair.left,
            min_depth_m=min_depth_m,
            max_depth_m=max_depth_m,
            time_s=pair.time_s,
            calibration_px2=self.calibration_px2,
        )
        return turned_depth(found, -self.turns)

    def turned_back(self, disparity: DisparityMap) -> DisparityMap:
        """Return a rectified pair's disparity as the left camera stands, to fit its depth."""
        return turned_disparity(disparity, -self.turns)


def _calibration_variance(
    rig: StereoRig, R_left: Matrix, K: Matrix, out: Size, geometry: StereoGeometry
) -> DisparityVariance | None:
    """Computed on a coarse grid and interpolated: lenses are smooth."""
    if "calibration" not in rig.notes:
        return None
    width, height = out
    columns, rows = _VARIANCE_GRID
    x, y = np.meshgrid(
        (np.arange(columns) + 0.5) * width / columns - 0.5,
        (np.arange(rows) + 0.5) * height / rows - 0.5,
    )
    tangents = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones_like(x)], -1)
    found = disparity_variance(
        rig,
        tangents.reshape(-1, 3) @ R_left,
        pixels_per_inverse_metre=geometry.focal_px * geometry.baseline_m,
    )
    if found is None or not np.isfinite(found).any():
        return None
    unseen = np.nanmax(found, axis=0) * [1, 0, 1]  # beyond the lens: as bad as the worst
    coarse = np.where(np.isfinite(found), found, unseen).reshape(rows, columns, 3)
    fine = cv2.resize(coarse.astype(np.float32), out, interpolation=cv2.INTER_LINEAR)
    offset, mixed, share = (np.ascontiguousarray(fine[..., i], np.float32) for i in range(3))
    return DisparityVariance(offset, mixed, share)


def _remap(image: Image, maps: Maps) -> Image:
    return cv2.remap(image, maps[0], maps[1], cv2.INTER_LINEAR)  # type: ignore[return-value]


def _size_of(image: Image) -> Size:
    return image.shape[1], image.shape[0]


def _check_size(side: str, found: Size, size: Size | None, other: Size | None) -> None:
    """Raise RectificationError unless an image is of the size it was calibrated at."""
    width, height = found
    if size is None or found == tuple(size):
        return
    if (width, height) == tuple(2 * s for s in size) or (width, height) == (2 * size[0], size[1]):
        hint = "; is this a side-by-side image? (--side-by-side)"
    elif found == other:
        hint = ", and this is the other camera's size: exchange left and right (--swap)"
    else:
        hint = "; use images as calibrated, or rescale the calibration (--rescale)"
    raise RectificationError(
        f"{side} image is {width}x{height} but the calibration is for {size[0]}x{size[1]}{hint}"
    )


def _rig_for_size(rig: StereoRig, size: Size, *, rescale: bool) -> StereoRig:
    if rig.left.size == size or not rescale:
        _check_size("left", size, rig.left.size, rig.right.size)
        return rig
    across, down = (now / was for now, was in zip(size, rig.left.size, strict=True))
    if abs(across / down - 1) > 0.01:
        raise RectificationError(
            f"images of {size[0]}x{size[1]} are no scaled version of the calibration's "
            f"{rig.left.size[0]}x{rig.left.size[1]}: the aspect ratio differs (a cropped sensor "
            "mode?); calibrate at this size"
        )
    return rig.scaled(size)


def _rectifying_rotations(rig: StereoRig) -> tuple[Matrix, Matrix]:
    """The rotations of left and right axes into the common rectified ones."""
    baseline = half_way_baseline(rig.R_right_left, rig.t_right_left)
    if np.hypot(*baseline[:2]) < abs(baseline[2]):
        raise RectificationError(
            "one camera stands in front of the other (baseline "
            f"{_xyz(baseline)}): rows cannot align"
        )
    if baseline[0] <= -abs(baseline[1]):
        raise RectificationError(
            "left and right are swapped: the calibration places the right camera "
            f"{length(-baseline[0])} to the left of the left one; exchange the two"
        )
    return rectifying_rotations(rig.R_right_left, rig.t_right_left)


def _xyz(metres: Matrix) -> str:
    return " ".join(f"{name} {fixed(v, 3)}" for name, v in zip("xyz", metres, strict=True)) + " m"


def _maps(camera: Camera, R: Matrix, K: Matrix, out: Size) -> tuple[Maps, Mask]:
    """Where each rectified pixel comes from, in cv2's fixed-point form, and whether it exists."""
    columns, rows = np.meshgrid(np.arange(out[0], dtype=float), np.arange(out[1], dtype=float))
    tangents = np.stack(
        [(columns - K[0, 2]) / K[0, 0], (rows - K[1, 2]) / K[1, 1], np.ones_like(columns)], axis=-1
    )
    rays = tangents.reshape(-1, 3) @ R  # rows of R.T: from the rectified axes to the camera's
    source = camera.project(rays).reshape(out[1], out[0], 2)
    width, height = camera.size
    with np.errstate(invalid="ignore"):
        valid = np.all((source > -0.5) & (source < np.array([width, height]) - 0.5), axis=-1)
    source = np.where(valid[..., None], source, -1e4).astype(np.float32)
    fixed = cv2.convertMaps(source, None, cv2.CV_16SC2)  # type: ignore[call-overload]
    return (fixed[0], fixed[1]), valid
