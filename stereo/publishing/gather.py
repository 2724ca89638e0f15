"""Hand pieces that lie in several places to the system as one, without copying them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Bytes = bytes | memoryview

_MOST_PIECES = 512  # that every system takes in one call


def write_all(write: Callable[[list[memoryview]], int], pieces: Iterable[Bytes]) -> None:
    """Write all pieces; ``write`` takes some and returns how many bytes that were.

    Raises what it raises; part of the pieces may be written then.
    """
    left = [memoryview(piece) for piece in reversed(list(pieces)) if len(piece)]
    while left:
        done = write(left[: -_MOST_PIECES - 1 : -1])
        while left and done >= len(left[-1]):
            done -= len(left.pop())
        if done:
            left[-1] = left[-1][done:]
