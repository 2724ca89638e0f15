"""``oak:`` or ``oak:DEVICE``: the two mono cameras of a Luxonis OAK, raw, with its calibration.

Through depthai 3 (extra ``oak``).
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import numpy as np

from calib import Camera, StereoRig
from stereo.errors import SourceError
from stereo.sources.camera import CameraSource
from stereo.sources.factory import Maker, Rigs, open_factory
from stereo.sources.source import OnEvent, SourceOptions
from stereo.sources.stamps import Stamp
from stereo.sources.stream import BgrImage

SIZE, FPS = (640, 400), 30


def open(spec: str, options: SourceOptions, on_event: OnEvent) -> CameraSource:
    """Open an OAK; see ``open_source``. ``options.size`` is that of one view.

    Raises SourceError when there is none, MissingLibraryError.
    """
    return open_factory(Maker("an OAK", "depthai", "oak", OakCapture), spec, options, on_event)


class OakCapture:
    """Both mono images of one exposure, side by side, as one stream of ``CameraSource``."""

    exact = False
    stamp: Stamp | None = None

    def __init__(self, dai: Any, spec: str, options: SourceOptions, rigs: Rigs) -> None:
        """Appends what the device knows of itself to ``rigs``. Raises SourceError."""
        size, fps = options.size or SIZE, options.fps or FPS
        name = spec.partition(":")[2]
        self._timeout_s = options.read_timeout_s
        sockets = (dai.CameraBoardSocket.CAM_B, dai.CameraBoardSocket.CAM_C)  # left, right
        try:
            device = dai.Device(dai.DeviceInfo(name)) if name else dai.Device()
            self._pipeline = dai.Pipeline(device)
            self._queues = []
            for socket in sockets:
                camera = self._pipeline.create(dai.node.Camera).build(socket)
                output = camera.requestOutput(size, type=dai.ImgFrame.Type.GRAY8, fps=fps)
                self._queues.append(output.createOutputQueue(maxSize=4, blocking=False))
            rigs.append(rig_of(device.readCalibration(), sockets, size))
            self._pipeline.start()
        except RuntimeError as error:
            raise SourceError(
                f"{spec}: cannot be opened: {error}; is the camera connected and free, and are "
                "its udev rules installed?"
            ) from error

    def read(self) -> tuple[BgrImage, float] | None:
        """See ``Capture``. Both cameras are triggered together: equal numbers are one exposure."""
        deadline = time.monotonic() + self._timeout_s
        newest: list[Any] = [None, None]
        while time.monotonic() < deadline:
            try:
                for side, queue in enumerate(self._queues):
                    behind = newest[side] is None or _number(newest[side]) < _number(
                        newest[1 - side]
                    )
                    newest[side] = (queue.tryGet() if behind else None) or newest[side]
            except RuntimeError:  # the device went away
                return None
            if None not in newest and _number(newest[0]) == _number(newest[1]):
                return np.hstack([image.getCvFrame() for image in newest]), time.monotonic()
            time.sleep(0.001)
        return None

    def release(self) -> None:
        """See ``Capture``."""
        with suppress(RuntimeError):  # it went away
            self._pipeline.stop()


def _number(image: Any) -> int:
    return -1 if image is None else int(image.getSequenceNum())


def rig_of(calibration: Any, sockets: tuple[Any, Any], size: tuple[int, int]) -> StereoRig:
    """Return the rig of a ``CalibrationHandler`` for images of ``size``; its lengths are cm."""
    cameras = [
        Camera(
            model="pinhole",
            size=size,
            K=np.array(calibration.getCameraIntrinsics(socket, *size), float),
            distortion=np.array(calibration.getDistortionCoefficients(socket), float),
        )
        for socket in sockets
    ]
    between = np.array(calibration.getCameraExtrinsics(*sockets), float)
    return StereoRig(
        left=cameras[0],
        right=cameras[1],
        R_right_left=between[:3, :3],
        t_right_left=between[:3, 3] / 100,
    )
