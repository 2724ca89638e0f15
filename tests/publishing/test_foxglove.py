"""Foxglove's WebSocket, with real clients that speak its protocol, and with some that do not."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from topics import NS, result

from stereo.errors import InputError
from stereo.frame import StereoFrame
from stereo.publishing.cdr import definition
from stereo.publishing.foxglove import FoxglovePublisher
from stereo.publishing.messages import TOPICS, FrameMessages
from stereo.publishing.publish import Publishing

pytest.importorskip("rosbags", reason="extra `bags` is not installed")
client = pytest.importorskip("websockets.sync.client", reason="extra `foxglove` is not installed")
exceptions = pytest.importorskip("websockets.exceptions")


@contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[FoxglovePublisher]:
    """With a first frame, which says what topics there are."""
    publisher = FoxglovePublisher(host, 0)
    try:
        publisher.publish(FrameMessages(result(), NS - 1))
        yield publisher
    finally:
        publisher.close()


def connect(link: str | FoxglovePublisher, *protocols: str, **named: Any) -> Any:
    url = link if isinstance(link, str) else link.url
    offered = protocols or ("foxglove.sdk.v1",)
    return client.connect(url, subprotocols=offered, max_size=None, proxy=None, **named)


def channels_of(viewer: Any) -> dict[str, dict[str, Any]]:
    """What the server offers, by topic."""
    found: dict[str, dict[str, Any]] = {}
    while not found:
        for one in json.loads(viewer.recv(10)).get("channels", ()):
            found[one["topic"].removeprefix("/")] = one
    return found


def subscribe(viewer: Any, *topics: str) -> None:
    """Subscribe; the subscription's number is that of the channel and 100."""
    channels = channels_of(viewer)
    numbers = [channels[topic]["id"] for topic in topics]
    wanted = [{"id": 100 + number, "channelId": number} for number in numbers]
    viewer.send(json.dumps({"op": "subscribe", "subscriptions": wanted}))


def refused(publisher: FoxglovePublisher, **named: Any) -> int:
    """The HTTP status of a connection that is not let in."""
    with pytest.raises(exceptions.InvalidStatus) as found:
        connect(publisher, **named)
    return int(found.value.response.status_code)


def test_a_client_subscribes_and_gets_the_bytes() -> None:
    messages = FrameMessages(result(), NS)
    with serving() as publisher:
        assert f"open connection ws://127.0.0.1:{publisher.port}," in publisher.note
        with connect(publisher) as viewer:
            subscribe(viewer, "depth")
            publisher.publish(messages)  # before or after the server heard of it
            data = viewer.recv(10)
            while struct.unpack_from("<BIQ", data)[2] != NS:
                data = viewer.recv(10)
            viewer.ping().wait(10)
        opcode, subscription, stamp_ns = struct.unpack_from("<BIQ", data)
        assert (opcode, subscription % 100, stamp_ns) == (1, 1 + list(TOPICS).index("depth"), NS)
        assert data[13:] == bytes(messages.encoded("depth"))
        with pytest.raises(InputError, match=r"cannot be served: another.*free port"):
            FoxglovePublisher(port=publisher.port)


def test_it_says_what_the_sdk_says() -> None:
    """The same channels served by Foxglove's own server: the same words, the same bytes."""
    sdk = pytest.importorskip("foxglove", reason="foxglove-sdk is not installed")
    messages, context = FrameMessages(result(), NS), sdk.Context()
    theirs = {
        topic: sdk.Channel(
            f"/{topic}",
            schema=sdk.Schema(name=kind, encoding="ros2msg", data=definition(kind)),
            message_encoding="cdr",
            context=context,
        )
        for topic, kind in messages.topics.items()
    }
    server = sdk.start_server(name="stereo-depth", host="127.0.0.1", port=0, context=context)
    said: list[Any] = []
    heard: list[bytes] = []
    try:
        with serving() as publisher:
            for url in (publisher.url, f"ws://127.0.0.1:{server.port}"):
                with connect(url) as viewer:
                    about = json.loads(viewer.recv(10))
                    channels = channels_of(viewer)
                    said.append((about, channels))
                    wanted = [{"id": 7, "channelId": channels["points"]["id"]}]
                    viewer.send(json.dumps({"op": "subscribe", "subscriptions": wanted}))
                    data = bytes(13)
                    for _ in range(300):  # until the server has heard of it
                        publisher.publish(messages)
                        theirs["points"].log(bytes(messages.encoded("points")), log_time=NS)
                        with suppress(TimeoutError):
                            data = viewer.recv(0.1)
                        if struct.unpack_from("<BIQ", data)[2] == NS:
                            break
                    heard.append(data)
    finally:
        server.stop()
    (our_about, ours), (their_about, expected) = said
    assert our_about.keys() == their_about.keys()
    assert our_about["capabilities"] == their_about["capabilities"] == []
    assert ours.keys() == expected.keys()
    for topic, channel in ours.items():
        assert channel | {"id": 0} == expected[topic] | {"id": 0}
    assert heard[0] == heard[1]


