"""OpenCV's own windows, their Qt kept quiet. Only where there is a display."""

from __future__ import annotations

import os

import cv2


def open_window(title: str, flags: int) -> None:
    """Open a window."""
    # it has no letters of Qt's, whose fonts the wheel lacks and complains about
    os.environ.setdefault("QT_LOGGING_RULES", "qt.qpa.fonts.warning=false;default.warning=false")
    cv2.namedWindow(title, flags)


def is_gone(title: str) -> bool:
    """Whether the user has closed it."""
    try:
        return cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1
    except cv2.error:  # closed so thoroughly that OpenCV has forgotten it
        return True
