"""From a rectified pair to a disparity map: the matchers and how to choose one.

A matcher is anything with ``match(pair) -> DisparityMap``; ``MATCHERS`` names those we ship and
feeds the command line's ``--matcher``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Protocol

from stereo.errors import MatcherError
from stereo.frame import DisparityMap, RectifiedPair
from stereo.matching import sgm
from stereo.matching.preparation import denoise, prepare
from stereo.matching.pyramid import PyramidMatcher
from stereo.matching.quality import QualityMatcher
from stereo.matching.search_range import SearchRange, find_search_range, search_range_for_depths
from stereo.matching.sgbm import SgbmMatcher, SgbmParams
from stereo.matching.sgm import SgmMatcher, SgmParams

__all__ = [
    "MATCHERS",
    "AutoRangeMatcher",
    "Matcher",
    "PyramidMatcher",
    "QualityMatcher",
    "SearchRange",
    "SgbmMatcher",
    "SgbmParams",
    "SgmMatcher",
    "SgmParams",
    "default_matcher",
    "denoise",
    "find_search_range",
    "make_matcher",
    "prepare",
    "search_range_for_depths",
]


class Matcher(Protocol):
    """Computes disparity. What it finds depends on the pair and its parameters alone."""

    def match(self, pair: RectifiedPair) -> DisparityMap:
        """Return the left view's disparity, px, NaN where unknown, with its confidence."""
        ...


@dataclass(frozen=True, slots=True)
class MatcherKind:
    """One entry of ``MATCHERS``."""

    matcher: Callable[[Any], Matcher]
    """Takes the parameters."""
    params: Callable[..., Any]
    """Takes the parameters' values as keywords."""
    names: frozenset[str]
    """The parameters that can be set."""
    help: str
    """One line for the user."""


def _kind(matcher: Any, params: type, help: str, **fixed: Any) -> MatcherKind:
    names = frozenset(field.name for field in fields(params)) - set(fixed)
    return MatcherKind(matcher, partial(params, **fixed), names, help)


MATCHERS: dict[str, MatcherKind] = {
    "sgm": _kind(PyramidMatcher, SgmParams, "ours: 4 paths, two passes", paths=4),
    "sgm-fast": _kind(PyramidMatcher, SgmParams, "ours: 3 paths, one pass, little memory", paths=3),
    "sgm-quality": _kind(
        QualityMatcher, SgmParams, "ours: three searches fused; see --quality", paths=4
    ),
    "sgbm": _kind(SgbmMatcher, SgbmParams, "OpenCV's: 3 paths", mode="3way"),
    "sgbm-5": _kind(SgbmMatcher, SgbmParams, "OpenCV's: 5 paths", mode="sgbm"),
    "sgbm-hh4": _kind(SgbmMatcher, SgbmParams, "OpenCV's: 4 paths, two passes", mode="hh4"),
    "sgbm-hh": _kind(SgbmMatcher, SgbmParams, "OpenCV's: 8 paths, much memory", mode="hh"),
}
"""name -> matcher."""


def default_matcher() -> str:
    """Return "sgm" where the native matcher is built, else "sgbm"."""
    return "sgm" if sgm.is_available() else "sgbm"


def make_matcher(name: str, **params: Any) -> Matcher:
    """Build the matcher called ``name`` with the given parameters.

    Raises MatcherError for an unknown name, a parameter this matcher does not have, or a value
    it cannot run with; MissingLibraryError for "sgm" where no compiler built it.
    """
    if name not in MATCHERS:
        raise MatcherError(f"unknown matcher {name!r}; choose one of {', '.join(MATCHERS)}")
    kind = MATCHERS[name]
    for key in params:
        if key not in kind.names:
            raise MatcherError(
                f"matcher {name!r} has no parameter {key!r}; it has {', '.join(sorted(kind.names))}"
            )
    try:
        return kind.matcher(kind.params(**params))
    except TypeError as error:
        texts = [f"{key}={value!r}" for key, value in params.items() if isinstance(value, str)]
        raise MatcherError(
            f"matcher {name!r} takes numbers, got {', '.join(texts) or params}: {error}"
        ) from error


class AutoRangeMatcher:
    """Finds the search range of each pair, then matches it with the matcher named.

    The matcher is built anew only when the range changes; what it finds never depends on the
    pairs before.
    """

    def __init__(self, name: str, **params: Any) -> None:
        """``params`` are those of the matcher, without its range. Raises what make_matcher does."""
        self.name, self.others = name, params
        make_matcher(name, **params)  # says now what is wrong
        self._built: tuple[SearchRange, Matcher] | None = None

    def match(self, pair: RectifiedPair) -> DisparityMap:
        """As the matcher's own."""
        found = find_search_range(pair)
        low, count = found.min_disparity, min(found.num_disparities, pair.left.shape[1] - 1)
        wanted = SearchRange(low, max(count, 1))
        built = self._built
        if built is None or built[0] != wanted:
            matcher = make_matcher(
                self.name, min_disparity=low, num_disparities=wanted.num_disparities, **self.others
            )
            built = self._built = wanted, matcher
        return built[1].match(pair)
