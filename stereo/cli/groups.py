"""Groups of options: a frozen dataclass declares them, a command takes it as one typed argument.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class ViewOptions:
        heading: ClassVar[str] = "Viewing"
        port: int = option(default=8080, help="Web port; 0: any free.")

    @command("live")
    @click.argument("source")
    def live_command(source: str, *, view: ViewOptions) -> None: ...

Each field is one option, so that the two cannot disagree; ``--help`` shows them below the heading.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import Field, field, fields, is_dataclass
from functools import wraps
from inspect import get_annotations
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import click

F = TypeVar("F", bound=Callable[..., Any])
_COLUMN = 30
"""What is wider in ``--help`` has its text in the line below."""


def option(*flags: str, default: Any = None, **settings: Any) -> Any:
    """Return a dataclass field that is an option of the command line.

    ``flags`` and ``settings`` are those of ``click.option``; without flags it is called as the
    field is. The field's default is the option's, and a required option has none.
    """
    if settings.get("required"):
        return field(metadata={"flags": flags, "settings": settings})
    if default is None:  # as click has it
        default = False if settings.get("is_flag") else () if settings.get("multiple") else None
    settings["default"] = default
    return field(default=default, metadata={"flags": flags, "settings": settings})


class HeadedOption(click.Option):
    """An option that ``--help`` shows below a heading."""

    def __init__(self, *arguments: Any, heading: str, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.heading = heading


def headed(heading: str, *flags: str, **settings: Any) -> Callable[[F], F]:
    """``click.option``, shown below a heading."""
    return click.option(*flags, cls=HeadedOption, heading=heading, **settings)


def json_option(help: str = "Print one JSON object instead of text.") -> Callable[[F], F]:
    """Give the command ``as_json``."""
    return headed("Output", "--json", "as_json", is_flag=True, help=help)


def out_option(help: str) -> Callable[[F], F]:
    """Give the command ``out``, a folder that must be named."""
    folder = click.Path(path_type=Path)
    return headed("Output", "-o", "--out", type=folder, required=True, help=help)


class HeadedCommand(click.Command):
    """A command whose ``--help`` shows its options below headings, those without one last."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See ``click.Command``."""
        sections: dict[str | None, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                sections.setdefault(getattr(param, "heading", None), []).append(record)
        rest = sections.pop(None, [])
        sections["Other" if sections else "Options"] = rest
        width = min(_COLUMN, max(len(flags) for rows in sections.values() for flags, _ in rows))
        for heading, rows in sections.items():  # all with their texts below each other
            with formatter.section(heading or ""):
                formatter.write_dl([(flags.ljust(width), text) for flags, text in rows], _COLUMN)


def command(
    name: str, *, without: Collection[str] = ()
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command of a function; its arguments annotated with groups bring their options.

    Options named in ``without`` are not offered; their fields keep their defaults.
    """

    def decorate(function: Callable[..., Any]) -> click.Command:
        groups = {
            argument: group
            for argument, group in get_type_hints(function).items()
            if is_dataclass(group) and isinstance(group, type)
        }

        @wraps(function)
        def call(**params: Any) -> Any:
            built = {argument: _build(group, params) for argument, group in groups.items()}
            return function(**params, **built)

        made = click.command(name, cls=HeadedCommand)(call)
        found = ((group, f) for group in groups.values() for f in _own_first(group))
        grouped = [_as_click(group, f) for group, f in found if f.name not in without]
        made.params = [*grouped, *made.params]
        return made

    return decorate


def _build(group: type, params: dict[str, Any]) -> Any:
    """A group of what was given; takes it out of ``params``."""
    names = [f.name for f in fields(group) if f.name in params]
    return group(**{name: params.pop(name) for name in names})


def _own_first(group: type) -> Iterator[Field[Any]]:
    """The fields of a group, before those of the groups it extends."""
    all_fields = {f.name: f for f in fields(group)}
    for owner in group.__mro__:
        for name in get_annotations(owner):
            if name in all_fields:
                yield all_fields.pop(name)


def _as_click(group: Any, declared: Field[Any]) -> click.Option:
    flags = declared.metadata["flags"] or ("--" + declared.name.replace("_", "-"),)
    settings = declared.metadata["settings"]
    return HeadedOption([*flags, declared.name], heading=group.heading, **settings)
