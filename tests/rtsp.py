"""RTSP cameras on loopback that fail as cameras do: GStreamer in processes of their own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stereo.closing import Closing

PYTHON = "/usr/bin/python3"  # the system's: that is the one which has Debian's bindings
INSTALL = (
    "sudo apt-get install --no-install-recommends python3-gi gir1.2-gst-rtsp-server-1.0 "
    "gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"
)
_SERVER = Path(__file__).with_name("rtsp_server.py")
_NEEDED = """
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
for name in "appsrc openh264enc h264parse rtph264pay jpegenc rtpjpegpay".split():
    assert Gst.ElementFactory.find(name), name
"""


@cache
def is_available() -> bool:
    """Whether GStreamer and all it needs for a server are here."""
    try:
        asked = subprocess.run([PYTHON, "-c", _NEEDED], capture_output=True, timeout=60)
    except OSError:
        return False
    return asked.returncode == 0


class RtspCamera(Closing):
    """Frame k of one clock goes out at ``k / fps``; see ``rtsp_server.py``."""

    def __init__(
        self,
        images: Path,
        size: tuple[int, int],
        *,
        form: str,
        started_s: float,
        fps: float = 10.0,
        login: str = "",
        seed: int = 0,
    ) -> None:
        """``images``: what ``save`` wrote; ``form``: "h264" or "jpeg"."""
        self.form = form
        self._show: list[object] = [str(images), *size]
        self._login, self._port = login, free_port()
        self._options = [
            *("--fps", str(fps), "--started-s", str(started_s), "--seed", str(seed)),
            *("--format", form, "--login", login, "--port", str(self._port)),
        ]
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def url(self) -> str:
        at = f"{self._login}@" if self._login else ""
        return f"rtsp://{at}127.0.0.1:{self._port}/stream"

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Switch the camera on, on the same port as before; it answers when this returns."""
        self._process = subprocess.Popen(
            [PYTHON, str(_SERVER), *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._tell({"show": self._show, "start": True})
        assert self._process.stdout is not None
        assert int(self._process.stdout.readline() or 0) == self._port, "no RTSP server"

    def change(self, **how: object) -> None:
        """``stalled``: alive, but no images. ``jitter_s``: each image is late, by up to that."""
        self._tell({"how": how})

    def show(self, images: Path, size: tuple[int, int]) -> None:
        """Send other images."""
        self._show = [str(images), *size]
        self._tell({"show": self._show})

    def hang(self) -> None:
        """Nobody answers any more, but connections stay."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """Pull the plug."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def close(self) -> None:
        self.kill()

    def _tell(self, order: dict[str, object]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()


def save(images: list[NDArray[np.uint8]], path: Path) -> Path:
    """Write gray images as the server reads them."""
    path.write_bytes(b"".join(image.tobytes() for image in images))
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
