"""What ``stereo quality`` says: a line a wall, then what it comes to."""

from __future__ import annotations

import click

from calib.words import fixed, length, table
from stereo.evaluation.quality import Quality, Stand

_HEADER = (
    *("wall", "frames", "distance", "fill", "wrong", "plane-fit RMS", "of depth", "sub-pixel"),
    *("promised", "in 2 bars", "over time", "Z error", "promised"),
)
_MOST_NAMED = 5


def show_quality(quality: Quality) -> None:
    """Print the figures of every stand, and how the promises were kept."""
    for line in table(_HEADER, [_row(stand) for stand in quality.stands]):
        click.echo(line)
    click.echo(verdict(quality))
    for one in quality.set_aside[:_MOST_NAMED]:
        click.echo(f"set aside: {one.name}: {one.reason}", err=True)
    if len(quality.set_aside) > _MOST_NAMED:
        click.echo(f"set aside: {len(quality.set_aside)} frames in all", err=True)


def verdict(quality: Quality) -> str:
    """Say in a sentence whether the error bars hold."""
    times = fixed(quality.times, 2)
    if not quality.kept:
        return (
            f"the error bars are too short: plane-fit RMS is {times} times what they promise; "
            "take them as that much longer, and see the page (--html) for where"
        )
    return f"the error bars hold: plane-fit RMS is {times} times what they promise"


def _row(stand: Stand) -> tuple[str, ...]:
    temporal, accuracy = stand.temporal, stand.accuracy
    return (
        stand.first,
        str(stand.frames),
        length(stand.distance_m, 4),
        f"{fixed(100 * stand.fill, 1)} %",
        f"{fixed(100 * stand.gross, 2)} %",
        length(stand.rms_m),
        f"{fixed(stand.rms_percent, 2)} %",
        f"{fixed(stand.rms_px, 3)} px",
        f"{fixed(stand.promised_px, 3)} px",
        f"{fixed(100 * stand.within[1], 1)} %",
        "-" if temporal is None else length(temporal.m),
        "-" if accuracy is None else f"{fixed(accuracy.percent, 2)} %",
        "-"
        if accuracy is None or not accuracy.promised_m
        else f"{fixed(accuracy.promised_percent, 2)} %",
    )
