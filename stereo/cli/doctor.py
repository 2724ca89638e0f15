"""``stereo doctor``: what is installed, what is missing, and the line that mends it."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

import click

from stereo._version import __version__
from stereo.cli.groups import json_option
from stereo.doctor import as_json as findings_as_json
from stereo.doctor import examine, is_well

if TYPE_CHECKING:
    from stereo.sources.devices import Device


@click.command("doctor")
@click.option("--cameras", is_flag=True, help="List the cameras and their modes instead.")
@json_option()
def doctor_command(cameras: bool, as_json: bool) -> int:
    """Look at Python, libraries, display, video back-ends and processor, or at cameras."""
    if cameras:
        from stereo.sources.devices import list_devices  # needs the libraries that may be missing

        return _show_cameras(list_devices(), as_json=as_json)
    findings = examine()
    if as_json:
        click.echo(json.dumps({"version": __version__, **findings_as_json(findings)}))
    else:
        click.echo(f"stereo-depth {__version__}")
        for finding in findings:
            mark = "ok " if finding.ok else "BAD" if finding.needed else "-- "
            click.echo(f"{mark} {finding.name:<16} {finding.detail}")
            if finding.mend:
                click.echo(f"    {'for more' if finding.ok else 'mend it'}: {finding.mend}")
    return 0 if is_well(findings) else 1


def _show_cameras(devices: list[Device], *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({"cameras": [device.as_json() for device in devices]}))
        return 0
    if not devices:
        click.echo(
            "no cameras (/dev/video*): plug one in, and look whether `lsusb` shows it; in a "
            "container or virtual machine, pass the device on (docker run --device /dev/video0)"
        )
    for device in devices:
        click.echo(f"{device.path}  {device.name}  {device.bus}".rstrip())
        if device.problem:
            click.echo(f"    {device.problem}")
        for letters, modes in groupby(device.modes, key=lambda mode: mode.pixel_format):
            sizes = [f"{m.size[0]}x{m.size[1]}{_rates(m.fps)}" for m in modes]
            click.echo(f"    --pixel-format {letters}: {', '.join(sizes)}")
    return 0


def _rates(fps: tuple[float, ...]) -> str:
    return f" @{'/'.join(f'{rate:g}' for rate in fps)}" if fps else ""
