"""The server of a page: one address of this computer, that page and nothing else. Needs viser."""

from __future__ import annotations

import contextlib
import errno
import io
import socket
from typing import TYPE_CHECKING

import numpy as np

from stereo.errors import InputError, MissingLibraryError, SourceError

if TYPE_CHECKING:
    import viser

__all__ = ["is_local", "serve", "stop", "url_of"]

BACKGROUND = (58, 62, 70)
"""RGB of what is behind the points: neither white walls nor black things vanish before it."""


def serve(host: str, port: int, title: str) -> viser.ViserServer:
    """Start a page on ``host:port``; port 0 takes any free one.

    Raises MissingLibraryError without viser, InputError for an address that is not ours,
    SourceError for a port in use.
    """
    try:
        import viser
    except ImportError as error:
        raise MissingLibraryError(
            f"the web viewer needs viser ({error}): pip install 'stereo-depth[web]'"
        ) from error
    _check_free(host, port)
    with _quiet():
        server = viser.ViserServer(host, port, title, verbose=False)
    if port and server.get_port() != port:  # somebody was quicker; viser then takes another
        stop(server)
        raise SourceError(_busy(port))
    server.gui.configure_theme(
        show_logo=False, show_share_button=False, control_width="medium", dark_mode=True
    )
    server.scene.set_background_image(np.full((2, 2, 3), BACKGROUND, np.uint8), format="png")
    server.scene.set_up_direction("-y")
    return server


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


def url_of(server: viser.ViserServer, host: str) -> str:
    """Where a browser on this computer finds the page."""
    name = "127.0.0.1" if host in ("0.0.0.0", "", "::") else f"[{host}]" if ":" in host else host
    return f"http://{name}:{server.get_port()}"


def is_local(host: str) -> bool:
    """Whether only this computer can reach ``host``."""
    return host in ("127.0.0.1", "localhost", "::1") or host.startswith("127.")
