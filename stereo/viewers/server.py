"""The server of a page: one address of this computer, that page and nothing else. Needs viser.

Whom it answers is decided by ``stereo/guard.py``, which ``gate.py`` puts before viser.
"""

from __future__ import annotations

import contextlib
import errno
import io
import socket
from typing import TYPE_CHECKING

import numpy as np

from stereo.errors import InputError, MissingLibraryError, SourceError
from stereo.guard import Guard, address_of, is_local

if TYPE_CHECKING:
    import viser

__all__ = ["guard_of", "is_local", "serve", "stop", "url_of"]

BACKGROUND = (58, 62, 70)
"""RGB of what is behind the points: neither white walls nor black things vanish before it."""


def guard_of(host: str, *, token: bool) -> Guard:
    """Return the guard of a page on ``host``.

    Raises InputError for a page without a secret that other computers can reach.
    """
    if not token and not is_local(host):
        raise InputError(
            f"--no-token with --host {host} would let the whole network press every button; "
            "only a page that no other computer can reach may go without"
        )
    return Guard(host, token=token)


def serve(host: str, port: int, title: str, guard: Guard) -> viser.ViserServer:
    """Start a page on ``host:port`` behind ``guard``; port 0 takes any free one.

    Raises MissingLibraryError without viser, InputError for an address that is not ours,
    SourceError for a port in use.
    """
    try:
        import viser
    except ImportError as error:
        raise MissingLibraryError(
            f"the web viewer needs viser ({error}): pip install 'stereo-depth[web]'"
        ) from error
    from stereo.viewers.gate import guarded

    _check_free(host, port)
    with _quiet(), guarded(guard) as gates:
        server = viser.ViserServer(host, port, title, verbose=False)
    if not gates:
        stop(server)
        raise SourceError("this viser starts its server in an unknown way, unguarded; take 1.1.1")
    gates[0].widgets = server.gui._gui_input_handle_from_uuid  # viser names no other way to them
    if port and server.get_port() != port:  # somebody was quicker; viser then takes another
        stop(server)
        raise SourceError(_busy(port))
    server.gui.configure_theme(
        show_logo=False, show_share_button=False, control_width="medium", dark_mode=True
    )
    server.scene.set_background_image(np.full((2, 2, 3), BACKGROUND, np.uint8), format="png")
    server.scene.set_up_direction("-y")
    _tell_lookers(server)
    return server


_CANNOT = (
    "<style>.mantine-Button-root, .mantine-Slider-root, .mantine-Checkbox-root,"
    ".mantine-InputWrapper-root {pointer-events: none; opacity: 0.4;}</style>"
)


def _tell_lookers(server: viser.ViserServer) -> None:
    """Say to each browser that may only look that it may, and gray out what it cannot press."""

    def tell(client: viser.ClientHandle) -> None:
        # viser names no other way to a browser's socket
        socket = server._websock_server._live_connections.get(client.client_id)
        if getattr(socket, "role", "control") == "view":
            client.gui.add_markdown(
                "You may look, but not press: this is the link for it.", order=-3
            )
            client.gui.add_html(_CANNOT)

    server.on_client_connect(tell)


def stop(server: viser.ViserServer) -> None:
    """Stop serving, whatever browsers do meanwhile."""
    with _quiet(), contextlib.suppress(RuntimeError):  # one answered while the loop closed
        server.stop()


def _quiet() -> contextlib.AbstractContextManager[object]:
    """Viser prints where it serves; standard output belongs to results."""
    return contextlib.redirect_stdout(io.StringIO())


def _check_free(host: str, port: int) -> None:
    if not 0 <= port <= 65535:
        raise InputError(f"the port must be 0 (any free one) to 65535, got {port}")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise InputError(f"{host}: not an address of this computer ({error})") from error
    with socket.socket(family, kind, proto) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except PermissionError as error:
            raise SourceError(f"port {port} needs more rights; take one above 1023") from error
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise SourceError(_busy(port)) from error
            raise InputError(f"{host}: not an address of this computer ({error})") from error


def _busy(port: int) -> str:
    return f"port {port} is in use; take another with --port, or --port 0 for any free one"


def url_of(server: viser.ViserServer, host: str, secret: str) -> str:
    """Where a browser on this computer finds the page; ``secret`` "" where it has none."""
    return address_of("http", host, server.get_port(), secret)
