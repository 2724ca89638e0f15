"""What of MCAP files rosbags does not read: a rig attached to one, and one that was cut.

Whoever writes one is killed, and it has no summary; rosbags reads nothing else. Here it is read
from its beginning, up to the last chunk that is whole.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from calib import StereoRig, load_rig
from calib.errors import RigFileError
from stereo.errors import InputError, MissingLibraryError

RIG_ATTACHMENT = "rig.yaml"
"""Name of the attachment that is our rig file, which says more than camera_info can."""
_MAGIC = b"\x89MCAP0\r\n"
_MOST_BYTES = 2 * 10**9  # of one record; what asks for more is damage


def is_mcap(path: Path) -> bool:
    """Whether a file begins as MCAP does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def is_cut(path: Path) -> bool:
    """Whether an MCAP file does not end as one."""
    if not is_mcap(path):
        return False
    with path.open("rb") as file:
        file.seek(-len(_MAGIC), os.SEEK_END)
        return file.read() != _MAGIC


def attached_rig(path: Path) -> StereoRig | None:
    """Return the rig attached to an MCAP file by `stereo record`; None when there is none.

    Raises RigFileError for one that is damaged.
    """
    if not is_mcap(path):
        return None
    try:
        from mcap.records import Attachment, Chunk
    except ImportError:
        return None  # camera_info still says most of it
    for record in _records(path, whole_chunks=True):
        if isinstance(record, Chunk):
            return None  # ours stands before all messages
        if isinstance(record, Attachment) and record.name == RIG_ATTACHMENT:
            _check_attachment(path, record)
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / RIG_ATTACHMENT
                file.write_bytes(record.data)
                rig = load_rig(file)
                return rig if isinstance(rig, StereoRig) else None
    return None


def _check_attachment(path: Path, record: Any) -> None:
    """Raise RigFileError unless the file holds its checksum, which mcap leaves unread."""
    from mcap.data_stream import RecordBuilder

    builder: Any = RecordBuilder()
    record.write(builder)  # with the checksum that is right
    expected = bytes(builder.end())
    with path.open("rb") as file:  # it stands before all messages
        begin = file.read(len(expected) + 1_000_000)
    if expected not in begin and expected[:-4] + bytes(4) not in begin:  # 0: none was taken
        raise RigFileError(f"{path}: the rig attached to it is damaged (its checksum is wrong)")


@dataclass(frozen=True, slots=True)
class Connection:
    """A topic, as rosbags has it."""

    id: int
    topic: str
    msgtype: str
    msgcount: int = 0


class CutMcap:
    """Gives what rosbags' ``AnyReader`` gives, of a file without its end."""

    def __init__(self, path: Path) -> None:
        """Read all of it once. Raises InputError when nothing of it can be used."""
        from mcap.records import Channel, Message, Schema
        from rosbags.typesys import Stores, get_types_from_msg, get_typestore

        self._path = path
        self._store: Any = get_typestore(Stores.ROS2_HUMBLE)
        schemas: dict[int, str] = {}
        found: dict[int, Connection] = {}
        for record in _records(path):
            if isinstance(record, Schema):
                schemas[record.id] = record.name
                if record.encoding == "ros2msg" and record.name not in self._store.fielddefs:
                    text = record.data.decode()
                    self._store.register(get_types_from_msg(text, record.name))
            elif isinstance(record, Channel) and record.id not in found:
                kind = schemas.get(record.schema_id, "")
                found[record.id] = Connection(record.id, record.topic, kind)
            elif isinstance(record, Message) and record.channel_id in found:
                before = found[record.channel_id]
                found[record.channel_id] = replace(before, msgcount=before.msgcount + 1)
        self.connections = list(found.values())
        if not any(one.msgcount for one in self.connections):
            raise InputError(f"{path}: was never finished, and no chunk of messages in it is whole")

    def messages(self, connections: list[Connection]) -> Iterator[tuple[Connection, int, bytes]]:
        """Give the messages of some topics: connection, time of logging in ns, bytes."""
        from mcap.records import Message

        wanted = {one.id: one for one in connections}
        for record in _records(self._path):
            if isinstance(record, Message) and record.channel_id in wanted:
                yield wanted[record.channel_id], record.log_time, record.data

    def deserialize(self, raw: bytes, kind: str) -> Any:
        """Return a message."""
        return self._store.deserialize_cdr(raw, kind)


class _Whole:
    """A file that gives all that is asked for or nothing: half a message is none."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise EOFError
        return data


def _records(path: Path, *, whole_chunks: bool = False) -> Iterator[Any]:
    """The records of a file up to where it ends, or no longer makes sense."""
    try:
        from mcap.exceptions import McapError
        from mcap.stream_reader import StreamReader
    except ImportError as error:
        raise MissingLibraryError(
            f"{path}: was never finished; what there is of it is read by mcap, which is not "
            "installed: pip install 'stereo-depth[bags]'"
        ) from error
    with path.open("rb") as file:
        whole: Any = _Whole(file)
        reader = StreamReader(whole, emit_chunks=whole_chunks, record_size_limit=_MOST_BYTES)
        try:
            yield from reader.records
        except (McapError, EOFError, struct.error, ValueError):
            return  # here it was cut
