"""From a rectified pair to a disparity map: the matchers and how to choose one.

A matcher is anything with ``match(pair) -> DisparityMap``; ``MATCHERS`` names those we ship and
feeds the command line's ``--matcher``.
"""

from stereo.frame import SearchRange
from stereo.matching.following import FollowingMatcher
from stereo.matching.matcher import Matcher
from stereo.matching.matchers import (
    MATCHERS,
    default_matcher,
    following,
    make_matcher,
    matcher_for_range,
)
from stereo.matching.preparation import SteadyAlignment, SteadyDenoising, align, denoise
from stereo.matching.ranged import AutoRangeMatcher, RangedMatcher, SteadyRange
from stereo.matching.search_range import find_search_range, search_range_for_depths
from stereo.matching.sgbm import SgbmMatcher, SgbmParams
from stereo.matching.sgm import SgmMatcher, SgmParams

__all__ = [
    "MATCHERS",
    "AutoRangeMatcher",
    "FollowingMatcher",
    "Matcher",
    "RangedMatcher",
    "SearchRange",
    "SgbmMatcher",
    "SgbmParams",
    "SgmMatcher",
    "SgmParams",
    "SteadyAlignment",
    "SteadyDenoising",
    "SteadyRange",
    "align",
    "default_matcher",
    "denoise",
    "find_search_range",
    "following",
    "make_matcher",
    "matcher_for_range",
    "search_range_for_depths",
]
