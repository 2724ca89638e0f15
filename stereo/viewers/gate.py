"""The guard in viser's own server: who may connect, and what a browser may say. Needs viser.

viser asks nobody. It starts its server by ``websockets.asyncio.server.serve``, whose documented
arguments ``process_request`` and ``create_connection`` are what is needed here, so that one call is
given them while viser starts.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from websockets.asyncio import server as sockets
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from stereo.guard import HEADERS, Guard, Role

_MOST_BYTES = 16_384
"""Of one message: a slider's value and a camera's place take two hundred."""
_MOST_PER_S, _BURST = 100.0, 100.0
"""Messages that are heard of one browser; viser's page sends at most 70 a second."""
_MOST_BROWSERS = 32

_Number = Annotated[float, Meta(ge=-1e9, le=1e9)]
_Pixels = Annotated[int, Meta(ge=0, le=100_000)]
_Word = Annotated[str, Meta(max_length=200)]
_Triple = tuple[_Number, _Number, _Number]
_Place = tuple[_Number, _Number]


class _Camera(msgspec.Struct, tag="ViewerCameraMessage", forbid_unknown_fields=True):
    """Where the browser looks from."""

    wxyz: tuple[_Number, _Number, _Number, _Number]
    position: _Triple
    fov: _Number
    near: _Number
    far: _Number
    image_height: _Pixels
    image_width: _Pixels
    look_at: _Triple
    up_direction: _Triple


class _Value(msgspec.Struct, forbid_unknown_fields=True):
    value: bool | _Number | _Word | Annotated[list[_Number], Meta(max_length=8)]


class _Update(msgspec.Struct, tag="GuiUpdateMessage", forbid_unknown_fields=True):
    """A button was pressed, or a slider moved; nothing but its value."""

    uuid: _Word
    updates: _Value


class _Click(msgspec.Struct, tag="ScenePointerMessage", forbid_unknown_fields=True):
    """A point of the cloud was clicked."""

    event_type: _Word
    ray_origin: _Triple
    ray_direction: _Triple
    screen_pos: Annotated[list[_Place], Meta(min_length=1, max_length=2)]
    modifier: _Word | None


_LOOKING = msgspec.msgpack.Decoder(_Camera)
_CONTROL = msgspec.msgpack.Decoder(_Camera | _Update | _Click)

Widgets = Mapping[str, Any]
"""uuid -> viser's handle of a button, slider, ..."""


def may_say(role: Role, message: object, widgets: Widgets) -> bool:
    """Whether one with this role may send this message, bytes as received.

    What else viser would do for a browser (open a tunnel to a server outside, take files, set any
    field of a widget, give a slider a text) has no use here.
    """
    if not isinstance(message, bytes):
        return False
    try:
        said = (_CONTROL if role == "control" else _LOOKING).decode(message)
    except (msgspec.DecodeError, RecursionError):  # a message of the wrong form is one of these
        return False
    return not isinstance(said, _Update) or _fits(said.updates.value, widgets.get(said.uuid))


def _fits(value: Any, widget: Any) -> bool:
    """Whether a widget can have this value."""
    now = getattr(widget, "value", None)
    if isinstance(now, bool) or isinstance(value, bool):
        return isinstance(now, bool) and isinstance(value, bool)
    if isinstance(now, str):
        return isinstance(value, str) and value in getattr(widget, "options", (value,))
    if isinstance(now, tuple):
        return isinstance(value, list) and len(value) == len(now)
    if isinstance(now, int | float) and isinstance(value, float):
        return bool(getattr(widget, "min", value) <= value <= getattr(widget, "max", value))
    return False


_patching = threading.Lock()


@contextmanager
def guarded(guard: Guard) -> Iterator[list[Gate]]:
    """Put ``guard`` before every server that viser starts inside this block; gives the gates.

    None afterwards: viser has started its server otherwise, and nothing is guarded.
    """
    gates: list[Gate] = []
    with _patching:
        plain = sockets.serve

        def serve(handler: Any, *args: Any, process_request: Any = None, **named: Any) -> Any:
            gate = Gate(guard, process_request)
            gates.append(gate)
            named |= {"max_size": _MOST_BYTES, "create_connection": gate.connection}
            return plain(handler, *args, process_request=gate.answer, **named)

        sockets.serve = serve  # type: ignore[assignment,misc]
        try:
            yield gates
        finally:
            sockets.serve = plain  # type: ignore[misc]


class Gate:
    """Stands before one server; ``widgets`` are those that can be pressed or moved."""

    def __init__(self, guard: Guard, page: Callable[..., Response | None]) -> None:
        """``page`` is what answers those who may ask: viser's own."""
        self._guard, self._page = guard, page
        self.widgets: Widgets = {}
        self._open: set[_Connection] = set()

    def connection(self, *args: Any, **named: Any) -> _Connection:
        """Make a connection that is heard as far as its role allows."""
        made = _Connection(*args, **named)
        made.gate = self
        return made

    def answer(self, connection: sockets.ServerConnection, request: Request) -> Response | None:
        """Return what to answer; None: go on to speak over a socket."""
        assert isinstance(connection, _Connection)
        judged = self._guard.judge(request.path, request.headers.raw_items())
        if not isinstance(judged, str):
            return _response(judged.status, judged.text, judged.headers)
        if len(self._open) >= _MOST_BROWSERS:
            return _response(HTTPStatus.SERVICE_UNAVAILABLE, "too many browsers", {})
        connection.role = judged
        response = self._page(connection, request)
        if response is None:
            self._open.add(connection)
        else:
            for name, value in HEADERS.items():
                response.headers[name] = value
        return response

    def gone(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._open.discard(connection)


class _Connection(sockets.ServerConnection):
    """A browser's socket; what it may not say is not heard, and a flood waits."""

    role: Role = "view"
    gate: Gate | None = None
    _due_s = 0.0

    async def recv(self, decode: bool | None = None) -> Any:
        """Return the next message that may be said."""
        while True:
            message = await super().recv(decode)
            await self._pace()
            if may_say(self.role, message, self.gate.widgets if self.gate else {}):
                return message

    async def _pace(self) -> None:
        """Wait where more comes than is heard; the network's buffers then hold the sender up."""
        now_s = time.monotonic()
        self._due_s = max(self._due_s + 1 / _MOST_PER_S, now_s - _BURST / _MOST_PER_S)
        if self._due_s > now_s:
            await asyncio.sleep(self._due_s - now_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        if self.gate is not None:
            self.gate.gone(self)
        super().connection_lost(exc)


def _response(status: HTTPStatus, text: str, headers: dict[str, str]) -> Response:
    body = text.encode() + b"\n"
    own = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))}
    return Response(status.value, status.phrase, Headers({**own, **HEADERS, **headers}), body)
