"""A WebSocket server of threads: each viewer has its own, and none waits for another.

Whom it answers is decided by ``stereo/guard.py``. What is small goes through ``websockets``, which
knows the protocol and asks for no sockets; what is large goes to the system from where it lies.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from stereo.errors import InputError, MissingLibraryError
from stereo.guard import Answer, Role
from stereo.publishing.gather import Bytes, write_all
from stereo.threads import start_thread

_MOST_BYTES = 65_536
"""Of a message from a viewer; one that names all topics has some hundred."""
_MOST_VIEWERS = 16
_HANDSHAKE_S = 10.0
_FINAL, _TEXT, _BINARY, _CONTINUED = 0x80, 1, 2, 0


class Judge(Protocol):
    """Decides who may connect, as ``Guard`` does."""

    def judge(self, target: str, headers: Iterable[tuple[str, str]]) -> Role | Answer:
        """Return what a viewer may do, or what to answer instead."""
        ...


class Server:
    """Listens on one address of this computer, and calls ``serve`` for each viewer, in a thread."""

    def __init__(
        self,
        host: str,
        port: int,
        guard: Judge,
        *,
        subprotocols: Iterable[str],
        serve: Callable[[Socket], None],
    ) -> None:
        """``port`` 0: any free one, which ``port`` then says. A viewer must offer a subprotocol.

        Raises InputError when the address is not ours or taken, MissingLibraryError.
        """
        self._sockets = _library()
        self._guard, self._subprotocols, self._serve = guard, list(subprotocols), serve
        try:
            family, _, _, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            self._listener = socket.create_server(address[:2], family=family)
        except OSError as error:
            raise InputError(f"{host}:{port} cannot be served: {_why(error)}") from error
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closed = False
        start_thread("websocket", self._accept_all)

    def close(self) -> None:
        """Serve no more, and let every viewer go, also one in the middle of a message."""
        with self._lock:
            self._closed = True
            ends = [self._listener, *self._open]
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for it
        self._listener.close()

    def _accept_all(self) -> None:
        while True:
            try:
                viewer, _ = self._listener.accept()
            except OSError:
                if self._closed:
                    return
                time.sleep(0.1)  # no file is left to open it, perhaps
                continue
            with self._lock:
                welcome = not self._closed and len(self._open) < _MOST_VIEWERS
                if welcome:
                    self._open.add(viewer)
            if welcome:
                start_thread("viewer", lambda viewer=viewer: self._talk(viewer))  # type: ignore[misc]
            else:
                viewer.close()

    def _talk(self, viewer: socket.socket) -> None:
        try:
            with viewer, contextlib.suppress(OSError):
                viewer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                protocol = self._sockets.ServerProtocol(
                    subprotocols=self._subprotocols, max_size=_MOST_BYTES
                )
                if self._shake_hands(viewer, protocol):
                    self._serve(Socket(viewer, protocol))
        finally:
            with self._lock:
                self._open.discard(viewer)

    def _shake_hands(self, viewer: socket.socket, protocol: Any) -> bool:
        """Whether this one is let in; it has been told."""
        deadline = time.monotonic() + _HANDSHAKE_S
        events: list[Any] = []
        while not events:
            viewer.settimeout(max(0.01, deadline - time.monotonic()))
            data = viewer.recv(_MOST_BYTES)
            if not data:
                return False
            protocol.receive_data(data)
            if protocol.handshake_exc is not None:  # no HTTP
                return False
            events = protocol.events_received()
        if len(events) > 1:  # nobody may say anything before the answer
            return False
        (request,) = events
        judged = self._guard.judge(request.path, request.headers.raw_items())
        if isinstance(judged, str):
            response = protocol.accept(request)
        else:
            response = protocol.reject(judged.status, f"{judged.text}\n")
        protocol.send_response(response)
        write_all(viewer.sendmsg, protocol.data_to_send())
        viewer.settimeout(None)
        return bool(response.status_code == 101)


class Socket:
    """A viewer. One thread may read while others write."""

    def __init__(self, viewer: socket.socket, protocol: Any) -> None:
        self._viewer, self._protocol = viewer, protocol
        self._lock = threading.Lock()

    def texts(self) -> Iterator[str]:
        """Give the texts that the viewer sends, until it has gone. Bytes are passed over."""
        parts: list[bytes] = []
        is_text = False
        while data := self._viewer.recv(_MOST_BYTES):
            with self._lock:
                self._protocol.receive_data(data)
                write_all(self._viewer.sendmsg, self._protocol.data_to_send())  # such as a pong
                frames = self._protocol.events_received()
                gone = self._protocol.close_expected()
            for frame in frames:
                if frame.opcode in (_TEXT, _BINARY):
                    is_text, parts = frame.opcode == _TEXT, []
                elif frame.opcode != _CONTINUED:
                    continue
                parts.append(bytes(frame.data))
                if frame.fin and is_text:
                    with contextlib.suppress(UnicodeDecodeError):
                        yield b"".join(parts).decode()
            if gone:
                return

    def send_text(self, text: str) -> None:
        """Raises OSError when the viewer has gone."""
        self._send(_TEXT, [text.encode()])

    def send_bytes(self, pieces: Iterable[Bytes]) -> None:
        """Send one message. Raises OSError when the viewer has gone."""
        self._send(_BINARY, list(pieces))

    def _send(self, opcode: int, pieces: list[Bytes]) -> None:
        size = sum(map(len, pieces))
        if size < 126:
            head = struct.pack(">BB", _FINAL | opcode, size)
        elif size < 65536:
            head = struct.pack(">BBH", _FINAL | opcode, 126, size)
        else:
            head = struct.pack(">BBQ", _FINAL | opcode, 127, size)
        with self._lock:
            if self._protocol.state is not self._protocol.state.OPEN:
                raise BrokenPipeError("the viewer has said good-bye")
            write_all(self._viewer.sendmsg, [head, *pieces])

    def close(self) -> None:
        """Let the viewer go, whoever reads or writes."""
        with contextlib.suppress(OSError):
            self._viewer.shutdown(socket.SHUT_RDWR)


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program is there; name a free port"
    if error.errno == errno.EADDRNOTAVAIL:
        return "that is no address of this computer"
    if error.errno == errno.EACCES:
        return "that takes more rights; name a port above 1023"
    return error.strerror or str(error)


def _library() -> Any:
    try:
        from websockets import server
    except ImportError as error:
        raise MissingLibraryError(
            "--publish foxglove needs websockets, which is not installed: "
            "pip install 'stereo-depth[foxglove]'"
        ) from error
    return server
