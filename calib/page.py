"""A board as a page to print: PDF, SVG or PNG at true scale, with a ruler to check the printer."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import cv2
import numpy as np

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

_MARGIN_MM = 5.0  # printers leave about this much blank
_FOOT_MM = 16.0  # ruler and text below the board
_PT = 72 / 25.4
_KAPPA = 0.5522847498  # Bezier handle of a quarter circle


@dataclass(frozen=True)
class Page:
    """Everything on the page in millimetres from its top-left corner."""

    size_mm: tuple[float, float]
    """(width, height) of the paper."""
    rectangles: np.ndarray
    """(N, 4) black x, y, width, height."""
    discs: np.ndarray
    """(M, 3) black centre x, centre y, radius."""
    texts: list[tuple[float, float, float, str]]
    """x, y of the baseline, height, text."""


def lay_out(board: Board, paper: str = "A4") -> Page:
    """Place a board, a ruler and the command to calibrate with it on a sheet of paper.

    Raises BoardError when the paper is unknown or the board does not fit, saying what would.
    """
    if not board.unit_known:
        raise BoardError("a board to print needs its size in mm, cm or m")
    known = {name.lower(): name for name in PAPERS_MM}
    if paper.lower() not in known:
        raise BoardError(f"unknown paper {paper!r}; known are {', '.join(PAPERS_MM)}")
    art = board.artwork()
    w, h = art.size_m[0] * 1e3, art.size_m[1] * 1e3
    width, height = _fit(w, h, PAPERS_MM[known[paper.lower()]], paper, board)
    x0, y0 = (width - w) / 2, max(_MARGIN_MM, (height - _FOOT_MM - h) / 2)
    rectangles, discs = art.rectangles * 1e3, art.discs * 1e3
    rectangles[:, :2] += [x0, y0]
    discs[:, :2] += [x0, y0]
    ruler = _ruler(width, height)
    return Page((width, height), np.vstack([rectangles, ruler]), discs, _texts(board, height))


def write_page(page: Page, path: Path) -> None:
    """Write PDF, SVG or PNG (300 dpi) by the file's ending; raises BoardError for another."""
    writers = {".pdf": _pdf, ".svg": _svg, ".png": _png}
    if path.suffix.lower() not in writers:
        raise BoardError(f"{path}: expected a name ending in .pdf, .svg or .png")
    path.write_bytes(writers[path.suffix.lower()](page))


def render(art: Artwork, pixels_per_m: float, *, border_px: int = 0) -> np.ndarray:
    """(H, W) uint8 picture of a board, white around it, edges anti-aliased by area."""
    fine = 4
    w, h = (round(side * pixels_per_m) for side in art.size_m)
    image = np.full((h * fine, w * fine), 255, np.uint8)
    _fill(image, art.rectangles, art.discs, pixels_per_m * fine)
    image = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
    return np.pad(image, border_px, constant_values=255)


def _fit(
    w: float, h: float, paper: tuple[float, float], name: str, board: Board
) -> tuple[float, float]:
    """Paper's size, turned if the board fits better so."""
    for width, height in (paper, paper[::-1]):
        if w + 2 * _MARGIN_MM <= width and h + _MARGIN_MM + _FOOT_MM <= height:
            return width, height
    short, long = sorted((w + 2 * _MARGIN_MM, h + _MARGIN_MM + _FOOT_MM))
    fitting = [n for n, size in PAPERS_MM.items() if short <= size[0] and long <= size[1]]
    share = max(
        min((pw - 2 * _MARGIN_MM) / w, (ph - _MARGIN_MM - _FOOT_MM) / h)
        for pw, ph in (paper, paper[::-1])
    )
    smaller = np.floor(board.square_m * 1e3 * share * 10) / 10
    advice = f"print on {fitting[-1]}" if fitting else "use a print shop's plotter"
    raise BoardError(
        f"the board is {w:.0f} x {h:.0f} mm and does not fit on {name}; "
        f"{advice}, or make its squares at most {smaller:g} mm"
    )


