"""The address a page is served on."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from stereo.errors import InputError, MissingLibraryError, SourceError
from stereo.viewers.server import is_local
from stereo.viewers.web import WebViewer

pytest.importorskip("viser", reason="needs the extra web (viser)")


def test_only_this_computer_may_look_unless_told() -> None:
    with WebViewer(port=0) as viewer:
        assert viewer.url.startswith("http://127.0.0.1:")
        port = urlsplit(viewer.url).port
        with socket.socket() as other, pytest.raises(OSError, match="refused"):
            other.connect(("127.0.0.2", port))  # would answer on 0.0.0.0
    assert is_local("127.0.0.1")
    assert is_local("localhost")
    assert not is_local("0.0.0.0")


def test_busy_port_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SourceError, match=f"port {port} is in use; take another with --port"):
            WebViewer(port=port)


@pytest.mark.parametrize(("host", "port"), [("203.0.113.7", 0), ("no such host", 0)])
def test_address_that_is_not_ours_is_said(host: str, port: int) -> None:
    with pytest.raises(InputError, match="not an address of this computer"):
        WebViewer(host=host, port=port)


def test_senseless_port_is_said() -> None:
    with pytest.raises(InputError, match=r"0 .* to 65535, got 70000"):
        WebViewer(port=70000)


def test_missing_viser_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "viser", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'stereo-depth\[web\]'"):
        WebViewer(port=0)
