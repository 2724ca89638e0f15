"""``stereo demo``: the main job on the sample scene, in one command."""

from __future__ import annotations

from pathlib import Path

import click

SAMPLES = Path(__file__).resolve().parents[2] / "sample_data" / "room"


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

    samples = SAMPLES if SAMPLES.is_dir() else _render(out / "room")
    arguments = [str(samples / "left.png"), str(samples / "right.png")]
    arguments += ["--calib", str(samples / "rig.yaml"), "-o", str(out), "--min-depth-m", "1"]
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


def _render(folder: Path) -> Path:
    """Make the sample pair where the package came without it (a wheel)."""
    from stereo.synthetic import make_sample_rig, room_scene
    from stereo.synthetic.sample_data import write_room

    def say(text: str) -> None:
        click.echo(text, err=True)

    write_room(folder, room_scene(), make_sample_rig(), say=say)
    return folder
