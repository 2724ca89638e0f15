"""RealSense and OAK through fake device modules that behave as the vendors' do."""

from __future__ import annotations

import sys
import time
from itertools import islice
from types import SimpleNamespace as Namespace
from typing import Any

import numpy as np
import pytest

from calib import RectifiedRig, StereoRig
from stereo.errors import InputError, MissingLibraryError, SourceError
from stereo.sources import SourceOptions, StereoSource, open_source

SIZE = (64, 48)
OPTIONS = SourceOptions(size=SIZE, read_timeout_s=0.5)


def image(number: int, side: int) -> np.ndarray:
    """Gray (48, 64): the left one holds even values, the right one odd ones; never twice equal."""
    base = np.random.default_rng(number).integers(0, 120, SIZE[::-1])
    return (2 * base + side).astype(np.uint8)


def check_pairs(source: StereoSource) -> None:
    for frame in islice(source, 3):
        assert frame.left.shape == (48, 64)
        assert not (frame.left % 2).any()
        assert np.array_equal(frame.left + 1, frame.right)  # of one exposure
        assert frame.host_s <= time.monotonic()


# --- RealSense ------------------------------------------------------------------------------------


class FakeRealsense:
    """The part of pyrealsense2 that we call."""

    stream = Namespace(infrared="infrared")
    torn = (2, 3)
    """Frame sets whose right image is the one before."""
    format = Namespace(y8="y8")

    def __init__(self, *, coeffs: float = 0.0) -> None:
        self.coeffs, self.frames, self.stopped = coeffs, 0, 0
        self.absent = False
        self.enabled: list[Any] = []

    def config(self) -> Namespace:
        return Namespace(
            enable_device=lambda serial: self.enabled.append(serial),
            enable_stream=lambda *stream: self.enabled.append(stream),
        )

    def pipeline(self) -> Namespace:
        return Namespace(start=self.start, stop=self.stop, wait_for_frames=self.wait_for_frames)

    def stop(self) -> None:
        self.stopped += 1

    def start(self, _config: Any) -> Namespace:
        if self.absent:
            raise RuntimeError("No device connected")
        return Namespace(get_stream=lambda _kind, number: self.profile(number))

    def profile(self, number: int) -> Namespace:
        K = Namespace(
            width=64,
            height=48,
            fx=50.0,
            fy=50.0,
            ppx=31.0 + number,
            ppy=24.0,
            coeffs=[self.coeffs] * 5,
        )
        # a turn about x, by columns: x_right = R x_left + t
        turn = [1, 0, 0, 0, 0.8, 0.6, 0, -0.6, 0.8] if self.coeffs else [1, 0, 0, 0, 1, 0, 0, 0, 1]
        between = Namespace(rotation=turn, translation=[-0.05, 0, 0])
        profile = Namespace(get_intrinsics=lambda: K, get_extrinsics_to=lambda _other: between)
        return Namespace(as_video_stream_profile=lambda: profile)

    def wait_for_frames(self, _timeout_ms: int) -> Namespace:
        time.sleep(0.01)
        self.frames += 1
        number = self.frames
        return Namespace(
            get_infrared_frame=lambda side: Namespace(
                get_data=lambda: image(number, side - 1),
                get_frame_number=lambda: number - (side == 2 and number in self.torn),
            )
        )


def test_realsense_gives_rectified_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRealsense()
    monkeypatch.setitem(sys.modules, "pyrealsense2", fake)  # type: ignore[arg-type]
    with open_source("realsense:0815", OPTIONS) as source:
        check_pairs(source)
        rig, rejected = source.calibration, source.stats.rejected
    assert rejected == {"realsense:0815": {"of two exposures": 2}}
    assert rig == RectifiedRig(SIZE, 50.0, 0.05, 32.0, 33.0, 24.0)
    assert fake.enabled[:2] == ["0815", ("infrared", 1, 64, 48, "y8", 30)]
    assert fake.stopped == 1