def _ruler(width: float, height: float) -> np.ndarray:
    """A scale of 100 mm (or less on small paper), ticks every 10 mm."""
    length = min(100, int((width - 30) // 10) * 10)
    y = height - 9
    ticks = [
        (10 + t - 0.1, y - (3 if t % 50 == 0 else 1.5), 0.2, 3 if t % 50 == 0 else 1.5)
        for t in range(0, length + 1, 10)
    ]
    return np.array([(10.0, y - 0.1, float(length), 0.2), *ticks])


def _texts(board: Board, height: float) -> list[tuple[float, float, float, str]]:
    command = (
        f"stereo calibrate 'left/*.png' 'right/*.png' --board {board.spec} "
        "-o rig.yaml --report report.html"
    )
    return [
        (115, height - 9, 2.4, "print at 100 %, then measure the ruler: it is 100 mm long"),
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
    lines += [f'<circle cx="{x:.5f}" cy="{y:.5f}" r="{r:.5f}"/>' for x, y, r in page.discs]
    lines += [
        f'<text x="{x}" y="{y}" font-size="{s}" font-family="Helvetica, sans-serif">'
        f"{escape(text)}</text>"
        for x, y, s, text in page.texts
    ]
    return "\n".join([*lines, "</svg>\n"]).encode()


def _pdf(page: Page) -> bytes:
    w, h = page.size_mm
    draw = [f"{_PT:.8f} 0 0 {-_PT:.8f} 0 {h * _PT:.5f} cm"]
    draw += [f"{x:.5f} {y:.5f} {a:.5f} {b:.5f} re" for x, y, a, b in page.rectangles]
    for x, y, r in page.discs:
        draw.append(f"{x + r:.5f} {y:.5f} m")
        for a, b in ((1, 0), (0, 1), (-1, 0), (0, -1)):  # quarter by quarter; (-b, a) comes next
            p = [a - _KAPPA * b, b + _KAPPA * a, -b + _KAPPA * a, a + _KAPPA * b, -b, a]
            spots = [x + r * p[0], y + r * p[1], x + r * p[2], y + r * p[3], x + r * p[4]]
            draw.append(" ".join(f"{v:.5f}" for v in [*spots, y + r * p[5]]) + " c")
    draw.append("f")
    for x, y, s, text in page.texts:
        safe = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        draw.append(f"BT /F1 {s} Tf 1 0 0 -1 {x} {y} Tm ({safe}) Tj ET")
    stream = zlib.compress("\n".join(draw).encode("latin-1", "replace"))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {w * _PT:.4f} {h * _PT:.4f}] "
        "/Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".encode(),
        f"<< /Length {len(stream)} /Filter /FlateDecode >>\nstream\n".encode()
        + stream
        + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n"
    table += "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return bytes(out) + table.encode() + trailer.encode()


def _png(page: Page, dpi: int = 300) -> bytes:
    scale = dpi / 25.4
    w, h = (round(side * scale) for side in page.size_mm)
    image = np.full((h, w), 255, np.uint8)
    _fill(image, page.rectangles, page.discs, scale)
    for x, y, s, text in page.texts:
        at = (round(x * scale), round(y * scale))
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, s * scale / 24, 0, 1, cv2.LINE_AA)
    data = bytes(cv2.imencode(".png", image)[1])
    # the size in metres lets a viewer print it at true scale; it follows the 33 header bytes
    chunk = b"pHYs" + struct.pack(">IIB", round(scale * 1e3), round(scale * 1e3), 1)
    return (
        data[:33] + struct.pack(">I", 9) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]
    )


def _fill(image: np.ndarray, rectangles: np.ndarray, discs: np.ndarray, scale: float) -> None:
    for x, y, a, b in rectangles * scale:
        left, top, right, bottom = (round(v) for v in (x, y, x + a, y + b))
        image[top : max(bottom, top + 1), left : max(right, left + 1)] = 0
    for x, y, r in discs * scale:
        centre = (round((x - 0.5) * 16), round((y - 0.5) * 16))
        cv2.circle(image, centre, round(r * 16), 0, -1, cv2.LINE_AA, 4)
