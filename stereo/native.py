"""The compiled module; None where no C++ compiler built it."""

from __future__ import annotations

from types import ModuleType

native: ModuleType | None
try:
    from stereo import _native as native  # type: ignore[attr-defined,no-redef,unused-ignore]
except ImportError:
    native = None
