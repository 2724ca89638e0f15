"""The records that an MCAP file consists of (https://mcap.dev/spec), written as they come.

The writer of the ``mcap`` package copies each message three times; here a frame goes to the system
in one call, from where its arrays lie. Small records are that package's own.
"""

from __future__ import annotations

import struct
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from stereo.errors import MissingLibraryError
from stereo.publishing.cdr import Encoded
from stereo.publishing.gather import Bytes

_MAGIC = b"\x89MCAP0\r\n"
_LARGE = 100_000
"""A message of so many bytes has a chunk of its own: readers take whole chunks, of one topic then.
Smaller ones of a frame share one."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a channel."""

    channel: int
    stamp_ns: int
    data: Encoded


@dataclass(slots=True)
class _Channel:
    record: Any
    messages: int = 0


@dataclass(slots=True)
class _Summary:
    """What stands at the end of the file: where everything is."""

    schemas: list[Any] = field(default_factory=list)
    channels: list[_Channel] = field(default_factory=list)
    chunks: list[Any] = field(default_factory=list)
    attachments: list[Any] = field(default_factory=list)


class Records:
    """Builds the records of one file and hands them to ``write``, which takes all or raises."""

    def __init__(
        self, write: Callable[[Sequence[Bytes]], None], library: str, *, checksums: bool
    ) -> None:
        """``checksums`` of chunks. Raises MissingLibraryError without mcap."""
        self._records = _library()
        self._write, self._checksums, self._at = write, checksums, 0
        self._summary = _Summary()
        self._hand_over(
            [_MAGIC, self._bytes(self._records.Header(profile="ros2", library=library))]
        )

    def add_schema(self, name: str, text: bytes) -> int:
        """Return the number of a kind of message."""
        number = len(self._summary.schemas) + 1
        record = self._records.Schema(id=number, data=text, encoding="ros2msg", name=name)
        self._hand_over([self._bytes(record)])
        self._summary.schemas.append(record)
        return number

    def add_channel(self, topic: str, schema: int, metadata: dict[str, str]) -> int:
        """Return the number of a topic."""
        number = len(self._summary.channels) + 1
        record = self._records.Channel(
            id=number,
            topic=topic,
            message_encoding="cdr",
            schema_id=schema,
            metadata=metadata,
        )
        self._hand_over([self._bytes(record)])
        self._summary.channels.append(_Channel(record))
        return number

    def attach(self, name: str, media_type: str, data: bytes) -> None:
        """Keep a file in this one."""
        record = self._records.Attachment(0, 0, name, media_type, data)
        raw, at = self._bytes(record), self._at
        self._hand_over([raw])
        index = self._records.AttachmentIndex(at, len(raw), 0, 0, len(data), name, media_type)
        self._summary.attachments.append(index)

    def add(self, messages: Iterable[Message]) -> None:
        """Write messages, all in one call to the system."""
        small, groups = [], []
        for one in messages:
            if len(one.data) < _LARGE:
                small.append(one)
            else:
                groups.append([one])
        if small:
            groups.insert(0, small)
        pieces: list[Bytes] = []
        chunks, at = [], self._at
        for group in groups:
            chunk, made = self._chunk(group, at)
            chunks.append(chunk)
            pieces += made
            at += sum(map(len, made))
        self._hand_over(pieces)
        self._summary.chunks += chunks
        for group in groups:
            for one in group:
                self._summary.channels[one.channel - 1].messages += 1

    def _chunk(self, messages: Sequence[Message], at: int) -> tuple[Any, list[Bytes]]:
        """A chunk that begins at ``at``: what the summary keeps of it, and its bytes."""
        held: list[Bytes] = []
        places: dict[int, list[tuple[int, int]]] = defaultdict(list)
        size = 0
        for one in messages:
            places[one.channel].append((one.stamp_ns, size))
            stamps = one.stamp_ns, one.stamp_ns  # of logging and of publishing
            head = struct.pack("<BQHIQQ", 5, 22 + len(one.data), one.channel, 0, *stamps)
            held += [head, *one.data.pieces]
            size += len(head) + len(one.data)
        crc = 0
        if self._checksums:
            for piece in held:
                crc = zlib.crc32(piece, crc)
        first, last = _first_and_last(one.stamp_ns for one in messages)
        fixed = struct.pack("<QQQIIQ", first, last, size, crc, 0, size)  # 0: not compressed
        begin = struct.pack("<BQ", 6, len(fixed) + size) + fixed
        offsets: dict[int, int] = {}
        after: list[Bytes] = []
        end = at + len(begin) + size
        for channel, found in places.items():
            offsets[channel] = end + sum(map(len, after))
            after.append(self._bytes(self._records.MessageIndex(channel, found)))
        index = self._records.ChunkIndex(
            message_start_time=first,
            message_end_time=last,
            chunk_start_offset=at,
            chunk_length=len(begin) + size,
            message_index_offsets=offsets,
            message_index_length=sum(map(len, after)),
            compression="",
            compressed_size=size,
            uncompressed_size=size,
        )
        return index, [begin, *held, *after]

    def finish(self) -> None:
        """Write what makes the file whole: a summary, which says where everything is."""
        records, s = self._records, self._summary
        self._hand_over([self._bytes(records.DataEnd(0))])
        begin, offsets = self._at, []
        parts: list[bytes] = []
        groups = (
            s.schemas,
            [one.record for one in s.channels],
            [self._statistics()],
            s.chunks,
            s.attachments,
        )
        for group in groups:
            if not group:
                continue
            raw = b"".join(map(self._bytes, group))
            start = begin + sum(map(len, parts))
            offsets.append(records.SummaryOffset(raw[0], start, len(raw)))
            parts.append(raw)
        offset_start = begin + sum(map(len, parts))
        summary = b"".join((*parts, *map(self._bytes, offsets)))
        # the checksum covers the footer too, as far as its own place
        footer = struct.pack("<BQQQ", 2, 20, begin, offset_start)
        crc = struct.pack("<I", zlib.crc32(footer, zlib.crc32(summary)))
        self._hand_over([summary, footer, crc, _MAGIC])

    def _statistics(self) -> Any:
        s = self._summary
        counts = {one.record.id: one.messages for one in s.channels if one.messages}
        times = [(one.message_start_time, one.message_end_time) for one in s.chunks]
        first, last = _first_and_last(stamp for pair in times for stamp in pair)
        return self._records.Statistics(
            attachment_count=len(s.attachments),
            channel_count=len(s.channels),
            channel_message_counts=counts,
            chunk_count=len(s.chunks),
            message_count=sum(counts.values()),
            metadata_count=0,
            message_start_time=first,
            message_end_time=last,
            schema_count=len(s.schemas),
        )

    def _hand_over(self, pieces: Sequence[Bytes]) -> None:
        self._write(pieces)
        self._at += sum(map(len, pieces))

    def _bytes(self, record: Any) -> bytes:
        from mcap.data_stream import RecordBuilder

        builder: Any = RecordBuilder()
        record.write(builder)
        return bytes(builder.end())


def _first_and_last(stamps: Iterable[int]) -> tuple[int, int]:
    found = list(stamps)
    return (min(found), max(found)) if found else (0, 0)


def _library() -> Any:
    try:
        from mcap import records
    except ImportError as error:
        raise MissingLibraryError(
            "MCAP files are written by mcap, which is not installed: pip install "
            "'stereo-depth[bags]'"
        ) from error
    return records