def test_a_realsense_with_raw_images_gives_a_rig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrealsense2", FakeRealsense(coeffs=0.01))  # type: ignore[arg-type]
    with open_source("realsense:", OPTIONS) as source:
        rig = source.calibration
    assert isinstance(rig, StereoRig)
    assert rig.R_right_left[2, 1] == pytest.approx(0.6)
    assert rig.right.distortion == pytest.approx([0.01] * 5)


def test_no_realsense_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRealsense()
    fake.absent = True
    monkeypatch.setitem(sys.modules, "pyrealsense2", fake)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="realsense:: cannot be opened: No device connected"):
        open_source("realsense:", OPTIONS)


# --- OAK ------------------------------------------------------------------------------------------


class FakeQueue:
    """Gives one image after the other; the right camera loses every third."""

    def __init__(self, side: int) -> None:
        self.side, self.number = side, 0

    def tryGet(self) -> Namespace | None:  # noqa: N802 - the vendor's name
        self.number += 1
        number = self.number
        if self.side == 1 and number % 3 == 0:
            return None
        return Namespace(getSequenceNum=lambda: number, getCvFrame=lambda: image(number, self.side))


class FakeOak:
    """The part of depthai 3 that we call."""

    CameraBoardSocket = Namespace(CAM_B=1, CAM_C=2)
    node = Namespace(Camera="camera")
    ImgFrame = Namespace(Type=Namespace(GRAY8="gray"))
    absent = False

    def __init__(self) -> None:
        self.stopped = 0

    def Device(self) -> Namespace:  # noqa: N802 - the vendor's name
        if self.absent:
            raise RuntimeError("No available devices")
        calibration = Namespace(
            getCameraIntrinsics=lambda socket, w, h: [
                [50, 0, w / 2 + socket],
                [0, 50, h / 2],
                [0, 0, 1],
            ],
            getDistortionCoefficients=lambda _socket: [0.1] + [0.0] * 13,
            getCameraExtrinsics=lambda *_: [
                [1, 0, 0, -7.5],
                [0, 1, 0, 0],
                [0, 0, 1, 0],
                [0, 0, 0, 1],
            ],
        )
        return Namespace(readCalibration=lambda: calibration)

    def Pipeline(self, _device: Any) -> Namespace:  # noqa: N802 - the vendor's name
        return Namespace(
            create=lambda _node: Namespace(build=self.camera), start=int, stop=self.stop
        )

    def stop(self) -> None:
        self.stopped += 1

    def camera(self, socket: int) -> Namespace:
        queue = FakeQueue(socket - 1)
        output = Namespace(createOutputQueue=lambda **_: queue)
        return Namespace(requestOutput=lambda *_, **__: output)


def test_oak_gives_pairs_of_one_exposure_and_its_rig(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeOak()
    monkeypatch.setitem(sys.modules, "depthai", fake)  # type: ignore[arg-type]
    with open_source("oak:", OPTIONS) as source:
        check_pairs(source)
        rig = source.calibration
    assert isinstance(rig, StereoRig)
    assert rig.t_right_left == pytest.approx([-0.075, 0, 0])  # metres
    assert rig.left.K[0, 2] == 33
    assert rig.right.size == SIZE
    assert fake.stopped == 1


def test_no_oak_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeOak()
    fake.absent = True
    monkeypatch.setitem(sys.modules, "depthai", fake)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="oak:: cannot be opened: No available devices"):
        open_source("oak:", OPTIONS)


@pytest.mark.parametrize(("spec", "module"), [("realsense:", "pyrealsense2"), ("oak:", "depthai")])
def test_without_the_library_the_extra_is_named(
    spec: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # type: ignore[arg-type]
    with pytest.raises(MissingLibraryError, match=rf"stereo-depth\[{spec[:-1]}\]"):
        open_source(spec)
    with pytest.raises(InputError, match="layout of its own"):
        open_source(spec, SourceOptions(layout="top-bottom"))
