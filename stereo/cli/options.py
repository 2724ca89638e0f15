"""Options that several commands share, each declared once.

PairOptions      run, rectify              which images, and which is the left one
OpenOptions      live, record, calibrate   how a camera, stream or file is opened
MatchOptions     run, live, eval           the matcher and its parameters
DepthOptions     run, live                 what is searched, and what is done with holes
FrameOptions     live                      what is done to each frame of a running source
ViewOptions      live, calibrate           where to look
EndOptions       live, record              when to end by itself
outputs_option   run, live                 what is written
max_relative_sigma_option   run, live      which points a cloud leaves out

Beside them: ``rig_options`` (how a calibration is read), ``config.config_options`` (run, live,
eval), ``groups.json_option`` (all but view, board and demo).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import click

from stereo.cli.config import matcher_params
from stereo.cli.groups import option
from stereo.cli.values import CountOrAuto, MatcherName, Size
from stereo.cloud import MAX_RELATIVE_SIGMA
from stereo.errors import InputError
from stereo.networks.session import PROVIDERS
from stereo.result import OUTPUTS
from stereo.sources.layout import FLIPS, LAYOUTS, Flip, Layout
from stereo.sources.source import SourceOptions


def layout_option() -> Any:
    """Return the field ``layout`` of a group: how both views arrive."""
    what = "How one image holds both views.  [default: side by side, where one image comes]"
    return option(type=click.Choice(LAYOUTS), help=what)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapOptions:
    """Which image is the left one."""

    heading: ClassVar[str] = "Images"
    swap: bool = option(is_flag=True, help="Exchange left and right images.")
    order: str | None = option(
        type=click.Choice(["left-right", "right-left"]),
        help="Which view comes first where one image holds both.  [default: left-right]",
    )

    @property
    def swapped(self) -> bool:
        """Whether left and right are to be exchanged, by either word."""
        return self.swap != (self.order == "right-left")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOptions(SwapOptions):
    """How image files hold the two views."""

    side_by_side: bool = option(is_flag=True, help="LEFT holds both images side by side.")
    layout: Layout | None = layout_option()

    @property
    def composite(self) -> Layout | None:
        """How LEFT holds both views; None: it holds one. Raises InputError."""
        told = None if self.layout == "two" else self.layout
        if self.side_by_side and told not in (None, "side-by-side"):
            raise InputError(f"give either --side-by-side or --layout {told}, not both")
        return "side-by-side" if self.side_by_side else told


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOptions(SwapOptions):
    """How a camera, stream or file is opened."""

    heading: ClassVar[str] = "Source"
    layout: Layout | None = layout_option()
    flip: Flip = option(type=click.Choice(FLIPS), default="none", help="Mirror both images.")
    pixel_format: str | None = option(metavar="FOUR", help="Camera's pixel format, such as MJPG.")
    size: tuple[int, int] | None = option(
        type=Size("2560x720"), metavar="WxH", help="Camera's image size, such as 2560x720."
    )
    fps: float | None = option(type=float, help="Camera's frames a second.")
    exposure: float | None = option(type=float, help="Fixed exposure, in the driver's unit.")
    gain: float | None = option(type=float, help="Fixed gain, in the driver's unit.")
    max_skew_ms: float | None = option(
        type=float,
        help="Largest time between the two images of a pair.  [default: two fifths of a frame]",
    )
    give_up_after_s: float = option(
        type=float, default=60.0, show_default=True, help="How long to try a lost stream; 0: ever."
    )
    follow: bool = option(is_flag=True, help="Go where a stream's server sends us, to other hosts.")

    def as_source_options(self, *, pace: bool = False) -> SourceOptions:
        """Return the same in the terms of ``open_source``. Raises InputError."""
        skew_ms, patience = self.max_skew_ms, self.give_up_after_s
        return SourceOptions(
            layout=self.layout,
            swap=self.swapped,
            flip=self.flip,
            pixel_format=self.pixel_format,
            size=self.size,
            fps=self.fps,
            exposure=self.exposure,
            gain=self.gain,
            max_skew_s=None if skew_ms is None else skew_ms / 1000,
            give_up_after_s=None if patience == 0 else patience,
            follow=self.follow,
            pace=pace,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchOptions:
    """The matcher and its parameters."""

    heading: ClassVar[str] = "Matching"
    matcher: str | None = option(
        type=MatcherName(),
        help="Which matcher computes disparity; onnx:MODEL.onnx is a network.  [default: sgm where "
        "it is built, else sgbm]",
    )
    quality: bool = option(
        is_flag=True,
        help="Slower and better: three searches fused, edges sharpened.",
    )
    coarse_to_fine: bool | None = option(
        "--coarse-to-fine/--no-coarse-to-fine",
        help="Match coarsely first, then only around that.  [default: where memory asks for it]",
    )
    provider: str | None = option(
        type=click.Choice(list(PROVIDERS)), help="What runs a network.  [default: cpu]"
    )
    guide: str | None = option(
        metavar="onnx:MODEL.onnx",
        help="A network that tells our matcher, at a quarter of the size, roughly where to look.",
    )
    tile: bool = option(is_flag=True, help="Cut images into tiles that a network can take.")
    matcher_params: tuple[tuple[str, Any], ...] = option(
        "--matcher-param",
        multiple=True,
        metavar="NAME=VALUE",
        callback=matcher_params,
        help="A parameter of the matcher itself, such as block_size=5; repeatable.",
    )

    @property
    def params(self) -> dict[str, Any]:
        """The matcher's own parameters, as ``make_matcher`` takes them."""
        params = dict(self.matcher_params)
        if self.coarse_to_fine is not None:
            params["coarse_to_fine"] = self.coarse_to_fine
        if self.guide is not None:
            params["guide"] = self.guide
        if self.provider is not None:
            params |= _on_provider(params, self.provider)
        if self.tile:
            params.setdefault("tile", True)
        return params


