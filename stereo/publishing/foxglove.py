"""``--publish foxglove``: a WebSocket that Foxglove's viewer opens, with the same topics.

The server is the SDK's, in threads of Rust. It copies a message into a queue for each viewer, where
the oldest makes room: a viewer on a slow line misses frames, and nobody waits for it. What no
viewer has subscribed to is not even made.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import Counter
from typing import Any

from stereo.errors import InputError, MissingLibraryError
from stereo.publishing import cdr
from stereo.publishing.messages import TOPICS, FrameMessages

HOST, PORT = "127.0.0.1", 8765
"""This computer only, and where Foxglove looks first."""
_BACKLOG = 32
"""Messages that wait for a slow viewer: three frames. It must also hold a word on each channel."""


class FoxglovePublisher:
    """Serves results to viewers; see ``Publisher``."""

    every_frame = False

    def __init__(self, host: str = HOST, port: int = PORT) -> None:
        """``port`` 0: any free one, which ``port`` then says.

        Raises InputError when it is taken, MissingLibraryError without the SDK.
        """
        foxglove = _library()
        self._context = context = foxglove.Context()  # the channels do not keep it
        self._wanted = _Wanted()
        self._channels = {
            topic: foxglove.Channel(
                f"/{topic}",
                schema=foxglove.Schema(name=kind, encoding="ros2msg", data=cdr.definition(kind)),
                message_encoding="cdr",
                context=context,
            )
            for topic, kind in TOPICS.items()
        }
        try:
            self._server: Any = foxglove.start_server(
                name="stereo-depth",
                host=host,
                port=port,
                context=context,
                server_listener=self._wanted,
                message_backlog_size=_BACKLOG,
            )
        except (RuntimeError, OSError, ValueError) as error:
            raise InputError(
                f"foxglove:{host}:{port}: cannot be served: {error}; is another program there? "
                "Name a free port: --publish foxglove:PORT"
            ) from error
        self.host, self.port = host, int(self._server.port)

    @property
    def note(self) -> str:
        """Where to look, and who can."""
        where = f"ws://{self.host}:{self.port}"
        said = f"Foxglove: open connection {where}"
        return said if _loopback(self.host) else f"{said} (anybody on that network can look)"

    def publish(self, messages: FrameMessages) -> None:
        """See ``Publisher``."""
        for topic in messages.topics:
            if self._wanted.has(topic):
                data = bytes(messages.encoded(topic))  # the SDK takes nothing else
                self._channels[topic].log(data, log_time=messages.stamp_ns)

    def close(self) -> None:
        """See ``Publisher``."""
        self._server.stop()


class _Wanted:
    """Which topics somebody has subscribed to, as the server tells from its own threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._viewers: Counter[str] = Counter()

    def has(self, topic: str) -> bool:
        with self._lock:
            return self._viewers[topic] > 0

    def on_subscribe(self, _client: Any, channel: Any) -> None:
        self._count(channel, 1)

    def on_unsubscribe(self, _client: Any, channel: Any) -> None:
        self._count(channel, -1)

    def _count(self, channel: Any, change: int) -> None:
        with self._lock:
            self._viewers[channel.topic.removeprefix("/")] += change


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _library() -> Any:
    try:
        import foxglove
    except ImportError as error:
        raise MissingLibraryError(
            "--publish foxglove needs foxglove-sdk, which is not installed: "
            "pip install 'stereo-depth[foxglove]'"
        ) from error
    return foxglove
