"""Why two images of two streams are a pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Proof:
    """What it rests on that two images of two streams show one moment."""

    jitter_s: float = 0.0
    """How late images come at most, of the less steady stream; 0 where they bear true times."""
    margin: float = 1.0
    """Share of a frame period that no lateness reaches; pairs need a twentieth."""
    confidence: float = 1.0
    """Chance that neither image was late by more than that, by the lateness seen."""
    by: Literal["capture times", "stamps", "arrivals", "motion"] = "capture times"
    """What told. Where motion did, margin and confidence are the share of it that agrees."""
