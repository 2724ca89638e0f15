"""The compiled module ``stereo._native`` (C++, ``native/``), or none where no compiler built it.

What needs it, by one policy. What runs by default works without it: instead of the matcher "sgm"
OpenCV's is taken (``matching.default_matcher``), depth is registered by a twin in numpy
(``register_numpy``), and what only improves a map (``refining``: planes, edges) is left out; holes
are then filled row by row. What runs only with ``--quality`` needs the matcher "sgm" anyway
(``matching.preparation``): it asks ``require_native``, and so does the matcher itself.
"""

from __future__ import annotations

from types import ModuleType

from stereo.errors import MissingLibraryError
from stereo.threads import available_cores

_native: ModuleType | None
try:
    import stereo._native as _native  # type: ignore[import-untyped,import-not-found,no-redef,unused-ignore]
except ImportError:
    _native = None


def find_native() -> ModuleType | None:
    """Return the compiled module; None where it was not built."""
    return _native


def thread_count(threads: int | None) -> int:
    """Return so many threads; None: one for each core that this process may run on."""
    return threads or len(available_cores())


def require_native(what: str, *, instead: str) -> ModuleType:
    """Return the compiled module, which ``what`` needs.

    Raises MissingLibraryError where it was not built, with ``instead``, what the user can do
    without it.
    """
    if _native is None:
        raise MissingLibraryError(
            f"{what} needs the native module, which was not built: install a C++17 compiler and "
            f"reinstall stereo-depth, or {instead}"
        )
    return _native
