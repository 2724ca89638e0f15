"""What people can press while a viewer runs, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stereo.live.depth import LiveFrame
from stereo.live.pipeline import LiveSettings


@dataclass(frozen=True, slots=True)
class Controls:
    """What happens when people press something; None: it is not offered.

    Called from a viewer's own threads. What one raises is shown to the user.
    """

    settings: LiveSettings | None = None
    """What the sliders show at first; None: no sliders."""
    on_change: Callable[..., None] | None = None
    """Called with the fields of LiveSettings that shall change, as ``LiveDepth.change`` is."""
    on_record: Callable[[bool], str] | None = None
    """Recording shall start or stop; returns where it goes."""
    on_save: Callable[[LiveFrame], str] | None = None
    """This frame shall be saved; returns where it went."""
