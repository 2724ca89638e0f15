"""Options that several commands share, and what they build."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from calib import RectifiedRig, StereoRig, load_rig
from calib.camera import Model
from stereo.errors import InputError
from stereo.frame import StereoGeometry
from stereo.matching import MATCHERS, default_matcher
from stereo.rectify import Rectification, Size
from stereo.sources import SourceOptions
from stereo.sources.layout import FLIPS, LAYOUTS

F = TypeVar("F", bound=Callable[..., Any])

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"matcher": "sgm-fast", "outputs": "depth,preview"},
    "careful": {"matcher_params": {"uniqueness_percent": 15}},
    "dense": {"fill": True},
}
"""Named sets of options; a configuration file and flags override them."""


def _stack(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


unit_option = click.option(
    "--unit", help="Length unit of a calibration file that states none: mm, cm, m."
)
model_option = click.option(
    "--model",
    type=click.Choice(["pinhole", "fisheye"]),
    help="Lens model of a calibration file that does not state it.",
)


def rig_options(command: F) -> F:
    """``--calib``, or ``--rectified`` with the numbers, and how to rectify."""
    return _stack(
        click.option("--calib", type=click.Path(), help="Rig file: our YAML, OpenCV, Middlebury."),
        unit_option,
        model_option,
        click.option("--rectified", is_flag=True, help="The images are rectified already."),
        click.option("--focal-px", type=float, help="Focal length of rectified images, pixels."),
        click.option("--baseline-m", type=float, help="Distance between the cameras, metres."),
        click.option("--cx-px", type=float, help="Left principal point; default: the middle."),
        click.option("--cy-px", type=float, help="Its row; default: the middle."),
        click.option("--doffs-px", type=float, default=0.0, help="cx_right - cx_left, pixels."),
        click.option(
            "--alpha",
            type=float,
            default=0.0,
            show_default=True,
            help="0: only what both cameras see; 1: everything.",
        ),
        click.option("--rescale", is_flag=True, help="Scale the calibration to the images' size."),
        click.option("--swap", is_flag=True, help="Exchange left and right images."),
    )(command)


def config_options(command: F) -> F:
    """``--config FILE.toml`` and ``--preset``: flags beat the file, the file beats the preset."""
    return _stack(
        click.option(
            "--config",
            type=click.Path(dir_okay=False),
            is_eager=True,
            expose_value=False,
            callback=_use_config,
            help="TOML file with these options; [matcher_params] sets the matcher's own.",
        ),
        click.option(
            "--preset",
            type=click.Choice(list(PRESETS)),
            is_eager=True,
            expose_value=False,
            callback=_use_preset,
            help="Named set of options.",
        ),
        click.option(
            "--matcher-param",
            "matcher_params",
            multiple=True,
            metavar="NAME=VALUE",
            help="A parameter of the matcher itself, such as block_size=5; repeatable.",
        ),
    )(command)


def _use_preset(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value:
        _layer(ctx, "preset", PRESETS[value])


def _use_config(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if not value:
        return
    options = _read_config(Path(value))
    preset = options.pop("preset", None)
    if preset is not None:
        if preset not in PRESETS:
            raise InputError(f"{value}: preset must be one of {', '.join(PRESETS)}, got {preset!r}")
        ctx.meta.setdefault("layers", {}).setdefault("preset", PRESETS[preset])
    known = {str(p.name) for p in ctx.command.params if isinstance(p, click.Option)}
    for key in options:
        if key not in known:
            raise InputError(f"{value}: unknown key {key!r}; known are {', '.join(sorted(known))}")
    _layer(ctx, "config", options)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        raw = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: not a readable TOML file: {error}") from error
    return {key.replace("-", "_"): value for key, value in raw.items()}


def _layer(ctx: click.Context, name: str, options: dict[str, Any]) -> None:
    """Set the defaults from all layers seen so far, the configuration file above the preset."""
    layers = ctx.meta.setdefault("layers", {})
    layers[name] = options
    merged: dict[str, Any] = {}
    for layer in ("preset", "config"):
        for key, value in layers.get(layer, {}).items():
            merged[key] = {**merged.get(key, {}), **value} if isinstance(value, dict) else value
    ctx.meta["matcher_params"] = merged.pop("matcher_params", {})
    if "outputs" in merged and isinstance(merged["outputs"], list):
        merged["outputs"] = ",".join(merged["outputs"])
    ctx.default_map = merged


def matcher_params(ctx: click.Context, flags: tuple[str, ...]) -> dict[str, Any]:
    """Return the matcher's own parameters: from the configuration, overridden by flags."""
    params = dict(ctx.meta.get("matcher_params", {}))
    for flag in flags:
        name, equals, value = flag.partition("=")
        if not equals or not name:
            raise InputError(
                f"--matcher-param wants NAME=VALUE, such as block_size=5, got {flag!r}"
            )
        params[name.strip().replace("-", "_")] = _number_or_text(value.strip())
    return params


def _number_or_text(value: str) -> Any:
    for convert in (int, float):
        try:
            return convert(value)
        except ValueError:
            continue
    return {"true": True, "false": False, "none": None}.get(value.lower(), value)


matcher_option = click.option(
    "--matcher",
    type=click.Choice(list(MATCHERS)),
    help="Which matcher computes disparity.  [default: sgm where it is built, else sgbm]",
)


quality_option = click.option(
    "--quality",
    is_flag=True,
    help="Slower and better: noise and row errors out first, three searches, edges sharpened.",
)


