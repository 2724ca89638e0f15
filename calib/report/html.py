"""The page's style and its plain elements: sections, tables, tiles."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

COLORS = {"good": "var(--good)", "usable": "var(--usable)", "recalibrate": "var(--bad)"}
STYLE = """
:root{color-scheme:light dark;--ink:#1f2328;--soft:#59636e;--paper:#fff;--panel:#f6f8fa;
--line:#d1d9e0;--good:#1a7f37;--usable:#9a6700;--bad:#cf222e;--blue:#0969da;--pale:#9fcdfb;
--none:#ffd8d3;--some:#dafbe1}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--paper:#0d1117;
--panel:#161b22;--line:#3d444d;--good:#3fb950;--usable:#d29922;--bad:#f85149;--blue:#4493f8;
--pale:#1f4a7d;--none:#5d2323;--some:#12351d}}
*{box-sizing:border-box}body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:64rem;
padding:1rem;color:var(--ink);background:var(--paper)}h1{font-size:1.4rem;margin:0 0 .5rem}
h2{font-size:1.15rem;margin:2rem 0 .3rem}p{margin:.4rem 0}ul{margin:.3rem 0;padding-left:1.2rem}
.verdict{border-left:.5rem solid;padding:.6rem 1rem;border-radius:.3rem;background:var(--panel)}
.verdict b.grade{font-size:1.6rem;text-transform:capitalize}
.tiles{display:grid;gap:.6rem;grid-template-columns:repeat(auto-fit,minmax(min(10.5rem,46%),1fr));
margin:.8rem 0}.tiles div{background:var(--panel);border-radius:.3rem;padding:.4rem .7rem}
.tiles b{display:block;font-size:1.1rem;font-variant-numeric:tabular-nums}
.tiles span,.small,figcaption{color:var(--soft);font-size:.85rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;margin:.5rem 0}
td,th{padding:.2rem .5rem;text-align:right;border-bottom:1px solid var(--line)}
td{overflow-wrap:break-word}.words td:last-child{overflow-wrap:anywhere}
th{vertical-align:bottom;font-size:.85rem}
.words td,.words th,td:first-child,th:first-child{text-align:left}
.pair{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(20rem,100%),1fr));
justify-items:center}
.sheet{display:grid;gap:.7rem;grid-template-columns:repeat(auto-fill,minmax(min(15rem,46%),1fr))}
.sheet figure{border-top:.25rem solid var(--good);background:var(--panel)}
.sheet figure.out{border-color:var(--bad)}.sheet figcaption{padding:.2rem .4rem;
overflow-wrap:anywhere}figure{margin:.4rem 0;min-width:0;width:100%;
max-width:46rem}
svg,img{width:100%;max-width:100%;height:auto;display:block}svg{background:var(--paper);
border:1px solid var(--line)}code{background:var(--panel);padding:.1rem .3rem;
border-radius:.2rem;overflow-wrap:anywhere}summary{cursor:pointer;color:var(--soft)}
.thick{stroke-width:2}.on-dark{fill:#fff}.on-light{fill:#1f2328}
.ink{fill:var(--ink)}.soft{fill:var(--soft)}.axis{stroke:var(--ink);fill:none}
.grid{stroke:var(--line);stroke-width:.6;fill:none}.blue{stroke:var(--blue);fill:none}
.red{stroke:var(--bad);fill:none}.hull{stroke:var(--ink);fill:none;stroke-dasharray:6 5}
.dot{stroke:var(--blue);stroke-opacity:.4;fill:none}.bar{fill:var(--pale)}
.over{fill:var(--blue)}.warn{fill:var(--bad)}
.halo{paint-order:stroke;stroke:var(--paper);stroke-width:3px;font-weight:600}.none{fill:var(--none);stroke:var(--paper)}
.some{fill:var(--some);stroke:var(--paper)}.board{stroke:var(--blue);fill:var(--blue);
fill-opacity:.12}.camera{stroke:var(--bad);fill:var(--bad);fill-opacity:.25}
.sight{stroke:var(--bad);stroke-dasharray:4 4;stroke-opacity:.6;fill:none}
@media (max-width:600px){body{padding:.7rem}td,th{padding:.2rem .25rem}
.wide thead{display:none}.wide tr{display:grid;grid-template-columns:repeat(3,1fr);
border-bottom:1px solid var(--line);padding:.3rem 0}.wide td{border:0;text-align:left}
.wide td:first-child{grid-column:1/-1;font-weight:600}.wide.words td{grid-column:1/-1}
.wide td::before{content:attr(data-label);display:block;font-size:.72rem;font-weight:400;
color:var(--soft)}.wide td:first-child::before{display:inline;margin-right:.4rem}}
@media print{details::details-content{content-visibility:visible}}
"""


def document(title: str, body: str, *, heading: str = "") -> str:
    """Return a whole page with our style; ``heading``: its first line, if not the title."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><h1>{escape(heading or title)}</h1>\n{body}\n</body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    """Return a heading with what belongs to it; nothing when there is nothing."""
    body = "\n".join(part for part in parts if part)
    return f"<section><h2>{escape(title)}</h2>\n{body}\n</section>" if body else ""


def paragraph(words: str, *, small: bool = False) -> str:
    """Return plain words as a paragraph."""
    kind = ' class="small"' if small else ""
    return f"<p{kind}>{escape(words)}</p>" if words else ""


def bullets(lines: Sequence[str]) -> str:
    """Return a list of plain words."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def pair(figures: Sequence[str]) -> str:
    """Return figures side by side, or below each other where the screen is narrow."""
    inside = "".join(figures)
    return f'<div class="pair">{inside}</div>' if inside else ""


def folded(summary: str, body: str) -> str:
    """Return what is shown when somebody asks for it."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>" if body else ""


def tiles(facts: Sequence[tuple[str, str]]) -> str:
    """Return figures, each with what it is."""
    inside = "".join(f"<div><span>{escape(k)}</span><b>{escape(v)}</b></div>" for k, v in facts)
    return f'<div class="tiles">{inside}</div>'


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, words: bool = False) -> str:
    """Return a table; of more than four columns each row becomes a card on a narrow screen.

    ``words``: columns of text, not of numbers.
    """
    kind = f"{'wide' if len(header) > 4 or words else ''} {'words' if words else ''}".strip()
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{escape(name)}">{escape(cell)}</td>'
            for name, cell in zip(header, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        if rows
        else ""
    )
