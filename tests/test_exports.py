"""The public names exist, are documented, and match what the package says it has."""

from __future__ import annotations

import inspect

import pytest

import calib
import stereo


@pytest.mark.parametrize("package", [stereo, calib])
def test_all_is_sorted_and_complete(package: object) -> None:
    names = package.__all__  # type: ignore[attr-defined]
    assert len(names) == len(set(names))
    for name in names:
        assert getattr(package, name) is not None


@pytest.mark.parametrize(
    ("package", "name"), [(p, n) for p in (stereo, calib) for n in p.__all__ if n[0] != "_"]
)
def test_public_names_are_documented(package: object, name: str) -> None:
    item = getattr(package, name)
    if inspect.isclass(item) or inspect.isfunction(item):
        assert item.__doc__, name
        if inspect.isclass(item):
            for member, value in vars(item).items():
                if inspect.isfunction(value) and not member.startswith("_"):
                    assert value.__doc__, f"{name}.{member}"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        stereo.nonsense  # type: ignore[attr-defined]  # noqa: B018
