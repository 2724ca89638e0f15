"""What travels through the pipeline: data only, checked once, never changed.

Every type is frozen and its arrays are made read-only (cv2 takes read-only inputs); to change
something use ``dataclasses.replace``. Conventions are in ``docs/conventions.md``: RGB, metres,
pixels, NaN for unknown, pixel centres on integers, camera axes x right, y down, z forward.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.words import measured, plain
from stereo.errors import ImageError, InputError
from stereo.proof import Proof

MAX_SIDE_PX = 32767
"""Columns or rows of the largest image: what cv2's maps and our matcher can address."""

Image = NDArray[np.uint8] | NDArray[np.uint16]
Float = NDArray[np.float32]
Mask = NDArray[np.bool_]


def freeze(instance: object, name: str, array: NDArray[Any]) -> None:
    """Store a read-only view, so that the caller's own array stays writable."""
    view = array.view()
    view.flags.writeable = False
    object.__setattr__(instance, name, view)


def _check_image(name: str, image: NDArray[Any]) -> None:
    found = getattr(image, "dtype", type(image).__name__)  # a path, perhaps
    if found not in (np.uint8, np.uint16):
        raise ImageError(f"{name}: expected a uint8 or uint16 image array, got {found}")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or image.size == 0:
        raise ImageError(
            f"{name}: expected shape (H, W) gray or (H, W, 3) RGB with at least one pixel, "
            f"got {image.shape}"
        )


def in_words(image: NDArray[Any]) -> str:
    """Return size and kind of an image, for people: 640x480 RGB uint8."""
    height, width = image.shape[:2]
    return f"{width}x{height} {'gray' if image.ndim == 2 else 'RGB'} {image.dtype}"


def _known_in_words(plane: Float) -> str:
    height, width = plane.shape
    return f"{width}x{height}, {np.isfinite(plane).mean():.0%} known"


def check_same_size(left: NDArray[Any], right: NDArray[Any]) -> None:
    """Raise ImageError naming both sizes when they differ."""
    if left.shape[:2] != right.shape[:2]:
        raise ImageError(
            f"left image is {left.shape[1]}x{left.shape[0]} but right image is "
            f"{right.shape[1]}x{right.shape[0]}; both must have the same size: give two images "
            "of one setting, or of two unlike cameras with their calibration (--calib)"
        )


def _check_plane(name: str, plane: NDArray[Any], shape: tuple[int, ...] | None = None) -> None:
    if plane.dtype != np.float32 or plane.ndim != 2:
        raise InputError(f"{name}: expected float32 (H, W), got {plane.dtype} {plane.shape}")
    if shape is not None and plane.shape != shape:
        raise InputError(f"{name}: expected shape {shape}, got {plane.shape}")


@dataclass(frozen=True, eq=False, slots=True)
class StereoFrame:
    """Two images as the cameras gave them.

    The two may differ in size, as two unlike cameras do; a rectification checks both against the
    calibration. Raises ImageError when one is not an image.
    """

    left: Image
    """(H, W) gray or (H, W, 3) RGB, uint8 or uint16."""
    right: Image
    """(H, W) gray or (H, W, 3) RGB, uint8 or uint16."""
    time_s: float = 0.0
    """Time of capture, seconds; the zero is the source's own."""
    skew_s: float = 0.0
    """How much later than the left image the right one was captured, seconds, where known."""
    host_s: float = math.nan
    """``time.monotonic()`` of this computer at capture, or at arrival where the camera does not
    say; NaN for what comes from files. What latency is measured from."""
    name: str = ""
    """What its source calls it: a file's name without its ending, or the stamp of the left image,
    nanoseconds with all digits; empty where the source has no name for it."""
    proof: Proof | None = None
    """Why the two images belong together, of two streams; None: they come together."""
    third: Image | None = None
    """What a camera beside the rig saw at the same time, in its own size; see ``Registration``."""

    def __post_init__(self) -> None:
        _check_image("left image", self.left)
        _check_image("right image", self.right)
        if self.third is not None:
            _check_image("third image", self.third)
            freeze(self, "third", self.third)
        freeze(self, "left", self.left)
        freeze(self, "right", self.right)

    def __repr__(self) -> str:
        same = self.left.shape == self.right.shape and self.left.dtype == self.right.dtype
        right = "" if same else f" and {in_words(self.right)}"
        return f"StereoFrame({in_words(self.left)}{right}, time_s={plain(self.time_s)})"


@dataclass(frozen=True, eq=False, slots=True)
class RectifiedPair:
    """Two images whose rows correspond: a scene point lies on the same row in both.

    Raises ImageError when one is not an image or the two differ in size, InputError when a mask
    does not fit.
    """

    left: Image
    """(H, W) gray or (H, W, 3) RGB, uint8 or uint16."""
    right: Image
    """Same size as ``left``."""
    valid_left: Mask | None = None
    """(H, W) True where the left camera saw something; None: everywhere."""
    valid_right: Mask | None = None
    """(H, W) True where the right camera saw something; None: everywhere."""
    time_s: float = 0.0
    """Time of capture, seconds."""

    def __post_init__(self) -> None:
        _check_image("left image", self.left)
        _check_image("right image", self.right)
        check_same_size(self.left, self.right)
        freeze(self, "left", self.left)
        freeze(self, "right", self.right)
        for name in ("valid_left", "valid_right"):
            mask = getattr(self, name)
            if mask is None:
                continue
            if mask.dtype != np.bool_ or mask.shape != self.left.shape[:2]:
                raise InputError(
                    f"{name}: expected bool {self.left.shape[:2]}, got {mask.dtype} {mask.shape}"
                )
            freeze(self, name, mask)

    def __repr__(self) -> str:
        masked = ", masked" * (self.valid_left is not None or self.valid_right is not None)
        return f"RectifiedPair({in_words(self.left)}{masked}, time_s={plain(self.time_s)})"


