"""Sizes and parameters as they are written on the command line."""

from __future__ import annotations

import click
import pytest

from stereo.cli.values import Size, number_or_text, parse_size
from stereo.errors import InputError


@pytest.mark.parametrize("text", ["640x480", "640X480", " 640x480 "])
def test_a_size_is_two_whole_numbers(text: str) -> None:
    assert parse_size(text) == (640, 480)


@pytest.mark.parametrize("text", ["", "640", "640x", "x480", "640x480x3", "-640x480", "6.4x480"])
def test_what_is_no_size(text: str) -> None:
    assert parse_size(text) is None
    with pytest.raises(InputError, match="--area wants WIDTHxHEIGHT, such as 4x3, got"):
        Size("4x3").convert(text, click.Option(["--area"]), None)


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("0.5", 0.5), ("true", True), ("False", False), ("none", None), ("3way", "3way")],
)
def test_a_parameter_is_what_it_looks_like(text: str, value: object) -> None:
    assert number_or_text(text) == value
