"""``stereo demo``: the main job on the sample scene, in one command."""

from __future__ import annotations

from pathlib import Path

import click

ROOM = Path(__file__).resolve().parents[1] / "synthetic" / "room"
"""The sample pair that travels in the package; ``make sample-data`` makes it."""


@click.command("demo")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo_output"),
    show_default=True,
    help="Result folder.",
)
@click.pass_context
def demo_command(ctx: click.Context, out: Path) -> int:
    """Rectify, match and measure a sample room, and say where to look."""
    from stereo.cli.run import run_command
    from stereo.cli.view import view_command

    arguments = [str(ROOM / "left.jpg"), str(ROOM / "right.jpg")]
    arguments += ["--calib", str(ROOM / "rig.yaml"), "-o", str(out), "--min-depth-m", "1"]
    code = run_command.main(arguments, "stereo run", standalone_mode=False)
    view_command.main(
        [str(out / "cloud.ply"), "-o", str(out / "cloud.png")], "stereo view", standalone_mode=False
    )
    click.echo("\nLook at:")
    for name, what in (
        ("left.png", "the rectified left image"),
        ("preview.png", "its depth in metres"),
        ("cloud.png", "the point cloud, seen from the side"),
    ):
        click.echo(f"  {out / name}   {what}")
    return int(code or 0)
