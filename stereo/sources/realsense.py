"""``realsense:`` or ``realsense:SERIAL``: the two infrared cameras of an Intel RealSense.

Through pyrealsense2 (extra ``realsense``). The device rectifies 8-bit infrared images itself, so
the factory calibration is a ``RectifiedRig``. Turn the projector off to see the scene as it is.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import numpy as np

from calib import Camera, RectifiedRig, StereoRig
from stereo.errors import SourceError
from stereo.sources.camera import CameraSource
from stereo.sources.factory import Maker, Rigs, open_factory
from stereo.sources.jpeg import RejectedImage
from stereo.sources.source import OnEvent, SourceOptions
from stereo.sources.stamps import Stamp
from stereo.sources.stream import BgrImage

SIZE, FPS = (848, 480), 30
"""What all models can give, unless asked otherwise."""


def open(spec: str, options: SourceOptions, on_event: OnEvent) -> CameraSource:
    """Open a RealSense; see ``open_source``. ``options.size`` is that of one view.

    Raises SourceError when there is none, MissingLibraryError.
    """
    return open_factory(
        Maker("a RealSense", "pyrealsense2", "realsense", RealsenseCapture), spec, options, on_event
    )


class RealsenseCapture:
    """Both infrared images, side by side, as one stream of ``CameraSource``."""

    exact = False
    stamp: Stamp | None = None

    def __init__(self, rs: Any, spec: str, options: SourceOptions, rigs: Rigs) -> None:
        """Appends what the device knows of itself to ``rigs``. Raises SourceError."""
        serial = spec.partition(":")[2]
        width, height = options.size or SIZE
        self._timeout_ms = int(1000 * options.read_timeout_s)
        self._pipeline, config = rs.pipeline(), rs.config()
        if serial:
            config.enable_device(serial)
        for number in (1, 2):  # 1 is the left one
            fps = round(options.fps or FPS)
            config.enable_stream(rs.stream.infrared, number, width, height, rs.format.y8, fps)
        try:
            profile = self._pipeline.start(config)
        except RuntimeError as error:
            raise SourceError(
                f"{spec}: cannot be opened: {error}; is the camera connected by USB 3, free, and "
                f"does it know {width}x{height} (rs-enumerate-devices)?"
            ) from error
        streams = [profile.get_stream(rs.stream.infrared, n) for n in (1, 2)]
        rigs.append(rig_of(*(stream.as_video_stream_profile() for stream in streams)))

    def read(self) -> tuple[BgrImage, float] | None:
        """See ``Capture``."""
        try:
            frames = self._pipeline.wait_for_frames(self._timeout_ms)
        except RuntimeError:  # nothing came in time, or the device went away
            return None
        views = [frames.get_infrared_frame(number) for number in (1, 2)]
        if not all(views):
            return None
        if views[0].get_frame_number() != views[1].get_frame_number():
            raise RejectedImage("of two exposures")
        # copied: the library uses its memory again
        return np.hstack([np.asanyarray(view.get_data()) for view in views]), time.monotonic()

    def release(self) -> None:
        """See ``Capture``."""
        with suppress(RuntimeError):  # it went away
            self._pipeline.stop()


def rig_of(left: Any, right: Any) -> StereoRig | RectifiedRig:
    """Return the rig of two video stream profiles, rectified where the device has done that."""
    one, two = left.get_intrinsics(), right.get_intrinsics()
    between = left.get_extrinsics_to(right)
    R = np.array(between.rotation, float).reshape(3, 3, order="F")  # columns first
    t = np.array(between.translation, float)
    distorted = any(one.coeffs) or any(two.coeffs)
    if not distorted and np.allclose(R, np.eye(3), atol=1e-6) and t[0] < 0:
        size = (one.width, one.height)
        return RectifiedRig(size, one.fx, -float(t[0]), one.ppx, two.ppx, one.ppy)
    cameras = [
        Camera(
            model="pinhole",
            size=(found.width, found.height),
            K=np.array([[found.fx, 0, found.ppx], [0, found.fy, found.ppy], [0, 0, 1]]),
            distortion=np.array(found.coeffs, float),
        )
        for found in (one, two)
    ]
    return StereoRig(left=cameras[0], right=cameras[1], R_right_left=R, t_right_left=t)
