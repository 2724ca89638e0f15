"""A real server, and clients that mean no good."""

from __future__ import annotations

import http.client
import math
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from browser import CAMERA
from streams import wait_for

from stereo.errors import InputError, SourceError
from stereo.live.depth import LiveFrame
from stereo.live.pipeline import LiveSettings
from stereo.viewers.controls import Controls
from stereo.viewers.screen import WebScreen
from stereo.viewers.web import WebViewer

viser = pytest.importorskip("viser", reason="needs the extra web (viser)")
msgspec = pytest.importorskip("msgspec")

EVIL = "http://evil.example"
NASTY: list[Any] = [
    *(10**9, -5, 10**30, -1, 0, 1e308, math.nan, math.inf, -math.inf, None, True, "", "x" * 10**4),
    *([], {}, [[]], [1, 2, 3], "sgm", "no such matcher", [math.nan, 0], {"a": 1}, b"\0", 2**63),
]


class Asked:
    """Remembers what the page's buttons asked for."""

    def __init__(self) -> None:
        self.saved: list[LiveFrame] = []
        self.recorded: list[bool] = []
        self.changes: list[dict[str, Any]] = []

    def controls(self) -> Controls:
        return Controls(LiveSettings(), self.change, self.record, self.save)

    def change(self, **changes: Any) -> None:
        LiveSettings(**changes)
        self.changes.append(changes)

    def record(self, on: bool) -> str:
        self.recorded.append(on)
        return "recording"

    def save(self, frame: LiveFrame) -> str:
        self.saved.append(frame)
        return "saved"


def connect(url: str, **named: Any) -> Any:
    from websockets.sync.client import connect as connect_to

    protocol: Any = f"viser-v{viser.__version__}"
    address = url.replace("http", "ws", 1)
    return connect_to(
        address, subprotocols=[protocol], max_size=None, max_queue=1, close_timeout=0.5, **named
    )


def say(socket: Any, message: Any) -> None:
    socket.send(msgspec.msgpack.encode(message))


def press(socket: Any, uuid: str, value: Any = True) -> None:
    say(socket, {"type": "GuiUpdateMessage", "uuid": uuid, "updates": {"value": value}})


def widgets(server: Any) -> dict[str, Any]:
    """Label -> what can be pressed or moved."""
    found = server.gui._gui_input_handle_from_uuid
    return {getattr(handle, "label", ""): handle for handle in found.values()}


