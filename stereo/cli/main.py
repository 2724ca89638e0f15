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

_COMMANDS = {
    "run": ("stereo.cli.run", "Images in; disparity, metric depth and a point cloud out."),
    "live": ("stereo.cli.live", "Depth from a running camera, stream or recording."),
    "record": ("stereo.cli.record", "Keep what the cameras give, lossless and stamped."),
    "rectify": ("stereo.cli.rectify", "Write the rectified pair, and a picture to judge it."),
    "inspect": ("stereo.cli.inspect", "What a rig is and how well it can measure."),
    "eval": ("stereo.cli.eval", "Score a matcher on pairs with ground truth."),
    "calibrate": ("stereo.cli.calibrate", "Images of a board in; a rig and its error bars out."),
    "board": ("stereo.cli.board", "Print a calibration board at true scale."),
    "view": ("stereo.cli.view", "Look at a cloud, depth or disparity file."),
    "demo": ("stereo.cli.demo", "Run the main job on the sample scene."),
    "doctor": ("stereo.cli.doctor", "What is installed, what is missing, how to mend it."),
}
"""name -> (module that holds a command of that name, one line of help)."""


class _LazyGroup(click.Group):
    """Knows its commands' names and help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(import_module(_COMMANDS[cmd_name][0]), f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


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
    try:
        return int(cli.main(prog_name="stereo", standalone_mode=False) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
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
