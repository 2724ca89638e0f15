"""Where options come from besides the command line: flags beat the file, the file the preset."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from calib.nearby import did_you_mean
from stereo.cli.groups import headed
from stereo.cli.values import number_or_text
from stereo.errors import InputError
from stereo.files.text import read_toml
from stereo.presets import PRESETS, Preset

_LARGEST = 10**9
"""No option counts further; beyond 10^308 no float can follow."""
F = TypeVar("F", bound=Callable[..., Any])


def config_options(command: F) -> F:
    """``--config FILE.toml`` and ``--preset``: flags beat the file, the file beats the preset."""
    config = headed(
        "Settings",
        "--config",
        type=click.Path(dir_okay=False),
        is_eager=True,
        expose_value=False,
        callback=_use_config,
        help="TOML file with these options; [matcher_params] sets the matcher's own.",
    )
    preset = headed(
        "Settings",
        "--preset",
        type=click.Choice(list(PRESETS)),
        is_eager=True,
        expose_value=False,
        callback=_use_preset,
        help="Named set of options.",
    )
    return config(preset(command))


def matcher_params(
    ctx: click.Context, _param: click.Parameter, flags: tuple[str, ...]
) -> tuple[tuple[str, Any], ...]:
    """Return the matcher's own parameters: from the configuration, overridden by flags."""
    params = dict(ctx.meta.get("matcher_params", {}))
    for flag in flags:
        name, equals, value = flag.partition("=")
        if not equals or not name:
            raise InputError(
                f"--matcher-param wants NAME=VALUE, such as block_size=5, got {flag!r}"
            )
        params[name.strip().replace("-", "_")] = number_or_text(value.strip())
    return tuple(params.items())


def _use_preset(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value:
        _layer(ctx, "preset", _as_options(PRESETS[value]))


def _use_config(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if not value:
        return
    options = _read_config(Path(value))
    preset = options.pop("preset", None)
    if preset is not None:
        if not isinstance(preset, str) or preset not in PRESETS:
            raise InputError(f"{value}: preset must be one of {', '.join(PRESETS)}, got {preset!r}")
        layers = ctx.meta.setdefault("layers", {})
        layers.setdefault("preset", _as_options(PRESETS[preset]))  # unless a flag names one
    known = {str(p.name): p for p in ctx.command.params if isinstance(p, click.Option)}
    for key, given in options.items():
        if key not in known:
            hint = did_you_mean(key, known) or ";"
            raise InputError(
                f"{value}: unknown key {key!r}{hint} known are {', '.join(sorted(known))}"
            )
        _check_value(f"{value}: {key}", given, known[key])
    _layer(ctx, "config", options)


def _check_value(name: str, given: Any, option: click.Option) -> None:
    """Refuse what an option's own type does not expect of a file: numbers without end, tables."""
    if option.name == "matcher_params":
        if not isinstance(given, dict):
            raise InputError(f"{name}: expected a table of parameters, got {given!r:.60}")
        each, endless = list(given.values()), False
    else:
        each = given if isinstance(given, list) else [given]
        endless = isinstance(option.type, click.types.FloatParamType)
    for one in each:
        if not isinstance(one, str | int | float):
            raise InputError(f"{name}: expected a number or text, got {one!r:.60}")
        if isinstance(one, int) and abs(one) > _LARGEST:
            raise InputError(f"{name}: expected at most {_LARGEST}, got a larger number")
        if isinstance(one, float) and not (math.isfinite(one) or (endless and one > 0)):
            raise InputError(f"{name}: expected a finite number, got {one}")


def _as_options(preset: Preset) -> dict[str, Any]:
    """What a preset sets, by the names of the options."""
    unique = preset.uniqueness_percent
    options = {
        "matcher": preset.matcher,
        "fill": preset.fill,
        "outputs": None if preset.outputs is None else list(preset.outputs),
        "matcher_params": None if unique is None else {"uniqueness_percent": unique},
    }
    return {name: value for name, value in options.items() if value is not None}


def _read_config(path: Path) -> dict[str, Any]:
    return {key.replace("-", "_"): value for key, value in read_toml(path).items()}


def _layer(ctx: click.Context, name: str, options: dict[str, Any]) -> None:
    """Set the defaults from all layers seen so far, the configuration file above the preset."""
    layers = ctx.meta.setdefault("layers", {})
    layers[name] = options
    merged: dict[str, Any] = {}
    for layer in ("preset", "config"):
        for key, value in layers.get(layer, {}).items():
            merged[key] = {**merged.get(key, {}), **value} if isinstance(value, dict) else value
    ctx.meta["matcher_params"] = merged.pop("matcher_params", {})
    if isinstance(merged.get("outputs"), list):
        merged["outputs"] = ",".join(map(str, merged["outputs"]))
    ctx.default_map = merged
