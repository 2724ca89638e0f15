"""Matching in time: what stands keeps its disparity, what changed is matched, and all in turn.

A frame of a running camera is not a first frame. Where neither image changed since a pixel was
matched, matching it again gives the same but for chance. So those cells are matched that the
picture changed in, in the left image or where the right one shows them; besides, every second
frame, a band of rows in turn: after ``BANDS`` of them everything is new, so no error stays longer.
Whatever is matched is searched over the whole range, together with its surroundings, so that the
paths have settled before the part that is kept.

A band that stands was looked at before, and two looks tell more than one: where they agree, their
mean flickers less than either; where they do not, the surer one is taken. That is averaging without
lag, because nothing that moves is averaged.

A cut, another exposure, a hand before the lens or a camera that moves change the picture nearly
everywhere: then the whole image is matched as if it were the first, also where it looks the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.change import STEP, Gray, camera_moved, coarse, differs
from stereo.frame import DisparityMap, Float, Mask, RectifiedPair, SearchRange
from stereo.gray import gray8_pair, gray_pair
from stereo.matching.matcher import Matcher

BANDS = 4
"""Parts that the image is matched in, in turn."""
EVERY = 2
"""Frames from one band to the next: all is matched within a quarter of a second. Few large bands
match less beside themselves than many small ones, and what comes after matching rests meanwhile."""
CELL_PX = 32
"""Side of the squares that are matched again or not; a multiple of ``STEP``."""
OVERLAP_PX = 48
"""What is matched beyond the part that is kept, on each side."""
WHOLE_SHARE = 0.6
"""Of the image's area: what would be more than this in parts is one band, the whole image."""
ANEW_SHARE = 0.6
"""Of the cells: where more changed, nothing of before is believed."""
ANEW_AFTER_S = 0.5
"""A gap in time after which nothing of before is believed, seconds."""
SETTLING = 2
"""Frames after a first one that are one band: one look alone errs by chance."""
AGREE_PX = 0.5
"""Results of a standing picture that differ less are the same one, with noise."""
OLD_TRUST = 0.8
"""Confidence of a result counts so much less when the picture is looked at again."""
LEAST_TRUST = 0.5
"""With less a result is not kept where the newer one knows nothing."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows [top, bottom) and columns [left, right), pixels."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Index of the part in an image."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def area(self) -> int:
        """Pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    def joined(self, other: Part) -> Part:
        """Return the box around both."""
        return Part(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )

    def within(self, wide: Part) -> tuple[slice, slice]:
        """Index of the part in what was cut out of an image as ``wide``."""
        return (
            slice(self.top - wide.top, self.bottom - wide.top),
            slice(self.left - wide.left, self.right - wide.left),
        )

    def around(self, shape: tuple[int, ...], search: SearchRange) -> Part:
        """Return the part that is matched for this one: its candidates are to be seen."""
        height, width = shape
        return Part(
            max(self.top - OVERLAP_PX, 0),
            min(self.bottom + OVERLAP_PX, height),
            max(self.left - OVERLAP_PX - max(search.max_disparity, 0), 0),
            min(self.right + OVERLAP_PX + max(-search.min_disparity, 0), width),
        )


