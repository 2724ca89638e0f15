"""Depth of one pair in one call: images or their files in, a result out."""

from __future__ import annotations

import math
from pathlib import Path

from calib import RectifiedRig, StereoRig, load_rig
from stereo.files.images import read_image
from stereo.frame import Image, StereoFrame, StereoGeometry
from stereo.matching import Matcher, default_matcher, make_matcher
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.refining.refine import RefineParams
from stereo.result import StereoResult

Calibration = str | Path | StereoRig | RectifiedRig | StereoGeometry | Rectification | None
"""A rig file or what it holds; focal length and baseline of rectified images; None: unknown."""


def compute_depth(
    left: str | Path | Image,
    right: str | Path | Image,
    calibration: Calibration = None,
    *,
    matcher: str | Matcher | None = None,
    num_disparities: int | str = "auto",
    quality: bool = False,
    surfaces: bool | None = None,
    fill: bool = False,
    min_depth_m: float = 0.0,
    max_depth_m: float = math.inf,
    alpha: float = 0.0,
) -> StereoResult:
    """Return disparity and metric depth of one pair, as ``stereo run`` does.

    ``left`` and ``right`` are (H, W) gray or (H, W, 3) RGB arrays, uint8 or uint16, or image
    files. With a rig they are raw images and get rectified; with a ``RectifiedRig`` or a
    ``StereoGeometry`` they are rectified already; without either the result has disparity only.
    ``matcher`` is a name in ``MATCHERS``, "onnx:MODEL.onnx" or a matcher of your own; ``quality``
    takes about 3.5 times as long. For many pairs of one rig build a ``StereoPipeline`` once.

    Raises ImageError, RigFileError, RectificationError, MatcherError or InputError, whose messages
    name what is wrong.
    """
    if matcher is None:
        matcher = "sgm-quality" if quality else default_matcher()
    if isinstance(matcher, str):
        matcher = make_matcher(matcher, num_disparities=num_disparities)
    frame = StereoFrame(_image(left), _image(right))
    pipeline = StereoPipeline(
        _rectification(calibration, alpha, (frame.left.shape[1], frame.left.shape[0])),
        matcher,
        refine=RefineParams(surfaces=surfaces, fill=fill),
        quality=quality,
        min_depth_m=min_depth_m,
        max_depth_m=max_depth_m,
    )
    return pipeline.process(frame)


def _image(image: str | Path | Image) -> Image:
    return read_image(image) if isinstance(image, str | Path) else image


def _rectification(calibration: Calibration, alpha: float, size: tuple[int, int]) -> Rectification:
    if isinstance(calibration, Rectification):
        return calibration
    if calibration is None or isinstance(calibration, StereoGeometry):
        return Rectification.already_rectified(calibration)
    if isinstance(calibration, str | Path):
        calibration = load_rig(calibration, size=size)
    return Rectification.from_calibration(calibration, alpha=alpha, size=size)
