"""Who may open a page or a socket: this computer's own names, that page, who has its link.

Any web page may try to open a socket to this computer, and a hostile name server may call this
computer by any name (DNS rebinding). So what a browser says of itself is checked: ``Host`` must be
a name of this computer, ``Origin`` the page itself. And the link holds a secret, as Jupyter's does:
whoever opens it gets a cookie, and the secret leaves the address bar.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Literal
from urllib.parse import parse_qs, urlsplit

Role = Literal["control", "view"]
"""Whether one may press the page's buttons, or only look."""

ANYWHERE = ("0.0.0.0", "::", "")
"""Addresses that stand for every address of this computer."""

HEADERS = {
    # viser's page is one file that unpacks itself: scripts and styles in it, workers from blobs
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self' data: blob:; worker-src 'self' blob:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Sent with every answer: nothing from other servers, and in no other page's frame."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer instead of the page."""

    status: HTTPStatus
    """Refused, or sent on to the page without its secret."""
    text: str
    """For people; one line."""
    headers: dict[str, str] = field(default_factory=dict)
    """Besides ``HEADERS``."""


class Guard:
    """Decides about each request."""

    def __init__(
        self, host: str, *, token: bool = True, pages: Callable[[str], bool] | None = None
    ) -> None:
        """``host`` as served on. Without ``token`` every program of this computer may control.

        ``pages`` says of an origin, such as "https://example.com", whether its pages may connect
        too; None: only those that are served here.
        """
        self.control = secrets.token_urlsafe(24) if token else ""
        """The secret of the link that may press buttons."""
        self.view = secrets.token_urlsafe(24) if token else ""
        """The secret of the link that may only look."""
        self._host, self._pages = host.lower(), pages
        self._cookie = f"stereo-{secrets.token_hex(4)}"  # two pages of one computer share its jar

    def judge(self, target: str, headers: Iterable[tuple[str, str]]) -> Role | Answer:
        """Return what the sender of a request may do, or what to answer instead.

        ``target`` is path and query; ``headers`` are (name, value) as sent, repeated ones too.
        """
        said = _by_name(headers)
        hosts, origins = said.get("host", []), said.get("origin", [])
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return _refused("Host is no name of this computer")
        # only a browser sends an origin; a program without one still needs the secret
        if len(origins) > 1 or (
            origins and not self._may_use(origins[0].lower(), hosts[0].lower())
        ):
            return _refused("another page may not use this one")
        if not self.control:
            return "control"
        split = urlsplit(target)
        told = parse_qs(split.query, max_num_fields=20).get("token", []) if split.query else []
        role = self._role(told[0]) if len(told) == 1 else None
        if role is None:
            held = _cookie(said.get("cookie", []), self._cookie)
            return self._role(held) or _refused("open the whole link that stereo has printed")
        if "upgrade" in said:  # a socket, which cannot be sent on and shows no address
            return role
        keep = f"{self._cookie}={told[0]}; Path=/; HttpOnly; SameSite=Lax"
        sent_on = {"Location": "/", "Set-Cookie": keep}
        return Answer(HTTPStatus.SEE_OTHER, "see /", sent_on)

    def _may_use(self, origin: str, host: str) -> bool:
        if origin in (f"http://{host}", f"https://{host}"):
            return True
        return self._pages is not None and self._pages(origin)

    def _role(self, secret: str) -> Role | None:
        given = secret.encode()
        if hmac.compare_digest(given, self.control.encode()):
            return "control"
        return "view" if hmac.compare_digest(given, self.view.encode()) else None

    def _is_ours(self, host: str) -> bool:
        """Whether ``Host`` may name this computer; a stranger's name may lead here as well."""
        name = _name(host)
        if name is None:
            return False
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            own = socket.gethostname().lower()
            names = {"localhost", self._host} - {""}
            return name in (names if is_local(self._host) else names | {own, f"{own}.local"})
        # an address cannot be made to lead elsewhere, as a name can
        return address.is_loopback or not is_local(self._host)


def address_of(scheme: str, host: str, port: int, secret: str) -> str:
    """Where this computer finds what is served; ``secret`` "" where it has none."""
    name = "127.0.0.1" if host in ANYWHERE else f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}:{port}" + (f"/?token={secret}" if secret else "")


def is_local(host: str) -> bool:
    """Whether only this computer can reach ``host``."""
    return host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))


def _by_name(headers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value)
    return found


def _name(host: str) -> str | None:
    """The name or address in ``Host``, without its port; None where there is none."""
    found = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?", host.lower())
    return found[1] or found[2] if found else None


def _cookie(cookies: list[str], name: str) -> str:
    try:
        found = SimpleCookie("; ".join(cookies)).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def _refused(why: str) -> Answer:
    return Answer(HTTPStatus.FORBIDDEN, f"403 Forbidden: {why}")
