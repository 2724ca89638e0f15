"""An MCAP file of ROS 2 messages, which survives ``kill -9`` up to the last frame.

Each frame ends a chunk, and its chunks are handed to the system before the next frame begins: a
file that was never finished lacks only its summary, and ``bag:`` and `mcap recover` read what there
is. So what runs until somebody stops it is written under its own name from the start; what ends by
itself (``stereo run``) gets its name when it is whole, as all our results do.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from stereo._version import __version__
from stereo.closing import Closing
from stereo.errors import InputError, MissingLibraryError, OutputError
from stereo.files.atomic import cannot_write, make_folder
from stereo.publishing import cdr
from stereo.publishing.messages import STATIC, FrameMessages
from stereo.sources.record import MIN_FREE_BYTES

_CHUNK_BYTES = 500_000  # a large message alone: four times faster than chunks of 4 MB
_LATCHED = (  # rosbag2's own words for: keep the last, for whoever comes later
    "- history: 1\n  depth: 1\n  reliability: 1\n  durability: 1\n  deadline:\n    sec: 0\n"
    "    nsec: 0\n  lifespan:\n    sec: 0\n    nsec: 0\n  liveliness: 1\n"
    "  liveliness_lease_duration:\n    sec: 0\n    nsec: 0\n"
    "  avoid_ros_namespace_conventions: false\n"
)


class McapFile(Closing):
    """Messages by topic; topics need not be named before."""

    def __init__(
        self,
        path: str | Path,
        *,
        whole: bool = False,
        checksums: bool = True,
        attached: Mapping[str, bytes] | None = None,
        min_free_bytes: int = MIN_FREE_BYTES,
    ) -> None:
        """``whole``: it gets its name when it is closed; else it must not be there yet.

        ``checksums`` of every chunk take twice the time of writing it. ``attached``: files that
        are kept with it. Raises InputError, OutputError, MissingLibraryError.
        """
        self.path, self._whole, self._min_free_bytes = Path(path), whole, min_free_bytes
        self._at = self.path
        if whole:
            name = f".{self.path.name[:200]}.{secrets.token_hex(4)}.part"
            self._at = self.path.with_name(name)
        elif self.path.exists():
            raise InputError(f"{self.path}: is there already; give the MCAP file a new name")
        if self.path.is_dir():
            raise InputError(f"{self.path}: is a folder; an MCAP file is to be written")
        writer = _library()
        make_folder(self.path.parent)
        try:
            self._file = self._at.open("xb")
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._writer: Any = writer.Writer(
            self._file,
            chunk_size=_CHUNK_BYTES,
            compression=writer.CompressionType.NONE,  # floats do not shrink; the disk is faster
            enable_crcs=checksums,
        )
        self._channels: dict[str, int] = {}
        self._schemas: dict[str, int] = {}
        self._said: dict[str, bytes] = {}
        self._start(attached or {})

    def _start(self, attached: Mapping[str, bytes]) -> None:
        self._writer.start("ros2", library=f"stereo-depth {__version__}")
        for name, data in attached.items():
            self._writer.add_attachment(0, 0, name, "application/yaml", data)
        self.flush()

    def write(self, topic: str, kind: str, stamp_ns: int, data: memoryview) -> None:
        """Add a message. Raises OutputError when the disk does not take it."""
        if topic not in self._channels:
            self._channels[topic] = self._channel(topic, kind)
        try:
            self._writer.add_message(self._channels[topic], stamp_ns, data, stamp_ns)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def write_once(self, topic: str, kind: str, stamp_ns: int, data: memoryview) -> None:
        """Add a message unless it is that before it: of what holds at all times."""
        said = bytes(data)
        if self._said.get(topic) != said:
            self._said[topic] = said
            self.write(topic, kind, stamp_ns, data)

    def _channel(self, topic: str, kind: str) -> int:
        if kind not in self._schemas:
            self._schemas[kind] = self._writer.register_schema(
                kind, "ros2msg", cdr.definition(kind)
            )
        quality = {"offered_qos_profiles": _LATCHED} if topic == STATIC else {}
        made = self._writer.register_channel(f"/{topic}", "cdr", self._schemas[kind], quality)
        return int(made)

    def flush(self) -> None:
        """What was written so far survives us. Raises OutputError, also for too little space."""
        try:
            self._writer.flush()
            free = shutil.disk_usage(self.path.parent).free
        except OSError as error:
            raise cannot_write(self.path, error) from error
        if free < self._min_free_bytes:
            raise OutputError(
                f"{self.path}: {free / 1e6:.0f} MB free, less than the "
                f"{self._min_free_bytes / 1e6:.0f} MB to be left; free some space, or write "
                "elsewhere"
            )

    def close(self) -> None:
        """Finish the file. Raises OutputError."""
        if self._file.closed:
            return
        try:
            with self._file:
                self._writer.finish()
                self._file.flush()
                os.fsync(self._file.fileno())
            if self._whole:
                self._at.replace(self.path)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self._whole:  # half of it is no result
            self._file.close()
            self._at.unlink(missing_ok=True)
        self.close()


class McapPublisher:
    """Writes results into a file; see ``Publisher``."""

    every_frame = True
    note = ""

    def __init__(self, file: McapFile) -> None:
        self._file = file

    def publish(self, messages: FrameMessages) -> None:
        """See ``Publisher``."""
        for topic, kind in messages.topics.items():
            write = self._file.write_once if topic == STATIC else self._file.write
            write(topic, kind, messages.stamp_ns, messages.encoded(topic))
        self._file.flush()

    def close(self) -> None:
        """See ``Publisher``."""
        self._file.close()


def _library() -> Any:
    try:
        from mcap import writer
    except ImportError as error:
        raise MissingLibraryError(
            "MCAP files are written by mcap, which is not installed: pip install "
            "'stereo-depth[bags]'"
        ) from error
    return writer
