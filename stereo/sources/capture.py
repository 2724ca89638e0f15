"""One camera or address through cv2.VideoCapture, its traps avoided."""

from __future__ import annotations

import math
import os
import re
import time
from pathlib import Path

import cv2

from stereo.errors import SourceError
from stereo.sources.address import check_rtsp, led_to, staying_there, without_login
from stereo.sources.decoders import MOST_PIXELS, limit_memory
from stereo.sources.devices import NO_PERMISSION, users
from stereo.sources.jpeg import Decoder, RejectedImage
from stereo.sources.mjpeg import MjpegParts, open_parts
from stereo.sources.source import SourceOptions
from stereo.sources.stamps import Stamp
from stereo.sources.stream import BgrImage, Capture

# what matters becomes an event or an error
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# a device's read timeout cannot be set otherwise; OpenCV's own is ten seconds
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
_MJPG = cv2.VideoWriter.fourcc(*"MJPG")
_SIDES = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT

_MOST_WAITING = 200  # images of a backlog
_AHEAD_S, _BEHIND_S = 1.0, 10.0  # of an image's arrival, what its time stamp may be
_MOST_ODD = 5


class VideoCapture:
    """cv2.VideoCapture with timeouts, settings and honest times.

    MJPEG is taken undecoded and decoded here: OpenCV's own decoding silently stretches images to
    the first one's size when a camera changes its resolution, gives up the connection for a damaged
    image over HTTP, and a device's damaged images are handed on. What else FFmpeg decodes is kept
    small: see ``decoders.py``. An RTSP
    stream's time stamps (RTP) count from its first image.
    """

    def __init__(self, address: str, options: SourceOptions) -> None:
        """Raises SourceError naming the address and what to do."""
        self._decoder = Decoder()
        self.stamp: Stamp | None = None
        self.exact = self._is_device = not re.match(r"[a-z]+://", address)
        self._odd = 0  # images in a row whose stamps are not like those before
        opening = _open_device if self._is_device else _open_address
        self._capture, self._is_jpeg = opening(address, options)
        self._is_rtsp = address.startswith("rtsp")
        if self._is_rtsp:
            _skip_backlog(self._capture)

    def read(self) -> tuple[BgrImage, float] | None:
        """See ``Capture``."""
        # grab decides: after an unplugging retrieve still succeeds, with the last image
        if not self._capture.grab():
            return None
        time_s = time.monotonic()
        done, image = self._capture.retrieve()
        if not done or image.size == 0:
            return None
        if self._is_rtsp:  # RTP's stamps, in which the network's jitter is not
            self.stamp = Stamp(self._capture.get(cv2.CAP_PROP_POS_MSEC), 1e-3)
        if self._is_jpeg and image.shape[0] == 1:  # its bytes, not decoded
            return self._decoder.decode(image.tobytes()), time_s
        return image, self._kernel_time(time_s) if self._is_device else time_s

    def _kernel_time(self, arrival_s: float) -> float:
        """V4L2 stamps images by the kernel's monotonic clock, if the driver does.

        Some stamp the end of an exposure before it has come. A stamp that makes no sense costs its
        image; only many in a row show that the driver has another clock, or that one again.
        """
        kernel_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        fits = -_AHEAD_S < arrival_s - kernel_s < _BEHIND_S
        self._odd = self._odd + 1 if fits != self.exact else 0
        if self._odd >= _MOST_ODD:
            self.exact, self._odd = fits, 0
        if self.exact and not fits:
            raise RejectedImage("odd time stamp")
        self.stamp = None if self.exact else Stamp(kernel_s, 1.0)
        return kernel_s if self.exact else arrival_s

    def release(self) -> None:
        """See ``Capture``."""
        self._capture.release()


def connect(address: str, options: SourceOptions) -> Capture:
    """Open a device or an address with what reads it best. Raises SourceError naming it."""
    if address.startswith(("http://", "https://")):
        found = open_parts(address, timeout_s=options.read_timeout_s, follow=options.follow)
        if isinstance(found, MjpegParts):
            return found
        address = found
    return VideoCapture(address, options)


