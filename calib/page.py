"""A board as a page to print: PDF, SVG or PNG at true scale, with a ruler to check the printer."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.atomic import replace_whole
from calib.board import Artwork, Board, BoardError

PAPERS_MM: dict[str, tuple[float, float]] = {
    "A0": (841, 1189),
    "A1": (594, 841),
    "A2": (420, 594),
    "A3": (297, 420),
    "A4": (210, 297),
    "A5": (148, 210),
    "letter": (215.9, 279.4),
    "legal": (215.9, 355.6),
    "tabloid": (279.4, 431.8),
}
"""Portrait (width, height), mm."""

Float = NDArray[np.float64]

_MOST_SHEETS = 64
_MARGIN_MM = 5.0  # printers leave about this much blank
_FOOT_MM = 16.0  # ruler and text below the board
_PT = 72 / 25.4
_KAPPA = 0.5522847498  # Bezier handle of a quarter circle


@dataclass(frozen=True)
class Page:
    """Everything on the page in millimetres from its top-left corner."""

    size_mm: tuple[float, float]
    """(width, height) of the paper."""
    rectangles: Float
    """(N, 4) black x, y, width, height."""
    discs: Float
    """(M, 3) black centre x, centre y, radius."""
    texts: list[tuple[float, float, float, str]]
    """x, y of the baseline, height, text."""
    window: tuple[float, float, float, float]
    """x, y, width, height that discs are cut to."""


def lay_out(board: Board, paper: str = "A4") -> list[Page]:
    """Place a board, a ruler and the command to calibrate with it on one sheet, or on several.

    A board larger than the paper is spread over sheets to be glued edge to edge; its scale is
    never changed. Raises BoardError when the paper is unknown or the lengths are.
    """
    if not board.unit_known:
        raise BoardError("a board to print needs its size in mm, cm or m")
    known = {name.lower(): name for name in PAPERS_MM}
    if paper.lower() not in known:
        raise BoardError(f"unknown paper {paper!r}; known are {', '.join(PAPERS_MM)}")
    art = board.artwork()
    w, h = art.size_m[0] * 1e3, art.size_m[1] * 1e3
    (width, height), across, down = _sheets(w, h, PAPERS_MM[known[paper.lower()]])
    if across * down > _MOST_SHEETS:
        raise BoardError(
            f"the board is {w:.0f} x {h:.0f} mm and would need {across * down} sheets of {paper}; "
            "use larger paper or smaller squares"
        )
    part_w, part_h = w / across, h / down
    x0, y0 = (width - part_w) / 2, max(_MARGIN_MM, (height - _FOOT_MM - part_h) / 2)
    pages = []
    for row in range(down):
        for column in range(across):
            corner = np.array([column * part_w, row * part_h])
            boxes = _clipped(art.rectangles * 1e3, corner, (part_w, part_h))
            discs = art.discs * 1e3
            boxes[:, :2] += [x0, y0]
            discs[:, :2] += np.array([x0, y0]) - corner
            extra = [_ruler(width, height)]
            if across * down > 1:
                extra.append(_cutting_lines(x0, y0, part_w, part_h))
            place = f"sheet {row * across + column + 1} of {across * down}; " * (across * down > 1)
            pages.append(
                Page(
                    (width, height),
                    np.vstack([boxes, *extra]),
                    discs,
                    _texts(board, height, place),
                    (x0, y0, part_w, part_h),
                )
            )
    return pages


def write_pages(pages: list[Page], path: Path) -> None:
    """Write PDF, SVG or PNG (300 dpi) by the file's ending; of several sheets all but PDF become
    numbered files. Raises BoardError for another ending.
    """
    ending = path.suffix.lower()
    if ending == ".pdf":
        replace_whole(path, _pdf(pages))
        return
    writers = {".svg": _svg, ".png": _png}
    if ending not in writers:
        raise BoardError(f"{path}: expected a name ending in .pdf, .svg or .png")
    for number, page in enumerate(pages, 1):
        name = path if len(pages) == 1 else path.with_stem(f"{path.stem}_{number}")
        replace_whole(name, writers[ending](page))


def render(art: Artwork, pixels_per_m: float, *, border_px: int = 0) -> Float:
    """(H, W) uint8 picture of a board, white around it, edges anti-aliased by area."""
    fine = 4
    w, h = (round(side * pixels_per_m) for side in art.size_m)
    image: NDArray[Any] = np.full((h * fine, w * fine), 255, np.uint8)
    _fill(image, art.rectangles, art.discs, pixels_per_m * fine)
    image = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
    return np.pad(image, border_px, constant_values=255)


def _sheets(w: float, h: float, paper: tuple[float, float]) -> tuple[tuple[float, float], int, int]:
    """(paper turned as fits best, sheets across, sheets down)."""
    options = []
    for width, height in (paper, paper[::-1]):
        across = int(np.ceil(w / (width - 2 * _MARGIN_MM) - 1e-9))
        down = int(np.ceil(h / (height - _MARGIN_MM - _FOOT_MM) - 1e-9))
        options.append((across * down, (width, height), across, down))
    return min(options)[1:]


def _clipped(boxes: Float, corner: Float, size: tuple[float, float]) -> Float:
    """Parts of rectangles inside a window, relative to its corner."""
    low = np.maximum(boxes[:, :2] - corner, 0)
    high = np.minimum(boxes[:, :2] + boxes[:, 2:] - corner, size)
    out = np.column_stack([low, high - low])
    return np.asarray(out[(out[:, 2:] > 1e-9).all(axis=1)])


def _cutting_lines(x: float, y: float, w: float, h: float) -> Float:
    t, far = 0.1, 4.0
    return np.array(
        [(px - t / 2, py, t, far) for px in (x, x + w) for py in (y - far, y + h)]
        + [(px, py - t / 2, far, t) for py in (y, y + h) for px in (x - far, x + w)]
    )


def _ruler(width: float, height: float) -> Float:
    """A scale of 100 mm (or less on small paper), ticks every 10 mm."""
    length = min(100, int((width - 30) // 10) * 10)
    y = height - 9
    ticks = [
        (10 + t - 0.1, y - (3 if t % 50 == 0 else 1.5), 0.2, 3 if t % 50 == 0 else 1.5)
        for t in range(0, length + 1, 10)
    ]
    return np.array([(10.0, y - 0.1, float(length), 0.2), *ticks])


def _texts(board: Board, height: float, place: str) -> list[tuple[float, float, float, str]]:
    command = (
        f"stereo calibrate 'left/*.png' 'right/*.png' --board {board.spec} "
        "-o rig.yaml --report report.html"
    )
    return [
        (115, height - 9, 2.4, place + "print at 100 %, then measure the ruler: it is 100 mm long"),
        (10, height - 4.5, 2.2, command),
    ]


def _svg(page: Page) -> bytes:
    w, h = page.size_mm
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}mm" height="{h}mm" '
        f'viewBox="0 0 {w} {h}" shape-rendering="crispEdges">',
        f'<rect width="{w}" height="{h}" fill="white"/>',
    ]
    lines += [
        f'<rect x="{x:.5f}" y="{y:.5f}" width="{a:.5f}" height="{b:.5f}"/>'
        for x, y, a, b in page.rectangles
    ]
    wx, wy, ww, wh = page.window
    lines.append(
        f'<clipPath id="w"><rect x="{wx}" y="{wy}" width="{ww}" height="{wh}"/></clipPath>'
    )
    lines += [
        f'<circle clip-path="url(#w)" cx="{x:.5f}" cy="{y:.5f}" r="{r:.5f}"/>'
        for x, y, r in page.discs
    ]
    lines += [
        f'<text x="{x}" y="{y}" font-size="{s}" font-family="Helvetica, sans-serif">'
        f"{escape(text)}</text>"
        for x, y, s, text in page.texts
    ]
    return "\n".join([*lines, "</svg>\n"]).encode()


def _pdf(pages: list[Page]) -> bytes:
    w, h = pages[0].size_mm
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, page in enumerate(pages):
        stream = zlib.compress("\n".join(_pdf_drawing(page)).encode("latin-1", "replace"))
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {w * _PT:.4f} {h * _PT:.4f}] "
            f"/Contents {5 + 2 * i} 0 R /Resources << /Font << /F1 3 0 R >> >> >>".encode(),
            f"<< /Length {len(stream)} /Filter /FlateDecode >>\nstream\n".encode()
            + stream
            + b"\nendstream",
        ]
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n"
    table += "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return bytes(out) + table.encode() + trailer.encode()


def _pdf_drawing(page: Page) -> list[str]:
    draw = [f"{_PT:.8f} 0 0 {-_PT:.8f} 0 {page.size_mm[1] * _PT:.5f} cm"]
    for x, y, s, text in page.texts:
        safe = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        draw.append(f"BT /F1 {s} Tf 1 0 0 -1 {x} {y} Tm ({safe}) Tj ET")
    draw += [f"{x:.5f} {y:.5f} {a:.5f} {b:.5f} re" for x, y, a, b in page.rectangles]
    draw.append("f")
    if len(page.discs):
        draw.append(" ".join(f"{v:.5f}" for v in page.window) + " re W n")
    for x, y, r in page.discs:
        draw.append(f"{x + r:.5f} {y:.5f} m")
        for a, b in ((1, 0), (0, 1), (-1, 0), (0, -1)):  # quarter by quarter; (-b, a) comes next
            handles = [(a - _KAPPA * b, b + _KAPPA * a), (-b + _KAPPA * a, a + _KAPPA * b), (-b, a)]
            draw.append(" ".join(f"{x + r * p:.5f} {y + r * q:.5f}" for p, q in handles) + " c")
    return [*draw, "f"] if len(page.discs) else draw


def _png(page: Page, dpi: int = 300) -> bytes:
    scale = dpi / 25.4
    w, h = (round(side * scale) for side in page.size_mm)
    image = np.full((h, w), 255, np.uint8)
    _fill(image, page.rectangles, np.zeros((0, 3)), scale)
    wx, wy, ww, wh = (round(v * scale) for v in page.window)
    window = image[wy : wy + wh, wx : wx + ww]
    inside = page.discs - [page.window[0], page.window[1], 0]
    _fill(window, np.zeros((0, 4)), inside, scale)
    for x, y, s, text in page.texts:
        at = (round(x * scale), round(y * scale))
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, s * scale / 24, 0, 1, cv2.LINE_AA)
    data = bytes(cv2.imencode(".png", image)[1])
    # the size in metres lets a viewer print it at true scale; it follows the 33 header bytes
    chunk = b"pHYs" + struct.pack(">IIB", round(scale * 1e3), round(scale * 1e3), 1)
    return (
        data[:33] + struct.pack(">I", 9) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]
    )


def _fill(image: np.ndarray, rectangles: Float, discs: Float, scale: float) -> None:
    for x, y, a, b in rectangles * scale:
        left, top, right, bottom = (round(v) for v in (x, y, x + a, y + b))
        image[top : max(bottom, top + 1), left : max(right, left + 1)] = 0
    for x, y, r in discs * scale:
        centre = (round((x - 0.5) * 16), round((y - 0.5) * 16))
        cv2.circle(image, centre, round(r * 16), 0, -1, cv2.LINE_AA, 4)
