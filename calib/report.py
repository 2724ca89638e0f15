"""One self-contained HTML page about a calibration: the verdict first, then why.

Drawings are inline SVG and pictures inline JPEG, so the page needs no network, no script and no
plotting library, and reads on a phone.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.atomic import replace_whole
from calib.detection.files import read_gray
from calib.drawing import both_ways, figure, heat, svg
from calib.judging.depth_error import calibration_depth_sigma, image_points
from calib.judging.quality import Quality
from calib.outcome import Outcome
from calib.solving.calibration import Calibration
from calib.solving.epipolar import rectifying_rotations
from calib.words import fixed, number, plain

Float = NDArray[np.float64]

_COLORS = {"good": "#1a7f37", "usable": "#9a6700", "recalibrate": "#cf222e"}
_STYLE = """
:root{color-scheme:light}*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;color:#1f2328;
background:#fff}h1{font-size:1.4rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
.verdict{border-left:.5rem solid;padding:.6rem 1rem;border-radius:.3rem;background:#f6f8fa}
.verdict b{font-size:1.5rem;text-transform:capitalize}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}td,th{padding:.25rem .6rem;text-align:right;border-bottom:1px solid #d1d9e0}
td:first-child,th:first-child{text-align:left}.pair{display:grid;gap:1rem;
grid-template-columns:repeat(auto-fit,minmax(17rem,1fr))}figure{margin:0}
figcaption{color:#59636e;font-size:.85rem}svg,img{max-width:100%;height:auto;display:block}
.small{color:#59636e;font-size:.85rem}code{background:#eff1f3;padding:.1rem .3rem;
border-radius:.2rem;overflow-wrap:anywhere}
"""


def write_report(outcome: Outcome, path: Path) -> None:
    """Write the page for an outcome, also one without a result. Raises OSError when it cannot."""
    replace_whole(path, render_report(outcome).encode())


def render_report(outcome: Outcome) -> str:
    """Return the page as text."""
    c, q = outcome.calibration, outcome.quality
    sections = [_verdict(outcome), _findings(outcome)]
    if c is not None and q is not None:
        sections += [
            _depth(c, q),
            _coverage(c, q),
            _residuals(c),
            _views(c, q),
            _pictures(outcome, c),
            _board(c),
            _parameters(c, q),
        ]
    body = "\n".join(section for section in sections if section)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Stereo calibration: {escape(outcome.grade)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>Stereo calibration</h1>\n{body}\n</body></html>\n"
    )


def _verdict(outcome: Outcome) -> str:
    color = _COLORS[outcome.grade]
    facts = ""
    if outcome.calibration is not None:
        s = outcome.summary()
        unit, scale = ("mm", 1e3) if s["unit"] == "m" else ("board units", 1)
        facts = (
            f"<p>{s['views_used']} of {s['pairs_offered']} pairs used, model {s['model']}, "
            f"baseline {s['baseline_m'] * scale:.3f} ± {s['baseline_sigma_m'] * scale:.3f} {unit}, "
            f"rows {s['row_error_px']:.3f} px and corners "
            f"{s['reprojection_rms_px']['held_out']:.3f} px off on views left out.</p>"
        )
    return (
        f'<div class="verdict" style="border-color:{color}"><b style="color:{color}">'
        f"{escape(outcome.grade)}</b><p>{escape(outcome.verdict)}</p>{facts}"
        f"<p><strong>Next:</strong> {escape(outcome.advice)}</p></div>"
    )


def _findings(outcome: Outcome) -> str:
    rows = [(f.cause, f.message, ", ".join(f.images)) for f in outcome.findings]
    rows += [(r.cause, r.reason, r.name) for r in outcome.rejected]
    if not rows:
        return ""
    cells = "".join(
        "<tr>"
        + "".join(f'<td style="text-align:left">{escape(text)}</td>' for text in row)
        + "</tr>"
        for row in rows
    )
    return (
        '<h2>What was wrong</h2><div class="scroll"><table><tr><th>name</th>'
        '<th style="text-align:left">what</th><th style="text-align:left">images</th></tr>'
        f"{cells}</table></div>"
    )


def _depth(c: Calibration, q: Quality) -> str:
    metric = c.board.unit_known
    unit, scale, name = ("m", 1e3, "mm") if metric else ("units", 1.0, "units")
    rows = "".join(
        f"<tr><td>{plain(d.distance_m, 3)}&nbsp;{unit}</td><td>{number(d.total_m * scale)}</td>"
        f"<td>{fixed(d.percent, 2)}</td><td>{number(d.calibration_m * scale)}</td>"
        f"<td>{number(d.matching_m * scale)}</td><td>{number(d.worst_m * scale)}</td>"
        f"<td>{number(d.halves_m * scale)}</td></tr>"
        for d in q.depth_error
    )
    check = q.distance_check
    maps = "".join(
        f"<figure>{_depth_map(c, q, d.distance_m)}<figcaption>Error caused by calibration at "
        f"{plain(d.distance_m, 3)} {unit}, % of distance, over the left image "
        "(white: not seen by both)"
        "</figcaption></figure>"
        for d in q.depth_error[2:5:2]
    )
    return (
        '<h2>Expected depth error</h2><div class="scroll"><table><tr><th>at</th>'
        f"<th>error (1 σ), {name}</th><th>of distance, %</th><th>by calibration, {name}</th>"
        f"<th>by matching (0.25 px), {name}</th><th>worst 5 %, {name}</th>"
        f"<th>two halves differ, {name}</th></tr>{rows}</table></div>"
        f'<p class="small">Check on views left out: distances between corners were off by '
        f"{check.observed_percent:.2f} % (predicted {check.predicted_percent:.2f} %), mean "
        f'{fixed(check.scale_percent, 2)} %.</p><div class="pair">{maps}</div>'
    )


def _depth_map(c: Calibration, q: Quality, distance: float) -> str:
    left, right = image_points(c, c.fit.state, distance)
    w, h = c.sizes[0]
    if len(left) < 4:
        return ""
    _, sigma = calibration_depth_sigma(c, q.covariance, left, right)
    percent = 100 * sigma / distance
    dx, dy = 0.9 * (w - 1) / 12, 0.9 * (h - 1) / 8
    top = float(np.nanquantile(percent, 0.95))
    cells = "".join(
        f'<rect x="{x - dx / 2:.1f}" y="{y - dy / 2:.1f}" width="{dx + 0.5:.1f}" '
        f'height="{dy + 0.5:.1f}" fill="{heat(p / top)}"/>'
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{w / 45:.1f}" text-anchor="middle" '
        f'dominant-baseline="middle" fill="{"#000" if p < 0.65 * top else "#fff"}">'
        f"{number(p, 2)}</text>"
        for (x, y), p in zip(left, percent, strict=True)
        if np.isfinite(p)
    )
    return svg(w, h, cells)


def _coverage(c: Calibration, q: Quality) -> str:
    figures = []
    for side, name in enumerate(("left", "right")):
        w, h = c.sizes[side]
        rows = c.seen.camera == side
        step = max(1, int(rows.sum()) // 2500)
        cells, (ny, nx) = q.coverage[side], q.coverage[side].shape
        boxes = "".join(
            f'<rect x="{x * w / nx:.1f}" y="{y * h / ny:.1f}" width="{w / nx:.1f}" '
            f'height="{h / ny:.1f}" fill="{"#ffd8d3" if cells[y, x] == 0 else "#dafbe1"}" '
            'stroke="#fff"/>'
            for y in range(ny)
            for x in range(nx)
        )
        r = w / 250
        dots = "".join(
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{r:.1f}" fill="#0969da" fill-opacity=".5"/>'
            for x, y in c.seen.pixels[rows][::step]
        )
        figures.append(
            f"<figure>{svg(w, h, boxes + dots)}<figcaption>{name}: corners in "
            f"{100 * q.coverage_share[side]:.0f} % of the cells (red: none)</figcaption></figure>"
        )
    return f'<h2>Coverage</h2><div class="pair">{"".join(figures)}</div>'


def _residuals(c: Calibration) -> str:
    gain = 0.02 * c.sizes[0][0] / max(c.rms_px(), 1e-3)
    figures = []
    for side, name in enumerate(("left", "right")):
        w, h = c.sizes[side]
        rows = np.flatnonzero(c.seen.camera == side)
        rows = rows[:: max(1, len(rows) // 1500)]
        lines = "".join(
            f"M{x:.1f} {y:.1f}l{dx:.1f} {dy:.1f}"
            for (x, y), (dx, dy) in zip(
                c.seen.pixels[rows], gain * c.fit.residuals[rows], strict=True
            )
        )
        drawing = f'<path d="{lines}" stroke="#cf222e" stroke-width="{w / 500:.1f}" fill="none"/>'
        figures.append(
            f"<figure>{svg(w, h, drawing)}<figcaption>{name}: residuals, {gain:.0f} times "
            f"enlarged; rms {c.rms_px(side):.3f} px</figcaption></figure>"
        )
    return f'<h2>Residuals</h2><div class="pair">{"".join(figures)}</div>'


def _views(c: Calibration, q: Quality) -> str:
    n = len(c.views)
    top = max(float(np.nanmax(q.held_out.view_rms_px)), 1e-6)
    width, row = 600, 18
    bars = []
    for v, view in enumerate(c.views):
        y = v * row
        rms, out = c.rms_px(view=v), float(q.held_out.view_rms_px[v])
        bars.append(
            f'<text x="128" y="{y + 13}" font-size="12" text-anchor="end">'
            f"{escape(view.name[-18:])}</text>"
            f'<rect x="135" y="{y + 2}" width="{330 * out / top:.1f}" height="13" fill="#b6e3ff"/>'
            f'<rect x="135" y="{y + 5}" width="{330 * rms / top:.1f}" height="7" fill="#0969da"/>'
            f'<text x="{140 + 330 * out / top:.0f}" y="{y + 13}" font-size="11">'
            f"{out:.3f} rows {q.held_out.view_row_error_px[v]:.3f}</text>"
        )
    return (
        "<h2>Views</h2><figure>"
        + svg(width, n * row + 4, "".join(bars))
        + "<figcaption>Error of each view, px: dark as fitted, light when the view was left out; "
        "rows: its row error when left out</figcaption></figure>"
    )


def _pictures(outcome: Outcome, c: Calibration) -> str:
    """The worst view with its corners, and a rectified pair with lines."""
    errors = [c.rms_px(view=v) for v in range(len(c.views))]
    parts = []
    for v in np.argsort(errors)[::-1][:2]:
        pictures = [_corner_picture(outcome, c, int(v), side) for side in (0, 1)]
        if all(pictures):
            parts += pictures
    rectified = _rectified_picture(outcome, c, int(np.argmin(errors)))
    if not parts and not rectified:
        return ""
    return f'<h2>Pictures</h2><div class="pair">{"".join(parts)}</div>{rectified}'


def _corner_picture(outcome: Outcome, c: Calibration, v: int, side: int) -> str:
    image = _picture(outcome, c, v, side)
    if image is None:
        return ""
    color = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    rows = (c.seen.view == v) & (c.seen.camera == side)
    for (x, y), (dx, dy) in zip(c.seen.pixels[rows], c.fit.residuals[rows], strict=True):
        at = (round(x), round(y))
        cv2.circle(color, at, max(2, image.shape[1] // 250), (255, 105, 9), 1, cv2.LINE_AA)
        end = (round(x + 30 * dx), round(y + 30 * dy))
        cv2.line(color, at, end, (46, 34, 207), 1, cv2.LINE_AA)
    return figure(
        color,
        f"worst views: {c.views[v].name}, {('left', 'right')[side]}, errors 30 times enlarged",
    )


def _rectified_picture(outcome: Outcome, c: Calibration, v: int) -> str:
    images = [_picture(outcome, c, v, side) for side in (0, 1)]
    if images[0] is None or images[1] is None:
        return ""
    s = c.fit.state
    w, h = c.sizes[0]
    f = 0.75 * float(np.mean([values[:2] for values in s.intrinsics]))
    x, y = np.meshgrid(np.arange(w, dtype=float), np.arange(h, dtype=float))
    rays = np.column_stack([(x.ravel() - w / 2) / f, (y.ravel() - h / 2) / f, np.ones(w * h)])
    halves = []
    for side, turn in enumerate(rectifying_rotations(s.R, s.t)):
        pixels = s.camera(side, c.sizes[side]).project(rays @ turn)
        maps = [
            np.nan_to_num(pixels[:, axis], nan=-1e4).reshape(h, w).astype(np.float32)
            for axis in (0, 1)
        ]
        halves.append(cv2.remap(np.asarray(images[side]), maps[0], maps[1], cv2.INTER_LINEAR))
    both = cv2.cvtColor(np.hstack(halves), cv2.COLOR_GRAY2BGR)
    for row in range(h // 20, h, h // 10):
        cv2.line(both, (0, row), (2 * w, row), (55, 127, 26), 1)
    return figure(both, f"{c.views[v].name} rectified: the same thing lies on the same line")


def _picture(outcome: Outcome, c: Calibration, v: int, side: int) -> NDArray[np.uint8] | None:
    files = outcome.files.get(c.views[v].name)
    gray = read_gray(Path(files[side])) if files else None
    if gray is None or (gray.shape[1], gray.shape[0]) != c.sizes[side]:
        return None
    return cv2.normalize(gray, np.zeros_like(gray), 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def _board(c: Calibration) -> str:
    if not len(c.shape.modes):
        return (
            '<h2>Board</h2><p class="small">Taken as flat: bending it explained nothing more.</p>'
        )
    shape = c.shape.deformed(c.fit.state.shape)
    away = shape - c.board.points
    high = away[:, 2] / c.board.square_m * 100
    top = max(float(np.abs(high).max()), 1e-9)
    xy = c.board.points[:, :2] / c.board.square_m
    low, span = xy.min(axis=0), np.ptp(xy, axis=0)
    dots = "".join(
        f'<circle cx="{(x - low[0] + 1) * 40:.0f}" cy="{(y - low[1] + 1) * 40:.0f}" r="17" '
        f'fill="{both_ways(z / top)}"/><text x="{(x - low[0] + 1) * 40:.0f}" '
        f'y="{(y - low[1] + 1) * 40:.0f}" font-size="11" text-anchor="middle" '
        f'dominant-baseline="middle">{fixed(z, 1)}</text>'
        for (x, y), z in zip(xy, high, strict=True)
    )
    scale, unit = (1e3, "mm") if c.board.unit_known else (1.0, "units")
    sideways = float(np.linalg.norm(away[:, :2], axis=1).max())
    return (
        "<h2>Board</h2><figure>"
        + svg((span[0] + 2) * 40, (span[1] + 2) * 40, dots)
        + f"<figcaption>Height of the corners above a plane, % of a square (from "
        f"{number(away[:, 2].min() * scale, 2)} to "
        f"{number(away[:, 2].max() * scale, 2)} {unit}); sideways up to "
        f"{number(sideways * scale, 2)} {unit}</figcaption></figure>"
    )


def _unit(parameter: str, *, metric: bool) -> str:
    """Unit of a parameter, by its name; coefficients of a lens have none."""
    group, name = parameter.split(".")
    if group in ("rotation", "t"):
        return "rad" if group == "rotation" else "m" if metric else "board units"
    return "px" if name in ("fx", "fy", "cx", "cy") else ""


def _parameters(c: Calibration, q: Quality) -> str:
    s = c.fit.state
    turn = cv2.Rodrigues(s.R)[0].ravel()
    values = [*np.concatenate(s.intrinsics), *turn, *s.t]
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{number(value, 6)}</td><td>± {number(sigma, 2)}</td>"
        f"<td>{_unit(name, metric=c.board.unit_known)}</td></tr>"
        for (name, sigma), value in zip(q.sigmas.items(), values, strict=True)
    )
    tried = "".join(
        f"<tr><td>{escape(name)}</td><td>{h.reprojection_rms_px:.3f}</td>"
        f"<td>{h.row_error_px:.3f}</td></tr>"
        for name, h in sorted(c.held_out.items(), key=lambda item: item[1].reprojection_rms_px)
    )
    return (
        '<h2>Parameters</h2><div class="pair"><div class="scroll"><table><tr><th>name</th>'
        f"<th>value</th><th>1 σ</th><th>unit</th></tr>{rows}</table></div>"
        '<div class="scroll"><table><tr><th>tried</th><th>corners, px</th><th>rows, px</th></tr>'
        f'{tried}</table><p class="small">Errors on views left out; chosen: {escape(c.name)}. '
        f"{100 * c.starts_agree:.0f} % of the starts led to the same answer. Error bars are "
        f"{q.inflation:.2f} times those of plain least squares, as leaving views out demands. "
        f"Board <code>{escape(c.board.spec)}</code>.</p></div></div>"
    )
