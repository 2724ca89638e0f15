"""A stereo network at a quarter of the size, as a guide of our matcher.

It tells roughly where each pixel's partner lies; what our matcher makes of that,
``stereo.matching.position`` says. A network costs with the area, so that a quarter of each side
costs a sixteenth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode

import cv2
import numpy as np
from scipy import ndimage

from stereo.errors import MatcherError
from stereo.frame import Float, Image, Mask, RectifiedPair
from stereo.networks.matcher import SCHEME, model_and_settings, network_matcher
from stereo.networks.trust import there_of

SCALE = 4
"""The images' sides are divided by this for it."""
_SETTINGS = ("preset", "provider", "max_memory_mb", "scale")
_AGREE_PX = 1.0
"""Of the network's own pixels: the left and the right view say the same."""


@dataclass(frozen=True, eq=False, slots=True)
class Guide:
    """Roughly the disparity of both views, known everywhere."""

    left: Float
    """(H, W) px, of the left view."""
    right: Float
    """(H, W) px, ``x_left - x_right`` at each right pixel."""

    def mirrored(self) -> Guide:
        """Return that of the mirrored pair, in which the right camera is the left one."""
        return Guide(self.right[:, ::-1], self.left[:, ::-1])

    def stretched(self) -> Guide:
        """Return that of images of twice the width."""
        return Guide(*(np.repeat(2 * plane, 2, axis=1) for plane in (self.left, self.right)))

    def within(self, rows: slice, columns: slice, nearer_px: int) -> Guide:
        """Return that of a part, for which the right image was moved by ``nearer_px``."""
        part = np.arange(self.left.shape[1])[columns]
        left = self.left[rows, columns] - np.float32(nearer_px)
        right = self.right[rows].take(part - nearer_px, axis=1, mode="clip")
        return Guide(left, right - np.float32(nearer_px))


class GuidingNetwork:
    """Makes the guide of pairs."""

    def __init__(self, named: str, *, threads: int = 0) -> None:
        """``named``: "onnx:MODEL.onnx?preset=NAME&scale=2", with the settings ``_SETTINGS``.

        Raises MatcherError and MissingLibraryError as ``NetworkMatcher``, and for others.
        """
        model, settings = model_and_settings(f"guide={named}", named, _SETTINGS)
        scale = settings.pop("scale", str(SCALE))
        if not re.fullmatch("[1-8]", scale):
            raise MatcherError(f"guide={named}: scale must be 1 to 8, got {scale!r}")
        self._scale = int(scale)
        self._network = network_matcher(
            f"{SCHEME}{model}?{urlencode(settings)}", {"threads": threads}
        )

    def guide(self, left: Image, right: Image) -> Guide | None:
        """Return the guide of two images of one size; None where the views agree nowhere.

        Raises MatcherError as ``NetworkMatcher.match``.
        """
        high, wide = left.shape[:2]
        size = self._size((wide, high))
        small = RectifiedPair(_resized(left, size), _resized(right, size))
        px, back = self._network.match_both(small)
        known = _agree(px, back), _agree(back[:, ::-1], px[:, ::-1])[:, ::-1]
        if not all(mask.any() for mask in known):
            return None
        scale = np.float32(wide / size[0])
        full = (
            cv2.resize(_spread(plane, mask) * scale, (wide, high), interpolation=cv2.INTER_LINEAR)
            for plane, mask in zip((px, back), known, strict=True)
        )
        return Guide(*(np.asarray(plane, np.float32) for plane in full))

    def notes(self, size: tuple[int, int]) -> list[str]:
        """Return what to know before images of ``size`` (width, height) are matched."""
        small = self._size(size)
        lines = self._network.notes(small)
        return [f"guided at {small[0]}x{small[1]} by {lines[0]}", *lines[1:]]

    def _size(self, size: tuple[int, int]) -> tuple[int, int]:
        """What images become for it; a network of a fixed size scales them itself."""
        if None not in self._network.reading.fixed:
            return size
        return max(1, size[0] // self._scale), max(1, size[1] // self._scale)


def _resized(image: Image, size: tuple[int, int]) -> Image:
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _agree(px: Float, back: Float) -> Mask:
    """Where the other view says the same; elsewhere it is a guess."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(there_of(back, px, float("nan")) - px) <= _AGREE_PX)


def _spread(px: Float, known: Mask) -> Float:
    """With the nearest that is known where it is not."""
    rows, columns = ndimage.distance_transform_edt(
        ~known, return_distances=False, return_indices=True
    )
    return np.asarray(px[rows, columns], np.float32)
