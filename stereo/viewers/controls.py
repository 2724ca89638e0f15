"""What a viewer lets people change while it runs, and what the pipeline makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from stereo.live import LiveFrame
from stereo.matching import MATCHERS, AutoRangeMatcher, Matcher, make_matcher
from stereo.pipeline import StereoPipeline
from stereo.refine import RefineParams


@dataclass(frozen=True, slots=True)
class Settings:
    """The matcher as a viewer's sliders describe it."""

    matcher: str
    """One of ``MATCHERS``."""
    num_disparities: int | None = None
    """How many disparities are searched, px; None: found from each pair."""
    uniqueness: int | None = None
    """How far the best rival must lie above the winner, percent; None: the matcher's own."""
    fill: bool = False
    """Fill holes from their surroundings."""
    max_depth_m: float = math.inf
    """Farther is dropped, metres."""

    def applied(self, pipeline: StereoPipeline) -> StereoPipeline:
        """Return a pipeline like ``pipeline`` with these settings.

        Raises MatcherError for what the matcher cannot run with, MissingLibraryError where it
        was not built.
        """
        return StereoPipeline(
            pipeline.rectification,
            self._matcher(),
            refine=RefineParams(surfaces=pipeline.refine.surfaces, fill=self.fill),
            min_depth_m=pipeline.min_depth_m,
            max_depth_m=self.max_depth_m,
        )

    def _matcher(self) -> Matcher:
        params: dict[str, int] = {}
        if self.uniqueness is not None and self.matcher in MATCHERS:
            params = {
                name: self.uniqueness
                for name in MATCHERS[self.matcher].names
                if name.startswith("uniqueness")
            }
        if self.num_disparities is None:
            return AutoRangeMatcher(self.matcher, **params)
        return make_matcher(self.matcher, num_disparities=self.num_disparities, **params)


@dataclass(frozen=True, slots=True)
class Controls:
    """What happens when people press something; None: it is not offered.

    Called from a viewer's own threads, one at a time. What one raises is shown to the user.
    """

    settings: Settings | None = None
    """What the sliders show at first; None: no sliders."""
    on_settings: Callable[[Settings], None] | None = None
    """The matcher shall change."""
    on_record: Callable[[bool], None] | None = None
    """Recording shall start or stop."""
    on_save: Callable[[LiveFrame], str] | None = None
    """This frame shall be saved; returns where it went."""
