"""Numbers for people: never an exponent, never -0, aligned."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.words import fixed, length, measured, number, plain, rows_apart, table

ANY = st.floats(allow_nan=True, allow_infinity=True)


@given(ANY, st.integers(0, 6))
def test_never_an_exponent_and_never_minus_zero(value: float, digits: int) -> None:
    for said in (
        fixed(value, digits),
        number(value, digits or 1),
        plain(value, digits),
        length(value, digits or 1),
        measured(value, abs(value) / 10),
        rows_apart(value, digits),
    ):
        assert not re.search(r"\d[eE][-+]?\d", said), said
        assert not re.search(r"-0(\.0*)?(?![\d.])", said), said
        assert "nan" not in said
        assert "inf" not in said.replace("infinite", "")


@given(st.floats(-1e6, 1e6), st.integers(2, 6))
def test_a_number_keeps_its_digits(value: float, digits: int) -> None:
    assert float(number(value, digits)) == pytest.approx(value, rel=10.0 ** (1 - digits), abs=1e-9)


@given(st.floats(-1e5, 1e5))
def test_a_length_says_its_unit_and_is_right(metres: float) -> None:
    value, unit = length(metres, 4).split()
    assert float(value) * {"mm": 0.001, "m": 1}[unit] == pytest.approx(metres, rel=1e-3, abs=1e-11)
    assert value not in ("1000", "-1000") or unit == "m"


@pytest.mark.parametrize(
    ("metres", "said"),
    [(1.45, "1.45 m"), (0.00145, "1.45 mm"), (0.9996, "1.00 m"), (636.2, "636 m"), (0, "0 mm"),
     (1450, "1450 m"), (math.nan, "unknown"), (math.inf, "infinite")],
)  # fmt: skip
def test_lengths(metres: float, said: str) -> None:
    assert length(metres) == said


@pytest.mark.parametrize(
    ("metres", "sigma_m", "said"),
    [(0.8234, 0.00121, "823 ± 1.2 mm"), (2.3451, 0.0123, "2.345 ± 0.012 m"),
     (45.67, 3.21, "45.7 ± 3.2 m"), (2.3451, math.nan, "2.345 m")],
)  # fmt: skip
def test_error_bars(metres: float, sigma_m: float, said: str) -> None:
    assert measured(metres, sigma_m) == said


def test_rows_are_above_or_below_never_below_by_a_negative_number() -> None:
    assert rows_apart(-9.6) == "left 9.6 px above right"
    assert rows_apart(9.6) == "left 9.6 px below right"
    assert rows_apart(-0.01) == "left level with right"


def test_plain_numbers_are_as_typed() -> None:
    assert [plain(v) for v in (20.0, 0.5, 1e-5, 2.0e6, -0.0)] == ["20", "0.5", "0.00001",
                                                                 "2000000", "0"]  # fmt: skip


cells = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)


@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=6))
def test_columns_stay_aligned(rows: list[tuple[str, str, str]]) -> None:
    lines = table(("pair", "depth, m", "error, mm"), rows)
    assert len({len(line) for line in lines}) == 1
    for line, cell in zip(lines[1:], rows, strict=True):
        assert line.split() == list(cell)