def get(url: str, target: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    one = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        one.request("GET", target, headers=headers)
        answer = one.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        one.close()


@pytest.fixture(params=["live", "calibrate"])
def page(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "live":
        with WebViewer(port=0) as viewer:
            yield viewer
    else:
        with WebScreen("test", host="127.0.0.1", port=0, button="End") as screen:
            yield screen


def test_no_other_page_gets_a_socket_even_with_the_link(page: Any) -> None:
    from websockets.exceptions import InvalidStatus

    for headers in ({"Origin": EVIL}, {"Origin": "null"}, {"Host": "evil.example"}):
        with pytest.raises(InvalidStatus, match="403"):
            connect(page.url, additional_headers=headers)
    for url in (page.url.partition("/?")[0], page.url[:-3]):
        with pytest.raises(InvalidStatus, match="403"):
            connect(url)
    with connect(page.url, origin=page.url.partition("/?")[0]) as one:
        assert len(one.recv(timeout=60)) > 0


def test_every_answer_forbids_frames_and_foreign_content(page: Any) -> None:
    status, headers, body = get(page.url, "/")
    assert status == 403
    assert b"link that stereo has printed" in body
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert get(page.url, "/", Host="evil.example")[0] == 403
    status, headers, _ = get(page.url, "/?" + page.url.partition("?")[2])
    assert status == 303
    cookie = headers["set-cookie"].partition(";")[0]
    status, headers, body = get(page.url, "/", Cookie=cookie)
    assert status == 200
    assert b"<html" in body
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert get(page.url, "/", Cookie=cookie, Origin=EVIL)[0] == 403


def test_who_may_only_look_presses_nothing(found: LiveFrame) -> None:
    asked = Asked()
    with WebViewer(asked.controls(), port=0) as viewer:
        viewer.show(found)
        with connect(viewer.url_to_look) as looker, connect(viewer.url) as other:
            for one in (looker, other):
                say(one, CAMERA)
            assert wait_for(lambda: viewer.browsers == 2)
            assert wait_for(lambda: viewer._shown is found)
            knobs = widgets(viewer._server)
            for knob in knobs.values():
                press(looker, knob._impl.uuid)
            say(looker, {**CAMERA, "image_width": 801})  # heard, and after all of those
            clients = viewer._server.get_clients
            assert wait_for(lambda: 801 in {c.camera.image_width for c in clients().values()})
            assert not viewer.closed
            assert not viewer.paused
            press(other, knobs["Record"]._impl.uuid)
            assert wait_for(lambda: asked.recorded == [True])
        assert not asked.saved
        assert not asked.changes


def test_any_value_of_any_widget_leaves_the_program_running(
    found: LiveFrame, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = Asked()
    with WebViewer(asked.controls(), port=0) as viewer:
        viewer.show(found)
        with connect(viewer.url) as hostile:
            say(hostile, CAMERA)
            assert wait_for(lambda: viewer._shown is found)
            knobs = widgets(viewer._server)
            stop = knobs.pop("Stop")
            for value in NASTY:
                for knob in knobs.values():
                    try:
                        press(hostile, knob._impl.uuid, value)
                    except OverflowError:  # msgpack has no such number
                        continue
            for kind in (
                *("ShareUrlRequest", "FileTransferStartUpload", "FileTransferPart", "no such"),
                *("GetRenderResponseMessage", "GuiFormSubmitMessage", 7, None),
            ):
                say(hostile, {"type": kind})
            for message in ({**CAMERA, "fov": "wide"}, {**CAMERA, "far": math.nan}, [], 5, None):
                say(hostile, message)
            hostile.send(b"\x91" * 5000)
            hostile.send("text")
            for name in ("update_cb", "removed", "value_", "label"):
                updates = {name: 1}
                say(
                    hostile,
                    {"type": "GuiUpdateMessage", "uuid": stop._impl.uuid, "updates": updates},
                )
            press(hostile, stop._impl.uuid)  # heard after all of those
            assert wait_for(lambda: viewer.closed, 120)
        assert wait_for(lambda: viewer.browsers == 0)
        with connect(viewer.url) as another:
            assert len(another.recv(timeout=60)) > 0
    assert 1 <= len(asked.saved) < len(NASTY)
    assert len(asked.recorded) < len(NASTY)
    assert "Traceback" not in capfd.readouterr().err


def test_a_message_too_long_costs_the_sender_the_connection() -> None:
    from websockets.exceptions import ConnectionClosed

    with WebViewer(port=0) as viewer, connect(viewer.url) as hostile:
        with pytest.raises(ConnectionClosed):
            _send_and_read_on(hostile, bytes(5_000_000))
        with connect(viewer.url) as another:
            assert len(another.recv(timeout=60)) > 0


def _send_and_read_on(socket: Any, message: bytes) -> None:
    socket.send(message)
    while True:
        socket.recv(timeout=60)


def test_only_so_many_browsers(monkeypatch: pytest.MonkeyPatch) -> None:
    from websockets.exceptions import InvalidStatus

    from stereo.viewers import gate

    monkeypatch.setattr(gate, "_MOST_BROWSERS", 2)

    def full(viewer: WebViewer) -> bool:
        try:
            connect(viewer.url).close()
        except InvalidStatus as error:
            return bool(error.response.status_code == 503)
        return False

    with WebViewer(port=0) as viewer:
        with connect(viewer.url), connect(viewer.url):
            assert full(viewer)
        assert wait_for(lambda: not full(viewer))


def test_no_secret_only_where_no_other_computer_reaches() -> None:
    with pytest.raises(InputError, match=r"--no-token with --host 0\.0\.0\.0"):
        WebViewer(host="0.0.0.0", port=0, token=False)
    from websockets.exceptions import InvalidStatus

    with WebViewer(port=0, token=False) as viewer:
        assert "token" not in viewer.url
        with connect(viewer.url) as one:
            assert len(one.recv(timeout=60)) > 0
        for headers in ({"Origin": EVIL}, {"Host": "evil.example"}):
            with pytest.raises(InvalidStatus, match="403"):
                connect(viewer.url, additional_headers=headers)


def test_a_viser_that_starts_otherwise_is_not_served_unguarded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from stereo.viewers import server

    class Other:
        stopped = False

        def __init__(self, *_: object, **__: object) -> None: ...

        def stop(self) -> None:
            Other.stopped = True

    before = threading.active_count()
    monkeypatch.setattr(viser, "ViserServer", Other)
    with pytest.raises(SourceError, match="unknown way"):
        server.serve("127.0.0.1", 0, "test", server.guard_of("127.0.0.1", token=True))
    assert Other.stopped
    assert threading.active_count() == before