def test_what_nobody_subscribed_to_is_not_even_made(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as publisher, connect(publisher) as viewer:
        channels_of(viewer)
        monkeypatch.setattr(FrameMessages, "encoded", None)
        publisher.publish(FrameMessages(result(), NS))


def test_who_comes_late_gets_the_last_frame_and_unsubscribing_ends_it() -> None:
    with serving() as publisher:
        publisher.publish(FrameMessages(result(), NS))
        with connect(publisher, "foxglove.websocket.v1") as viewer:  # what older viewers offer
            subscribe(viewer, "tf_static", "confidence")
            heard = {struct.unpack_from("<BIQ", viewer.recv(10))[1] % 100 for _ in range(2)}
            assert len(heard) == 2
            viewer.send(json.dumps({"op": "unsubscribe", "subscriptionIds": [100 + max(heard)]}))
            viewer.send("{}")  # is answered after it was heard
            assert json.loads(viewer.recv(10))["op"] == "status"
            publisher.publish(FrameMessages(result(), NS + 1))
            publisher.publish(FrameMessages(result(), NS + 2))
            data = b""
            while struct.unpack_from("<BIQ", data or bytes(13))[2] != NS + 2:
                data = viewer.recv(10)
                assert struct.unpack_from("<BIQ", data)[1] == 100 + min(heard)


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "null", "http://192.168.1.7:8765", "https://foxglove.dev.evil"),
        *("https://evilfoxglove.dev", "http://app.foxglove.dev", "http://localhost.evil"),
        "http://127.0.0.1.evil.example",
    ],
)
def test_a_foreign_page_is_refused(origin: str) -> None:
    with serving() as publisher:
        assert refused(publisher, origin=origin) == 403
        # a name that its owner lets point at this computer (DNS rebinding)
        host = origin.split("//")[-1]
        with client.connect(publisher.url, subprotocols=["foxglove.sdk.v1"]) as viewer:
            assert viewer.response.status_code == 101
        assert refused(publisher, additional_headers={"Host": host}, origin=origin) == 403


@pytest.mark.parametrize(
    "origin",
    [
        *("https://app.foxglove.dev", "https://foxglove.dev", "file://"),
        *("http://localhost:8080", "http://127.0.0.1:3000", "http://[::1]:8080"),
    ],
)
def test_viewers_that_are_pages_may_connect(origin: str) -> None:
    with serving() as publisher, connect(publisher, origin=origin) as viewer:
        assert channels_of(viewer)


def test_on_the_network_it_takes_the_whole_link() -> None:
    with serving("0.0.0.0") as publisher:
        assert publisher.secret_url in publisher.note
        assert "whoever has the link" in publisher.note
        with connect(publisher.secret_url, origin="https://viewer.example") as viewer:
            assert channels_of(viewer)
        for link in (publisher.url, publisher.secret_url[:-1], publisher.secret_url.upper()):
            with pytest.raises(exceptions.InvalidStatus, match="403"):
                connect(link)


def test_a_viewer_that_hides_where_it_comes_from_takes_the_link_with_the_secret() -> None:
    """As programs do that are browsers inside; a page elsewhere cannot know it."""
    with serving() as publisher:
        assert publisher.secret_url in publisher.note
        for origin in ("null", "https://viewer.example", "app://viewer"):
            with connect(publisher.secret_url, origin=origin) as viewer:
                assert channels_of(viewer)
            with pytest.raises(exceptions.InvalidStatus, match="403"):
                connect(publisher.secret_url[:-1], origin=origin)
        with pytest.raises(exceptions.InvalidStatus, match="403"):  # a stranger's name for it
            connect(publisher.secret_url, additional_headers={"Host": "evil.example"})