def chosen_matcher(name: str | None, *, quality: bool = False) -> str:
    """Return the matcher asked for, or the default one; says it when that is not ours.

    Raises InputError when both a matcher and ``quality``, which is one, are asked for.
    """
    if quality:
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


class _CountOrAuto(click.ParamType[int | str]):
    """A whole number, or "auto"."""

    name = "N|auto"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | str:
        if value == "auto":
            return "auto"
        return int(click.INT.convert(value, param, ctx))


num_disparities_option = click.option(
    "--num-disparities",
    type=_CountOrAuto(),
    help="How many disparities to search, pixels; auto: found from each pair.  [default: from "
    "--min-depth-m, else from the calibration file, else auto]",
)


def load_calibration(
    *,
    calib: str | None,
    unit: str | None,
    model: Model | None,
    rectified: bool,
    focal_px: float | None,
    baseline_m: float | None,
    size: Size | None,
    cx_px: float | None = None,
    cy_px: float | None = None,
    doffs_px: float = 0.0,
) -> StereoRig | RectifiedRig | None:
    """Return the calibration the options describe; None when they say nothing.

    Raises InputError for contradicting options and what ``calib.load_rig`` raises.
    """
    if calib is not None:
        if focal_px is not None or baseline_m is not None:
            raise InputError("give either --calib or --focal-px with --baseline-m, not both")
        loaded = load_rig(Path(calib), size=size, unit=unit, model=model)
        for assumed in ("unit_assumed", "model_assumed"):
            if isinstance(loaded, StereoRig) and assumed in loaded.notes:
                click.echo(f"note: {loaded.notes[assumed]}", err=True)
        if rectified and isinstance(loaded, StereoRig):
            raise InputError(
                f"{calib} describes raw cameras, so --rectified contradicts it; drop --rectified, "
                "or give --focal-px and --baseline-m of the rectified images"
            )
        return loaded
    if (focal_px is None) != (baseline_m is None):
        missing = "--baseline-m" if baseline_m is None else "--focal-px"
        raise InputError(
            f"metric depth needs both --focal-px and --baseline-m; {missing} is missing"
        )
    if focal_px is None or baseline_m is None or size is None:
        return None
    cx = (size[0] - 1) / 2 if cx_px is None else cx_px
    cy = (size[1] - 1) / 2 if cy_px is None else cy_px
    StereoGeometry(focal_px, baseline_m, cx, cy, doffs_px)  # says what is wrong in these terms
    return RectifiedRig(size, focal_px, baseline_m, cx, cx + doffs_px, cy)


def calibration_of(
    options: dict[str, Any], size: Size, known: StereoRig | RectifiedRig | None
) -> StereoRig | RectifiedRig | None:
    """Return what ``rig_options`` say; else what is ``known`` of the source, which is said.

    Raises as ``load_calibration`` does.
    """
    names = ("calib", "unit", "model", "rectified", "focal_px", "baseline_m")
    more = ("cx_px", "cy_px", "doffs_px")
    told = load_calibration(**{name: options[name] for name in (*names, *more)}, size=size)
    if told is not None or known is None or options["rectified"]:
        return told
    click.echo("note: using the calibration that comes with the source", err=True)
    return known


def rectification(
    calibration: StereoRig | RectifiedRig | None, *, alpha: float, rescale: bool, size: Size
) -> Rectification:
    """Return the rectification for images of ``size``; pass-through without a calibration."""
    if calibration is None:
        return Rectification.already_rectified()
    return Rectification.from_calibration(calibration, alpha=alpha, size=size, rescale=rescale)


def source_options(command: F) -> F:
    """How a camera, stream or file is opened; ``opened_as`` turns them into SourceOptions."""
    return _stack(
        click.option(
            "--layout",
            type=click.Choice(LAYOUTS),
            help="How one image holds both views.  [default: side-by-side]",
        ),
        click.option(
            "--flip", type=click.Choice(FLIPS), default="none", help="Mirror both images."
        ),
        click.option("--pixel-format", metavar="FOUR", help="Camera's pixel format, such as MJPG."),
        click.option("--size", metavar="WxH", help="Camera's image size, such as 2560x720."),
        click.option("--fps", type=float, help="Camera's frames a second."),
        click.option("--exposure", type=float, help="Fixed exposure, in the driver's unit."),
        click.option("--gain", type=float, help="Fixed gain, in the driver's unit."),
        click.option(
            "--max-skew-ms",
            type=float,
            help="Largest time between the two images of a pair.  [default: half a frame]",
        ),
        click.option(
            "--give-up-after-s",
            type=float,
            default=60.0,
            show_default=True,
            help="How long to try to get a lost stream back; 0: for ever.",
        ),
    )(command)


def opened_as(options: dict[str, Any], *, pace: bool = False) -> SourceOptions:
    """Return what ``source_options`` (and ``--swap``) say. Raises InputError."""
    patience = options["give_up_after_s"]
    skew_ms = options["max_skew_ms"]
    return SourceOptions(
        layout=options["layout"],
        swap=options["swap"],
        flip=options["flip"],
        pixel_format=options["pixel_format"],
        size=None if options["size"] is None else _size(options["size"]),
        fps=options["fps"],
        exposure=options["exposure"],
        gain=options["gain"],
        max_skew_s=None if skew_ms is None else skew_ms / 1000,
        give_up_after_s=None if patience == 0 else patience,
        pace=pace,
    )


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise InputError(f"--size wants WIDTHxHEIGHT, such as 2560x720, got {text!r}")
    return int(width), int(height)