class FollowingMatcher:
    """Matches the frames of one sequence, in order, with a matcher of single pairs."""

    def __init__(self, matcher: Matcher, search: SearchRange) -> None:
        """``search`` is the range that ``matcher`` searches."""
        self._matcher, self._search = matcher, search
        self._last: DisparityMap | None = None
        self._seen: tuple[Gray, Gray]
        self._frames = 0
        self._time_s = math.nan

    def match(self, pair: RectifiedPair) -> DisparityMap:
        """Return the disparity of the sequence's next pair, the last map itself if it still holds.

        Raises what the matcher raises.
        """
        gray = RectifiedPair(*gray_pair(pair.left, pair.right))
        seen = _coarse_pair(gray)
        last, gap_s = self._last, pair.time_s - self._time_s
        self._frames, self._time_s = self._frames + 1, pair.time_s
        if last is None or last.px.shape != gray.left.shape or gap_s > ANEW_AFTER_S:
            return self._anew(gray, seen)
        if camera_moved(seen[0], self._seen[0]):
            return self._anew(gray, seen)
        new_left, new_right = map(differs, seen, self._seen)
        changes = _wide(new_left | _in_left(new_right, last.px), 1)
        cells = _cells(changes)
        if cells.mean() > ANEW_SHARE:
            return self._anew(gray, seen)
        band = self._band_in_turn(last.px.shape)
        cells[band.top // CELL_PX : -(-band.bottom // CELL_PX)] = 0
        parts = self._merged(_parts(cells, last.px.shape), last.px.shape)
        if band.area:
            parts.append(band)
        if not parts:
            return last
        if sum(self._work(part, last.px.shape) for part in parts) > WHOLE_SHARE * last.px.size:
            band = _whole(last.px.shape)
            parts = [band]
        px, confidence = last.px.copy(), last.confidence.copy()
        for part in parts:
            self._match_part(part, gray, px, confidence)
        _fuse(band, changes, last, px, confidence)
        self._remember(seen, (new_left, new_right), band)
        self._last = replace(last, px=px, confidence=confidence)
        return self._last

    def _anew(self, pair: RectifiedPair, seen: tuple[Gray, Gray]) -> DisparityMap:
        self._last, self._seen, self._frames = self._matcher.match(pair), seen, 0
        return self._last

    def _band_in_turn(self, shape: tuple[int, ...]) -> Part:
        """The rows whose turn it is; none where the frame is not one to look at any."""
        height, width = shape
        if self._frames <= SETTLING:
            return _whole(shape)
        turn, rest = divmod(self._frames, EVERY)
        if rest:
            return Part(0, 0, 0, width)
        rows, turn = -(-height // CELL_PX), turn % BANDS
        top, bottom = (CELL_PX * (k * rows // BANDS) for k in (turn, turn + 1))
        return Part(top, min(bottom, height), 0, width)

    def _work(self, part: Part, shape: tuple[int, ...]) -> int:
        """Pixels that are matched for a part."""
        return part.around(shape, self._search).area

    def _merged(self, parts: list[Part], shape: tuple[int, ...]) -> list[Part]:
        """Two parts as one where that is less work: what is around them overlaps."""
        merged: list[Part] = []
        for part in parts:
            for other in tuple(merged):
                both = part.joined(other)
                apart = self._work(part, shape) + self._work(other, shape)
                if self._work(both, shape) <= apart:
                    merged.remove(other)
                    part = both
            merged.append(part)
        return merged

    def _match_part(self, part: Part, pair: RectifiedPair, px: Float, confidence: Float) -> None:
        wide = part.around(px.shape, self._search)
        found = self._matcher.match(RectifiedPair(pair.left[wide.pixels], pair.right[wide.pixels]))
        inner = part.within(wide)
        px[part.pixels], confidence[part.pixels] = found.px[inner], found.confidence[inner]

    def _remember(self, seen: tuple[Gray, Gray], changes: tuple[Mask, Mask], band: Part) -> None:
        """What each step looked like when it was matched: drift must not go unseen."""
        rows = slice(band.top // STEP, -(-band.bottom // STEP))
        for now, then, new in zip(seen, self._seen, changes, strict=True):
            np.copyto(then, now, where=new)
            then[rows] = now[rows]


def _whole(shape: tuple[int, ...]) -> Part:
    height, width = shape
    return Part(0, height, 0, width)


def _coarse_pair(pair: RectifiedPair) -> tuple[Gray, Gray]:
    left, right = gray8_pair(pair.left, pair.right)
    return coarse(left), coarse(right)


def _in_left(changes: Mask, px: Float) -> Mask:
    """Where the left image's steps have their matches in changed steps of the right one."""
    if not changes.any():
        return changes
    height, width = changes.shape
    here = px[STEP // 2 :: STEP, STEP // 2 :: STEP]
    here = np.pad(here, ((0, height - here.shape[0]), (0, width - here.shape[1])), mode="edge")
    columns = np.arange(width) - np.rint(np.nan_to_num(here) / STEP).astype(np.intp)
    there = np.take_along_axis(changes, columns.clip(0, width - 1), axis=1)
    there &= ~np.isnan(here)
    return there


def _wide(where: Mask, steps: int) -> Mask:
    """Those so near too: of what is pale only a part changes enough."""
    side = 2 * steps + 1
    return np.asarray(cv2.dilate(where.view(np.uint8), np.ones((side, side), np.uint8)), np.bool_)


def _cells(changes: Mask) -> NDArray[np.uint8]:
    """Which cells have changes."""
    steps = CELL_PX // STEP
    height, width = (-(-side // steps) for side in changes.shape)
    padded = np.zeros((height * steps, width * steps), np.uint8)
    padded[: changes.shape[0], : changes.shape[1]] = changes
    return np.asarray(padded.reshape(height, steps, width, steps).max(axis=(1, 3)), np.uint8)


def _parts(cells: NDArray[np.uint8], shape: tuple[int, ...]) -> list[Part]:
    """The boxes of what hangs together, pixels."""
    height, width = shape
    _, _, boxes, _ = cv2.connectedComponentsWithStats(cells, connectivity=8)
    return [
        Part(
            CELL_PX * y,
            min(CELL_PX * (y + rows), height),
            CELL_PX * x,
            min(CELL_PX * (x + columns), width),
        )
        for x, y, columns, rows, _ in boxes[1:].tolist()
    ]


def _fuse(band: Part, changes: Mask, last: DisparityMap, px: Float, confidence: Float) -> None:
    """What two looks at a band say together where it stands: their mean where they agree, else the
    surer one.

    The older look loses trust, so the picture of now wins in the end.
    """
    rows = band.pixels[0]
    new_px, new_confidence = px[rows], confidence[rows]
    old_px, old_confidence = last.px[rows], last.confidence[rows] * np.float32(OLD_TRUST)
    stands = np.repeat(np.repeat(~_wide(changes, 2), STEP, axis=0)[rows], STEP, axis=1)
    stands = stands[:, : px.shape[1]]
    with np.errstate(invalid="ignore"):
        agree = stands & (np.abs(new_px - old_px) <= AGREE_PX)
    mean = (new_px + old_px) / 2
    older = stands & ~agree & (old_confidence > np.maximum(new_confidence, LEAST_TRUST))
    np.copyto(new_px, mean, where=agree)
    np.copyto(new_px, old_px, where=older)
    np.copyto(new_confidence, old_confidence, where=older)
