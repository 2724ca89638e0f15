"""``stereo eval`` as a user runs it."""

from __future__ import annotations

from pathlib import Path

from manifests import make_manifest
from support import Cli


def test_columns_have_units_and_stay_aligned(cli: Cli, tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, name="a_pair_with_quite_a_long_name")
    ended = cli("eval", manifest, "--matcher", "sgbm")
    assert ended.code == 0, ended.err
    *table, bars, took, mean = ended.out.splitlines()
    assert len(table) == 3
    assert len({len(line) for line in table}) == 1
    assert all(word.strip().endswith((", %", ", px")) for word in table[0].split("  ")[1:] if word)
    assert bars.startswith("truth within 1 / 2 / 3 error bars: ")
    assert took.startswith("time: ")
    assert mean.endswith(" %")