def _on_provider(params: dict[str, Any], provider: str) -> dict[str, Any]:
    """The provider of the networks that help a matcher, or else of the one that is the matcher."""
    named = {key: str(params[key]) for key in ("features", "guide") if params.get(key) is not None}
    if not named:
        return {"provider": provider}
    return {
        key: f"{name}{'&' if '?' in name else '?'}provider={provider}"
        for key, name in named.items()
        if "provider=" not in name
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthOptions:
    """Which disparities are searched, what is kept, and what is done with holes."""

    heading: ClassVar[str] = "Depth"
    num_disparities: int | str | None = option(
        type=CountOrAuto(),
        help="How many disparities to search, pixels; auto: found from each pair.  [default: from "
        "--min-depth-m, else from the calibration file, else auto]",
    )
    min_disparity: int | None = option(type=int, help="Smallest disparity, pixels.  [default: 0]")
    min_depth_m: float = option(type=float, default=0.0, help="Nearer is dropped; sets the range.")
    max_depth_m: float = option(type=float, default=math.inf, help="Farther is dropped.")
    surfaces: bool | None = option(
        "--surfaces/--no-surfaces",
        help="Planes for textureless regions that could not be matched.  [default: on; off for "
        "networks]",
    )
    fill: bool = option(is_flag=True, help="Fill holes from their surroundings.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameOptions:
    """What is done to each frame besides matching."""

    heading: ClassVar[str] = "Depth"
    roi: str | None = option(metavar="X,Y,W,H", help="Only this part of the rectified image.")
    decimate: int = option(type=int, default=1, help="Divide the image's sides by this.")
    smooth: bool = option(is_flag=True, help="Average over time where nothing moves.")
    max_fps: float = option(
        type=float, default=math.inf, help="Begin no more frames a second, to save power."
    )
    latency: bool = option(
        is_flag=True,
        help="Least delay, for robots: pass over a pair that waited while the one before was "
        "matched, and take the next as it arrives. Where matching takes longer than a frame, "
        "that is fewer results a second.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewOptions:
    """Where to look at what is going on."""

    heading: ClassVar[str] = "Viewing"
    view: str | None = option(
        type=click.Choice(["window", "web", "none"]),
        help="Where to look.  [default: window where there is a display, else none]",
    )
    host: str = option(default="127.0.0.1", show_default=True, help="Who may look: web address.")
    port: int = option(type=int, default=8080, show_default=True, help="Web port; 0: any free.")
    no_token: bool = option(is_flag=True, help="Web link without a secret; only on this computer.")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOptions:
    """When a running command ends by itself."""

    heading: ClassVar[str] = "Ending"
    max_frames: int | None = option(type=click.IntRange(min=1), help="End after so many pairs.")
    duration_s: float | None = option(
        type=click.FloatRange(0, min_open=True), help="End after so long."
    )


def max_relative_sigma_option() -> Any:
    """Return the field ``max_relative_sigma`` of a group: which points a cloud leaves out."""
    return option(
        type=click.FloatRange(0, min_open=True),
        metavar="SHARE",
        default=MAX_RELATIVE_SIGMA,
        show_default=True,
        help="Leave points out of the cloud whose error bar exceeds this share of their depth; "
        "inf: none.",
    )


def outputs_option(default: str | None = None) -> Any:
    """Return the field ``outputs`` of a group: what is written."""
    return option(
        default=default,
        show_default=default is not None,
        help=f"What to write, comma separated: {', '.join(OUTPUTS)}.",
    )
