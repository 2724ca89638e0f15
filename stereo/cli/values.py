"""Values of options that are more than a number or a word."""

from __future__ import annotations

import math
import re
from typing import Any

import click

from stereo.errors import InputError
from stereo.matching import MATCHERS
from stereo.networks.matcher import is_network

_METRES = {"mm": 0.001, "cm": 0.01, "m": 1.0}


def parse_size(text: str) -> tuple[int, int] | None:
    """Return (640, 480) of "640x480"; None when the text is not two whole numbers."""
    match = re.fullmatch(r"(\d+)x(\d+)", text.strip().lower())
    return None if match is None else (int(match[1]), int(match[2]))


def camera_pair(ctx: Any, param: Any, value: str | None) -> tuple[str, str] | None:
    """Return the two names in "A,B". Raises InputError for what is none."""
    if value is None:
        return None
    names = [name.strip() for name in value.split(",")]
    if len(names) != 2 or not all(names):
        raise InputError(f"{param.opts[0]} wants two cameras, such as 0,1, got {value!r}")
    return names[0], names[1]


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


class Metres(click.ParamType[float]):
    """A length in metres, or with its unit: 0.06, 60mm, 6cm. Raises InputError for what is none.

    A bare number above ``most`` is asked about: who thinks in millimetres forgets to say so.
    """

    name = "METRES"

    def __init__(self, most: float) -> None:
        self._most = most

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """See ``click.ParamType``."""
        flag = param.opts[0]
        text = str(value).strip()
        match = re.fullmatch(r"(.+?)\s*(mm|cm|m)?", text)
        try:
            number = float(match[1]) if match else math.nan
        except ValueError:
            raise InputError(
                f"{flag} wants a length in metres, such as 0.06 (or 60mm), got {text!r}"
            ) from None
        unit = match[2] if match else None
        if unit is None and self._most < number <= 1000 * self._most:
            raise InputError(
                f"{flag} {text}: {number:g} m between the cameras? If millimetres were meant, "
                f"{flag} {number / 1000:g}; if it truly is that far, {flag} {number:g}m"
            )
        return number * _METRES[unit or "m"]


class MatcherName(click.Choice[str]):
    """One of ``MATCHERS``, or a network: onnx:MODEL.onnx."""

    def __init__(self) -> None:
        super().__init__(list(MATCHERS))

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """See ``click.ParamType``."""
        return f"{(super().get_metavar(param, ctx) or '')[:-1]}|onnx:MODEL.onnx]"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """See ``click.ParamType``."""
        return str(value) if is_network(str(value)) else super().convert(value, param, ctx)


class CountOrAuto(click.ParamType[int | str]):
    """A whole number, or "auto"."""

    name = "N|auto"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | str:
        """See ``click.ParamType``."""
        if value == "auto":
            return "auto"
        count = int(click.INT.convert(value, param, ctx))
        if count < 1:
            raise InputError(
                f"{param.opts[0]} wants a number from 1 on, or auto, got {count}; disparities "
                "below 0 are searched with --min-disparity"
            )
        return count


def number_or_text(text: str) -> Any:
    """Return what a parameter's text means: a number, true, false or none, else the text."""
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return {"true": True, "false": False, "none": None}.get(text.lower(), text)
