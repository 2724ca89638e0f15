"""From a rectified pair to a disparity map: the matchers and how to choose one.

A matcher is anything with ``match(pair) -> DisparityMap``; ``MATCHERS`` names those we ship and
feeds the command line's ``--matcher``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Protocol

from stereo.errors import MatcherError
from stereo.frame import DisparityMap, RectifiedPair
from stereo.matching.sgbm import SgbmMatcher, SgbmParams

__all__ = ["MATCHERS", "Matcher", "SgbmMatcher", "SgbmParams", "make_matcher"]


class Matcher(Protocol):
    """Computes disparity. Implementations are immutable and may be called from any thread."""

    def match(self, pair: RectifiedPair) -> DisparityMap:
        """Return the left view's disparity, px, NaN where unknown, with its confidence."""
        ...


def _sgbm(mode: str) -> Callable[..., Matcher]:
    return lambda **params: SgbmMatcher(SgbmParams(mode=mode, **params))  # type: ignore[arg-type]


MATCHERS: dict[str, tuple[Callable[..., Matcher], type, str]] = {
    "sgbm": (_sgbm("3way"), SgbmParams, "OpenCV SGBM, 3 paths (fast, little memory)"),
    "sgbm-5": (_sgbm("sgbm"), SgbmParams, "OpenCV SGBM, 5 paths"),
    "sgbm-hh4": (_sgbm("hh4"), SgbmParams, "OpenCV SGBM, 4 paths, two passes"),
    "sgbm-hh": (_sgbm("hh"), SgbmParams, "OpenCV SGBM, 8 paths, two passes (much memory)"),
}
"""name -> (factory taking the parameters as keywords, its parameter type, one line of help)."""


def make_matcher(name: str, **params: Any) -> Matcher:
    """Build the matcher called ``name`` with the given parameters.

    Raises MatcherError for an unknown name, a parameter this matcher does not have, or a value
    it cannot run with.
    """
    if name not in MATCHERS:
        raise MatcherError(f"unknown matcher {name!r}; choose one of {', '.join(MATCHERS)}")
    factory, params_type, _ = MATCHERS[name]
    known = {f.name for f in fields(params_type)} - {"mode"}
    for key in params:
        if key not in known:
            raise MatcherError(
                f"matcher {name!r} has no parameter {key!r}; it has {', '.join(sorted(known))}"
            )
    return factory(**params)
