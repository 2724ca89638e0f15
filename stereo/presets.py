"""Named sets of settings, offered by the command line's ``--preset`` and by the page's menu."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """What a preset sets; None leaves a setting as it is."""

    matcher: str | None = None
    """Name of the matcher, see ``stereo.MATCHERS``."""
    uniqueness_percent: int | None = None
    """By how much the best match must beat the second best, percent."""
    fill: bool | None = None
    """Whether holes are filled from their surroundings."""
    outputs: tuple[str, ...] | None = None
    """What is written, see ``stereo.result.OUTPUTS``."""


PRESETS: dict[str, Preset] = {
    "fast": Preset(matcher="sgm-fast", outputs=("depth", "preview")),
    "careful": Preset(uniqueness_percent=15),
    "dense": Preset(fill=True),
}
"""name -> what it sets."""
