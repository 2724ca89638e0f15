"""Whom results go to while they come: each publisher in a thread of its own, so that none waits.

Of a running source the newest wins, as everywhere; of files an MCAP file gets every frame.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from calib.nearby import did_you_mean
from stereo.closing import Closing
from stereo.errors import InputError
from stereo.frame import StereoFrame
from stereo.publishing.messages import FrameMessages, MessageOptions, Stamps
from stereo.rectify import Rectification
from stereo.result import StereoResult
from stereo.threads import Latest, start_thread


class Publisher(Protocol):
    """Hands messages to whoever wants them; used by one thread."""

    every_frame: bool
    """Whether a source that can wait shall wait for it."""

    @property
    def note(self) -> str:
        """What its user wants to know at once, such as where to look; empty: nothing."""
        ...

    def publish(self, messages: FrameMessages) -> None:
        """Hand over one frame's messages."""
        ...

    def close(self) -> None:
        """Finish, and give back what is held."""
        ...


KINDS = {
    "mcap": "mcap:FILE, a file for Foxglove, rosbags and ROS 2",
    "foxglove": "foxglove, foxglove:PORT or foxglove:HOST:PORT, for Foxglove's viewer",
    "ros2": "ros2, in a running ROS 2",
}
"""What ``--publish`` can name."""


def open_publisher(spec: str) -> Publisher:
    """Return what ``spec`` names, such as "mcap:out.mcap" or "foxglove".

    Raises InputError, OutputError, MissingLibraryError naming the extra to install.
    """
    kind, _, rest = spec.partition(":")
    if kind == "mcap" and rest:
        from stereo.publishing.mcap import McapFile, McapPublisher

        return McapPublisher(McapFile(Path(rest), checksums=False))
    if kind == "foxglove":
        from stereo.publishing.foxglove import HOST, PORT, FoxglovePublisher

        host, port = _place(spec, rest, HOST, PORT)
        return FoxglovePublisher(host, port)
    if spec == "ros2":
        from stereo.publishing.ros2 import Ros2Publisher

        return Ros2Publisher()
    hint = did_you_mean(kind, KINDS) if kind not in KINDS else None
    raise InputError(f"--publish {spec}{hint or ':'} say {'; '.join(KINDS.values())}")


def open_publishers(specs: Sequence[str]) -> list[tuple[str, Publisher]]:
    """Return all, each with its spec; where one cannot be opened, none stays open."""
    opened: list[tuple[str, Publisher]] = []
    try:
        for spec in specs:
            opened.append((spec, open_publisher(spec)))
    except BaseException:
        for _, publisher in opened:
            publisher.close()
        raise
    return opened


def _place(spec: str, text: str, host: str, port: int) -> tuple[str, int]:
    found = re.fullmatch(r"(?:(.+):)?(\d{1,5})?", text)
    if found is None or int(found[2] or 0) > 65535:
        raise InputError(f"--publish {spec}: say {KINDS['foxglove']}")
    return (found[1] or host).strip("[]"), port if found[2] is None else int(found[2])


@dataclass(frozen=True, slots=True)
class PublishStats:
    """What became of the frames offered to one publisher."""

    published: int
    """Handed over."""
    dropped: int
    """Replaced by a newer one before their turn came."""


class Publishing(Closing):
    """Offers every result to every publisher; whoever matches never waits for a viewer."""

    def __init__(
        self,
        publishers: Sequence[tuple[str, Publisher]],
        *,
        live: bool,
        rect: Rectification | None = None,
        options: MessageOptions | None = None,
    ) -> None:
        """``publishers`` by their names. ``live``: the source goes on when nobody looks.

        ``rect`` is applied to every frame; see ``FrameMessages``.
        """
        self._rect, self._options, self._stamps = rect, options, Stamps()
        self._lanes = [
            _Lane(name, publisher, waits=publisher.every_frame and not live)
            for name, publisher in publishers
        ]

    def offer(self, frame: StereoFrame, result: StereoResult) -> None:
        """Hand over a frame and what it became. Raises what a publisher failed of."""
        if not self._lanes:
            return
        stamp_ns = self._stamps.of(frame)
        messages = FrameMessages(result, stamp_ns, rect=self._rect, options=self._options)
        for lane in self._lanes:
            lane.offer(messages)

    @property
    def stats(self) -> dict[str, PublishStats]:
        """What happened so far, by publisher."""
        return {lane.name: lane.stats for lane in self._lanes}

    def close(self) -> None:
        """Publish what waits, then end. Raises what a publisher failed of."""
        for lane in self._lanes:
            lane.end()
        for lane in self._lanes:
            lane.join()


class _Lane:
    """One publisher and its thread."""

    def __init__(self, name: str, publisher: Publisher, *, waits: bool) -> None:
        self.name, self._publisher, self._waits = name, publisher, waits
        self._latest: Latest[FrameMessages] = Latest()
        self._counting = threading.Lock()
        self._published = 0
        self._error: BaseException | None = None
        self._thread = start_thread(f"publish-{name[:20]}", self._work)

    @property
    def stats(self) -> PublishStats:
        with self._counting:
            return PublishStats(self._published, self._latest.superseded)

    def offer(self, messages: FrameMessages) -> None:
        if not self._latest.put(messages, patient=self._waits):
            self._raise_what_failed()

    def end(self) -> None:
        self._latest.end()

    def join(self) -> None:
        while self._thread.is_alive():
            self._thread.join(0.2)  # so that Ctrl-C is seen
        self._raise_what_failed()

    def _raise_what_failed(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _work(self) -> None:
        try:
            try:
                while (messages := self._latest.take()) is not None:
                    self._publisher.publish(messages)
                    with self._counting:
                        self._published += 1
            finally:
                self._publisher.close()
        except BaseException as error:  # handed to whoever offers
            self._error = error
            self._latest.close()