def _open_address(address: str, options: SourceOptions) -> tuple[cv2.VideoCapture, bool]:
    http, timeout_s = address.startswith("http"), options.read_timeout_s
    rtsp = address.startswith("rtsp")
    logs_in = rtsp and check_rtsp(address, timeout_s=timeout_s, follow=options.follow)
    found = _open_there(address, options)
    if not found[0].isOpened() and http:
        led = led_to(address, timeout_s=timeout_s)  # says why, if it can
        found = found if led == address else _open_there(led, options)
    if not found[0].isOpened():
        why = "cannot be opened; is the camera on, is the address right, and does it answer in a "
        why += "browser or in ffplay?"
        if logs_in:
            why = "the server wants a user and a password, and not those in the address"
        raise SourceError(f"{without_login(address)}: {why}")
    width, height = (int(found[0].get(p)) for p in _SIDES)
    if not found[1] and width * height > MOST_PIXELS:
        found[0].release()
        raise SourceError(
            f"{without_login(address)}: its images of {width}x{height} are too large; a video "
            f"stream may have {MOST_PIXELS // 1_000_000} million pixels: let the camera send less, "
            "or Motion JPEG"
        )
    return found


def _open_there(address: str, options: SourceOptions) -> tuple[cv2.VideoCapture, bool]:
    """An attempt, and whether it gives undecoded JPEGs."""
    timeout_ms = int(1000 * options.read_timeout_s)
    http = address.startswith("http")
    waiting = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms if http else max(timeout_ms, 4000)),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms),
        *(cv2.CAP_PROP_N_THREADS, 2),  # each holds an image back; OpenCV takes one a core
    ]
    undecoded = [cv2.CAP_PROP_FORMAT, -1] if http else []
    limit_memory()
    with staying_there(follow=options.follow):
        capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, waiting + undecoded)
        is_jpeg = http and int(capture.get(cv2.CAP_PROP_FOURCC)) == _MJPG
        if http and capture.isOpened() and not is_jpeg:
            capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, waiting)
    return capture, is_jpeg


def _skip_backlog(capture: cv2.VideoCapture) -> None:
    """Leave behind what waited while the stream was opened: it would seem late by so much."""
    stamp_ms, since_s = math.inf, time.monotonic()
    for _ in range(_MOST_WAITING):
        if not capture.grab():
            return  # the first read will say
        before_ms, stamp_ms = stamp_ms, capture.get(cv2.CAP_PROP_POS_MSEC)
        before_s, since_s = since_s, time.monotonic()
        if 0 < stamp_ms - before_ms < 2000 * (since_s - before_s):
            return


def _open_device(address: str, options: SourceOptions) -> tuple[cv2.VideoCapture, bool]:
    path = Path(address)
    if not path.exists():
        there = ", ".join(sorted(str(p) for p in Path("/dev").glob("video*"))) or "none"
        raise SourceError(
            f"{address}: no such camera; there are: {there} (stereo doctor --cameras)"
        )
    if not os.access(path, os.R_OK | os.W_OK):
        raise SourceError(f"{address}: {NO_PERMISSION}")
    capture = cv2.VideoCapture(address, cv2.CAP_V4L2, _settings(options))
    if not capture.isOpened():
        using = ", ".join(users(str(path.resolve()))) or "perhaps another program uses it"
        raise SourceError(
            f"{address}: cannot be opened; {using} (stereo doctor --cameras lists what it can do)"
        )
    _check_granted(address, capture, options)
    for prop, value in (
        (cv2.CAP_PROP_EXPOSURE, options.exposure),
        (cv2.CAP_PROP_GAIN, options.gain),
    ):
        if value is not None:
            if prop == cv2.CAP_PROP_EXPOSURE:
                capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, 1)  # V4L2_EXPOSURE_MANUAL
            capture.set(prop, value)
    is_jpeg = int(capture.get(cv2.CAP_PROP_FOURCC)) == _MJPG
    return capture, is_jpeg and capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)


def _check_granted(address: str, capture: cv2.VideoCapture, options: SourceOptions) -> None:
    """Raise SourceError where a driver chose another size or format: it does so in silence."""
    width, height = (
        int(capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    letters = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("latin-1").rstrip()
    wanted = [options.pixel_format] if options.pixel_format is not None else []
    wanted += [f"{options.size[0]}x{options.size[1]}"] if options.size is not None else []
    given = [letters, f"{width}x{height}"]
    if not {each.rstrip() for each in wanted} <= set(given):
        capture.release()
        raise SourceError(
            f"{address}: gives {' '.join(given)}, not {' '.join(wanted)}; stereo doctor --cameras "
            "lists what it can do"
        )


def _settings(options: SourceOptions) -> list[int]:
    """What a device must be told before it streams; the format first, sizes depend on it."""
    found: list[int] = []
    if options.pixel_format is not None:
        found += [cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*options.pixel_format.ljust(4))]
    if options.size is not None:
        found += [cv2.CAP_PROP_FRAME_WIDTH, options.size[0]]
        found += [cv2.CAP_PROP_FRAME_HEIGHT, options.size[1]]
    if options.fps is not None:
        found += [cv2.CAP_PROP_FPS, round(options.fps)]
    return found
