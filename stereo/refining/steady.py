"""Planes of textureless surfaces in a sequence: where nothing moved, those of before still hold.

A plane is the dearest thing of a frame after its matches, and a wall that stands gets the same one
again, but for chance. So a region keeps what it was given for some frames, unless the picture
changes in it; regions come to an end in turn, not all in one frame. What moves in front of a region
is left as it was matched; where much of it changes, or of the whole picture, all begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from stereo.change import STEP, Gray, camera_moved, coarse, differs
from stereo.frame import DisparityMap, Float, Mask
from stereo.refining.surfaces import Regions, doubtful_regions, with_planes

KEPT_FRAMES = 8
"""So many maps at most a region keeps its planes for: half a second, because where the picture
stands every second frame has a new map (``stereo.matching.following``)."""
LOOK_EVERY = 3
"""Maps after which new regions are looked for in a picture that stands."""
KNOWN_SHARE, UNKNOWN_STEPS = 0.9, 60
"""A region of which less has been looked at, or more has not, is looked at anew, as a whole: what
something uncovers is never left without a plane for long."""
CHANGED_SHARE = 0.05
"""Share of a region whose change ends it."""
CUT_SHARE = 0.5
"""Share of either image whose change ends everything: another scene, or another light."""
AGREE_PX = 1.0
"""Matches that differ less from what the region had are kept, as its plane kept them."""

_NEAR = np.ones((5, 5), np.uint8)  # a change is felt so far, in steps

Box = tuple[slice, slice]


@dataclass(frozen=True, eq=False, slots=True)
class _Kept:
    """A region that was looked at, and what it looked like then: drift must not add up."""

    box: Box
    """Its rows and columns, in steps."""
    inside: Mask
    """Which of them are its own."""
    pixels: Mask
    """Which pixels of the box are, those too beside them that its planes reach."""
    picture: Gray
    """The left image in the box."""
    found: tuple[Float, Float] | None
    """Disparity and confidence in the box, all pixels; None: it got no plane."""
    until: int
    """The last frame that it holds for."""

    def stands_in(self, picture: Gray) -> bool:
        """Whether its picture is what it was, but for a small part."""
        changed = differs(picture[self.box], self.picture)
        return float(changed[self.inside].mean()) <= CHANGED_SHARE


class SteadySurfaces:
    """``plane_surfaces`` for a sequence; one for each source."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []
        self._last: tuple[Gray, Gray] | None = None
        self._frame = 0

    def __call__(self, disparity: DisparityMap, left: Gray, right: Gray) -> DisparityMap:
        """Return the sequence's next map with planes, see ``plane_surfaces``."""
        self._frame += 1
        before, self._last = self._last, (coarse(left), coarse(right))
        seen = self._last[0]
        changed = _changes(before, self._last)
        old = [] if changed > CUT_SHARE else self._kept
        kept = [region for region in old if self._frame <= region.until and region.stands_in(seen)]
        if changed == 0 and len(kept) == len(self._kept) and self._frame % LOOK_EVERY:
            return _as_before(disparity, kept, seen)
        regions = doubtful_regions(disparity, left)
        anew = regions.only(~_known(regions, _union(kept, seen)))
        found = with_planes(disparity, left, right, anew)
        looked_at = np.isin(anew.labels, anew.doubtful)
        kept = [region for region in kept if looked_at[region.box][region.inside].mean() < 0.5]
        self._kept = kept + _added(anew, seen, disparity, found, self._frame + KEPT_FRAMES)
        return _as_before(found, kept, seen)


def _changes(before: tuple[Gray, Gray] | None, now: tuple[Gray, Gray]) -> float:
    """The share of the worse image that changed since the map before.

    All of it in the first one, and where the camera moves: a blank wall looks the same then, and
    is not.
    """
    if before is None or before[0].shape != now[0].shape or camera_moved(now[0], before[0]):
        return 1.0
    return max(float(differs(a, b).mean()) for a, b in zip(now, before, strict=True))


def _known(regions: Regions, looked_at: Mask) -> Mask:
    """Which of the doubtful regions have been looked at, but for a small part."""
    known, whole = regions.steps_in(looked_at), regions.steps_in(np.ones_like(looked_at))
    return (known >= KNOWN_SHARE * whole) & (whole - known <= UNKNOWN_STEPS)


def _union(regions: list[_Kept], picture: Gray) -> Mask:
    union = np.zeros(picture.shape, np.bool_)
    for region in regions:
        union[region.box] |= region.inside
    return union


def _added(
    regions: Regions, picture: Gray, matched: DisparityMap, found: DisparityMap, until: int
) -> list[_Kept]:
    """Those that were looked at now; they end in turn."""
    added = []
    for i, (label, (x, y, width, height)) in enumerate(
        zip(regions.doubtful, regions.boxes, strict=True)
    ):
        box = slice(max(y - 1, 0), y + height + 1), slice(max(x - 1, 0), x + width + 1)
        before, after, sure = (
            plane[_pixels(box)].copy() for plane in (matched.px, found.px, found.confidence)
        )
        planed = ~((before == after) | (np.isnan(before) & np.isnan(after)))
        inside = regions.labels[box] == label
        pixels = planed | _wide(inside, planed)
        plane = (after, sure) if planed.any() else None
        turn = i % (KEPT_FRAMES // 2)
        added.append(_Kept(box, inside, pixels, picture[box].copy(), plane, until - turn))
    return added


def _as_before(found: DisparityMap, regions: list[_Kept], picture: Gray) -> DisparityMap:
    """``found``, with what each region had where it stands but for matches that agree with it."""
    regions = [region for region in regions if region.found is not None]
    if not regions:
        return found
    px, confidence = found.px.copy(), found.confidence.copy()
    for region in regions:
        assert region.found is not None
        (old_px, old_confidence), pixels = region.found, _pixels(region.box)
        changed = differs(picture[region.box], region.picture).view(np.uint8)
        stands = cv2.dilate(changed, _NEAR) == 0
        with np.errstate(invalid="ignore"):
            old = ~(np.abs(px[pixels] - old_px) <= AGREE_PX)
        old &= region.pixels & _wide(stands, old)
        np.copyto(px[pixels], old_px, where=old)
        np.copyto(confidence[pixels], old_confidence, where=old)
    return replace(found, px=px, confidence=confidence)


def _pixels(box: Box) -> Box:
    """The rows and columns of a box of steps; beyond the image's end there are none."""
    rows, columns = box
    return slice(STEP * rows.start, STEP * rows.stop), slice(
        STEP * columns.start, STEP * columns.stop
    )


def _wide(where: Mask, pixels: Mask) -> Mask:
    """Each step's value for all of its pixels, of which the last step of an image may have less."""
    grown = cv2.resize(
        where.view(np.uint8), None, fx=STEP, fy=STEP, interpolation=cv2.INTER_NEAREST
    )
    return np.asarray(grown, np.uint8).view(np.bool_)[: pixels.shape[0], : pixels.shape[1]]
