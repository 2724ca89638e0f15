"""Length units by the names people write."""

from __future__ import annotations

METRES_PER = {
    "m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0,
    "cm": 1e-2, "mm": 1e-3, "millimetre": 1e-3, "millimeter": 1e-3, "in": 0.0254, "inch": 0.0254,
}  # fmt: skip
"""name -> metres."""
