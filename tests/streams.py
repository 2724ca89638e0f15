"""An MJPEG server on loopback whose camera can be made to fail in every way that cameras do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.closing import Closing
from stereo.synthetic import burn_frame_number

Jpeg = bytes


def encode(image: NDArray[np.uint8]) -> Jpeg:
    """A JPEG of an RGB or gray image."""
    bgr = image[..., ::-1] if image.ndim == 3 else image
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(bgr), [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    return data.tobytes()


def numbered_images(
    count: int = 200, size: tuple[int, int] = (320, 240)
) -> list[NDArray[np.uint8]]:
    """Gray images of smooth noise, each with its number in its corner."""
    width, height = size
    noise = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8), dtype=np.uint8)
    scene = cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
    return [burn_frame_number(np.roll(scene, k, axis=1), k) for k in range(count)]


def numbered(count: int = 200, size: tuple[int, int] = (320, 240), *, views: int = 1) -> list[Jpeg]:
    """The same as JPEGs, with so many views beside each other."""
    return [encode(np.hstack([view] * views)) for view in numbered_images(count, size)]


@dataclass
class Behaviour:
    """What a camera does; may be changed while it runs."""

    fps: float = 20.0
    jitter_s: float = 0.0
    lost: float = 0.0
    every: int = 1
    """Send only every nth frame."""
    delay_s: float = 0.0
    stalled: bool = False
    frozen: bool = False
    garbage: bool = False
    frames: Sequence[Jpeg] = field(default_factory=list)
    """Sent instead of the server's own, when there are any."""
    instead: Sequence[bytes] = field(default_factory=list)
    """Bytes that go over the wire instead of parts, when there are any; see ``bad_parts``."""
    status: int = 200
    """Answered to who connects."""


class MjpegCamera(Closing):
    """Frame k of one clock goes out at ``k / fps``, to everyone who asks.

    Cameras that share ``started_s`` are synchronised.
    """

    def __init__(self, frames: Sequence[Jpeg], *, started_s: float | None = None, seed: int = 0):
        self.frames = frames
        self.behaviour = Behaviour()
        self.sent = 0
        self.started_s = time.monotonic() if started_s is None else started_s
        self._seed = seed
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/stream.mjpg"

    def start(self) -> None:
        """Switch the camera on, on the same port as before."""
        assert self._server is None
        self._alive = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera._serve(self)

            def log_message(self, *_: object) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: object) -> None:
                """Clients go away: that is what the tests do."""

        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        self._alive.set()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def kill(self) -> None:
        """Pull the plug: connections break, nobody answers any more."""
        if self._server is not None:
            self._alive.clear()
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def close(self) -> None:
        self.kill()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        alive = self._alive
        rng = np.random.default_rng(self._seed)
        handler.send_response(self.behaviour.status)
        if self.behaviour.status != 200:
            handler.end_headers()
            return
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        number = int((time.monotonic() - self.started_s) * self.behaviour.fps) + 1
        while alive.is_set():
            how = self.behaviour
            due_s = self.started_s + number / how.fps + how.delay_s
            self._sleep_until(due_s + rng.uniform(0, how.jitter_s), alive)
            if alive.is_set() and not how.stalled and self._wanted(number, rng):
                try:
                    handler.wfile.write(self._part(number, rng))
                    handler.wfile.flush()
                except OSError:
                    return
                self.sent += 1
            number += 1
        handler.connection.close()

    def _wanted(self, number: int, rng: np.random.Generator) -> bool:
        return number % self.behaviour.every == 0 and rng.random() >= self.behaviour.lost

    def _part(self, number: int, rng: np.random.Generator) -> bytes:
        if self.behaviour.instead:
            return self.behaviour.instead[number % len(self.behaviour.instead)]
        frames = self.behaviour.frames or self.frames
        jpeg = frames[0 if self.behaviour.frozen else number % len(frames)]
        if self.behaviour.garbage:
            jpeg = rng.integers(0, 256, len(jpeg), dtype=np.uint8).tobytes()
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        return head.encode() + jpeg + b"\r\n"

    @staticmethod
    def _sleep_until(due_s: float, alive: threading.Event) -> None:
        while alive.is_set():
            left_s = due_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(left_s, 0.1))


def wait_for(condition: Callable[[], bool], timeout_s: float = 30.0) -> bool:
    """Whether the condition came true in time; looks a hundred times a second."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
