"""The pairs that ``stereo check`` looks at: a few, gray, spread over what was named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import takewhile

import click
import numpy as np
from numpy.typing import NDArray

from stereo.cli.options import PairOptions
from stereo.cli.run_input import run_input
from stereo.errors import InputError
from stereo.frame import StereoFrame
from stereo.gray import gray8_pair
from stereo.run.pairs import Pair
from stereo.sources import Event

Gray = NDArray[np.uint8]
_EVERY = 10  # pair of a source whose length nobody knows
_READ = 30  # times as many pairs as wanted are read of it at most


@dataclass(frozen=True, eq=False, slots=True)
class GrayPair:
    """One pair to look at."""

    name: str
    left: Gray
    right: Gray
    frame: StereoFrame
    """As it was read."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the left image."""
        return self.left.shape[1], self.left.shape[0]


def gray_pairs(
    stack: ExitStack, named: Sequence[str], images: PairOptions, *, most: int
) -> list[GrayPair]:
    """Return at most ``most`` pairs of what is named: LEFT RIGHT, or many of them.

    Raises InputError for an odd number of images and what reading them raises.
    """
    found: list[GrayPair] = []
    sides = _sides(named, whole=images.composite is not None)
    for left, right in _spread(sides, most):
        given = run_input(stack, left, right, _tell, composite=images.composite)
        wanted = max(1, most // len(sides))
        for pair in _chosen(given.pairs, given.total, wanted):
            frame = pair.read(swap=images.swap)
            found.append(GrayPair(pair.name, *gray8_pair(frame.left, frame.right), frame))
    if not found:
        raise InputError(f"{', '.join(named)}: no pair of images there")
    first = found[0]
    for one in found:
        if (one.left.shape, one.right.shape) != (first.left.shape, first.right.shape):
            raise InputError(
                f"{one.name}: is {one.size[0]}x{one.size[1]}, but {first.name} is "
                f"{first.size[0]}x{first.size[1]}; check images of one size at a time"
            )
    return found


def _sides(named: Sequence[str], *, whole: bool) -> list[tuple[str, str | None]]:
    if whole or len(named) == 1:
        return [(name, None) for name in named]
    if len(named) % 2:
        raise InputError(
            f"expected LEFT RIGHT, or several such pairs, got {len(named)} names; say "
            "--side-by-side if each image holds both views"
        )
    # the shell has made left/*.png right/*.png a list of files: first all left ones
    half = len(named) // 2
    by_turns, by_halves = (named[0::2], named[1::2]), (named[:half], named[half:])
    left, right = max(by_turns, by_halves, key=_alike)
    return list(zip(left, right, strict=True))


def _alike(sides: tuple[Sequence[str], Sequence[str]]) -> int:
    """How far the names of each side begin alike."""
    return sum(len(list(takewhile(_one, zip(*names, strict=False)))) for names in sides)


def _one(letters: tuple[str, ...]) -> bool:
    return len(set(letters)) == 1


def _spread(items: Sequence[tuple[str, str | None]], most: int) -> list[tuple[str, str | None]]:
    """At most so many of them, evenly spread."""
    if len(items) <= most:
        return list(items)
    return [items[round(k)] for k in np.linspace(0, len(items) - 1, most)]


def _chosen(pairs: Iterable[Pair], total: int | None, most: int) -> list[Pair]:
    """At most so many pairs, evenly spread; of an unknown number every tenth."""
    found: list[Pair] = []
    numbers = (
        range(0, _EVERY * most, _EVERY)
        if total is None
        else {round(k) for k in np.linspace(0, total - 1, min(most, total))}
    )
    for number, pair in enumerate(pairs):
        if number in numbers:
            found.append(pair)
        if len(found) == len(numbers) or number > _READ * most * _EVERY:
            break
    return found


def _tell(event: Event) -> None:
    if event.kind not in ("connected", "ended"):
        click.echo(f"note: {event.message}", err=True)
