"""``stereo demo`` as a user runs it."""

from __future__ import annotations

from pathlib import Path

from support import Cli


def test_demo_runs_and_says_where_to_look(cli: Cli, tmp_path: Path) -> None:
    ended = cli("demo", "-o", tmp_path / "demo")
    assert ended.code == 0, ended.err
    for name in ("left.png", "preview.png", "cloud.png"):
        assert str(tmp_path / "demo" / name) in ended.out
        assert (tmp_path / "demo" / name).is_file()
