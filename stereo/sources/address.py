"""Where a stream may lead: to the address that was given, and to no other place.

A camera's server could send us on to any address of the network we are in, by a redirect or by a
playlist. FFmpeg would go there without a word, so it is told not to, and what a server says is
read here: a status, a redirect to the same host and port (followed), or one to elsewhere.
"""

from __future__ import annotations

import base64
import http.client
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from urllib.parse import SplitResult, unquote, urljoin, urlsplit
from urllib.request import (
    AbstractDigestAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    Request,
)

from stereo.errors import SourceError

_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
# every format in which a camera sends pictures; those left out (hls, dash, concat, sdp, ...) say
# where else to look. With options of one's own OpenCV no longer asks for RTSP over TCP itself.
# Nobody wants to know the rate, which FFmpeg would watch a stream for a second to find
_STAY = (
    "rtsp_transport;tcp|fpsprobesize;0|max_redirects;0|format_whitelist;"
    "mpjpeg,mjpeg,mjpeg_2000,jpeg_pipe,png_pipe,image2pipe,rtsp,h264,hevc,av1,obu,m4v,ivf,"
    "mpegts,mpeg,mpegvideo,mov,mp4,matroska,webm,flv,avi,asf,ogg,nut,rawvideo,yuv4mpegpipe"
)
_PLAYLIST = re.compile(rb"\s*(#EXTM3U|ffconcat|<\?xml|<MPD|<smil|\[playlist\]|v=0)", re.IGNORECASE)
_FIELD = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')
_MOST_REDIRECTS = 5
_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
_FOLLOW = "say --follow if that is meant"

_opening = threading.Lock()
_openers = 0
_before: str | None = None


@contextmanager
def staying_there(*, follow: bool) -> Iterator[None]:
    """Let FFmpeg open nothing but the address it is given, unless ``follow``.

    OpenCV takes FFmpeg's options from the environment only; it holds while any thread opens.
    """
    global _openers, _before
    if follow:
        yield
        return
    with _opening:
        if _openers == 0:
            _before = os.environ.get(_OPTIONS)
            os.environ[_OPTIONS] = f"{_before}|{_STAY}" if _before else _STAY
        _openers += 1
    try:
        yield
    finally:
        with _opening:
            _openers -= 1
            if _openers == 0 and _before is None:
                del os.environ[_OPTIONS]
            elif _openers == 0 and _before is not None:
                os.environ[_OPTIONS] = _before


def led_to(address: str, *, timeout_s: float) -> str:
    """Return the address that a web server leads to, on its own host and port.

    Raises SourceError for a status that is an error, a redirect to elsewhere, or a playlist;
    where nothing can be learned it returns the address as it is.
    """
    try:
        at, answer = ask(address, timeout_s=timeout_s, follow=False)
    except (OSError, http.client.HTTPException, ValueError):
        return address  # what FFmpeg cannot open either is said by who called it
    with answer:
        if _PLAYLIST.match(answer.read(64)):
            raise SourceError(
                f"{without_login(address)}: gives a playlist, which can name any other address; "
                f"give the stream's own, or {_FOLLOW}"
            )
    return at


def ask(address: str, *, timeout_s: float, follow: bool) -> tuple[str, http.client.HTTPResponse]:
    """Ask a web address, and where it redirects to; return where that ends, and the answer there.

    Raises SourceError for a status that is an error, for a redirect to another host or port unless
    ``follow``; OSError, ValueError and HTTPException where nothing can be asked.
    """
    at = address
    for _ in range(_MOST_REDIRECTS):
        answer = _answer(urlsplit(at), timeout_s)
        location = answer.getheader("Location")
        if answer.status < 300 or (answer.status < 400 and not location):
            return at, answer
        answer.close()
        if answer.status >= 400:
            raise SourceError(f"{without_login(address)}: the server says {_words(answer.status)}")
        at = urljoin(at, location) if follow else _next(address, at, location or "")
    raise SourceError(
        f"{without_login(address)}: was redirected {_MOST_REDIRECTS} times, and no end"
    )


