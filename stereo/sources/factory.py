"""Stereo cameras that their maker has calibrated, each through the maker's own library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

from calib import RectifiedRig, StereoRig
from stereo.errors import InputError, MissingLibraryError
from stereo.sources.camera import CameraSource
from stereo.sources.source import OnEvent, SourceOptions
from stereo.sources.stream import Capture

Rigs = list[StereoRig | RectifiedRig]


@dataclass(frozen=True, slots=True)
class Maker:
    """What reads a kind of device."""

    device: str
    """The device, in messages."""
    library: str
    """The module that reads it, imported when a device is opened."""
    extra: str
    """The extra that installs the library."""
    capture: Callable[[Any, str, SourceOptions, Rigs], Capture]
    """Takes library, spec and options; appends what the device knows of itself to the rigs."""


def open_factory(
    maker: Maker, spec: str, options: SourceOptions, on_event: OnEvent
) -> CameraSource:
    """Open a device that gives both views side by side and knows its calibration.

    Raises InputError for a layout, which such a device has itself, MissingLibraryError, and
    SourceError when there is no such device.
    """
    if options.layout is not None:
        raise InputError(f"{spec}: has a layout of its own; leave --layout away")
    rigs: Rigs = []
    connect = partial(maker.capture, _library(maker), spec, options, rigs)
    source = CameraSource(spec, {spec: connect}, replace(options, layout="side-by-side"), on_event)
    if not options.swap and options.flip == "none":  # else its images are others than the rig's
        source.calibration = rigs[-1]
    return source


def _library(maker: Maker) -> Any:
    try:
        return import_module(maker.library)
    except ImportError as error:
        raise MissingLibraryError(
            f"{maker.device} is read by {maker.library}, which is not installed: "
            f"pip install 'stereo-depth[{maker.extra}]'"
        ) from error
