"""Motion JPEG over HTTP: parts in every form, their stamps, and what they may announce."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise

import numpy as np
import pytest
from streams import encode

from stereo.errors import SourceError
from stereo.sources import SourceOptions, open_source
from stereo.sources.jpeg import RejectedImage
from stereo.sources.mjpeg import MjpegParts

JPEG = encode(np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8))
LENGTH = b"Content-Length: %d\r\n" % len(JPEG)


class Response:
    """Bytes in pieces, as a network brings them, then nothing more."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._data, self._piece, self._at = data, piece, 0

    def read1(self, count: int) -> bytes:
        took = self._data[self._at : self._at + min(count, self._piece)]
        self._at += len(took)
        return took

    def close(self) -> None: ...


def parts(data: bytes, piece: int = 100) -> MjpegParts:
    return MjpegParts(10.0, Response(data, piece))  # type: ignore[arg-type]


def part(headers: bytes, jpeg: bytes = JPEG) -> bytes:
    return b"--frame\r\nContent-Type: image/jpeg\r\n" + headers + b"\r\n" + jpeg + b"\r\n"


@pytest.mark.parametrize("piece", [7, 100, 100_000])
@pytest.mark.parametrize("headers", [LENGTH, b"", LENGTH.lower()], ids=["length", "none", "small"])
def test_parts_come_one_after_the_other(headers: bytes, piece: int) -> None:
    stream = parts(part(headers) * 3 + b"--frame\r\n", piece)
    for _ in range(3):
        found = stream.read()
        assert found is not None
        assert found[0].shape == (64, 96, 3)
    assert stream.read() is None


@pytest.mark.parametrize("headers", [LENGTH, b""], ids=["length", "none"])
def test_servers_that_end_lines_without_a_carriage_return(headers: bytes) -> None:
    assert b"\r" not in JPEG[-2:]
    bare = part(headers).replace(JPEG, b"JPEG").replace(b"\r\n", b"\n").replace(b"JPEG", JPEG)
    stream = parts(bare * 3 + b"--frame\n")
    for _ in range(3):
        assert stream.read() is not None
    assert stream.read() is None


@pytest.mark.parametrize("length", [b"2000000000", b"9" * 400])
def test_an_announced_gigabyte_is_not_waited_for(length: bytes) -> None:
    stream = parts(part(b"Content-Length: " + length + b"\r\n") + part(LENGTH))
    with pytest.raises(RejectedImage, match="too large"):
        stream.read()
    assert stream.read() is None  # and connected anew


def test_endless_headers_and_endless_parts_end() -> None:
    assert parts(b"--frame\r\n" + b"X: y\r\n" * 100_000).read() is None
    assert parts(part(b"", b"\xff\xd8" + bytes(70_000_000)), 1 << 20).read() is None


def test_a_damaged_part_costs_only_itself() -> None:
    stream = parts(part(LENGTH, JPEG[:100] + bytes(len(JPEG) - 100)) + part(LENGTH))
    with pytest.raises(RejectedImage, match="damaged"):
        stream.read()
    assert stream.read() is not None


def test_stamps_are_free_of_the_networks_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    taken = 0.05 * np.arange(100)
    arrivals = list(1000 + taken + rng.uniform(0, 0.045, 100))
    data = b"".join(part(LENGTH + b"X-Timestamp: %.6f\r\n" % (5e8 + moment)) for moment in taken)
    stream = parts(data, len(data))
    times = []
    for arrival in arrivals:
        monkeypatch.setattr("stereo.sources.mjpeg.time.monotonic", lambda now=arrival: now)
        found = stream.read()
        assert found is not None
        times.append(found[1])
    steps = [later - earlier for earlier, later in pairwise(times[40:])]
    assert steps == pytest.approx([0.05] * 59, abs=0.002)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 100.0], ids=["stuck", "slow", "fast"])
def test_stamps_that_are_no_seconds_are_not_believed(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"".join(
        part(LENGTH + b"X-Timestamp: %.6f\r\n" % (5e8 + n * seconds)) for n in range(90)
    )
    stream = parts(data, len(data))
    off = []
    for arrival in 1000 + 0.05 * np.arange(90):
        monkeypatch.setattr("stereo.sources.mjpeg.time.monotonic", lambda now=arrival: now)
        found = stream.read()
        assert found is not None
        off.append(arrival - found[1])
    assert max(off[40:]) == 0


@pytest.mark.parametrize("stamp", [b"nan", b"inf", b"soon", b""])
def test_a_stamp_that_is_none_is_left_alone(stamp: bytes) -> None:
    found = parts(part(LENGTH + b"X-Timestamp: " + stamp + b"\r\n")).read()
    assert found is not None
    assert np.isfinite(found[1])


@contextmanager
def answering(status: int) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/x"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.mark.parametrize(("status", "words"), [(401, "401"), (404, "404"), (503, "503")])
def test_what_a_server_answers_is_said(status: int, words: str) -> None:
    with answering(status) as address, pytest.raises(SourceError, match=words):
        open_source(address, SourceOptions(read_timeout_s=2))
