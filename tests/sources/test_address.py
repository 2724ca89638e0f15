"""A stream's server does not decide where we connect."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from streams import MjpegCamera, numbered

from stereo.errors import SourceError, StreamLostError
from stereo.sources import Event, SourceOptions, open_source
from stereo.sources.address import check_rtsp, led_to, staying_there
from stereo.sources.capture import VideoCapture, connect
from stereo.sources.mjpeg import MjpegParts

Answer = Callable[[BaseHTTPRequestHandler], None]
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"


@contextmanager
def server(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """Its address, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answer(self)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as one:
        threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{one.server_address[1]}", asked
        finally:
            one.shutdown()


def says(status: int, body: str = "", **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return answer


@pytest.fixture
def camera() -> Iterator[MjpegCamera]:
    with MjpegCamera(numbered(20, views=2)) as one:
        yield one


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_elsewhere_is_refused_and_nobody_is_asked_there(status: int) -> None:
    with server(says(200, "secret")) as (inside, asked):
        with (
            server(says(status, Location=f"{inside}/admin")) as (url, _),
            pytest.raises(SourceError, match=rf"go to {inside}, another host or port.*--follow"),
        ):
            VideoCapture(f"{url}/stream", SourceOptions())
        assert not asked


@pytest.mark.parametrize(
    "body",
    [
        PLAYLIST.format("{}/admin.ts"),
        "ffconcat version 1.0\nfile {}/admin.ts\n",
        "<?xml version='1.0'?><MPD><BaseURL>{}</BaseURL></MPD>",
    ],
)
@pytest.mark.parametrize("kind", ["application/vnd.apple.mpegurl", "video/mp2t"])
def test_a_playlist_is_refused_and_nobody_is_asked_there(body: str, kind: str) -> None:
    with server(says(200, "secret")) as (inside, asked):
        with (
            server(says(200, body.format(inside), Content_Type=kind)) as (url, _),
            pytest.raises(SourceError, match=r"a playlist.*--follow"),
        ):
            VideoCapture(f"{url}/live.m3u8", SourceOptions())
        assert not asked


def test_a_redirect_on_the_same_server_is_followed() -> None:
    with MjpegCamera(numbered(20, views=2)) as camera:
        plain = camera._serve

        def serve(handler: BaseHTTPRequestHandler) -> None:
            if handler.path == "/":
                says(302, Location="/stream.mjpg")(handler)
            else:
                plain(handler)

        camera._serve = serve  # type: ignore[method-assign]
        capture = VideoCapture(camera.url.removesuffix("stream.mjpg"), SourceOptions())
        assert capture.read() is not None
        capture.release()


def test_follow_goes_where_the_server_says(camera: MjpegCamera) -> None:
    with server(says(302, Location=camera.url)) as (url, _):
        capture = VideoCapture(f"{url}/", SourceOptions(follow=True))
        assert capture.read() is not None
        capture.release()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "401 Unauthorized; name user and password"),
        (404, "404 Not Found; it has no such stream"),
        (503, "503 Service Unavailable"),
        (599, "599 an error"),
    ],
)
def test_the_status_is_said(status: int, words: str) -> None:
    with server(says(status)) as (url, _), pytest.raises(SourceError, match=words) as error:
        VideoCapture(url.replace("//", "//me:secret@") + "/stream", SourceOptions())
    assert "secret" not in str(error.value)


def test_a_login_is_sent_and_kept() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        told = handler.headers.get("Authorization", "").removeprefix("Basic ")
        if base64.b64decode(told) != b"me:p w":
            says(401, WWW_Authenticate="Basic realm=x")(handler)
        else:
            says(*((302, "") if handler.path == "/" else (200, "ok")), Location="/s")(handler)

    with server(answer) as (url, _):
        with_login = url.replace("//", "//me:p%20w@")
        assert led_to(f"{with_login}/", timeout_s=30) == f"{with_login}/s"