@dataclass(frozen=True, slots=True)
class SearchRange:
    """The disparities to search: ``num_disparities`` of them from ``min_disparity`` on."""

    min_disparity: int
    """Smallest disparity, pixels; may be negative."""
    num_disparities: int
    """How many, one pixel apart; a multiple of 16 where it was found."""
    support: float = 1.0
    """Share of the image that the range was found from, 0 to 1; 0: nothing matched, a guess."""
    found: bool = False
    """True: found from the pair itself; False: told, by the caller or the calibration."""

    @property
    def max_disparity(self) -> int:
        """Largest disparity, pixels."""
        return self.min_disparity + self.num_disparities - 1


@dataclass(frozen=True, eq=False, slots=True)
class DisparityMap:
    """How far each left pixel moved to the left in the right image.

    Raises InputError for wrong dtype or shape.
    """

    px: Float
    """(H, W) float32 pixels, ``x_left - x_right``; NaN where unknown."""
    confidence: Float
    """(H, W) float32 in [0, 1]; 0 where ``px`` is NaN."""
    searched: SearchRange | None = None
    """The disparities that the matcher searched; None: the matcher does not say."""

    def __post_init__(self) -> None:
        _check_plane("disparity", self.px)
        _check_plane("confidence", self.confidence, self.px.shape)
        freeze(self, "px", self.px)
        freeze(self, "confidence", self.confidence)

    def __repr__(self) -> str:
        known = self.px[np.isfinite(self.px)]
        median = f", median {np.median(known):.1f} px" if known.size else ""
        return f"DisparityMap({_known_in_words(self.px)}{median})"

    @property
    def valid_share(self) -> float:
        """Share of pixels with a disparity, 0 to 1."""
        return float(np.count_nonzero(np.isfinite(self.px)) / self.px.size)


@dataclass(frozen=True, slots=True)
class StereoGeometry:
    """The five numbers that turn a rectified disparity into metres.

    ``Z = focal_px * baseline_m / (disparity + doffs_px)``, and a pixel (x, y) of the left image
    lies at ``X = (x - cx_px) Z / focal_px``, ``Y = (y - cy_px) Z / focal_px``.
    Raises InputError when the numbers describe no camera.
    """

    focal_px: float
    """Focal length of both rectified cameras, pixels."""
    baseline_m: float
    """Distance between the two centres, metres, > 0."""
    cx_px: float
    """Column of the left principal point, pixels."""
    cy_px: float
    """Row of both principal points, pixels."""
    doffs_px: float = 0.0
    """``cx_right - cx_left``, pixels."""

    def __post_init__(self) -> None:
        for name, low, high in (("focal_px", 1.0, 1e6), ("baseline_m", 1e-4, 1e3)):
            value = getattr(self, name)
            if not low <= value <= high:  # also catches NaN
                raise InputError(
                    f"{name} must be between {plain(low)} and {plain(high)} "
                    f"({'pixels' if name == 'focal_px' else 'metres'}), got {plain(value, 9)}"
                )
        for name in ("cx_px", "cy_px", "doffs_px"):
            if not abs(getattr(self, name)) <= 1e6:
                raise InputError(
                    f"{name} must be a finite pixel position, got {getattr(self, name)}"
                )

    @property
    def K(self) -> NDArray[np.float64]:  # noqa: N802
        """(3, 3) intrinsics of the rectified left camera, pixels."""
        return np.array(
            [[self.focal_px, 0, self.cx_px], [0, self.focal_px, self.cy_px], [0, 0, 1]], float
        )


@dataclass(frozen=True, eq=False, slots=True)
class DepthFrame:
    """Metric depth of the rectified left image, each pixel with its error bar.

    Raises InputError for wrong dtype or shape.
    """

    depth_m: Float
    """(H, W) metres along the optical axis of the rectified left camera; NaN where unknown."""
    sigma_m: Float
    """(H, W) one standard deviation of ``depth_m``, metres; NaN where unknown."""
    color: Image
    """(H, W) gray or (H, W, 3) RGB: the rectified left image."""
    geometry: StereoGeometry
    """Intrinsics and baseline that made it."""
    time_s: float = 0.0
    """Time of capture, seconds."""

    def __post_init__(self) -> None:
        _check_plane("depth", self.depth_m)
        _check_plane("sigma", self.sigma_m, self.depth_m.shape)
        _check_image("colour image", self.color)
        if self.color.shape[:2] != self.depth_m.shape:
            raise InputError(
                f"colour image: expected size {self.depth_m.shape}, got {self.color.shape[:2]}"
            )
        for name in ("depth_m", "sigma_m", "color"):
            freeze(self, name, getattr(self, name))

    def __repr__(self) -> str:
        known = np.isfinite(self.depth_m)
        median = ""
        if known.any():
            typical = (float(np.median(plane[known])) for plane in (self.depth_m, self.sigma_m))
            median = f", median {measured(*typical)}"
        return f"DepthFrame({_known_in_words(self.depth_m)}{median}, time_s={plain(self.time_s)})"

    @property
    def K(self) -> NDArray[np.float64]:  # noqa: N802
        """(3, 3) intrinsics of the rectified left camera, pixels."""
        return self.geometry.K

    def at(self, x: int, y: int) -> tuple[float, float]:
        """Return (depth, one sigma) in metres at column ``x`` and row ``y``; NaN where unknown.

        Raises InputError outside of the image.
        """
        height, width = self.depth_m.shape
        if not (0 <= x < width and 0 <= y < height):
            raise InputError(f"pixel ({x}, {y}) lies outside of the image of {width}x{height}")
        return float(self.depth_m[y, x]), float(self.sigma_m[y, x])
