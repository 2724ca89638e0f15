"""A health check for people."""

from __future__ import annotations

import click
import numpy as np

from calib.health.check import Health, measured_distance_m
from calib.health.effect import FLAG_PX, GOOD_PX, UNUSABLE_PX
from calib.health.explain import Explanation
from calib.health.motion import NAMES
from calib.health.repair import UNOBSERVABLE
from calib.words import fixed, length, plain, table

_MEANS = {
    "pitch": "turned about x",
    "yaw": "turned about y",
    "roll": "turned about z",
    "forward": "right centre moved to the front",
    "down": "right centre moved down",
    "zoom": "focal length of the right camera",
}


def show_health(health: Health, written: dict[str, str]) -> None:
    """Print it."""
    click.echo(health.verdict)
    for finding in health.findings:
        click.echo(f"{'error' if finding.stops else 'note'}: {finding.message}", err=True)
    rows, why = health.rows, health.explanation
    if len(rows):
        click.echo(
            f"95 % of the rows are within {fixed(rows.p95_px, 2)} px, finding points is good to "
            f"{fixed(rows.noise_px, 2)} px. Without noise, up to {plain(GOOD_PX)} px is good, "
            f"{plain(FLAG_PX)} fair, {plain(UNUSABLE_PX)} to be mended, more unusable"
        )
    if why is not None and why.distance_known:
        click.echo(
            "the middle of the first left image lies "
            f"{length(measured_distance_m(health))} away, as the rig has it"
        )
    if why is not None and not any(finding.stops for finding in health.findings):
        _show_change(why)
        _show_effect(health)
    _show_written(health, written)


def _show_change(why: Explanation) -> None:
    click.echo(f"\nWhat explains it ({why.turned} camera turned):")
    lines = []
    for k, name in enumerate(NAMES):
        free = why.motion.free[k]
        sigma = (why.motion if free else why.all_free).sigma[k]
        factor, unit = (100.0, "%") if name == "zoom" else (180 / np.pi, "degrees")
        value = fixed(factor * why.motion.change[k], 3) if free else "as it was"
        moves = fixed(why.contribution_px[k], 2) + " px" if free else "-"
        lines.append(
            [f"  {name}", _MEANS[name], value, f"± {fixed(factor * sigma, 3)} {unit}", moves]
        )
    header = ["", "", "change", "known to", "moves rows by"]
    for line in table(header, lines, names=2):
        click.echo(line)
    click.echo(
        f"rows would then differ by {fixed(why.rows.median_px, 2)} px"
        + (
            f" ({fixed(why.held_out_after_px, 2)} px in pairs left out)"
            if np.isfinite(why.held_out_after_px)
            else ""
        )
    )


def _show_effect(health: Health) -> None:
    effect, why = health.effect, health.explanation
    assert effect is not None
    assert why is not None
    click.echo(
        f"\nExpected for it: {fixed(100 * effect.right_share, 0)} % of the right answers that "
        f"level rows would give, disparities {fixed(effect.added_noise_px, 2)} px noisier. "
        "One sigma of depth:"
    )
    header = ["distance", "level rows", "as it is", "yaw that is not seen"]
    lines = [
        [
            f"{plain(d.distance_m)} m",
            length(d.aligned_m),
            length(d.as_is_m),
            length(d.unseen_m),
        ]
        for d in effect.depth
    ]
    yaw = why.motion.free[1]
    if yaw:
        header.append("yaw that was found")
        lines = [[*line, length(d.yaw_m)] for line, d in zip(lines, effect.depth, strict=True)]
    for text in table(header, lines, names=0):
        click.echo(text)


def _show_written(health: Health, written: dict[str, str]) -> None:
    if "picture" in written:
        click.echo(f"\npicture: {written['picture']}")
    if "not_mended" in written:
        click.echo(f"\n{written['not_mended']}", err=True)
    if "rig" in written:
        known = health.explanation is not None and health.explanation.distance_known
        for said in UNOBSERVABLE[:1] if known else UNOBSERVABLE:
            click.echo(f"note: {said}", err=True)
        click.echo(f"\nmended rig: {written['rig']}")
    elif health.grade in ("moved", "unusable") and "not_mended" not in written:
        mendable = health.explanation is not None and health.explanation.plausible
        if mendable and not any(finding.stops for finding in health.findings):
            click.echo(
                "\nMend it with --repair -o NEW_RIG, from ten pairs or so, or calibrate anew."
            )
