"""Foxglove's WebSocket, with a real client that speaks its protocol."""

from __future__ import annotations

import json
import struct
import time

import pytest
from topics import NS, result

from stereo.errors import InputError
from stereo.publishing.foxglove import FoxglovePublisher
from stereo.publishing.messages import TOPICS, FrameMessages

pytest.importorskip("foxglove", reason="extra `foxglove` is not installed")
pytest.importorskip("rosbags", reason="extra `bags` is not installed")
client = pytest.importorskip("websockets.sync.client", reason="websockets is not installed")


def test_a_client_subscribes_and_gets_the_bytes() -> None:
    publisher, messages = FoxglovePublisher(port=0), FrameMessages(result(), NS)
    try:
        assert publisher.note == f"Foxglove: open connection ws://127.0.0.1:{publisher.port}"
        with client.connect(
            f"ws://127.0.0.1:{publisher.port}", subprotocols=["foxglove.sdk.v1"], max_size=None
        ) as socket:
            channels: dict[str, dict[str, object]] = {}
            while len(channels) < len(TOPICS):
                told = json.loads(socket.recv(10))
                for one in told.get("channels", ()):
                    channels[one["topic"]] = one
            depth = channels["/depth"]
            assert (depth["encoding"], depth["schemaName"]) == ("cdr", "sensor_msgs/msg/Image")
            wanted = [{"id": 7, "channelId": depth["id"]}]
            socket.send(json.dumps({"op": "subscribe", "subscriptions": wanted}))
            deadline = time.monotonic() + 10
            data: bytes | str = ""
            while not isinstance(data, bytes) and time.monotonic() < deadline:
                publisher.publish(messages)
                try:
                    data = socket.recv(0.2)
                except TimeoutError:
                    continue
        assert isinstance(data, bytes)
        opcode, subscription, stamp_ns = struct.unpack_from("<BIQ", data)
        assert (opcode, subscription, stamp_ns) == (1, 7, NS)
        assert data[13:] == bytes(messages.encoded("depth"))
        with pytest.raises(InputError, match="cannot be served"):
            FoxglovePublisher(port=publisher.port)
    finally:
        publisher.close()


def test_what_nobody_subscribed_to_is_not_even_made(monkeypatch: pytest.MonkeyPatch) -> None:
    publisher, messages = FoxglovePublisher(port=0), FrameMessages(result(), NS)
    monkeypatch.setattr(FrameMessages, "encoded", None)
    try:
        publisher.publish(messages)
    finally:
        publisher.close()
