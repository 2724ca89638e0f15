"""OpenCV's own words, left out where our error says the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

_lock = threading.Lock()
_inside = 0
_level = 0


@contextmanager
def silent_opencv() -> Iterator[None]:
    """No word from OpenCV on stderr meanwhile.

    Its level is one for the whole process: the first thread in takes it down, the last one out
    gives it back, else two could leave it down for ever.
    """
    global _inside, _level
    with _lock:
        if _inside == 0:
            _level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                cv2.utils.logging.setLogLevel(_level)
