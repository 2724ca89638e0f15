"""Motion JPEG over HTTP, part by part: with limits before memory is taken, and with its stamps.

FFmpeg takes what a part's Content-Length announces, gigabytes too, and hides the parts' headers.
"""

from __future__ import annotations

import http.client
import math
import re
import time
from collections import deque
from typing import Any

from numpy.typing import NDArray

from stereo.errors import SourceError
from stereo.sources.address import ask
from stereo.sources.jpeg import MAX_BYTES, Decoder, RejectedImage
from stereo.sources.stamps import Stamp, stamp_of

_MOST_HEAD = 16_384  # bytes of a part's headers
_CHUNK = 65_536
_STAMP = "x-timestamp"
_WINDOW = 200  # images whose least delay tells a server's clock from ours
_STAMPS_OFF_S = 1.0  # stamps that gain or lose more within the window are no seconds
_HEAD_END = re.compile(rb"\r?\n\r?\n")  # some servers end lines without the \r


class MjpegParts:
    """An opened address; gives one image after the other. See ``Capture``."""

    exact = False
    stamp: Stamp | None = None

    def __init__(self, timeout_s: float, response: http.client.HTTPResponse) -> None:
        self._timeout_s, self._response = timeout_s, response
        self._decoder = Decoder()
        self._buffer = bytearray()
        self._broken = False
        self._delays: deque[float] = deque(maxlen=_WINDOW)
        self._stamped = True

    def read(self) -> tuple[NDArray[Any], float] | None:
        """Return the next image and its time, seconds; None when the stream has failed.

        Where the part bears a stamp, the time is that, brought to our clock by the least delay
        seen: it is free of the network's jitter. Raises RejectedImage.
        """
        if self._broken:
            return None
        deadline = time.monotonic() + self._timeout_s
        try:
            head = self._until(_HEAD_END, _MOST_HEAD, deadline)
            while head is not None and not head.strip(b"\r\n-"):
                head = self._until(_HEAD_END, _MOST_HEAD, deadline)
            if head is None:
                return None
            headers = dict(re.findall(r"(?m)^([\w-]+):[ \t]*(.*?)\r?$", head.decode("latin-1")))
            headers = {name.lower(): value for name, value in headers.items()}
            part = self._part(headers.get("content-length"), head, deadline)
        except (OSError, http.client.HTTPException):
            return None
        if part is None:
            return None
        arrival_s = time.monotonic()
        self.stamp = stamp_of(headers)
        return self._decoder.decode(part), self._time(headers, arrival_s)

    def _part(self, length: str | None, head: bytes, deadline: float) -> bytes | None:
        if length is not None and length.isdecimal():
            if len(length) > 10 or int(length) > MAX_BYTES:
                self._broken = True  # what follows cannot be told from it
                raise RejectedImage("too large")
            return self._exactly(int(length), deadline)
        boundary = next((line for line in head.splitlines() if line.startswith(b"--")), b"--")
        end = re.compile(rb"\r?\n" + re.escape(boundary))
        part = self._until(end, MAX_BYTES, deadline)
        if part is not None:
            self._buffer[:0] = boundary
        return part

    def _time(self, headers: dict[str, str], arrival_s: float) -> float:
        try:
            stamp_s = float(headers.get(_STAMP, ""))
        except ValueError:
            return arrival_s
        delay_s = arrival_s - stamp_s
        if not self._stamped or not math.isfinite(delay_s):
            return arrival_s
        self._delays.append(delay_s)
        if max(self._delays) - min(self._delays) > _STAMPS_OFF_S:
            self._stamped = False  # another unit, or a clock that was set: arrivals are honest
            return arrival_s
        return min(stamp_s + min(self._delays), arrival_s)

    def _until(self, end: re.Pattern[bytes], most: int, deadline: float) -> bytes | None:
        """Take bytes up to ``end``, which is taken too; None where there is none in time."""
        looked = 0
        while (at := end.search(self._buffer, looked)) is None:
            looked = max(len(self._buffer) - len(end.pattern), 0)
            if len(self._buffer) > most or not self._more(deadline):
                return None
        found = bytes(self._buffer[: at.start()])
        del self._buffer[: at.end()]
        return found

    def _exactly(self, count: int, deadline: float) -> bytes | None:
        while len(self._buffer) < count:
            if not self._more(deadline):
                return None
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        return found

    def _more(self, deadline: float) -> bool:
        chunk = self._response.read1(_CHUNK) if time.monotonic() < deadline else b""
        self._buffer += chunk
        return bool(chunk)

    def release(self) -> None:
        """Close the connection."""
        self._response.close()


def open_parts(address: str, *, timeout_s: float, follow: bool) -> MjpegParts | str:
    """Ask an address; where it gives anything but Motion JPEG in parts, return where it led to:
    something else must read that. Raises SourceError where nobody answers, and see ``ask``.
    """
    try:
        at, response = ask(address, timeout_s=timeout_s, follow=follow)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise SourceError(
            f"{address}: cannot be opened; is the camera on, is the address right, and does it "
            f"answer in a browser or in ffplay? ({type(error).__name__})"
        ) from error
    if "multipart" not in response.headers.get("Content-Type", "").lower():
        response.close()
        return at
    return MjpegParts(timeout_s, response)
