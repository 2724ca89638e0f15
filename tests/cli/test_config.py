"""``--config`` and ``--preset``: flags beat the file, the file beats the preset."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from support import Cli

from stereo.cli.config import config_options
from stereo.cli.groups import command
from stereo.cli.options import DepthOptions, MatchOptions
from stereo.files import outputs
from stereo.matching import MATCHERS
from stereo.presets import PRESETS
from stereo.result import OUTPUTS
from stereo.viewers import panels


def test_config_file_and_preset_give_defaults_that_flags_override(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        'preset = "dense"\nnum-disparities = 48\noutputs = ["disparity"]\n'
        "matcher = 'sgbm'\n[matcher_params]\nblock_size = 5\n"
    )
    out = tmp_path / "o"
    assert cli("run", *pair, "--config", config, "-o", out).code == 0
    assert sorted(p.name for p in out.iterdir()) == ["disparity.pfm", "summary.json"]
    assert np.isfinite(outputs.read_map(out / "disparity.pfm")).all()  # "dense" fills
    ended = cli("run", *pair, "--config", config, "--num-disparities", 400, "-o", out)
    assert "0..399 do not fit an image 320 px wide" in ended.err
    ended = cli("run", *pair, "--config", config, "--matcher-param", "block_size=4", "-o", out)
    assert "block_size must be odd" in ended.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("num-disparitys = 3\n", "unknown key 'num_disparitys'"),
        ("preset = 'best'\n", "preset must be one of"),
        ("preset = ['dense']\n", "preset must be one of"),
        ("outputs = [3]\n", "unknown output '3'"),
        ("= 3", "not a readable TOML file"),
        ("[matcher_params]\nblok = 3\n", "no parameter 'blok'"),
        ("num-disparities = inf\n", "num_disparities: expected a finite number, got inf"),
        ("num-disparities = nan\n", "expected a finite number"),
        (f"num-disparities = {10**400}\n", "num_disparities: expected at most"),
        (f"max-depth-m = {10**400}\n", "max_depth_m: expected at most"),
        ("max-depth-m = -inf\n", "expected a finite number, got -inf"),
        ("fill = {a = 1}\n", "fill: expected a number or text"),
        ("matcher_params = 3\n", "matcher_params: expected a table"),
        ("[matcher_params]\nblock_size = inf\n", "matcher_params: expected a finite number"),
        ("[matcher_params]\nblock_size = [[1]]\n", "matcher_params: expected a number or text"),
    ],
)
def test_bad_config_is_named(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "c.toml").write_text(text)
    ended = cli("run", *pair, "--config", tmp_path / "c.toml", "-o", tmp_path / "o")
    assert ended.code == 2
    assert says in ended.err


@command("show", without=("coarse_to_fine",))
@config_options
def show(*, match: MatchOptions, depth: DepthOptions) -> None:
    """Tell what was asked for."""
    print(json.dumps([match.matcher, match.params, depth.fill, depth.min_depth_m]))


def shown(*arguments: str) -> object:
    done = CliRunner().invoke(show, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


@pytest.mark.parametrize("config_first", [True, False])
def test_flags_beat_the_file_and_the_file_the_preset(tmp_path: Path, config_first: bool) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        "preset = 'dense'\nmin-depth-m = 0.5\n[matcher_params]\np1 = 4\np2 = 5\nblock_size=6"
    )
    assert shown("--config", str(config)) == [
        None,
        {"p1": 4, "p2": 5, "block_size": 6},
        True,
        0.5,
    ]
    named = [["--config", str(config)], ["--preset", "careful"]]  # the flag beats the file's own
    words = [word for pair in (named if config_first else named[::-1]) for word in pair]
    assert shown(*words, "--matcher-param", "p2=9", "--min-depth-m", "2") == [
        None,
        {"uniqueness_percent": 15, "p1": 4, "p2": 9, "block_size": 6},
        False,
        2,
    ]


def test_presets_name_what_exists_and_both_offer_them() -> None:
    for preset in PRESETS.values():
        assert preset.matcher is None or preset.matcher in MATCHERS
        assert set(preset.outputs or ()) <= set(OUTPUTS)
    offered = next(p.type for p in show.params if p.name == "preset")
    assert isinstance(offered, click.Choice)
    assert list(offered.choices) == list(PRESETS)
    assert list(panels._PRESETS) == ["as started", *PRESETS]
