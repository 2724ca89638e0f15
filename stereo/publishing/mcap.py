"""An MCAP file of ROS 2 messages, which survives ``kill -9`` up to the last frame.

Each frame ends a chunk, and its chunks are handed to the system before the next frame begins: a
file that was never finished lacks only its summary, and ``bag:`` and `mcap recover` read what there
is. So what runs until somebody stops it is written under its own name from the start; what ends by
itself (``stereo run``) gets its name when it is whole, as all our results do.
"""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO

from stereo._version import __version__
from stereo.closing import Closing
from stereo.errors import InputError, OutputError
from stereo.files.atomic import cannot_write, make_folder
from stereo.publishing import cdr
from stereo.publishing.cdr import Encoded
from stereo.publishing.gather import Bytes, write_all
from stereo.publishing.messages import STATIC, FrameMessages
from stereo.publishing.records import Message, Records
from stereo.sources.record import MIN_FREE_BYTES

_PART = ".{}.{}.part"
"""Name of a file that gets its own when it is whole."""
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
        """``whole``: it gets its name when it is closed. It must not be there yet.

        ``checksums`` of every chunk, which take their time. ``attached``: files that are kept with
        it. Raises InputError, OutputError, MissingLibraryError.
        """
        self.path, self._whole, self._min_free_bytes = Path(path), whole, min_free_bytes
        self._at = self.path
        if self.path.exists():
            raise InputError(f"{self.path}: is there already; give the MCAP file a new name")
        if whole:
            self._at = self.path.with_name(_PART.format(self.path.name[:200], secrets.token_hex(4)))
        make_folder(self.path.parent)
        try:
            self._file = self._at.open("xb", buffering=0)
            if whole:
                _lock(self._file)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._waiting: list[Message] = []
        self._channels: dict[str, int] = {}
        self._schemas: dict[str, int] = {}
        self._said: dict[str, bytes] = {}
        try:
            library = f"stereo-depth {__version__}"
            self._records = Records(self._write_all, library, checksums=checksums)
            for name, data in (attached or {}).items():
                self._records.attach(name, "application/yaml", data)
        except BaseException:
            self._file.close()
            self._at.unlink(missing_ok=True)
            raise

    def write(self, topic: str, kind: str, stamp_ns: int, data: Encoded) -> None:
        """Add a message, which is written with the next ``flush``."""
        if topic not in self._channels:
            self._channels[topic] = self._channel(topic, kind)
        self._waiting.append(Message(self._channels[topic], stamp_ns, data))

    def write_once(self, topic: str, kind: str, stamp_ns: int, data: Encoded) -> None:
        """Add a message unless it is that before it: of what holds at all times."""
        said = bytes(data)
        if self._said.get(topic) != said:
            self._said[topic] = said
            self.write(topic, kind, stamp_ns, data)

    def _channel(self, topic: str, kind: str) -> int:
        if kind not in self._schemas:
            self._schemas[kind] = self._records.add_schema(kind, cdr.definition(kind))
        quality = {"offered_qos_profiles": _LATCHED} if topic == STATIC else {}
        return self._records.add_channel(f"/{topic}", self._schemas[kind], quality)

    def flush(self) -> None:
        """What was added so far survives us. Raises OutputError, also for too little space."""
        waiting, self._waiting = self._waiting, []
        self._records.add(waiting)
        try:
            free = shutil.disk_usage(self.path.parent).free
        except OSError as error:
            raise cannot_write(self.path, error) from error
        if free < self._min_free_bytes:
            raise OutputError(
                f"{self.path}: {free / 1e6:.0f} MB free, less than the "
                f"{self._min_free_bytes / 1e6:.0f} MB to be left; free some space, or write "
                "elsewhere"
            )

    def _write_all(self, pieces: Sequence[Bytes]) -> None:
        """Hand all to the system, or nothing: the file then ends where it did before."""
        before = self._file.tell()
        try:
            write_all(partial(os.writev, self._file.fileno()), pieces)
            _forget(self._file.fileno(), before)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.seek(before)
                self._file.truncate()
            raise cannot_write(self.path, error) from error

    def close(self) -> None:
        """Finish the file. Raises OutputError."""
        if self._file.closed:
            return
        try:
            with self._file:
                self._records.add(self._waiting)
                self._records.finish()
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


def remove_unfinished(path: Path) -> int:
    """Remove what killed processes left of a file that was to be whole; return its bytes.

    What a living one is writing stays.
    """
    removed = 0
    for part in path.parent.glob(_PART.format(glob.escape(path.name[:200]), "*")):
        with contextlib.suppress(OSError), part.open("rb") as file:
            if _lock(file):
                removed += part.stat().st_size
                part.unlink()
    return removed


def _lock(file: IO[bytes]) -> bool:
    """Hold a file as long as it is open; False where another process does, or nobody can."""
    try:
        import fcntl  # Windows has none, nor such locks

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):  # a network file system without locks
        return False
    return True


def _forget(descriptor: int, end: int) -> None:
    """Tell the system that nobody will read what stands before ``end`` soon.

    It is written out at once, and its memory taken for what comes: a file of results grows by
    250 MB a second, which would push everything else out of memory, and new memory costs more
    than the writing (benchmarks/publishing.py).
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, end, os.POSIX_FADV_DONTNEED)


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
