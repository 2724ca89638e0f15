"""What was probably meant: the nearest word or file to one that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean sgm?" for the known word nearest to ``word``; "" when none is near."""
    by_lower = {each.lower(): each for each in known}
    near = get_close_matches(word.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[near[0]]}?" if near else ""


def near_path(path: str | Path) -> str:
    """Return what to add to "no such file": a file of nearly that name, or where it was looked."""
    path = Path(path)
    parent = path.parent
    try:
        if not parent.is_dir():
            return f"; there is no folder {parent} either"
        there = {each.name: each for each in parent.iterdir()}
    except (OSError, ValueError):
        return ""
    same = [name for name in there if Path(name).stem.lower() == path.stem.lower()]
    near = get_close_matches(path.name, there, n=1) if not same else sorted(same)[:1]
    return f"; did you mean {there[near[0]]}?" if near else f"; looked in {parent.resolve()}"
