"""``stereo doctor``: what is installed, what is missing, and the line that mends it."""

from __future__ import annotations

import json

import click

from stereo._version import __version__
from stereo.doctor import as_json as findings_as_json
from stereo.doctor import examine


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def doctor_command(as_json: bool) -> int:
    """Look at Python, libraries, display, video back-ends and processor."""
    findings = examine()
    if as_json:
        click.echo(json.dumps({"version": __version__, **findings_as_json(findings)}))
    else:
        click.echo(f"stereo-depth {__version__}")
        for finding in findings:
            click.echo(f"{'ok ' if finding.ok else 'BAD'} {finding.name:<16} {finding.detail}")
            if finding.mend:
                click.echo(f"    mend it: {finding.mend}")
    return 0 if all(finding.ok for finding in findings) else 1
