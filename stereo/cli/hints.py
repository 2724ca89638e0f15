"""What to type next after a word that ``click`` did not understand."""

from __future__ import annotations

import re

import click

from calib.nearby import did_you_mean

_MISSING = {
    "out": "Say where the results go, such as -o results",
    "calib": "Name a rig file, such as --calib rig.yaml (stereo calibrate makes one)",
    "paths": "Name what to read and what to write: stereo convert IN OUT --to FORMAT",
    "to": "Name the format to write, such as --to opencv",
    "left": "Name two images, such as stereo run left.png right.png -o results",
    "source": "Name a source, such as sbs:0, pair:0,2, a video or a folder",
    "file": "Name a file, such as results/cloud.ply",
    "manifest": "Name a manifest (a JSON file that lists pairs with their truth) or a data set",
    "candidates": "Name two candidates and pairs: stereo compare sgm sgbm --on pairs.json",
}
"""What is missing -> what to give."""
_PATTERNS = ("run", "calibrate")
"""Commands that take globs, which a shell expands when they stand without quotes."""


def next_step(error: click.ClickException) -> str:
    """Return a line that says what to type, "" where the message says it or nobody knows."""
    if isinstance(error, click.MissingParameter):
        return _MISSING.get(str(error.param.name), "") if error.param is not None else ""
    kind = getattr(getattr(error, "param", None), "type", None)
    said = re.match(r"'(.+)' is not one of", error.message)
    if isinstance(kind, click.Choice) and said:
        hint = did_you_mean(said[1], [str(choice) for choice in kind.choices])
        return hint.removeprefix("; ").capitalize()
    called = getattr(getattr(error, "ctx", None), "info_name", None)
    if "unexpected extra argument" in error.message and called in _PATTERNS:
        return "To name many files by a pattern put it in quotes: 'left/*.png'"
    return ""