def check_rtsp(address: str, *, timeout_s: float, follow: bool) -> bool:
    """Whether an RTSP server wants a login, and the address has one.

    Raises SourceError for a status that is an error, and, unless ``follow``, for a redirect to
    another host or port.
    """
    parts = urlsplit(address)
    ask = f"DESCRIBE {_bare(parts)} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    try:
        with socket.create_connection(_place(parts)[1:], timeout_s) as server:
            server.sendall(ask.encode())
            answer = server.recv(4096).decode("latin-1")
    except (OSError, ValueError):
        return False  # FFmpeg will say
    said = re.match(r"RTSP/1\.\d (\d{3}) ?([ -~]{0,60})", answer)
    status = int(said[1]) if said else 0
    to = re.search(r"^Location:\s*(\S+)", answer, re.M | re.I)
    if 300 <= status < 400 and to and not follow:
        _next(address, address, to[1])
    logs_in = status == 401 and parts.username is not None
    if said and status >= 400 and not logs_in:
        raise SourceError(
            f"{without_login(address)}: the server says {status} {said[2]}{_hint(status, 'rtsp')}"
        )
    return logs_in


def _answer(parts: SplitResult, timeout_s: float) -> http.client.HTTPResponse:
    """What a web server answers; where it wants a login and the address has one, it is given."""
    answer = _get(parts, timeout_s, {})
    if answer.status != 401 or parts.username is None:
        return answer
    login = _login(parts, answer.headers.get_all("WWW-Authenticate") or [])
    if login is None:
        return answer
    answer.close()
    return _get(parts, timeout_s, {"Authorization": login})


def _get(parts: SplitResult, timeout_s: float, headers: dict[str, str]) -> http.client.HTTPResponse:
    host, port = _place(parts)[1:]
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    server = kind(host, port, timeout=timeout_s)
    # the answer then is the one that holds the connection, and closes it
    headers = {"User-Agent": "stereo-depth", "Connection": "close", **headers}
    try:
        server.request("GET", _target(parts), headers=headers)
        return server.getresponse()
    except BaseException:
        server.close()
        raise


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _login(parts: SplitResult, wanted: list[str]) -> str | None:
    """The login of an address, in the way that the server wants: as a digest, else in clear.

    None where it wants only what is not known here: the password then is not sent at all.
    """
    user, secret = unquote(parts.username or ""), unquote(parts.password or "")
    digests = [challenge for challenge in wanted if challenge.lower().startswith("digest")]
    known = HTTPPasswordMgrWithDefaultRealm()
    known.add_password(None, _bare(parts), user, secret)
    for challenge in digests:
        fields = {name.lower(): a or b for name, a, b in _FIELD.findall(challenge)}
        with suppress(ValueError):  # an algorithm that Python's library does not know
            handler = AbstractDigestAuthHandler(known)
            digest = handler.get_authorization(Request(_bare(parts)), fields)
            if digest is not None:
                return f"Digest {digest}"
    if digests and len(digests) == len(wanted):
        return None
    return f"Basic {base64.b64encode(f'{user}:{secret}'.encode()).decode()}"


def _next(address: str, at: str, location: str) -> str:
    """The address a redirect leads to. Raises SourceError where that is another place."""
    to, was = urlsplit(urljoin(at, location)), urlsplit(at)
    try:
        same = _place(to) == _place(was)
    except ValueError:  # a port that is none
        same = False
    if not same:
        raise SourceError(
            f"{without_login(address)}: the server wants us to go to "
            f"{to.scheme}://{to.netloc[:100]}, another host or port; give that address itself, or "
            f"{_FOLLOW}"
        )
    return to._replace(netloc=was.netloc).geturl()  # a login is kept


def _place(parts: SplitResult) -> tuple[str, str, int]:
    """Scheme, host and port. Raises ValueError for a port that is none."""
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)


def _bare(parts: SplitResult) -> str:
    """An address without its login."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def without_login(spec: str) -> str:
    """Return addresses as they may be shown and kept: user and password are left out."""
    return re.sub(r"(?<=://)[^/,]*@", "", spec)


def _words(status: int) -> str:
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "an error"
    return f"{status} {phrase}{_hint(status, 'http')}"


def _hint(status: int, scheme: str) -> str:
    hints = {
        401: f"; name user and password in the address: {scheme}://USER:PASSWORD@HOST/...",
        403: "; it forbids this address",
        404: "; it has no such stream: check the path of the address",
        503: "; another program may be watching",
    }
    return hints.get(status, "")
