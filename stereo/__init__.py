"""Turn a pair of cameras into a trustworthy depth sensor.

    from calib import load_rig
    from stereo import Rectification, StereoFrame, StereoPipeline, make_matcher, read_image

    rect = Rectification.from_rig(load_rig("rig.yaml"))
    pipeline = StereoPipeline(rect, make_matcher("sgm", num_disparities=128))
    result = pipeline.process(StereoFrame(read_image("left.png"), read_image("right.png")))
    result.depth.depth_m, result.depth.sigma_m, result.cloud().points

    with open_source("sbs:0") as source, LiveDepth(source, load_rig("rig.yaml")) as live:
        for found in live:
            found.depth.depth_m, found.latency_s

Names are loaded when first used, so that ``import stereo`` and ``stereo --help`` stay instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stereo._version import __version__

if TYPE_CHECKING:
    from stereo.cloud import crop, point_cloud, remove_outliers, thin, with_normals
    from stereo.depth import depth_sigma, depth_to_disparity, disparity_to_depth
    from stereo.errors import StereoError
    from stereo.evaluation.evaluate import Metrics, evaluate
    from stereo.files.images import read_image
    from stereo.frame import (
        DepthFrame,
        DisparityMap,
        PointCloud,
        RectifiedPair,
        StereoFrame,
        StereoGeometry,
    )
    from stereo.live.depth import LiveDepth, LiveFrame
    from stereo.live.pipeline import LiveSettings
    from stereo.matching import (
        MATCHERS,
        AutoRangeMatcher,
        Matcher,
        SearchRange,
        SgbmMatcher,
        SgbmParams,
        SgmMatcher,
        SgmParams,
        find_search_range,
        make_matcher,
        search_range_for_depths,
    )
    from stereo.pipeline import StereoPipeline, StereoResult
    from stereo.rectify import Rectification
    from stereo.refining.refine import RefineParams, fill_holes, left_right_check, remove_speckles
    from stereo.run.check import RowCheck, check_rows, check_swapped
    from stereo.sources import Event, SourceOptions, open_source

_HOME = {
    "run.check": ("RowCheck", "check_rows", "check_swapped"),
    "cloud": ("crop", "point_cloud", "remove_outliers", "thin", "with_normals"),
    "depth": ("depth_sigma", "depth_to_disparity", "disparity_to_depth"),
    "errors": ("StereoError",),
    "evaluation.evaluate": ("Metrics", "evaluate"),
    "frame": (
        "DepthFrame",
        "DisparityMap",
        "PointCloud",
        "RectifiedPair",
        "StereoFrame",
        "StereoGeometry",
    ),
    "files.images": ("read_image",),
    "live.depth": ("LiveDepth", "LiveFrame"),
    "live.pipeline": ("LiveSettings",),
    "matching": (
        "MATCHERS",
        "AutoRangeMatcher",
        "Matcher",
        "SearchRange",
        "SgbmMatcher",
        "SgbmParams",
        "SgmMatcher",
        "SgmParams",
        "find_search_range",
        "make_matcher",
        "search_range_for_depths",
    ),
    "pipeline": ("StereoPipeline", "StereoResult"),
    "rectify": ("Rectification",),
    "refining.refine": ("RefineParams", "fill_holes", "left_right_check", "remove_speckles"),
    "sources": ("Event", "SourceOptions", "open_source"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "MATCHERS",
    "AutoRangeMatcher",
    "DepthFrame",
    "DisparityMap",
    "Event",
    "LiveDepth",
    "LiveFrame",
    "LiveSettings",
    "Matcher",
    "Metrics",
    "PointCloud",
    "Rectification",
    "RectifiedPair",
    "RefineParams",
    "RowCheck",
    "SearchRange",
    "SgbmMatcher",
    "SgbmParams",
    "SgmMatcher",
    "SgmParams",
    "SourceOptions",
    "StereoError",
    "StereoFrame",
    "StereoGeometry",
    "StereoPipeline",
    "StereoResult",
    "__version__",
    "check_rows",
    "check_swapped",
    "crop",
    "depth_sigma",
    "depth_to_disparity",
    "disparity_to_depth",
    "evaluate",
    "fill_holes",
    "find_search_range",
    "left_right_check",
    "make_matcher",
    "open_source",
    "point_cloud",
    "read_image",
    "remove_outliers",
    "remove_speckles",
    "search_range_for_depths",
    "thin",
    "with_normals",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'stereo' has no attribute {name!r}")
    return getattr(import_module(f"stereo.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
