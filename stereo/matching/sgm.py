"""The native semi-global matcher: learned, census and gradient cost, four paths, in C++.

Hirschmueller, "Stereo processing by semiglobal matching and mutual information", PAMI 2008, with
the over-counting of the matching cost removed as Drory et al. 2014 propose.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stereo.errors import MatcherError
from stereo.frame import MAX_SIDE_PX, DisparityMap, RectifiedPair, SearchRange
from stereo.gray import gray_pair, to_gray
from stereo.matching.code import CODE_BITS, learned_code
from stereo.matching.position import POSITION_BITS, position_codes
from stereo.native import find_native, require_native, thread_count
from stereo.networks.features import feature_extractor
from stereo.networks.guide import Guide, GuidingNetwork

MAX_DISPARITIES = 4080
# Costs live in bytes: the largest matching cost and the jump must fit in 255; see
# native/src/cost.hpp and checked() in matcher.cpp.
_CENSUS_BITS = 24
_PYTHON_ONLY = {"threads", "max_memory_mb", "coarse_to_fine", "features", "guide"}
"""Parameters that the native side has not, or not as they are."""


@dataclass(frozen=True, slots=True)
class SgmParams:
    """What the matcher searches, and how smooth it wants the result.

    Raises MatcherError for values it cannot run with.
    """

    min_disparity: int = 0
    """Smallest disparity searched, pixels; may be negative."""
    num_disparities: int = 128
    """How many disparities are searched, one pixel apart; any number from 1 to 4080."""
    paths: Literal[3, 4] = 4
    """4: left, right, above, below. 3: without below, in one pass and little memory."""
    p1: int = 20
    """Cost of a step of one pixel of disparity along a path."""
    p2: int = 84
    """Cost of a larger jump, where the image is smooth."""
    p2_width: int = 16
    """A jump costs half where the image steps by this plus 4 grey levels; 0: always the same."""
    gradient_cap: int = 10
    """Differences of gradient beyond this are no more evidence. Anything from 6 to 12 does as well
    on pairs.json; 20 loses 0.1 of the geometric mean, 0 several points."""
    faint_levels: int = 12
    """Where the image changes by at most so many grey levels within 11x11 pixels, the learned code
    counts as much as census and gradient; elsewhere these decide alone, because they see edges
    where they are. -1: nowhere."""
    uniqueness_percent: int = 10
    """How far the best rival must lie above the winner."""
    left_right_max_px: int = 1
    """How far the right view's opinion may be off, pixels; -1: no check."""
    median: bool = True
    """Median of 3x3 on the result."""
    speckle_size_px: int = 100
    """Islands of at most so many pixels are removed; 0: none."""
    speckle_range_px: int = 2
    """Steps of disparity larger than this separate islands, pixels."""
    threads: int | None = None
    """Threads to use; None: one per available core. The result is the same for any number."""
    max_memory_mb: int = 4096
    """Refuse to start when more than this is needed, MB."""
    coarse_to_fine: bool | None = None
    """Whether PyramidMatcher (what ``make_matcher("sgm")`` gives) matches coarsely first, and at
    full size only around that; None: where matching at once would take more than 1000 MB."""
    features: str | None = None
    """A network of an ONNX file, "MODEL.onnx?preset=NAME", whose features' signs take the place of
    the learned code; see docs/networks.md."""
    guide: str | None = None
    """A stereo network, "onnx:MODEL.onnx?preset=NAME", that tells at a quarter of the size roughly
    where to look, where the image hardly changes; see docs/networks.md."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("min_disparity", -65536, 65536),
            ("num_disparities", 1, MAX_DISPARITIES),
            ("p2", 0, 255),
            ("p1", 0, self.p2),
            ("p2_width", 0, 4096),
            ("gradient_cap", 0, 255 - _CENSUS_BITS),
            ("faint_levels", -1, 255),
            ("uniqueness_percent", 0, 99),
            ("left_right_max_px", -1, MAX_DISPARITIES),
            ("speckle_size_px", 0, 2**30),
            ("speckle_range_px", 0, MAX_DISPARITIES),
            ("max_memory_mb", 1, 2**30),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise MatcherError(f"{name} must be {low} to {high}, got {value}")
        for name in ("features", "guide"):
            named = getattr(self, name)
            if named is not None and not (isinstance(named, str) and named):
                raise MatcherError(f"{name} must name a file, got {named!r}")
        if self.paths not in (3, 4):
            raise MatcherError(f"paths must be 3 or 4, got {self.paths}")
        if self.threads is not None and not 1 <= self.threads <= 256:
            raise MatcherError(f"threads must be 1 to 256, got {self.threads}")
        largest = _CENSUS_BITS + self.gradient_cap
        if largest <= CODE_BITS:
            largest = (largest + CODE_BITS + 1) // 2
        if largest + self.p2 > 255:
            raise MatcherError(
                f"p2 must be at most {255 - largest} with gradient_cap = {self.gradient_cap}: "
                f"costs are kept in bytes; got {self.p2}"
            )

    @property
    def searched(self) -> SearchRange:
        """The disparities that are searched."""
        return SearchRange(self.min_disparity, self.num_disparities)


def is_available() -> bool:
    """Whether the native matcher was built."""
    return find_native() is not None


def simd_level() -> str:
    """Instruction set in use: "baseline", "avx2" or "avx512" (``STEREO_SIMD`` overrides).

    Raises MissingLibraryError without the native matcher, MatcherError for an unknown override.
    """
    return str(_call(_require_native().simd_level))


def memory_bytes(width: int, height: int, params: SgmParams, *, bytes_per_pixel: int = 1) -> int:
    """Bytes that matching a pair of this size takes besides images and result.

    Raises MissingLibraryError without the native matcher.
    """
    native = _require_native()
    return int(_call(native.memory_bytes, width, height, _options(params), bytes_per_pixel))


class SgmMatcher:
    """Matches rectified pairs with given parameters; keeps its memory between pairs."""

    def __init__(self, params: SgmParams | None = None) -> None:
        """Raises MissingLibraryError when the package was built without a C++ compiler; for
        ``features`` what ``stereo.networks.features`` raises.
        """
        self.params = params or SgmParams()
        self._matcher = _call(_require_native().Matcher, _options(self.params))
        named, threads = self.params, self.params.threads or 0
        self._extractor = named.features and feature_extractor(named.features, threads=threads)
        self._guiding = named.guide and GuidingNetwork(named.guide, threads=threads)

    def __reduce__(self) -> tuple[type[SgmMatcher], tuple[SgmParams]]:
        """Pickle by the parameters: what it keeps between pairs is memory only."""
        return SgmMatcher, (self.params,)

    def __repr__(self) -> str:
        return f"SgmMatcher({self.params})"

    def match(self, pair: RectifiedPair, guide: Guide | None = None) -> DisparityMap:
        """Disparity of the left view and how far each pixel can be trusted.

        ``guide``: roughly the disparity; None: what ``params.guide`` makes, if anything. Raises
        MatcherError for images beyond 32767 pixels a side, or too large for ``max_memory_mb``; what
        the networks of ``params`` raise.
        """
        left, right = gray_pair(pair.left, pair.right)
        px, confidence = self._match(left, right, guide or self.guide(pair))
        return DisparityMap(px, confidence, self.params.searched)

    def guide(self, pair: RectifiedPair) -> Guide | None:
        """Return what the network of ``params.guide`` makes of a pair; None: there is none, or it
        makes nothing of it.
        """
        return self._guiding.guide(pair.left, pair.right) if self._guiding else None

    def match_right(self, pair: RectifiedPair, guide: Guide | None = None) -> DisparityMap:
        """Disparity of the right view, ``x_left - x_right`` at each right pixel.

        The mirrored pair is matched: in a mirror the right camera is the left one. Takes as long
        as ``match`` and is as good. ``guide``: as there.
        """
        mirrored = RectifiedPair(to_gray(pair.right)[:, ::-1], to_gray(pair.left)[:, ::-1])
        found = self.match(mirrored, guide and guide.mirrored())
        return replace(
            found,
            px=np.ascontiguousarray(found.px[:, ::-1]),
            confidence=np.ascontiguousarray(found.confidence[:, ::-1]),
        )

    def _match(
        self, left: NDArray[Any], right: NDArray[Any], guide: Guide | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        check_size(left)
        height, width = left.shape
        needed_mb = memory_bytes(width, height, self.params, bytes_per_pixel=left.itemsize) / 1e6
        if needed_mb > self.params.max_memory_mb:
            raise MatcherError(
                f"matching {width}x{height} with {self.params.num_disparities} disparities needs "
                f"{needed_mb:.0f} MB, more than max_memory_mb = {self.params.max_memory_mb}: "
                "reduce the images or num_disparities, match coarse to fine, or take paths=3, "
                "which needs far less"
            )
        px, confidence = self._matcher.match(left, right, self._codes(left, right, guide))
        return px, confidence

    def _codes(
        self, left: NDArray[Any], right: NDArray[Any], guide: Guide | None
    ) -> tuple[NDArray[np.uint8], ...] | None:
        """What takes the place of the learned code's last bytes in both images, if anything."""
        parts = []
        bits = CODE_BITS if guide is None else CODE_BITS - POSITION_BITS
        if self._extractor:
            parts.append(self._extractor.codes(left, right, bits=bits))
        if guide is not None:
            parts.append(position_codes(guide.left))
        if not parts:
            return None
        return tuple(np.concatenate(codes, axis=-1) for codes in zip(*parts, strict=True))


def check_size(image: NDArray[Any]) -> None:
    """Raise MatcherError for images beyond 32767 pixels a side."""
    height, width = image.shape
    if max(height, width) > MAX_SIDE_PX:
        raise MatcherError(f"images must be at most {MAX_SIDE_PX} px a side, got {width}x{height}")


def _require_native() -> ModuleType:
    return require_native("the matcher sgm", instead="use the matcher sgbm")


def _options(params: SgmParams) -> Any:
    options = _require_native().Options()
    for name in {field.name for field in fields(SgmParams)} - _PYTHON_ONLY:
        setattr(options, name, getattr(params, name))
    options._set_code(learned_code())
    options.threads = thread_count(params.threads)
    return options


def _call(function: Any, *arguments: Any) -> Any:
    """Raise what the native side calls invalid as our own error."""
    try:
        return function(*arguments)
    except ValueError as error:
        raise MatcherError(str(error)) from error