class Digest(MjpegCamera):
    """Asks for a login by digest (RFC 7616), and never wants to see the password itself."""

    seen: list[str]

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        def hashed(*parts: str) -> str:
            return hashlib.md5(":".join(parts).encode()).hexdigest()

        login = handler.headers.get("Authorization", "")
        self.seen = [*getattr(self, "seen", []), login]
        said = dict(re.findall(r'(\w+)="?([^",]+)', login))
        wanted = hashed(
            hashed("me", "cam", "p w"),
            *(said.get(key, "") for key in ("nonce", "nc", "cnonce", "qop")),
            hashed("GET", "/stream.mjpg"),
        )
        if said.get("response") != wanted:
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="cam"')
            handler.send_header("WWW-Authenticate", 'Digest realm="cam", nonce="n1", qop="auth"')
            handler.end_headers()
        else:
            super()._serve(handler)


def test_a_login_by_digest_never_sends_the_password() -> None:
    with Digest(numbered(20, views=2)) as camera:
        capture = connect(camera.url.replace("//", "//me:p%20w@"), SourceOptions())
        assert isinstance(capture, MjpegParts)
        assert capture.read() is not None
        capture.release()
        assert not [login for login in camera.seen if login.startswith("Basic")]
        with pytest.raises(SourceError, match="401"):
            connect(camera.url.replace("//", "//me:wrong@"), SourceOptions())


@pytest.mark.parametrize(
    "challenge",
    [
        'Digest realm="x", nonce="n", algorithm=NEVER',
        "Digest",
        "Digest ,,=",
        "Digest realm=x",
        "Digest nonce=n",
    ],
)
def test_a_login_that_cannot_be_understood_is_said(challenge: str) -> None:
    with (
        server(says(401, WWW_Authenticate=challenge)) as (url, _),
        pytest.raises(SourceError, match="401"),
    ):
        connect(url.replace("//", "//me:x@"), SourceOptions())


def test_what_the_server_says_while_a_stream_is_away_is_told() -> None:
    events: list[Event] = []
    options = SourceOptions(give_up_after_s=1.5)
    with (
        MjpegCamera(numbered(20, views=2)) as camera,
        open_source(camera.url, options, on_event=events.append) as source,
    ):
        frames = iter(source)
        next(frames)
        camera.kill()
        camera.behaviour.status = 503
        camera.start()
        with pytest.raises(StreamLostError, match="503 Service Unavailable"):
            list(frames)
    said = [event.message for event in events if event.kind == "reconnecting"]
    assert sum("503" in message for message in said) == 1


def test_a_redirect_on_the_same_server_is_followed_to_the_parts() -> None:
    with MjpegCamera(numbered(20, views=2)) as camera:
        plain = camera._serve

        def serve(handler: BaseHTTPRequestHandler) -> None:
            (says(302, Location="/s") if handler.path == "/" else plain)(handler)

        camera._serve = serve  # type: ignore[method-assign]
        capture = connect(camera.url.removesuffix("stream.mjpg"), SourceOptions())
        assert isinstance(capture, MjpegParts)
        capture.release()


def test_redirects_without_end_end() -> None:
    with (
        server(says(302, Location="/again")) as (url, asked),
        pytest.raises(SourceError, match="5 times"),
    ):
        led_to(url, timeout_s=30)
    assert len(asked) == 5


def test_an_rtsp_redirect_elsewhere_is_refused() -> None:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            there = f"{'127.0.0.1' if same else '10.0.0.1'}:{port}"
            self.request.sendall(
                f"RTSP/1.0 302 Found\r\nCSeq: 1\r\nLocation: rtsp://{there}/x\r\n\r\n".encode()
            )

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as one:
        port = one.server_address[1]
        threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True).start()
        url = f"rtsp://127.0.0.1:{port}/stream"
        same = True
        check_rtsp(url, timeout_s=30, follow=False)
        same = False
        with pytest.raises(SourceError, match=r"go to rtsp://10\.0\.0\.1"):
            check_rtsp(url, timeout_s=30, follow=False)
        one.shutdown()


def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
    for before in ("", "threads;1"):
        if before:
            monkeypatch.setenv(name, before)
        else:
            monkeypatch.delenv(name, raising=False)
        with staying_there(follow=False):
            with staying_there(follow=False):
                assert os.environ[name].startswith(before)
            assert "max_redirects;0" in os.environ[name]
        assert os.environ.get(name, "") == before
        with staying_there(follow=True):
            assert os.environ.get(name, "") == before
