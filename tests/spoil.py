"""Ways to spoil a good calibration session, each with the diagnosis it deserves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.board import Board
from calib.camera import Camera
from calib.detection.detection import Detection, match_order
from calib.solving.calibration import View
from calib.solving.state import exp

FALSE_ALARMS = {
    "swapped", "upside_down", "mirrored", "unsynchronised", "flipped_corners", "rig_moved",
    "refocused", "wrong_board", "vertical", "inconsistent", "bad_corners", "square_size",
    "parallel_views", "same_images", "duplicate", "mixed_sizes", "blurred", "not_square",
}  # fmt: skip
"""Causes that no good session may be given, for itself or for one of its views."""


class Spoilt(NamedTuple):
    views: list[View]
    cause: str
    blamed: set[str]
    """Names of the views that must be blamed."""
    either: bool = False
    """True: the others may be blamed instead; nobody can tell which half is the rig."""
    refuse: bool = False
    """True: the result must not be trusted."""
    also: frozenset[str] = frozenset()
    """Causes that may be named besides."""


Spoil = Callable[[list[View], Board], Spoilt]


def turned(one: Detection, signs: tuple[int, int] = (-1, -1)) -> Detection:
    """As found in an image turned by 180 degrees or mirrored."""
    last = np.array(one.size) - 1
    return replace(one, points=np.where(np.array(signs) < 0, last - one.points, one.points))


def rehung(one: Detection, signs: tuple[int, int], left: Detection, board: Board) -> Detection:
    """As ``turned``, with the corners listed in the order a detector would list them."""
    found = turned(one, signs)
    if signs[0] * signs[1] < 0 and not board.coded and len(one.ids) == len(board.points):
        rows = found.points.reshape(-1, board.columns, 2)[:, ::-1]
        found = replace(found, points=rows.reshape(-1, 2))
    return match_order(left, found, board)


def _at(views: list[View], k: int, view: View) -> list[View]:
    return [*views[:k], view, *views[k + 1 :]]


def _k(views: list[View]) -> int:
    return len(views) // 3


def swapped(views: list[View], board: Board) -> Spoilt:
    return Spoilt(
        [View(v.name, v.right, v.left) for v in views],
        "swapped",
        {v.name for v in views},
        refuse=True,
    )


def swapped_view(views: list[View], board: Board) -> Spoilt:
    v = views[_k(views)]
    return Spoilt(_at(views, _k(views), View(v.name, v.right, v.left)), "swapped", {v.name})


def upside_down(views: list[View], board: Board) -> Spoilt:
    out = [replace(v, right=rehung(v.right, (-1, -1), v.left, board)) for v in views]
    return Spoilt(out, "upside_down", {v.name for v in views}, refuse=True)


def upside_down_view(views: list[View], board: Board) -> Spoilt:
    v = views[_k(views)]
    bad = replace(v, right=rehung(v.right, (-1, -1), v.left, board))
    return Spoilt(_at(views, _k(views), bad), "upside_down", {v.name})


def mirrored(views: list[View], board: Board) -> Spoilt:
    out = [replace(v, right=rehung(v.right, (-1, 1), v.left, board)) for v in views]
    return Spoilt(out, "mirrored", {v.name for v in views}, refuse=True)


def mirrored_view(views: list[View], board: Board) -> Spoilt:
    v = views[_k(views)]
    bad = replace(v, right=rehung(v.right, (-1, 1), v.left, board))
    return Spoilt(_at(views, _k(views), bad), "mirrored", {v.name})


def flipped_view(views: list[View], board: Board) -> Spoilt:
    v = views[_k(views)]
    bad = replace(v, right=v.right.permuted(board.symmetries[-1]))
    return Spoilt(_at(views, _k(views), bad), "flipped_corners", {v.name})


def out_of_step(views: list[View], board: Board) -> Spoilt:
    out = [View(a.name, a.left, b.right) for a, b in pairwise(views)]
    return Spoilt(out, "unsynchronised", {v.name for v in out}, refuse=True)


def out_of_step_later(views: list[View], board: Board) -> Spoilt:
    """One right image was lost two thirds of the way: all that follow are out of step."""
    k = 2 * len(views) // 3
    late = [View(a.name, a.left, b.right) for a, b in zip(views[k:], views[k + 1 :], strict=False)]
    return Spoilt([*views[:k], *late], "unsynchronised", {v.name for v in late})


def exchanged_partners(views: list[View], board: Board) -> Spoilt:
    k, m = _k(views), _k(views) + 2
    a, b = views[k], views[m]
    out = _at(_at(views, k, replace(a, right=b.right)), m, replace(b, right=a.right))
    return Spoilt(out, "unsynchronised", {a.name, b.name})


def moved_board(views: list[View], board: Board) -> Spoilt:
    """The board moved a little between the two exposures of one pair."""
    v = views[_k(views)]
    centre = v.right.points.mean(axis=0)
    points = centre + (v.right.points - centre) @ _turn(1.0) + 0.012 * max(v.right.size)
    moved = replace(v.right, points=points)
    return Spoilt(_at(views, _k(views), replace(v, right=moved)), "unsynchronised", {v.name})


def _turn(degrees: float) -> NDArray[np.float64]:
    return np.asarray(exp(np.array([[0, 0, np.radians(degrees)]]))[0][:2, :2])


def zoomed(side: str, share: float) -> Spoil:
    """One camera zoomed half-way through."""

    def spoil(views: list[View], board: Board) -> Spoilt:
        k = len(views) // 2

        def change(v: View) -> View:
            one: Detection = getattr(v, side)
            middle = (np.array(one.size) - 1) / 2
            bad = replace(one, points=middle + (one.points - middle) * share)
            return replace(v, left=bad) if side == "left" else replace(v, right=bad)

        late = [change(v) for v in views[k:]]
        return Spoilt([*views[:k], *late], "refocused", {v.name for v in late}, True, True)

    return spoil


def rig_moved(views: list[View], board: Board) -> Spoilt:
    """The right camera was knocked half-way and rolled by 2 degrees.

    A roll about the axis only: shifting the picture of a lens with distortion is no motion.
    """
    k = len(views) // 2

    def knocked(v: View) -> View:
        middle = (np.array(v.right.size) - 1) / 2
        points = middle + (v.right.points - middle) @ _turn(2.0)
        return replace(v, right=replace(v.right, points=points))

    late = [knocked(v) for v in views[k:]]
    return Spoilt([*views[:k], *late], "rig_moved", {v.name for v in late}, True, True)


def turned_rig(axis: int, degrees: float, camera: Camera) -> Spoil:
    """The right ``camera`` was turned a little half-way."""
    turn = exp(np.radians(degrees) * np.eye(3)[axis : axis + 1])[0]

    def spoil(views: list[View], board: Board) -> Spoilt:
        k = len(views) // 2

        def change(v: View) -> View:
            points = camera.project(camera.unproject(v.right.points) @ turn.T)
            return replace(v, right=replace(v.right, points=points))

        late = [change(v) for v in views[k:]]
        return Spoilt([*views[:k], *late], "rig_moved", {v.name for v in late}, True, True)

    return spoil


def three_wrong_partners(views: list[View], board: Board) -> Spoilt:
    """Three right images in a circle, far from each other in time."""
    at = [1, len(views) // 2, len(views) - 2]
    out = list(views)
    for k, m in zip(at, [*at[1:], at[0]], strict=True):
        out[k] = replace(views[k], right=views[m].right)
    return Spoilt(out, "unsynchronised", {views[k].name for k in at})


def late_and_turned(views: list[View], board: Board) -> Spoilt:
    """Almost half of the pairs are late, and one image is upside down: few agree."""
    k = len(views) - 2
    out = [
        replace(v, right=views[i + 1].right) if i % 5 in (1, 3) and i < k else v
        for i, v in enumerate(views)
    ]
    out[k] = upside_down_view([views[k]], board).views[0]
    late = {v.name for i, v in enumerate(views) if i % 5 in (1, 3) and i < k}
    return Spoilt(out, "unsynchronised", late, also=frozenset({"upside_down"}))


def three_views(views: list[View], board: Board) -> Spoilt:
    return Spoilt(views[:3], "too_few", set(), refuse=True, also=frozenset({"parallel_views"}))


def three_views_four_times(views: list[View], board: Board) -> Spoilt:
    out = [replace(v, name=f"{v.name} copy {i}") for i in range(4) for v in views[:3]]
    again, also = {v.name for v in out[3:]}, frozenset({"parallel_views"})
    return Spoilt(out, "duplicate", again, refuse=True, also=also)


def mixed_sizes(views: list[View], board: Board) -> Spoilt:
    """One third were taken at half the size."""

    def half(one: Detection) -> Detection:
        w, h = one.size
        return replace(one, points=(one.points + 0.5) / 2 - 0.5, size=(w // 2, h // 2))

    small = {v.name for v in views[1::3]}
    out = [replace(v, left=half(v.left), right=half(v.right)) if v.name in small else v
           for v in views]  # fmt: skip
    return Spoilt(out, "mixed_sizes", small)


def same_images(views: list[View], board: Board) -> Spoilt:
    out = [replace(v, right=v.left) for v in views]
    return Spoilt(out, "same_images", {v.name for v in views}, refuse=True)


def swapped_but_three(views: list[View], board: Board) -> Spoilt:
    """All sides are exchanged but those of three pairs: these are not the swapped ones to keep."""
    at = {1, len(views) // 2, len(views) - 2}
    out = [v if i in at else View(v.name, v.right, v.left) for i, v in enumerate(views)]
    return Spoilt(out, "swapped", {v.name for v in views}, refuse=True)


SPOILS: dict[str, Spoil] = {
    "swapped": swapped,
    "swapped view": swapped_view,
    "upside down": upside_down,
    "upside-down view": upside_down_view,
    "mirrored": mirrored,
    "mirrored view": mirrored_view,
    "flipped view": flipped_view,
    "out of step": out_of_step,
    "later out of step": out_of_step_later,
    "exchanged partners": exchanged_partners,
    "three wrong partners": three_wrong_partners,
    "late and turned": late_and_turned,
    "moved board": moved_board,
    "zoomed left 1 %": zoomed("left", 1.01),
    "zoomed right 1 %": zoomed("right", 1.01),
    "zoomed left 3 %": zoomed("left", 1.03),
    "zoomed right 5 %": zoomed("right", 1.05),
    "rig moved": rig_moved,
    "swapped but three": swapped_but_three,
    "three views": three_views,
    "three views four times": three_views_four_times,
    "mixed sizes": mixed_sizes,
    "same images": same_images,
}
