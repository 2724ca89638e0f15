"""Whether there is a display to show windows on."""

from __future__ import annotations

import os
import sys


def has_display() -> bool:
    """Whether a window can be opened; without one cv2 and open3d abort the process."""
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True
