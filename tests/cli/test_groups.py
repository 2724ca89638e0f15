"""Groups of options: what a command offers is what its groups declare, and it gets them typed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from typing import ClassVar, get_args, get_type_hints

import click
import pytest
from click.testing import CliRunner

from stereo.cli import options
from stereo.cli.groups import command, option
from stereo.cli.main import COMMANDS

NAMES = [name for commands in COMMANDS.values() for name in commands]
GROUPS = [item for item in vars(options).values() if hasattr(item, "heading")]
OF_ITS_OWN = {
    *("--board", "--out", "--json", "--model", "--calib", "--size", "--outputs", "--csv", "--html"),
    *("--view", "--pairs"),
}
"""Options that mean something else, or more, in another command."""


def made(name: str) -> click.Command:
    found = getattr(import_module(f"stereo.cli.{name}"), f"{name}_command")
    assert isinstance(found, click.Command)
    return found


def groups_of(name: str) -> list[type]:
    hints = get_type_hints(made(name).callback)
    return [hint for hint in hints.values() if is_dataclass(hint) and isinstance(hint, type)]


@pytest.mark.parametrize("name", NAMES)
def test_each_option_is_offered_once_and_reaches_the_command(name: str) -> None:
    found = made(name)
    flags = [flag for p in found.params for flag in (*p.opts, *p.secondary_opts)]
    assert len(flags) == len(set(flags))
    offered = {p.name for p in found.params if p.expose_value}
    declared = {f.name for group in groups_of(name) for f in fields(group)}
    plain = get_type_hints(found.callback).items()
    plain_names = {key for key, hint in plain if not is_dataclass(hint)} - {"return", "ctx"}
    left_out = (declared | plain_names) - offered
    assert offered <= declared | plain_names
    assert left_out <= {"coarse_to_fine", "guide", "provider", "tile"}  # ``without``


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_without_flags_has_the_defaults_of_the_options(group: type) -> None:
    got = []

    def take(*, given: object) -> None:
        got.append(given)

    take.__annotations__["given"] = group
    command("take")(take).main([], standalone_mode=False)
    assert got == [group()]


@pytest.mark.parametrize("name", NAMES)
def test_a_field_may_be_none_where_its_option_may(name: str) -> None:
    for group in groups_of(name):
        hints = get_type_hints(group)
        for f in fields(group):
            may_be_none = type(None) in get_args(hints[f.name])
            assert may_be_none == (f.default is None), f"{group.__name__}.{f.name}"


def test_an_option_that_several_commands_offer_means_the_same() -> None:
    seen: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    for name in NAMES:
        for param in made(name).params:
            if isinstance(param, click.Option) and not OF_ITS_OWN & set(param.opts):
                seen[param.opts[0]].add((param.name, param.help, str(param.default)))
    assert {flag: told for flag, told in seen.items() if len(told) > 1} == {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """A group."""

    heading: ClassVar[str] = "Distance"
    near_m: float = option(type=float, default=1.0, help="Nearest.")
    unit: str = option("--in", "-i", default="m", help="Unit.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range(Near):
    """A group that extends another."""

    far_m: float = option(type=float, required=True, help="Farthest.")


@command("look", without=("unit",))
@click.argument("where")
@click.option("--loud", is_flag=True, help="Say it.")
def look(where: str, *, distance: Range, loud: bool) -> None:
    """Look somewhere."""
    print(where, distance, loud)


def test_a_command_gets_its_groups_as_arguments() -> None:
    done = CliRunner().invoke(look, ["there", "--far-m", "3", "--loud"])
    assert done.output == "there Range(near_m=1.0, unit='m', far_m=3.0) True\n"
    missing = CliRunner().invoke(look, ["there"])
    assert "Missing option '--far-m'" in missing.output
    assert "No such option" in CliRunner().invoke(look, ["there", "--in", "cm"]).output


def test_help_shows_options_below_headings_own_ones_first() -> None:
    shown = CliRunner().invoke(look, ["--help"]).output
    places = [shown.index(w) for w in ("Distance:", "--far-m", "--near-m", "Other:", "--loud")]
    assert places == sorted(places)


def test_a_command_without_groups_has_just_options() -> None:
    @command("plain")
    def plain() -> None:
        """Do nothing."""

    shown = CliRunner().invoke(plain, ["--help"]).output
    assert "Options:\n  --help" in shown
