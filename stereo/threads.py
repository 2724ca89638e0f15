"""Threads of ours, and what becomes of those still busy when the program ends.

A thread inside a camera driver or a matcher cannot be ended from outside. If Python shuts down
meanwhile, it kills the thread as it comes back from C++, which aborts the whole process. So a
program waits for them, and the command line, which must end at once, leaves without shutting down.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable

_PREFIX = "stereo-"
_PATIENCE_S = 6.0  # longer than any read timeout


def start_thread(name: str, work: Callable[[], None]) -> threading.Thread:
    """Start ``work`` in a thread of its own."""
    thread = threading.Thread(target=work, name=_PREFIX + name, daemon=True)
    thread.start()
    return thread


def still_busy() -> bool:
    """Whether a thread of ours has not ended."""
    return any(thread.name.startswith(_PREFIX) for thread in threading.enumerate())


@atexit.register
def _wait() -> None:
    deadline = time.monotonic() + _PATIENCE_S
    for thread in threading.enumerate():
        if thread.name.startswith(_PREFIX):
            thread.join(max(0.0, deadline - time.monotonic()))
