"""What became of each pair of a batch: one SQLite file in the result folder.

Every pair that ends is one transaction (write-ahead log), so that a crash or ``kill -9`` costs only
what was under way. Files are the truth and the ledger is the memory of them: a pair counts as done
while its files have the sizes that stand here.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stereo.errors import InputError, OutputError
from stereo.files.atomic import cannot_write, make_folder

NAME = "batch.sqlite"
VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS pairs (
    name TEXT PRIMARY KEY, folder TEXT NOT NULL, state TEXT NOT NULL, fingerprint TEXT NOT NULL,
    seconds REAL NOT NULL, facts TEXT NOT NULL, thumbnail BLOB
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

# what SQLite says of a spoilt file may itself be no text
_SPOILT = (sqlite3.DatabaseError, UnicodeDecodeError)
State = Literal["done", "set aside"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One pair that ended."""

    name: str
    """The pair's name, unique in its batch."""
    folder: str
    """Where its results lie, relative to the result folder."""
    state: State
    """How it ended."""
    fingerprint: str
    """Of its input and the settings."""
    seconds: float
    """How long it took."""
    facts: dict[str, Any]
    """What is known of it: of one that is done ``bytes`` (file -> size) and figures, of one set
    aside ``reason``."""
    thumbnail: bytes | None = None
    """A small JPEG of its depth; only of some."""


class Ledger:
    """The open ledger of a result folder. Used by one thread."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._file = _identity(path)

    def get(self, name: str) -> Entry | None:
        """Return what became of the pair of that name; None: nothing yet."""
        return next(self._entries("WHERE name = ?", (name,)), None)

    def put(self, entry: Entry) -> None:
        """Keep what became of a pair, in place of what stood there.

        Raises OutputError, also where the file was removed: what is written to it then is lost.
        """
        if _identity(self._path) != self._file:
            raise OutputError(
                f"{self._path}: was removed or replaced while the batch was at work; start it "
                "again: finished pairs are recognised by their summary.json"
            )
        self._run(
            "INSERT OR REPLACE INTO pairs VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *(entry.name, entry.folder, entry.state, entry.fingerprint, entry.seconds),
                *(json.dumps(entry.facts), entry.thumbnail),
            ),
        )

    def entries(self, state: State) -> Iterator[Entry]:
        """Yield all pairs that ended so, by name."""
        return self._entries("WHERE state = ? ORDER BY name", (state,))

    def count(self, state: State) -> int:
        """Return how many pairs ended so."""
        return int(self._run("SELECT count(*) FROM pairs WHERE state = ?", (state,))[0][0])

    def seconds(self) -> float:
        """Return how long all pairs took together, on one worker each."""
        return float(self._run("SELECT total(seconds) FROM pairs", ())[0][0])

    def count_untrusted(self) -> int:
        """Return how many pairs are done, but not to be trusted."""
        sql = (
            "SELECT count(*) FROM pairs WHERE state = 'done' "
            "AND json_extract(facts, '$.trusted') = 0"
        )
        return int(self._run(sql, ())[0][0])

    def pictured(self) -> Iterator[Entry]:
        """Yield the pairs that have a thumbnail, by name."""
        return self._entries("WHERE thumbnail IS NOT NULL ORDER BY name", ())

    def setting(self, name: str, default: str) -> str:
        """Return what was decided when the ledger was new; then, ``default``, which is kept."""
        self._run("INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, default))
        return str(self._run("SELECT value FROM settings WHERE name = ?", (name,))[0][0])

    def setting_is(self, name: str, value: str) -> bool:
        """Return whether that was decided when the ledger was new."""
        return self._run("SELECT value FROM settings WHERE name = ?", (name,)) == [(value,)]

    def _entries(self, which: str, values: tuple[Any, ...]) -> Iterator[Entry]:
        sql = "SELECT name, folder, state, fingerprint, seconds, facts, thumbnail FROM pairs "
        with self._telling():
            yield from map(_entry, self._connection.execute(sql + which, values))

    def _run(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        with self._telling():
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn what SQLite says, or a spoilt entry, into an error of ours."""
        try:
            yield
        except (*_SPOILT, ValueError, TypeError, RecursionError) as error:
            raise OutputError(
                f"{self._path}: the ledger cannot be used: {error}; check free space, or move it "
                "away: finished pairs are recognised by their summary.json"
            ) from error


@contextmanager
def open_ledger(out: Path) -> Iterator[Ledger]:
    """Open the ledger of a result folder, alone.

    Raises InputError for one of another version, or that another batch has open; OutputError when
    it cannot be written.
    """
    make_folder(out)
    path = out / NAME
    with _alone(out):
        try:
            connection = sqlite3.connect(path, isolation_level=None)
        except _SPOILT as error:
            raise OutputError(f"{path}: cannot be opened: {error}") from error
        try:
            _prepare(connection, path)
            yield Ledger(connection, path)
        finally:
            with suppress(*_SPOILT):  # a full disk has said so already
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()


def read_ledger(out: Path) -> Ledger | None:
    """Return the ledger of a result folder for reading; None: there is none.

    Raises InputError for one of another version.
    """
    path = out / NAME
    if not path.is_file():
        return None
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    _check_version(connection, path)
    return Ledger(connection, path)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    _check_version(connection, path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # the files themselves are synced
        connection.executescript(_TABLES)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except _SPOILT as error:
        raise OutputError(f"{path}: cannot be written: {error}") from error


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    advice = "move it away: finished pairs are recognised by their summary.json"
    try:
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except _SPOILT as error:
        raise InputError(f"{path}: is no ledger of a batch ({error}); {advice}") from error
    if found != VERSION and tables:
        raise InputError(
            f"{path}: is a ledger of version {found}, this program knows {VERSION}; {advice}"
        )


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the result folder for one batch; the lock goes with the process, however it ends."""
    path = out / ".batch.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        try:
            import fcntl  # Windows has none, nor such locks

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{out}: another stereo batch is at work there; wait for it, or choose another "
                "folder"
            ) from None
        except (ImportError, OSError):  # a network file system without locks
            pass
        yield
    finally:
        os.close(handle)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands there; None: none does."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _entry(row: tuple[Any, ...]) -> Entry:
    name, folder, state, fingerprint, seconds, facts, thumbnail = row
    return Entry(name, folder, state, fingerprint, float(seconds), json.loads(facts), thumbnail)
