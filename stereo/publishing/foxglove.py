"""``--publish foxglove``: a WebSocket that Foxglove's viewer opens, with the same topics.

The protocol is that of Foxglove's SDK (and of its older servers, which other viewers speak):
https://github.com/foxglove/ws-protocol. The SDK's own server lets any web page connect and copies
each message several times; here ``stereo/guard.py`` decides who may, and nothing is copied. Each
viewer gets the newest frame when it has taken the one before: one on a slow line misses frames, and
nobody waits for it. What no viewer has subscribed to is not even made.
"""

from __future__ import annotations

import json
import re
import struct
import threading
import time
from collections.abc import Iterable
from typing import Any

from stereo._version import __version__
from stereo.errors import InputError
from stereo.guard import Answer, Guard, Role, address_of, is_local
from stereo.publishing import cdr
from stereo.publishing.messages import TOPICS, FrameMessages
from stereo.publishing.websocket import Server, Socket
from stereo.threads import start_thread

HOST, PORT = "127.0.0.1", 8765
"""This computer only, and where Foxglove looks first."""
_SUBPROTOCOLS = ("foxglove.sdk.v1", "foxglove.websocket.v1")
_CHANNELS = dict(enumerate(TOPICS, 1))
_NUMBERS = {topic: number for number, topic in _CHANNELS.items()}
_PAGES = re.compile(
    r"https://([a-z0-9-]+\.)*foxglove\.dev"  # the viewer as a web page
    r"|file://"  # as a program, which is a browser that shows its own files
    r"|https?://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?"  # served by this computer
)
"""Whose pages may connect as they are. One that hides where it comes from says "null"."""


