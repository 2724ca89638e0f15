"""Ways to spoil the images of a good calibration session, where its corners do not suffice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import Board, Charuco, Chessboard
from calib.camera import Camera
from calib.solving.state import exp

Image = NDArray[Any]
Pair = tuple[str, Image | None, Image | None]
"""Name, left and right image; None: it is missing."""


class SpoiltImages(NamedTuple):
    pairs: list[Pair]
    cause: str | None
    """None: nothing is wrong with it."""
    blamed: set[str]
    either: bool = False
    refuse: bool = False
    board: Board | None = None
    """What the user says the board is; None: what it is."""
    says: str = ""
    """Words that the verdict must contain."""
    also: frozenset[str] = frozenset()
    """Causes that may be named besides."""


class Known(NamedTuple):
    """What is known of the session that is spoilt."""

    board: Board
    right: Camera
    corners: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    photograph: Image


Spoil = Callable[[list[Pair], Known], SpoiltImages | None]


def _each(pairs: list[Pair], change: Callable[[Image], Image], names: set[str], side: str) -> Any:
    """The pairs with left, right or both images of some changed."""
    return [
        (
            name,
            change(a) if name in names and side != "right" else a,
            change(b) if name in names and side != "left" else b,
        )
        for name, a, b in pairs
    ]


def _names(pairs: list[Pair]) -> set[str]:
    return {name for name, _, _ in pairs}


def _one(pairs: list[Pair]) -> set[str]:
    return {pairs[len(pairs) // 3][0]}


def _second_half(pairs: list[Pair]) -> set[str]:
    return _names(pairs[len(pairs) // 2 :])


def blurred_third(pairs: list[Pair], known: Known) -> SpoiltImages:
    names = _names(pairs[1::3])
    out = _each(pairs, lambda g: cv2.GaussianBlur(g, (0, 0), 2.0), names, "both")
    return SpoiltImages(out, "blurred", names, also=frozenset({"not_found"}))


def zoomed(share: float) -> Spoil:
    def spoil(pairs: list[Pair], known: Known) -> SpoiltImages:
        def zoom(g: Image) -> Image:
            x, y = ((n - 1) / 2 * (1 - share) for n in g.shape[1::-1])
            M = np.array([[share, 0, x], [0, share, y]])
            return cv2.warpAffine(g, M, g.shape[1::-1], flags=cv2.INTER_CUBIC)

        names = _second_half(pairs)
        return SpoiltImages(_each(pairs, zoom, names, "right"), "refocused", names, True, True)

    return spoil


def turned(axis: int) -> Spoil:
    def spoil(pairs: list[Pair], known: Known) -> SpoiltImages:
        maps = _turning_maps(known.right, axis, 0.3)
        names = _second_half(pairs)

        def turn(g: Image) -> Image:
            return cv2.remap(g, *maps, cv2.INTER_CUBIC)

        return SpoiltImages(_each(pairs, turn, names, "right"), "rig_moved", names, True, True)

    return spoil


def _turning_maps(camera: Camera, axis: int, degrees: float) -> list[Image]:
    """Where each pixel looks when the camera is turned."""
    x, y = np.meshgrid(np.arange(camera.size[0]), np.arange(camera.size[1]))
    rays = camera.unproject(np.column_stack([x.ravel(), y.ravel()]).astype(float))
    with np.errstate(all="ignore"):
        spots = camera.project(rays @ exp(np.radians(degrees) * np.eye(3)[axis : axis + 1])[0])
    spots = np.nan_to_num(spots, nan=-1e4)
    return [spots[:, i].reshape(x.shape).astype(np.float32) for i in (0, 1)]


def mirrored(pairs: list[Pair], known: Known) -> SpoiltImages:
    out = _each(pairs, lambda g: np.ascontiguousarray(g[:, ::-1]), _names(pairs), "right")
    return SpoiltImages(out, "mirrored", _names(pairs), refuse=True)


def mirrored_view(pairs: list[Pair], known: Known) -> SpoiltImages:
    out = _each(pairs, lambda g: np.ascontiguousarray(g[:, ::-1]), _one(pairs), "right")
    return SpoiltImages(out, "mirrored", _one(pairs))


def upside_down_view(pairs: list[Pair], known: Known) -> SpoiltImages:
    out = _each(pairs, lambda g: np.ascontiguousarray(g[::-1, ::-1]), _one(pairs), "right")
    return SpoiltImages(out, "upside_down", _one(pairs))


def half_covered(pairs: list[Pair], known: Known) -> SpoiltImages:
    """A hand before half of the board in every second view."""
    out, names = [], _names(pairs[1::2])
    for name, a, b in pairs:
        if name in names and name in known.corners:
            a, b = (_covered(g, x) for g, x in zip((a, b), known.corners[name], strict=True))
        out.append((name, a, b))
    if known.board.coded:  # the other half is enough
        return SpoiltImages(out, None, set())
    return SpoiltImages(out, "not_found", names)


def _covered(g: Image, corners: NDArray[np.float64]) -> Image:
    g = g.copy()
    middle = corners.mean(axis=0)
    low, high = corners.min(axis=0), corners.max(axis=0)
    reach = 0.3 * (high - low)
    x, y = int(max(middle[0], 0)), int(max(low[1] - reach[1], 0))
    g[y : int(high[1] + reach[1]), x : int(high[0] + reach[0])] = 90
    return g


def jpeg(pairs: list[Pair], known: Known) -> SpoiltImages:
    def squeeze(g: Image) -> Image:
        _, data = cv2.imencode(".jpg", g, [cv2.IMWRITE_JPEG_QUALITY, 10])
        return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)

    out = _each(pairs, squeeze, _names(pairs), "both")
    return SpoiltImages(out, None, set())


def mixed_sizes(pairs: list[Pair], known: Known) -> SpoiltImages:
    names = _names(pairs[1::3])
    out = _each(pairs, lambda g: cv2.resize(g, None, fx=0.75, fy=0.75), names, "both")
    return SpoiltImages(out, "mixed_sizes", names)


def photograph(pairs: list[Pair], known: Known) -> SpoiltImages:
    out = _each(pairs, lambda g: cv2.resize(known.photograph, g.shape[1::-1]), _one(pairs), "both")
    return SpoiltImages(out, "not_found", _one(pairs))


def missing_partner(pairs: list[Pair], known: Known) -> SpoiltImages:
    out = [(n, a, None if n in _one(pairs) else b) for n, a, b in pairs]
    return SpoiltImages(out, "orphan", _one(pairs))


def same_images(pairs: list[Pair], known: Known) -> SpoiltImages:
    out = [(name, a, a) for name, a, _ in pairs]
    return SpoiltImages(out, "same_images", _names(pairs), refuse=True)


def another(columns: int, rows: int) -> Spoil:
    """The board is said to have more or fewer of them."""

    def spoil(pairs: list[Pair], known: Known) -> SpoiltImages | None:
        b = known.board
        if min(b.columns + columns, b.rows + rows) < 3:
            return None
        try:
            wrong = replace(b, columns=b.columns + columns, rows=b.rows + rows)
        except ValueError:
            return None  # a ChArUco board with more markers than its dictionary has
        says = f"{b.columns}x{b.rows}"
        return SpoiltImages(pairs, "wrong_board", set(), refuse=True, board=wrong, says=says)

    return spoil


def squares_counted(pairs: list[Pair], known: Known) -> SpoiltImages | None:
    if not isinstance(known.board, Chessboard):
        return None
    found = another(1, 1)(pairs, known)
    return found and found._replace(says="squares were counted")


def transposed(pairs: list[Pair], known: Known) -> SpoiltImages:
    b = known.board
    wrong = replace(b, columns=b.rows, rows=b.columns)
    if isinstance(b, Charuco) or b.kind == "acircles":  # another board when turned
        says = f"{b.columns}x{b.rows}"
        return SpoiltImages(pairs, "wrong_board", set(), refuse=True, board=wrong, says=says)
    return SpoiltImages(pairs, None, set(), board=wrong)


def wrong_dictionary(pairs: list[Pair], known: Known) -> SpoiltImages | None:
    if not isinstance(known.board, Charuco):
        return None
    wrong = replace(known.board, dictionary="DICT_4X4_250")
    says = known.board.dictionary.rsplit("_", 1)[0]
    return SpoiltImages(pairs, "wrong_board", set(), refuse=True, board=wrong, says=says)


SPOILS: dict[str, Spoil] = {
    "third blurred": blurred_third,
    "zoomed 1 %": zoomed(1.01),
    "zoomed 3 %": zoomed(1.03),
    "turned 0.3 deg about x": turned(0),
    "turned 0.3 deg about y": turned(1),
    "turned 0.3 deg about z": turned(2),
    "mirrored": mirrored,
    "mirrored view": mirrored_view,
    "upside-down view": upside_down_view,
    "half covered": half_covered,
    "JPEG quality 10": jpeg,
    "mixed sizes": mixed_sizes,
    "photograph": photograph,
    "missing partner": missing_partner,
    "same images": same_images,
    "squares counted": squares_counted,
    "transposed": transposed,
    "column too few": another(-1, 0),
    "row too few": another(0, -1),
    "wrong dictionary": wrong_dictionary,
}
