"""An RTSP camera, for the system's own Python with GStreamer; ``rtsp.py`` starts and steers it.

The images lie raw and gray in a file, one behind the other. Image k of one clock goes out at
``k / fps``. What is told on stdin, as JSON, one line each, changes how.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

_FORMATS = {
    "h264": "openh264enc complexity=low bitrate=3000000 gop-size=10 ! h264parse"
    " ! rtph264pay name=pay0 pt=96 config-interval=-1",
    "jpeg": "jpegenc quality=85 ! rtpjpegpay name=pay0 pt=26",
}


class Camera:
    """Feeds every client's pipeline."""

    def __init__(self, fps: float, started_s: float, seed: int) -> None:
        self.how: dict[str, Any] = {"jitter_s": 0.0, "stalled": False}
        self._fps, self._started_s = fps, started_s
        self._random = random.Random(seed)

    def show(self, path: str, width: int, height: int) -> None:
        """The images to send from now on."""
        data = Path(path).read_bytes()
        size = width * height
        frames = [data[at : at + size] for at in range(0, len(data), size)]
        self._scene = frames, (width, height)

    def configure(self, _factory: object, media: GstRtspServer.RTSPMedia) -> None:
        """A client came: start to feed its pipeline."""
        source = media.get_element().get_child_by_name("camera")
        threading.Thread(target=self._feed, args=(source,), daemon=True).start()

    def _feed(self, source: Gst.Element) -> None:
        first = number = int((time.monotonic() - self._started_s) * self._fps) + 1
        shown = None
        while True:
            due_s = self._started_s + number / self._fps
            time.sleep(
                max(0, due_s + self._random.uniform(0, self.how["jitter_s"]) - time.monotonic())
            )
            frames, size = self._scene
            if size != shown:
                shown = size
                caps = f"video/x-raw,format=GRAY8,width={size[0]},height={size[1]},framerate=0/1"
                source.set_property("caps", Gst.Caps.from_string(caps))
            if not self.how["stalled"]:
                buffer = Gst.Buffer.new_wrapped(frames[number % len(frames)])
                buffer.pts = int((number - first) / self._fps * Gst.SECOND)
                if source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                    return
            number += 1


def _guard(server: GstRtspServer.RTSPServer, factory: GstRtspServer.RTSPMediaFactory, login: str):
    """Let in only who knows "USER:PASSWORD"."""
    user, _, password = login.partition(":")
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "watcher")
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    factory.add_role_from_structure(
        Gst.Structure.new_from_string(
            "watcher, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, kind in (("port", int), ("fps", float), ("started-s", float), ("seed", int)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    parser.add_argument("--format", choices=_FORMATS, required=True)
    parser.add_argument("--login", default="")
    given = parser.parse_args()
    Gst.init(None)
    camera = Camera(given.fps, given.started_s, given.seed)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=str(given.port))
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        "( appsrc name=camera is-live=true format=time ! videoconvert ! video/x-raw,format=I420 ! "
        f"{_FORMATS[given.format]} )"
    )
    factory.connect("media-configure", camera.configure)
    server.get_mount_points().add_factory("/stream", factory)
    if given.login:
        _guard(server, factory, given.login)
    loop = GLib.MainLoop()

    def listen() -> None:
        for line in sys.stdin:
            order = json.loads(line)
            if "show" in order:
                camera.show(*order["show"])
            camera.how.update(order.get("how", {}))
            if order.get("start"):
                print(server.attach(None) and server.get_bound_port(), flush=True)
        loop.quit()  # whoever steers is gone

    threading.Thread(target=listen, daemon=True).start()
    loop.run()


main()
