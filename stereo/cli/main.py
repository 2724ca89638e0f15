"""The ``stereo`` command: a group that loads a command when it is called, and the one place that
catches errors.

Exit codes: 0 done, 1 failed at work, 2 caller's mistake, 3 done but the result is not to be
trusted, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from stereo._version import __version__
from stereo.cli.signals import until_stopped

COMMANDS = {
    "Depth": {
        "run": "Images in; disparity, metric depth and a point cloud out.",
        "batch": "Very many pairs, resumable, on all cores.",
        "live": "Depth from a running camera, stream or recording.",
        "view": "Look at a result folder, cloud, map or image.",
    },
    "Calibration": {
        "board": "Print a calibration board at true scale.",
        "calibrate": "Images of a board in; a rig and its error bars out.",
        "inspect": "What a rig is and how well it can measure; what a network is.",
        "check": "From natural images: does the rig still fit? Mend it.",
        "convert": "A calibration of any format into another.",
        "rectify": "Write the rectified pair, and a picture to judge it.",
    },
    "Recording": {"record": "Keep what the cameras give, lossless and stamped."},
    "Evaluation": {
        "quality": "How good depth is in the field, measured on walls and floors.",
        "eval": "Score a matcher, or finished maps, against ground truth.",
        "compare": "Matchers, parameters, predictions side by side: is it chance?",
        "tune": "Find the matcher's parameters for your rig and scene.",
    },
    "Help": {
        "networks": "Stereo networks that --matcher onnx: takes; their licences.",
        "demo": "Run the main job on the sample scene.",
        "doctor": "What is installed, what is missing, how to mend it.",
    },
}
"""heading -> name -> one line of help; ``stereo.cli.NAME`` holds the command ``NAME_command``."""


_ENDED_BY_CTRL_C = ("live", "record")


class _LazyGroup(click.Group):
    """Knows its commands' names and help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for commands in COMMANDS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = getattr(import_module(f"stereo.cli.{cmd_name}"), f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            from calib.nearby import did_you_mean

            hint = did_you_mean(name, self.list_commands(ctx)) or "; stereo --help lists them all"
            raise click.UsageError(f"there is no command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.list_commands(ctx)))  # the texts below each other everywhere
        for heading, commands in COMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:{width}}", text) for name, text in commands.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stereo")
def cli() -> None:
    """Turn a pair of cameras into a depth sensor you can trust."""


def main() -> None:
    """Run the command line; every error ends here as one clear line and an exit code."""
    code = _run()
    background = sys.modules.get("stereo.threads")
    if background is not None and background.still_busy():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _run() -> int:
    """Return the exit code. Ctrl-C is how some commands end: one code, whenever it comes."""
    told = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    if told in _ENDED_BY_CTRL_C:
        with until_stopped():  # imports and the last words too
            return _called()
        return 0
    return _called()


def _called() -> int:
    try:
        return int(cli.main(prog_name="stereo", standalone_mode=False) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        from stereo.cli.hints import next_step

        error.show()
        if hint := next_step(error):
            click.echo(hint, err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted; what was finished is whole", 130)
    except BrokenPipeError:
        # the reader of our output went away (| head): nothing is wrong, and nobody is listening
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("STEREO_DEBUG"):
            raise
        return _explain(error)


def _explain(error: Exception) -> int:
    from calib.errors import CalibrationError
    from stereo.errors import StereoError

    if isinstance(error, (StereoError, CalibrationError)):
        return _fail(str(error), 2 if isinstance(error, ValueError) else 1)
    if isinstance(error, MemoryError):
        return _fail("out of memory; use smaller images or fewer disparities", 1)
    if isinstance(error, OSError):
        return _fail(str(error), 1)
    return _fail(
        f"unexpected {type(error).__name__}: {error}\n"
        "This is a mistake of ours; STEREO_DEBUG=1 shows where, please report it.",
        1,
    )


def _fail(message: str, code: int) -> int:
    click.echo(f"error: {message}", err=True)
    return code


if __name__ == "__main__":
    main()
