"""What ``stereo compare`` compares: matchers by name, parameter files, folders of predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calib.nearby import did_you_mean
from stereo.cli.config import config_options
from stereo.cli.groups import command
from stereo.cli.matching import chosen_matcher, told_range
from stereo.cli.options import DepthOptions, MatchOptions
from stereo.errors import InputError
from stereo.evaluation.estimates import Estimator, Matching, Predictions
from stereo.matching import MATCHERS
from stereo.networks.matcher import is_network
from stereo.refining.refine import RefineParams


def candidate(given: str) -> Estimator:
    """Return what is meant by a word. Raises InputError naming what is known."""
    path = Path(given)
    if given in MATCHERS or is_network(given):
        return Matching(given, given, quality=given == "sgm-quality")
    if path.suffix.lower() == ".toml":
        with _settings.make_context("compare", ["--config", given]) as context:
            matching = _settings.invoke(context)
        assert isinstance(matching, Matching)
        return Matching(
            path.stem, matching.matcher, matching.params, matching.quality, matching.refine
        )
    if path.is_dir():
        return Predictions(path)
    hint = did_you_mean(given, MATCHERS) or ";"
    raise InputError(
        f"{given!r} is no candidate{hint} one is a matcher ({', '.join(MATCHERS)}), a network "
        "(onnx:MODEL.onnx), a file.toml as --config reads it, or a folder of predictions"
    )


@command("settings")
@config_options
def _settings(*, match: MatchOptions, depth: DepthOptions) -> Estimator:
    """Only read from a file, never called by anybody."""
    name, search = chosen_matcher(match), told_range(depth)
    params: dict[str, Any] = dict(match.params)
    if search is not None:
        params |= {
            "min_disparity": search.min_disparity,
            "num_disparities": search.num_disparities,
        }
    refine = RefineParams(surfaces=depth.surfaces)
    return Matching(name, name, params, match.quality, refine)
