"""From the options of a command to the pipeline that it runs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from calib import RectifiedRig, StereoRig
from stereo.cli.matching import chosen_matcher, say_network, told_range
from stereo.cli.options import DepthOptions, MatchOptions, PairOptions
from stereo.cli.rig import calibration_of, rectification, settled
from stereo.cli.rig_options import RigOptions
from stereo.cli.run_input import RunInput
from stereo.matching import (
    AutoRangeMatcher,
    Matcher,
    SearchRange,
    SteadyAlignment,
    SteadyDenoising,
    SteadyRange,
    following,
    make_matcher,
    matcher_for_range,
    search_range_for_depths,
)
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.refining.refine import RefineParams
from stereo.refining.steady import SteadySurfaces


def rectification_for(
    given: RunInput, images: PairOptions, rig: RigOptions
) -> tuple[StereoRig | RectifiedRig | None, Rectification]:
    """Return the calibration of what is given, and how it rectifies. Raises InputError."""
    calibration = calibration_of(rig, given.size, given.calibration)
    calibration = settled(calibration, rig, partial(given.first, swap=images.swapped))
    return calibration, rectification(calibration, rig, given.size)


def chosen_pipeline(
    given: RunInput,
    images: PairOptions,
    rig: RigOptions,
    match: MatchOptions,
    depth: DepthOptions,
    *,
    sequence: bool = False,
) -> tuple[StereoPipeline, str]:
    """Return the pipeline and all that decides its result, in words. Raises InputError.

    ``sequence``: for the frames of one camera in their order, see ``stereo.matching.following``.
    """
    calibration, rect = rectification_for(given, images, rig)
    name, search = chosen_matcher(match), _search_range(depth, calibration, rect)
    say_network(name, match.params, rect.size)
    pipeline = StereoPipeline(
        rect,
        (_following if sequence else _matcher)(name, match.params, search),
        refine=RefineParams(depth.surfaces, depth.fill),
        quality=match.quality,
        min_depth_m=depth.min_depth_m,
        max_depth_m=depth.max_depth_m,
    )
    told = [rig.calib, rig.alpha, rig.rescale, depth.surfaces, depth.fill, match.quality]
    limits = [depth.min_depth_m, depth.max_depth_m]
    matching = name, match.params, search
    if sequence:
        pipeline = replace(
            pipeline,
            denoise=SteadyDenoising(),
            align=SteadyAlignment(),
            surfaces=SteadySurfaces(),
        )
        told.append("sequence")
    return pipeline, repr([*told, *limits, matching, rect.geometry, rect.R_rect_left])


def _matcher(name: str, params: dict[str, Any], search: SearchRange | None) -> Matcher:
    if search is None:
        return make_matcher(name, num_disparities="auto", **params)
    return matcher_for_range(name, search, **params)


def _following(name: str, params: dict[str, Any], search: SearchRange | None) -> Matcher:
    def build(search: SearchRange) -> Matcher:
        return following(name, search, **params)

    if search is not None:
        return build(search)
    return AutoRangeMatcher(build, range_of=SteadyRange().of)


def _search_range(
    depth: DepthOptions, calibration: StereoRig | RectifiedRig | None, rect: Rectification
) -> SearchRange | None:
    """As told; else from the depths of interest; else as the calibration file says; else None."""
    low = depth.min_disparity
    if depth.num_disparities is None:
        if depth.min_depth_m > 0 and rect.geometry is not None:
            found = search_range_for_depths(
                rect.geometry, min_depth_m=depth.min_depth_m, max_depth_m=depth.max_depth_m
            )
            return found if low is None else SearchRange(low, found.max_disparity - low + 1)
        if isinstance(calibration, RectifiedRig) and calibration.num_disparities:
            return SearchRange(low or 0, calibration.num_disparities)
    return told_range(depth)
