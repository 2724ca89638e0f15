"""The group of commands, and the one place that catches errors."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from support import Cli

import stereo.cli
from stereo.cli import main
from stereo.cli.main import COMMANDS
from stereo.cli.signals import until_stopped


def test_every_command_is_listed_and_has_help(cli: Cli) -> None:
    listed = cli("--help").out
    for heading, commands in COMMANDS.items():
        assert f"{heading}:\n" in listed
        for name, text in commands.items():
            assert f"{name} " in listed
            assert text in listed
            assert f"stereo {name} " in cli(name, "--help").out
    assert cli("nonsense").code == 2


def test_every_command_that_is_written_is_listed() -> None:
    folder = Path(stereo.cli.__path__[0])
    written = {p.stem for p in folder.glob("*.py") if f"def {p.stem}_command(" in p.read_text()}
    assert written == {name for commands in COMMANDS.values() for name in commands}


@pytest.mark.parametrize(
    ("command", "number", "code"),
    [
        *(("live", signal.SIGINT, 0), ("live", signal.SIGTERM, 0), ("record", signal.SIGINT, 0)),
        ("run", signal.SIGINT, 130),
    ],
)
def test_a_signal_has_one_exit_code_whenever_it_comes(
    monkeypatch: pytest.MonkeyPatch, command: str, number: signal.Signals, code: int
) -> None:
    """Before a source is open, and after it was closed, as well as between."""

    def during(*_: object, **__: object) -> int:
        if phase == "between":
            with until_stopped():
                signal.raise_signal(number)
            return 0
        signal.raise_signal(number)
        return 5  # not reached

    monkeypatch.setattr("sys.argv", ["stereo", command, "x"])
    monkeypatch.setattr(main.cli, "main", during)
    phase = "outside"
    assert main._run() == code
    if code == 0:
        phase = "between"
        assert main._run() == code


def test_an_unexpected_error_is_no_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    import stereo.cli.rig_options

    def explode(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(stereo.cli.rig_options, "find_rig", explode)
    ended = cli("inspect", "x.yaml")
    assert ended.code == 1
    assert "unexpected RuntimeError: boom" in ended.err
