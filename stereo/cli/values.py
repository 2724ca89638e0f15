"""Values of options that are more than a number or a word."""

from __future__ import annotations

import re
from typing import Any

import click

from stereo.errors import InputError


def parse_size(text: str) -> tuple[int, int] | None:
    """Return (640, 480) of "640x480"; None when the text is not two whole numbers."""
    match = re.fullmatch(r"(\d+)x(\d+)", text.strip().lower())
    return None if match is None else (int(match[1]), int(match[2]))


class Size(click.ParamType[tuple[int, int]]):
    """(width, height) of an image. Raises InputError for what is none."""

    name = "WxH"

    def __init__(self, example: str) -> None:
        self._example = example

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        """See ``click.ParamType``."""
        size = parse_size(str(value))
        if size is None:
            raise InputError(
                f"{param.opts[0]} wants WIDTHxHEIGHT, such as {self._example}, got {str(value)!r}"
            )
        return size


class CountOrAuto(click.ParamType[int | str]):
    """A whole number, or "auto"."""

    name = "N|auto"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | str:
        """See ``click.ParamType``."""
        if value == "auto":
            return "auto"
        return int(click.INT.convert(value, param, ctx))


def number_or_text(text: str) -> Any:
    """Return what a parameter's text means: a number, true, false or none, else the text."""
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return {"true": True, "false": False, "none": None}.get(text.lower(), text)
