"""What LEFT and RIGHT of ``stereo run`` name: image files, or a source that ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from calib import RectifiedRig, StereoRig
from stereo.errors import ImageError, InputError
from stereo.files.images import image_size
from stereo.files.pairing import find_images, find_named_images, find_pairs
from stereo.rectify import Size
from stereo.run.pairs import Pair, PairFiles, SourcePair
from stereo.sources import SOURCES, Event, OnEvent, camera_meant, open_source
from stereo.sources.files import is_video, sides
from stereo.sources.sequence import SequenceSource
from stereo.sources.wrappers import WithFirstFrame

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class RunInput:
    """What is to be processed."""

    pairs: Iterable[Pair]
    total: int | None
    """How many; None: nobody knows."""
    size: Size
    """(width, height) of one view."""
    calibration: StereoRig | RectifiedRig | None = None
    """What the source knows about its own cameras."""


def run_input(
    stack: ExitStack, left: str, right: str | None, on_event: OnEvent, *, side_by_side: bool
) -> RunInput:
    """Return what is named; a source stays open as long as the stack and tells ``on_event``.

    Raises InputError for what makes no sense, and what ``open_source`` raises.
    """
    spec = _source_spec(left, right, side_by_side=side_by_side)
    if spec is None:
        files = _pairs(left, right, side_by_side=side_by_side)
        return RunInput(files, len(files), _first_size(files))
    dropped = 0

    def tell(event: Event) -> None:
        nonlocal dropped
        dropped += event.kind == "dropped"
        on_event(event)

    opened = stack.enter_context(open_source(spec, on_event=tell))
    total = opened.expected if isinstance(opened, SequenceSource) else None
    source = WithFirstFrame(opened)
    # a pair that could not be read counts, so that numbers stay those of the file
    pairs = (SourcePair(spec, number + dropped, frame) for number, frame in enumerate(source))
    return RunInput(pairs, total, source.view_size, source.calibration)


def _source_spec(left: str, right: str | None, *, side_by_side: bool) -> str | None:
    """The source that is meant; None for plain image files. Raises InputError for a live one."""
    kind = left.partition(":")[0]
    camera = camera_meant(left) if right is None else None
    if camera is not None:
        raise InputError(f"{left}: {camera} A camera has no end: use stereo live or stereo record")
    if kind in SOURCES and kind not in ("recording", "bag"):
        raise InputError(
            f"{left}: is live and has no end; use stereo live, or record it first: "
            f"stereo record {left} -o DIR"
        )
    if right is not None:
        return f"{left},{right}" if is_video(left) and is_video(right) else None
    if kind in SOURCES or is_video(left) or (not side_by_side and len(sides(left)) == 2):
        return left
    return None


def _pairs(left: str, right: str | None, *, side_by_side: bool) -> list[PairFiles]:
    if side_by_side:
        if right is not None:
            raise InputError("--side-by-side takes one image, folder or glob; RIGHT is too much")
        return [PairFiles(name, path, None) for name, path in find_named_images(left)]
    if right is None:
        images = find_images(left)  # says it when there is none
        what = "the folder of the right images" if len(images) > 1 else "the right image"
        raise InputError(
            f"RIGHT is missing: give {what} too, or --side-by-side if each image of {left} holds "
            "both views"
        )
    listing = find_pairs(left, right)
    _tell_lonely("right", listing.unmatched_left)
    _tell_lonely("left", listing.unmatched_right)
    return [PairFiles(*pair) for pair in listing.pairs]


def _tell_lonely(other: str, lonely: Sequence[Path]) -> None:
    if len(lonely) > _MOST_NAMED:
        said = f"{len(lonely)} images, such as {lonely[0]}, have"
        click.echo(f"warning: {said} no partner among the {other} images", err=True)
        return
    for path in lonely:
        click.echo(f"warning: {path} has no partner among the {other} images", err=True)


def _first_size(pairs: Sequence[PairFiles]) -> Size:
    """(width, height) of one view of the first pair that has a header.

    Raises the first one's ImageError when none has.
    """
    first: ImageError | None = None
    for pair in pairs:
        try:
            width, height = image_size(pair.left)
        except ImageError as error:
            first = first or error
        else:
            return (width // 2, height) if pair.right is None else (width, height)
    assert first is not None
    raise first
