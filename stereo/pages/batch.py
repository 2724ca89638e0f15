"""The page of ``stereo batch``: what was done and what was not, and a contact sheet to look at."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from calib.report.html import document, paragraph, section, table, tiles
from calib.words import fixed, length
from stereo.files.atomic import write_whole
from stereo.run.ledger import Entry, Ledger

_MOST = 400


def write_page(ledger: Ledger, path: Path) -> None:
    """Write the page about a ledger. Raises OutputError when it cannot be written whole."""
    write_whole(path, render_page(ledger).encode())


def render_page(ledger: Ledger) -> str:
    """Return the page as text; of very many pairs the first 400 of each kind."""
    done, aside = ledger.count("done"), ledger.count("set aside")
    seconds, untrusted = ledger.seconds(), ledger.count_untrusted()
    facts = [
        ("done", str(done)),
        ("set aside", str(aside)),
        ("done, not to be trusted", str(untrusted)),
        ("work, hours on one worker", fixed(seconds / 3600, 2)),
    ]
    body = [
        tiles(facts),
        _aside(ledger, aside),
        _untrusted(ledger),
        _sheet(ledger),
    ]
    return document("Batch", "\n".join(part for part in body if part))


def _aside(ledger: Ledger, count: int) -> str:
    rows = [
        (one.name, str(one.facts["reason"])) for one in islice(ledger.entries("set aside"), _MOST)
    ]
    more = f"The first {_MOST} of {count}; the ledger has all." if count > _MOST else ""
    return section("Set aside", table(("pair", "why"), rows, words=True), paragraph(more))


def _untrusted(ledger: Ledger) -> str:
    rows = [
        (one.name, "; ".join(one.facts.get("warnings") or []))
        for one in islice(_not_trusted(ledger), _MOST)
    ]
    return section("Not to be trusted", table(("pair", "why"), rows, words=True))


def _not_trusted(ledger: Ledger) -> Iterator[Entry]:
    return (one for one in ledger.entries("done") if not one.facts.get("trusted", True))


def _sheet(ledger: Ledger) -> str:
    figures = "".join(_figure(one) for one in islice(ledger.pictured(), _MOST))
    return section("Results", f'<div class="sheet">{figures}</div>' if figures else "")


def _figure(one: Entry) -> str:
    assert one.thumbnail is not None
    data = base64.b64encode(one.thumbnail).decode()
    depth = one.facts.get("depth_m")
    said = f"{fixed(100 * float(one.facts.get('valid_share') or 0), 1)} %"
    if depth:
        said += f", {length(depth['median'])}"
    kind = "" if one.facts.get("trusted", True) else ' class="out"'
    return (
        f'<figure{kind}><a href="{quote(one.folder)}/"><img alt="{escape(one.name)}" '
        f'src="data:image/jpeg;base64,{data}"></a>'
        f"<figcaption>{escape(one.name)}: {said}</figcaption></figure>"
    )
