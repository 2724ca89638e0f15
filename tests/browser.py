"""What a browser sends to the page, as viser's own messages."""

from __future__ import annotations

from typing import Any

CAMERA: dict[str, Any] = {
    "type": "ViewerCameraMessage",
    "wxyz": (1.0, 0.0, 0.0, 0.0),
    "position": (0.0, 0.0, 0.0),
    "fov": 1.0,
    "near": 0.01,
    "far": 1000.0,
    "image_height": 600,
    "image_width": 800,
    "look_at": (0.0, 0.0, 1.0),
    "up_direction": (0.0, -1.0, 0.0),
}
