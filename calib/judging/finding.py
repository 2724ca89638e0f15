"""What a judge says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, by name."""

    cause: str
    """Short name, such as "swapped" or "parallel_views"."""
    message: str
    """What is wrong and what to do."""
    images: tuple[str, ...] = ()
    """Views to blame."""
    stops: bool = False
    """True: the result must not be used."""