def plain_viewer(publisher: FoxglovePublisher, *, after: bytes = b"") -> socket.socket:
    """A viewer that has shaken hands and reads nothing by itself; ``after``: said too early."""
    viewer = socket.create_connection(("127.0.0.1", publisher.port), timeout=10)
    viewer.sendall(
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{publisher.port}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: "
        "foxglove.sdk.v1\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        + after
    )
    return viewer


def framed(text: bytes, *, opcode: int = 0x81) -> bytes:
    """A message as a viewer sends it, masked by zeros."""
    assert len(text) < 65536
    return struct.pack(">BBHI", opcode, 0x80 | 126, len(text), 0) + text


def test_a_viewer_that_reads_nothing_holds_up_nobody() -> None:
    """Neither whoever publishes nor another viewer, nor the end."""
    made = result(size=(400, 600))
    black = StereoFrame(made.pair.left, made.pair.right)
    wanted = [{"id": n, "channelId": n} for n in range(1, 1 + len(TOPICS))]
    with serving() as publisher, plain_viewer(publisher) as deaf, connect(publisher) as keen:
        assert deaf.recv(12) == b"HTTP/1.1 101"
        deaf.sendall(framed(json.dumps({"op": "subscribe", "subscriptions": wanted}).encode()))
        subscribe(keen, "depth")
        with Publishing([("foxglove", publisher)], live=False) as publishing:
            for number in range(1, 41):  # 400 MB for each viewer: no buffer on the way holds it
                publishing.offer(replace(black, time_s=float(number)), made)
            stamp_ns = 0
            while stamp_ns != 40 * 10**9:
                stamp_ns = struct.unpack_from("<BIQ", keen.recv(10))[2]


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{", '{"op": "subscribe"}', '{"op": "advertise", "channels": []}', "[" * 5000),
        '{"op": "subscribe", "subscriptions": [{"id": 1, "channelId": 99}]}',
        '{"op": "subscribe", "subscriptions": [{"id": -1, "channelId": 1}]}',
        '{"op": "subscribe", "subscriptions": [{"id": 1e400, "channelId": 1}]}',
        '{"op": "unsubscribe", "subscriptionIds": [[]]}',
        b"\x01\x02",
    ],
)
def test_nonsense_is_answered_or_passed_over(text: str | bytes) -> None:
    with serving() as publisher, connect(publisher) as viewer:
        channels_of(viewer)
        viewer.send(text)
        if isinstance(text, str):
            told = json.loads(viewer.recv(10))
            assert (told["op"], told["level"]) == ("status", 2)
        viewer.ping().wait(10)
        viewer.send('{"op": "subscribe", "subscriptions": [{"id": 5, "channelId": 6}]}')
        publisher.publish(FrameMessages(result(), NS))
        assert struct.unpack_from("<BI", viewer.recv(10)) == (1, 5)


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # TLS
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 1000,
        b"GET /" + b"x" * 100_000,
    ],
)
def test_what_is_no_viewer_is_turned_away(said: bytes) -> None:
    with serving() as publisher:
        with socket.create_connection(("127.0.0.1", publisher.port), timeout=10) as stranger:
            with suppress(OSError):
                stranger.sendall(said)
            with suppress(ConnectionResetError):
                while data := stranger.recv(4096):
                    assert b" 101 " not in data
        with connect(publisher) as viewer:
            assert channels_of(viewer)


def test_who_talks_too_early_or_too_much_has_to_go() -> None:
    with serving() as publisher:
        for viewer in (
            plain_viewer(publisher, after=framed(b"{}")),
            plain_viewer(publisher),
        ):
            with viewer, suppress(OSError):
                viewer.sendall(framed(b" " * 65_000, opcode=0x01))  # goes on
                viewer.sendall(framed(b" " * 65_000, opcode=0x80))
                while viewer.recv(65536):
                    pass
        crowd = [socket.create_connection(("127.0.0.1", publisher.port)) for _ in range(16)]
        with socket.create_connection(("127.0.0.1", publisher.port), timeout=10) as one_more:
            assert one_more.recv(1) == b""
        for one in crowd:
            one.close()
        while True:  # until the server has seen them go
            try:
                with connect(publisher) as viewer:
                    assert channels_of(viewer)
                    return
            except (exceptions.InvalidMessage, OSError):
                continue
