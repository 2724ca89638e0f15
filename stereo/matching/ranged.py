"""Which range a matcher searches, when nobody says it: that of each pair, or of a sequence so far.

A matcher is built for its range and holds memory for it, so the last one built is kept; a range
seldom changes from one pair to the next. What is found never depends on what was built before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

from stereo.frame import DisparityMap, RectifiedPair, SearchRange
from stereo.matching.matcher import Matcher
from stereo.matching.search_range import find_search_range

Kind = TypeVar("Kind", bound=Matcher)

RangeOf = Callable[[RectifiedPair], SearchRange]
"""Tells the range of a pair."""

RANGE_EVERY = 15
"""Frames of a sequence from one search for the range of disparities to the next."""
RANGE_MEMORY = 4
"""Searches that the range of a sequence covers."""


class RangedMatcher(Generic[Kind]):
    """A matcher whose range may change from pair to pair."""

    def __init__(self, build: Callable[[SearchRange], Kind]) -> None:
        """``build`` makes the matcher for a range."""
        self._build = build
        self._built: tuple[tuple[int, int], Kind] | None = None

    def within(self, search: SearchRange) -> Kind:
        """Return the matcher for this range. Raises what building it raises."""
        wanted = search.min_disparity, search.num_disparities
        built = self._built
        if built is None or built[0] != wanted:
            built = self._built = wanted, self._build(search)
        return built[1]


class AutoRangeMatcher:
    """Finds the search range of each pair, then matches within it.

    ``make_matcher(name, num_disparities="auto")`` makes one.
    """

    def __init__(
        self, build: Callable[[SearchRange], Matcher], *, range_of: RangeOf = find_search_range
    ) -> None:
        """``build`` makes the matcher for a range; ``SteadyRange().of`` is that of a sequence."""
        self._matcher, self._range_of = RangedMatcher(build), range_of

    def match(self, pair: RectifiedPair) -> DisparityMap:
        """Return the map, which names the range. Raises what the matcher raises."""
        search = _fitting(self._range_of(pair), pair)
        return replace(self._matcher.within(search).match(pair), searched=search)


class SteadyRange:
    """A range that follows a sequence but does not flicker: it covers the last few searches."""

    def __init__(self) -> None:
        self._found: deque[SearchRange] = deque(maxlen=RANGE_MEMORY)
        self._frames = 0

    def of(self, pair: RectifiedPair) -> SearchRange:
        """Return the range for the sequence's next pair."""
        if self._frames % RANGE_EVERY == 0:
            self._found.append(find_search_range(pair))
        self._frames += 1
        sure = [found for found in self._found if found.support > 0] or list(self._found)
        low = min(found.min_disparity for found in sure)
        high = max(found.max_disparity for found in sure)
        support = min(found.support for found in sure)
        return _fitting(SearchRange(low, high - low + 1, support, found=True), pair)


def _fitting(search: SearchRange, pair: RectifiedPair) -> SearchRange:
    """No wider than the image, where no matcher could run."""
    widest = pair.left.shape[1] - 1
    return replace(search, num_disparities=max(1, min(search.num_disparities, widest)))