class FoxglovePublisher:
    """Serves results to viewers; see ``Publisher``."""

    every_frame = False

    def __init__(self, host: str = HOST, port: int = PORT) -> None:
        """``port`` 0: any free one, which ``port`` then says.

        Raises InputError when it is taken, MissingLibraryError without an extra.
        """
        self._session = str(time.time_ns() // 10**6)
        self._lock = threading.Lock()
        self._viewers: set[_Viewer] = set()
        self._newest: FrameMessages | None = None
        guard = _Guard(host)
        try:
            self._server = Server(host, port, guard, subprotocols=_SUBPROTOCOLS, serve=self._serve)
        except InputError as error:
            raise InputError(f"foxglove:{error} (--publish foxglove:HOST:PORT)") from error
        self.port = self._server.port
        self.url = address_of("ws", host, self.port, "")
        self.secret_url = address_of("ws", host, self.port, guard.secret)
        if is_local(host):
            self.note = (
                f"Foxglove: open connection {self.url}, or where your viewer is refused "
                f"{self.secret_url}"
            )
        else:
            self.note = (
                f"Foxglove: open connection {self.secret_url}, elsewhere with this computer's "
                "name; whoever has the link can look"
            )

    def publish(self, messages: FrameMessages) -> None:
        """See ``Publisher``."""
        with self._lock:
            self._newest = messages
            viewers = list(self._viewers)
        for viewer in viewers:
            viewer.offer(messages)

    def close(self) -> None:
        """See ``Publisher``."""
        self._server.close()

    def _serve(self, socket: Socket) -> None:
        """Talk to one viewer until it has gone; in a thread of its own."""
        about = {
            "op": "serverInfo",
            "name": "stereo-depth",
            "capabilities": [],
            "metadata": {"library": f"stereo-depth {__version__}"},
            "sessionId": self._session,
        }
        socket.send_text(json.dumps(about))
        viewer = _Viewer(socket)
        with self._lock:
            self._viewers.add(viewer)
            newest = self._newest
        if newest is not None:
            viewer.offer(newest)
        start_thread("viewer-send", viewer.send_all)
        try:
            for text in socket.texts():
                viewer.hear(text)
        finally:
            with self._lock:
                self._viewers.discard(viewer)
            viewer.close()


class _Guard:
    """Who may look: whoever has the link with its secret; on this computer programs, known pages.

    A secret is nothing that a browser adds by itself, so a page that names it may be anybody's.
    """

    def __init__(self, host: str) -> None:
        self._secret = Guard(host, pages=lambda _origin: True)
        self._known = Guard(host, token=False, pages=_is_known) if is_local(host) else None
        self.secret = self._secret.view

    def judge(self, target: str, headers: Iterable[tuple[str, str]]) -> Role | Answer:
        """See ``Guard``."""
        told = list(headers)
        judged = self._secret.judge(target, told)
        if isinstance(judged, str) or self._known is None:
            return judged
        return self._known.judge(target, told)


class _Viewer:
    """Who looks: at which topics, and what it has not got yet."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._changed = threading.Condition()
        self._wanted: dict[str, int] = {}  # topic -> the viewer's own number of it
        self._newest: FrameMessages | None = None
        self._due: set[str] = set()
        self._told: set[str] = set()
        self._gone = False

    def offer(self, messages: FrameMessages) -> None:
        """Leave the newest frame here; nobody waits."""
        with self._changed:
            self._newest, self._due = messages, set(self._wanted)
            self._changed.notify()

    def hear(self, text: str) -> None:
        """Do what the viewer says, or tell it why not."""
        try:
            said = json.loads(text)
            if said["op"] == "subscribe":
                for one in said["subscriptions"]:
                    self._subscribe(one["id"], _CHANNELS[one["channelId"]])
            elif said["op"] == "unsubscribe":
                self._unsubscribe(set(said["subscriptionIds"]))
            else:
                raise ValueError(said["op"])
        except (ValueError, KeyError, TypeError, RecursionError):
            told = f"stereo-depth only takes subscriptions to its channels, not {text[:100]}"
            self._socket.send_text(json.dumps({"op": "status", "level": 2, "message": told}))

    def _subscribe(self, number: Any, topic: str) -> None:
        if not isinstance(number, int) or not 0 <= number < 2**32:
            raise ValueError(number)
        with self._changed:
            self._wanted[topic] = number
            self._due.add(topic)  # at once, from the frame that was last
            self._changed.notify()

    def _unsubscribe(self, numbers: set[Any]) -> None:
        with self._changed:
            self._wanted = {t: n for t, n in self._wanted.items() if n not in numbers}
            self._due &= self._wanted.keys()

    def send_all(self) -> None:
        """Send what is due until the viewer has gone; in a thread of its own."""
        try:
            while (due := self._next()) is not None:
                messages, new, topics = due
                if new:
                    channels = [_channel(topic) for topic in new]
                    told = {"op": "advertise", "channels": channels}
                    self._socket.send_text(json.dumps(told))
                for topic, number in topics:
                    data = messages.encoded(topic)
                    head = struct.pack("<BIQ", 1, number, messages.stamp_ns)
                    self._socket.send_bytes([head, *data.pieces])
        except OSError:
            pass  # it has gone, which its other thread sees
        finally:
            self._socket.close()

    def _next(self) -> tuple[FrameMessages, list[str], list[tuple[str, int]]] | None:
        """Wait for something due: of which frame, new topics, topics to send and their numbers.

        None when the viewer has gone.
        """
        with self._changed:
            while not self._gone:
                there = {} if self._newest is None else self._newest.topics
                new = [topic for topic in there if topic not in self._told]
                due = [(topic, self._wanted[topic]) for topic in there if topic in self._due]
                if self._newest is not None and (new or due):
                    self._told |= set(new)
                    self._due.clear()
                    return self._newest, new, due
                self._changed.wait()
            return None

    def close(self) -> None:
        """Nothing more is sent."""
        with self._changed:
            self._gone = True
            self._changed.notify()
        self._socket.close()


def _channel(topic: str) -> dict[str, Any]:
    return {
        "id": _NUMBERS[topic],
        "topic": f"/{topic}",
        "encoding": "cdr",
        "schemaName": TOPICS[topic],
        "schemaEncoding": "ros2msg",
        "schema": cdr.definition(TOPICS[topic]).decode(),
    }


def _is_known(origin: str) -> bool:
    return _PAGES.fullmatch(origin) is not None
