"""The page of ``stereo quality``: figures of every wall, against distance and over the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.report.drawing import PIXELS, Plot, photograph, text, value_map
from calib.report.html import document, pair, paragraph, section, table, tiles
from calib.words import fixed, length, number
from stereo.evaluation.quality import Quality, Stand
from stereo.evaluation.wall import GROSS_PX, Wall
from stereo.files.atomic import write_whole
from stereo.frame import Image
from stereo.gray import to_gray

_OUTLINE, _GROSS, _HOLE = (60, 200, 60), (40, 40, 220), (220, 120, 30)  # BGR

_SPREAD = 1.2
"""Walls whose distances differ by less make no plot."""


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """One frame to show."""

    name: str
    """What it is called."""
    image: Image
    """Its rectified left image."""
    wall: Wall
    """The wall on it."""


def write_page(quality: Quality, picture: Picture, path: Path) -> None:
    """Write the page. Raises OutputError when it cannot be written whole."""
    write_whole(path, render_page(quality, picture).encode())


def render_page(quality: Quality, picture: Picture) -> str:
    """Return the page as text."""
    times = fixed(quality.times, 2)
    held = "The error bars hold" if quality.kept else "The error bars are too short"
    nearest = min(quality.stands, key=lambda stand: stand.distance_m)
    facts = [
        ("measured / promised noise", times),
        ("fill", f"{fixed(100 * nearest.fill, 1)} %"),
        (f"plane-fit RMS at {length(nearest.distance_m)}", length(nearest.rms_m)),
        ("of depth", f"{fixed(nearest.rms_percent, 2)} %"),
        ("sub-pixel RMS", f"{fixed(nearest.rms_px, 3)} px"),
    ]
    body = [
        tiles(facts),
        paragraph(
            f"{held}: plane-fit RMS is {times} times what they promise, over "
            f"{len(quality.stands)} walls or places."
        ),
        _table(quality.stands),
        _against_distance(quality.stands),
        _over_the_image(quality),
        section("The wall", photograph(_drawn(picture), _caption(picture))),
        _aside(quality),
    ]
    return document("Depth quality", "\n".join(part for part in body if part))


def _table(stands: Sequence[Stand]) -> str:
    header = (
        *("wall", "frames", "distance", "tilt, °", "fill, %", "wrong, %", "RMS", "RMS, %"),
        *("RMS, px", "promised, px", "within 1 / 2 / 3 bars, %", "over time", "Z error"),
    )
    rows = [
        (
            s.first,
            str(s.frames),
            length(s.distance_m, 4),
            fixed(s.tilt_deg, 1),
            fixed(100 * s.fill, 1),
            fixed(100 * s.gross, 2),
            length(s.rms_m),
            fixed(s.rms_percent, 2),
            fixed(s.rms_px, 3),
            fixed(s.promised_px, 3),
            " / ".join(fixed(100 * share, 1) for share in s.within),
            "-" if s.temporal is None else length(s.temporal.m),
            "-" if s.accuracy is None else f"{fixed(s.accuracy.percent, 2)} %",
        )
        for s in stands
    ]
    words = (
        "Distance is measured straight from the left camera to the wall. RMS is of depth along the "
        f"optical axis around the plane that fits best; wrong is what is off by more than "
        f"{number(GROSS_PX, 1)} px, and is left out of it. Promised is the RMS of the error bars "
        "of the same pixels. Over time is the standard deviation of a pixel while nothing moves."
    )
    return section("Walls", table(header, rows), paragraph(words, small=True))


def _against_distance(stands: Sequence[Stand]) -> str:
    near = sorted(stands, key=lambda stand: stand.distance_m)
    if near[-1].distance_m < _SPREAD * near[0].distance_m:
        return ""
    reach = 1.05 * near[-1].distance_m
    noise = _plot(reach, [s.rms_m for s in near] + [s.promised_m for s in near], "RMS, mm", 1e3)
    for kind, values in (("blue", [s.rms_m for s in near]), ("red", [s.promised_m for s in near])):
        points = [(s.distance_m, 1e3 * v) for s, v in zip(near, values, strict=True)]
        noise.line(points, kind)
        noise.dots(np.array(points), 5, kind)
    figures = [noise.figure("Plane-fit RMS of depth: measured (blue), promised (red)")]
    fill = Plot((0, reach), (0, 100), names=("distance, m", "fill, %"))
    fill.line([(s.distance_m, 100 * s.fill) for s in near], "blue")
    figures.append(fill.figure("Share of the wall's pixels that have a depth"))
    known = [(s.distance_m, s.accuracy) for s in near if s.accuracy is not None]
    if known:
        most = 1.1 * max(abs(a.percent) + a.promised_percent for _, a in known) or 1.0
        plot = Plot((0, reach), (-most, most), names=("distance, m", "Z error, %"))
        plot.dots(np.array([(d, a.percent) for d, a in known]), 6, "blue")
        for d, a in known:
            plot.line([(d, -a.promised_percent), (d, a.promised_percent)], "red")
        figures.append(plot.figure("Distance to the wall, measured against true; red: promised"))
    return section("Against distance", pair(figures))


def _plot(reach: float, values: Sequence[float], name: str, scale: float) -> Plot:
    return Plot((0, reach), (0, 1.1 * scale * max(values)), names=("distance, m", name))


def _over_the_image(quality: Quality) -> str:
    said = (
        "A residual that stays the same over many frames is no noise: the lens model does not fit "
        "there, or the wall is not flat."
    )
    figures = [
        _map(quality, quality.bias_px, "Mean residual of disparity, px, over the left image"),
        _map(quality, quality.noise_px, "RMS of the residuals, px, over the left image"),
    ]
    return section("Over the image", pair(figures), paragraph(said, small=True))


def _map(quality: Quality, values: NDArray[np.float64], caption: str) -> str:
    rows, columns = values.shape
    w, h = quality.size
    cell = w / columns, h / rows
    y, x = np.mgrid[:rows, :columns].reshape(2, -1) + 0.5
    points = np.column_stack([x * cell[0], y * cell[1]])
    flat = values.ravel()
    middle = PIXELS.steps[len(PIXELS.steps) // 2]
    words = "".join(
        text(px, py, w / 40, fixed(v, 2), kind="on-dark" if abs(v) > middle else "on-light")
        for (px, py), v in zip(points, flat, strict=True)
        if np.isfinite(v)
    )
    return value_map(quality.size, points, np.abs(flat), cell, PIXELS, words, caption)


def _drawn(picture: Picture) -> NDArray[np.uint8]:
    """The image with the wall's outline, its holes and its wrong pixels."""
    wall = picture.wall
    gray = to_gray(picture.image)
    gray8 = gray if gray.dtype == np.uint8 else (gray >> 8).astype(np.uint8)
    drawn = cv2.cvtColor(gray8, cv2.COLOR_GRAY2BGR)
    drawn[wall.mask & ~np.isfinite(wall.residual_px)] = _HOLE
    with np.errstate(invalid="ignore"):
        drawn[np.abs(wall.residual_px) > GROSS_PX] = _GROSS
    edges, _ = cv2.findContours(
        wall.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    cv2.drawContours(drawn, edges, -1, _OUTLINE, 2)
    return np.asarray(drawn, np.uint8)


def _caption(picture: Picture) -> str:
    return (
        f"{picture.name}: the wall (green outline), its holes (blue) and what is off by more than "
        f"{number(GROSS_PX, 1)} px (red)"
    )


def _aside(quality: Quality) -> str:
    rows = [(one.name, one.reason) for one in quality.set_aside]
    return section("Set aside", table(("frame", "why"), rows, words=True)) if rows else ""
