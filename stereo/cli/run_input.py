"""What LEFT and RIGHT of ``stereo run`` name: image files, or a source that ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import click

from calib import RectifiedRig, StereoRig
from stereo.errors import ImageError, InputError
from stereo.files.images import image_size
from stereo.files.pairing import find_images, find_named_images, find_pairs
from stereo.files.urls import Place, is_url, place
from stereo.frame import StereoFrame
from stereo.rectify import Size
from stereo.run.lists import PairList, is_list
from stereo.run.pairs import Pair, PairFiles, SourcePair
from stereo.sources import SOURCES, Event, OnEvent, SourceOptions, camera_meant, open_source
from stereo.sources.files import is_video, sides
from stereo.sources.layout import Layout, view_size
from stereo.sources.sequence import SequenceSource
from stereo.sources.third import WithThird, open_third
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
    peeked: StereoFrame | None = None
    """The first frame of a source."""

    def first(self, *, swap: bool) -> StereoFrame | None:
        """Return the first pair that can be read, raw; None: none can."""
        if self.peeked is not None:
            return SourcePair("", 0, self.peeked).read(swap=swap)
        for pair in self.pairs:
            with suppress(ImageError):
                return pair.read(swap=swap)
        return None


def run_input(
    stack: ExitStack,
    left: str,
    right: str | None,
    on_event: OnEvent,
    *,
    composite: Layout | None = None,
    third: str | None = None,
) -> RunInput:
    """Return what is named; a source stays open as long as the stack and tells ``on_event``.

    ``composite`` is how LEFT holds both views, ``third`` the images of a third camera.

    Raises InputError for what makes no sense, and what ``open_source`` raises.
    """
    if is_url(left) and not is_list(left) and left.partition(":")[0] not in SOURCES:
        raise InputError(
            f"{left}: folders and images at URLs are named in a list of pairs: a CSV file with "
            "the columns left and right, or JSON lines"
        )
    if right is None and is_list(left):
        listed = _listed(stack, left)
        return RunInput(listed, len(listed), _first_size(listed))
    spec = _source_spec(left, right, composite)
    if spec is None:
        files = _with_third(_pairs(left, right, composite), third)
        return RunInput(files, len(files), _first_size(files))
    dropped = 0

    def tell(event: Event) -> None:
        nonlocal dropped
        dropped += event.kind == "dropped"
        on_event(event)

    options = SourceOptions(layout=composite)
    opened = stack.enter_context(open_source(spec, options, on_event=tell))
    total = opened.expected if isinstance(opened, SequenceSource) else None
    if third is not None:
        images = open_third(third, options, tell, live=False)
        opened = stack.enter_context(WithThird(opened, images, tell))
    source = WithFirstFrame(opened)
    # a pair that could not be read counts, so that numbers stay those of the file
    pairs = (SourcePair(spec, number + dropped, frame) for number, frame in enumerate(source))
    return RunInput(pairs, total, source.view_size, source.calibration, source.first)


def _listed(stack: ExitStack, name: str) -> PairList:
    """The pairs that a list names, which may lie at a URL itself."""
    where = place(name)
    if isinstance(where, Path):
        return PairList(where)
    return PairList(stack.enter_context(where.fetched()), where.parent)


def _with_third(pairs: list[PairFiles], third: str | None) -> list[PairFiles]:
    """The pairs, each with its image of the third camera, found by name as right images are."""
    if third is None:
        return pairs
    if len(pairs) == 1 and Path(third).is_file():
        return [replace(pairs[0], third=Path(third))]
    lefts = {pair.left: pair for pair in pairs if isinstance(pair.left, Path)}
    listing = find_pairs(list(lefts), find_images(third))
    _tell_lonely("third", listing.unmatched_left)
    found = {left: image for _, left, image in listing.pairs}
    return [replace(pair, third=found.get(left)) for left, pair in lefts.items()]


def _source_spec(left: str, right: str | None, composite: Layout | None) -> str | None:
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
    if kind in SOURCES or is_video(left) or (composite is None and len(sides(left)) == 2):
        return left
    return None


def _pairs(left: str, right: str | None, composite: Layout | None) -> list[PairFiles]:
    if composite is not None:
        if right is not None:
            what = "--side-by-side" if composite == "side-by-side" else f"--layout {composite}"
            raise InputError(f"{what} takes one image, folder or glob; RIGHT is too much")
        return [PairFiles(name, path, None, composite) for name, path in find_named_images(left)]
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


def _first_size(pairs: Iterable[PairFiles]) -> Size:
    """(width, height) of one view of the first pair that has a header.

    Raises the first one's ImageError when none has.
    """
    first: ImageError | None = None
    for pair in pairs:
        try:
            width, height = _size(pair.left)
        except ImageError as error:
            first = first or error
        else:
            return (width, height) if pair.right else view_size((width, height), pair.layout)
    assert first is not None
    raise first


def _size(image: Place) -> Size:
    if isinstance(image, Path):
        return image_size(image)
    with image.fetched() as copy:
        return image_size(copy)
