"""What a matcher is: anything that turns a rectified pair into a disparity map."""

from __future__ import annotations

from typing import Protocol

from stereo.frame import DisparityMap, RectifiedPair


class Matcher(Protocol):
    """Computes disparity. What it finds depends on the pair and its parameters alone."""

    def match(self, pair: RectifiedPair) -> DisparityMap:
        """Return the left view's disparity, px, NaN where unknown, with its confidence."""
        ...
