"""The matchers by name, and how one is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from calib.nearby import did_you_mean
from stereo.errors import MatcherError
from stereo.frame import SearchRange
from stereo.matching import sgm
from stereo.matching.following import FollowingMatcher
from stereo.matching.matcher import Matcher
from stereo.matching.pyramid import PyramidMatcher
from stereo.matching.quality import QualityMatcher
from stereo.matching.ranged import AutoRangeMatcher
from stereo.matching.sgbm import SgbmMatcher, SgbmParams
from stereo.matching.sgm import SgmParams
from stereo.networks.matcher import is_network, network_matcher

AUTO = "auto"
"""As ``num_disparities``: the range is found from each pair."""


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

    ``name`` is one of ``MATCHERS``, or "onnx:MODEL.onnx" for a network, which searches no range:
    ``num_disparities`` and ``min_disparity`` are nothing to it.
    ``num_disparities="auto"`` finds the range of each pair. Raises MatcherError for an unknown
    name, a parameter this matcher does not have, or a value it cannot run with;
    MissingLibraryError for "sgm" where no compiler built it.
    """
    if not is_network(name) and params.get("num_disparities") == AUTO:
        if params.get("min_disparity") is not None:
            raise MatcherError(
                f"min_disparity={params['min_disparity']!r} needs num_disparities as a number; "
                "with 'auto' both are found"
            )
        others = {k: v for k, v in params.items() if k not in ("num_disparities", "min_disparity")}
        _make(name, others)  # says now what is wrong
        return AutoRangeMatcher(partial(matcher_for_range, name, **others))
    return _make(name, params)


def matcher_for_range(name: str, search: SearchRange, **params: Any) -> Matcher:
    """Build the matcher called ``name`` for ``search``. Raises as ``make_matcher`` does."""
    low, count = search.min_disparity, search.num_disparities
    return _make(name, {**params, "min_disparity": low, "num_disparities": count})


def following(name: str, search: SearchRange, **params: Any) -> Matcher:
    """Build the matcher called ``name`` for the frames of one sequence, in their order.

    A network is the same for every frame, and so is a matcher that one helps: it sees all of an
    image at once. Raises as ``make_matcher`` does.
    """
    matcher = matcher_for_range(name, search, **params)
    helped = params.get("features") or params.get("guide")
    return matcher if is_network(name) or helped else FollowingMatcher(matcher, search)


def _make(name: str, params: dict[str, Any]) -> Matcher:
    if is_network(name):
        ranges = ("num_disparities", "min_disparity")
        return network_matcher(name, {k: v for k, v in params.items() if k not in ranges})
    if name not in MATCHERS:
        hint = did_you_mean(name, MATCHERS) or ";"
        raise MatcherError(
            f"unknown matcher {name!r}{hint} choose one of {', '.join(MATCHERS)}, or a network: "
            "onnx:MODEL.onnx"
        )
    kind = MATCHERS[name]
    for key in params:
        if key not in kind.names:
            hint = did_you_mean(key, kind.names) or ";"
            raise MatcherError(
                f"matcher {name!r} has no parameter {key!r}{hint} "
                f"it has {', '.join(sorted(kind.names))}"
            )
    try:
        return kind.matcher(kind.params(**params))
    except TypeError as error:
        texts = [f"{key}={value!r}" for key, value in params.items() if isinstance(value, str)]
        raise MatcherError(
            f"matcher {name!r} takes numbers, got {', '.join(texts) or params}: {error}"
        ) from error
