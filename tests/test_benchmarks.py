"""Rules that the scripts in benchmarks/ keep; what they print is not tested."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SHARED = {"clips", "common", "families", "sheets", "tally"}
"""What scripts may import of each other."""
SCRIPTS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


def imported(path: Path) -> set[str]:
    """First names of all modules that a script imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_imports_no_other_script_and_edits_no_path(path: Path) -> None:
    others = {script.stem for script in SCRIPTS} - SHARED
    assert not imported(path) & others
    assert "sys.path" not in path.read_text()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_only_common_knows_where_data_lies(path: Path) -> None:
    if path.stem != "common":
        assert "parents[" not in path.read_text()
