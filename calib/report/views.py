"""The views: a table, a chart of their errors, all of them as small pictures, some as large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.detection.detection import Detection
from calib.detection.files import read_gray
from calib.judging.alone import Alone
from calib.judging.quality import Quality
from calib.outcome import Outcome
from calib.report.drawing import Plot, jpeg, photograph, round_below
from calib.report.html import folded, pair, paragraph, section, table
from calib.report.poses import distances, tilts_deg
from calib.solving.calibration import Calibration
from calib.solving.epipolar import rectifying_rotations
from calib.words import fixed, number, plain

Gray = NDArray[np.uint8]

_MOST_PICTURES = 60
_SMALL_PX = (360, 640)  # width and height that both images of a small picture fit into, together
_RECTIFIED_PX = 500
_GREEN, _ORANGE, _RED, _BLUE = (55, 190, 26), (0, 140, 255), (46, 34, 207), (255, 105, 9)


def views(c: Calibration, q: Quality) -> str:
    """The section about the views that were used."""
    far, tilt, unit = distances(c), tilts_deg(c), "m" if c.board.unit_known else "units"
    header = ("view", "left, px", "right, px", "left out, px", "rows left out, px")
    rows = [
        (
            f"{v + 1} · {view.name}",
            fixed(c.rms_px(0, v), 3),
            fixed(c.rms_px(1, v), 3),
            fixed(float(q.held_out.view_rms_px[v]), 3),
            fixed(float(q.held_out.view_row_error_px[v]), 3),
            number(float(far[v]), 3),
            fixed(float(tilt[v]), 0),
        )
        for v, view in enumerate(c.views)
    ]
    listed = table((*header, f"distance, {unit}", "tilt, degrees"), rows)
    return section(
        "Views",
        _chart(c, q),
        folded("Every view in figures", listed) if len(rows) > 8 else listed,
    )


def _chart(c: Calibration, q: Quality) -> str:
    n, out = len(c.views), q.held_out.view_rms_px
    inside = [c.rms_px(view=v) for v in range(n)]
    top = max(float(np.nanmax(np.where(np.isfinite(out), out, 0))), *inside, 1e-3)
    names = ("view", "error, px")
    numbers = range(1, n + 1) if n <= 30 else range(5, n + 1, 5)
    plot = Plot((0.4, n + 0.6), (0, 1.05 * top), names=names, size=(760, 240), x_ticks=numbers)
    for v in range(n):
        bars = ((min(float(np.nan_to_num(out[v])), top), 0.38, "bar"), (inside[v], 0.2, "over"))
        for high, half, kind in bars:
            (x0, y0), (x1, y1) = plot.at(v + 1 - half, high), plot.at(v + 1 + half, 0)
            plot.add(
                f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" '
                f'height="{y1 - y0:.1f}" class="{kind}"/>'
            )
    return plot.figure("Error of each view, rms px: dark as fitted, light when it was left out")


# -- small pictures of everything that was offered -----------------------------------------------


class _Offered(NamedTuple):
    name: str
    used: bool
    words: str


def contact_sheet(outcome: Outcome, alone: tuple[Alone | None, Alone | None]) -> str:
    """Every pair that was offered, with its corners; those that were not used come first."""
    entries = sorted(_offered(outcome, alone), key=lambda entry: entry.used)
    shown = entries[:_MOST_PICTURES]
    pictures = {entry: _small_picture(outcome, entry) for entry in shown}
    sheets = [
        "".join(pictures[entry] for entry in shown if entry.used is used) for used in (False, True)
    ]
    out, used = (f'<div class="sheet">{sheet}</div>' if sheet else "" for sheet in sheets)
    left = f"{len(entries) - len(shown)} more are not shown." if len(entries) > len(shown) else ""
    count = sum(entry.used for entry in shown)
    return section(
        "Pictures",
        paragraph(
            "Left and right image of each pair with the corners found; a ring marks the board's "
            "first corner, which must be the same corner of the board in both. " + left,
            small=True,
        )
        if shown
        else "",
        out,
        folded(f"The {count} views that were used", used) if out else used,
    )


def _offered(outcome: Outcome, alone: tuple[Alone | None, Alone | None]) -> Iterator[_Offered]:
    c, q = outcome.calibration, outcome.quality
    why = {r.name: f"{r.cause}: {r.reason}" for r in outcome.rejected}
    number_of = {} if c is None else {view.name: v for v, view in enumerate(c.views)}
    for name in dict.fromkeys([*outcome.seen, *outcome.files]):
        v = number_of.get(name)
        if c is not None and q is not None and v is not None:
            out = float(q.held_out.view_rms_px[v])
            fit = f"{fixed(c.rms_px(view=v), 2)} px, left out {fixed(out, 2)} px"
            yield _Offered(name, True, f"{v + 1} · {name}: {fit}")
        else:
            facts = why.get(name) or _found(outcome, name)
            by_itself = [
                f"{side} alone {fixed(one.view_rms_px[name], 2)} px"
                for side, one in zip(("left", "right"), alone, strict=True)
                if one is not None and name in one.view_rms_px
            ]
            yield _Offered(name, False, "; ".join([f"{name}: {facts}", *by_itself]))


def _found(outcome: Outcome, name: str) -> str:
    if name not in outcome.seen:
        return "corners were not searched for"
    both = outcome.seen[name]
    sides = [side for side, one in zip(("left", "right"), both, strict=True) if one is not None]
    return {2: "board found in both", 0: "no board found"}.get(
        len(sides), f"board found in {''.join(sides)} only"
    )


def _small_picture(outcome: Outcome, entry: _Offered) -> str:
    images = [_image(outcome, entry.name, side) for side in (0, 1)]
    both = outcome.seen.get(entry.name, (None, None))
    if all(image is None for image in images) and all(one is None for one in both):
        return ""
    sizes = [
        (image.shape[1], image.shape[0]) if image is not None else one.size if one else (4, 3)
        for image, one in zip(images, both, strict=True)
    ]
    height = min(_SMALL_PX[0] / sum(w / h for w, h in sizes), _SMALL_PX[1])
    halves = []
    for image, one, (w, h) in zip(images, both, sizes, strict=True):
        size = (max(1, round(height * w / h)), max(1, round(height)))
        gray = (
            np.full(size[::-1], 90, np.uint8)
            if image is None
            else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        )
        halves.append(_marked(gray, one, size[0] / w, _GREEN if entry.used else _ORANGE))
    kind = "" if entry.used else ' class="out"'
    picture = jpeg(np.hstack(halves), entry.words, quality=72)
    return f"<figure{kind}>{picture}<figcaption>{escape(entry.words)}</figcaption></figure>"


def _marked(
    gray: NDArray[Any], one: Detection | None, scale: float, color: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """A small picture (H, W, 3) with the corners of a detection."""
    picture = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    if one is None:
        return np.asarray(picture, np.uint8)
    at = np.rint(((one.points + 0.5) * scale - 0.5) * 8).astype(int)  # eighths of a pixel
    for x, y in at.tolist():
        cv2.circle(picture, (x, y), 10, color, -1, cv2.LINE_AA, 3)
    cv2.circle(picture, at[0].tolist(), 36, _RED, 1, cv2.LINE_AA, 3)
    return np.asarray(picture, np.uint8)


# -- large pictures ------------------------------------------------------------------------------


def large_pictures(outcome: Outcome, c: Calibration) -> str:
    """The worst view with its residuals, and a rectified pair with lines."""
    errors = [c.rms_px(view=v) for v in range(len(c.views))]
    worst = int(np.argmax(errors))
    pictures = [_with_residuals(outcome, c, worst, side) for side in (0, 1)]
    best = int(np.argmin(errors))
    return section("Worst view, and a rectified pair", pair(pictures), _rectified(outcome, c, best))


def _with_residuals(outcome: Outcome, c: Calibration, v: int, side: int) -> str:
    image = _image(outcome, c.views[v].name, side)
    if image is None or image.shape[::-1] != c.sizes[side]:
        return ""
    color = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    rows = (c.seen.view == v) & (c.seen.camera == side)
    gain = round_below(0.02 * image.shape[1] / max(c.rms_px(side, v), 1e-3))
    for (x, y), (dx, dy) in zip(c.seen.pixels[rows], c.fit.residuals[rows], strict=True):
        at = (round(x), round(y))
        cv2.circle(color, at, max(2, image.shape[1] // 250), _BLUE, 1, cv2.LINE_AA)
        end = (round(x + gain * dx), round(y + gain * dy))
        cv2.line(color, at, end, _RED, max(1, image.shape[1] // 700), cv2.LINE_AA)
    name = f"{v + 1} · {c.views[v].name}, {('left', 'right')[side]}"
    rms = fixed(c.rms_px(side, v), 3)
    return photograph(color, f"{name}: rms {rms} px; residuals {plain(gain)} times enlarged")


def _rectified(outcome: Outcome, c: Calibration, v: int) -> str:
    images = [_image(outcome, c.views[v].name, side) for side in (0, 1)]
    if images[0] is None or images[1] is None:
        return ""
    halves = _rectified_halves(c, [np.asarray(image) for image in images])
    height, width = halves[0].shape
    both = cv2.cvtColor(np.hstack(halves), cv2.COLOR_GRAY2BGR)
    for row in range(height // 20, height, max(1, height // 10)):
        cv2.line(both, (0, row), (2 * width, row), _GREEN, 1)
    return photograph(
        both, f"{v + 1} · {c.views[v].name}, rectified: the same thing lies on the same line"
    )


def _rectified_halves(c: Calibration, images: Sequence[Gray]) -> list[Gray]:
    """Both images on common rows, each moved sideways until its middle is in the middle."""
    s = c.fit.state
    width = min(c.sizes[0][0], _RECTIFIED_PX)
    scale = width / c.sizes[0][0]
    height = round(c.sizes[0][1] * scale)
    f = 0.75 * scale * float(np.mean([values[:2] for values in s.intrinsics]))
    lenses = [s.camera(side, c.sizes[side]) for side in (0, 1)]
    turns = rectifying_rotations(s.R, s.t)
    middles = []
    for lens, turn in zip(lenses, turns, strict=True):
        ray = turn @ lens.unproject((np.array([lens.size]) - 1) / 2)[0]
        middles.append(ray[:2] / max(ray[2], 0.1))
    x, y = np.meshgrid(np.arange(width) - width / 2, np.arange(height) - height / 2)
    y = y / f + np.mean([middle[1] for middle in middles])
    halves = []
    for lens, turn, middle, image in zip(lenses, turns, middles, images, strict=True):
        rays = np.column_stack([(x / f + middle[0]).ravel(), y.ravel(), np.ones(x.size)])
        at = np.nan_to_num(lens.project(rays @ turn), nan=-1e4).astype(np.float32)
        maps = at.reshape(height, width, 2)
        halves.append(cv2.remap(image, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR))
    return [np.asarray(half, np.uint8) for half in halves]


def _image(outcome: Outcome, name: str, side: int) -> Gray | None:
    """An image of a pair in 256 shades, as dark and as bright as they go; None: not there."""
    files = outcome.files.get(name)
    gray = read_gray(Path(files[side])) if files else None
    if gray is None:
        return None
    return cv2.normalize(gray, np.zeros_like(gray), 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
