"""From the options about matching to a matcher's name and range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from stereo.cli.options import DepthOptions, MatchOptions
from stereo.errors import InputError
from stereo.matching import MATCHERS, SearchRange, default_matcher
from stereo.networks.features import feature_extractor
from stereo.networks.guide import GuidingNetwork
from stereo.networks.matcher import is_network, network_matcher


def chosen_matcher(match: MatchOptions) -> str:
    """Return the matcher asked for, or the default one; says it when that is not ours.

    Raises InputError when both a matcher and ``--quality``, which is one, are asked for.
    """
    name = match.matcher
    if match.quality:
        if name not in (None, "sgm", "sgm-quality"):
            raise InputError(f"--quality is made for our own matcher; drop it or --matcher {name}")
        return "sgm-quality"
    if name is not None:
        return name
    default = default_matcher()
    if default != "sgm":
        click.echo(
            "note: our own matcher was not built (no C++ compiler?), OpenCV's SGBM is used; "
            "`stereo doctor` tells more",
            err=True,
        )
    return default


def say_network(name: str, params: Mapping[str, Any], size: tuple[int, int] | None) -> None:
    """Of a network: how images of ``size`` (width, height) meet it, and what was not as asked."""
    if size is None:
        return
    if is_network(name):
        networks: list[Any] = [network_matcher(name, dict(params))]
    else:
        kinds = {"features": feature_extractor, "guide": GuidingNetwork}
        told = {key: params.get(key) for key in kinds if key in MATCHERS[name].names}
        networks = [kinds[key](named) for key, named in told.items() if isinstance(named, str)]
    for network in networks:
        for line in network.notes(size):
            click.echo(f"note: {line}", err=True)


def told_range(depth: DepthOptions) -> SearchRange | None:
    """Return the disparities named to be searched; None: they are to be found.

    Raises InputError for a smallest disparity without a number of them.
    """
    count, low = depth.num_disparities, depth.min_disparity
    if isinstance(count, int):
        return SearchRange(low or 0, count)
    if low is not None:
        raise InputError("--min-disparity needs --num-disparities; without both they are found")
    return None
