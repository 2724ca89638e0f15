"""Write what a source gives: lossless, stamped, and whole up to the last frame if we are killed.

Both images of a pair are complete before its line is written, so after ``kill -9`` every pair in
the index can be read. (After a power cut the last seconds may be missing: syncing each file would
cost more than writing it.)
"""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2

from calib import RectifiedRig, StereoRig, save_rig
from calib.plain import jsonable
from stereo._version import __version__
from stereo.closing import Closing
from stereo.errors import InputError, OutputError
from stereo.files.atomic import cannot_write, make_folder, write_whole
from stereo.frame import Image, StereoFrame
from stereo.sources.recording_format import (
    FORMAT,
    FRAMES,
    INDEX,
    META,
    RIG,
    checksum,
    sealed,
)
from stereo.sources.source import SourceOptions, StereoSource
from stereo.threads import start_thread

QUEUE_BYTES = 256_000_000
"""Images that wait for the disk: 1.5 s of 2x 1280x720 RGB at 30 fps."""
MIN_FREE_BYTES = 500_000_000
"""Recording ends before the disk holds less than this."""

# The two lossless PNGs worth having, benchmarks/recording.py: OpenCV's own choice, a bit over half
# the size (an explicit level 1 is slower and larger), and stored as it is, over ten times faster
_COMPRESSED: list[int] = []
_STORED = [cv2.IMWRITE_PNG_COMPRESSION, 0, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
_BUSY = 0.25  # share of the queue in use above which there is no time to compress


@dataclass(frozen=True, slots=True)
class RecordStats:
    """What became of the pairs given to a ``Recorder``."""

    written: int
    """Pairs on disk."""
    dropped: int
    """Pairs that came while the queue was full."""
    waiting: int
    """Pairs in the queue."""
    bytes_written: int
    """Size of the images on disk."""


class Recorder(Closing):
    """Writes pairs into a folder from a thread of its own; whoever captures never waits."""

    def __init__(
        self,
        folder: str | Path,
        source: StereoSource | None = None,
        *,
        calibration: StereoRig | RectifiedRig | None = None,
        options: SourceOptions | None = None,
        queue_bytes: int = QUEUE_BYTES,
        min_free_bytes: int = MIN_FREE_BYTES,
    ) -> None:
        """``source`` and ``options``: where the pairs come from and how it was opened, to remember.

        ``calibration``: the rig, by default what the source knows of itself. Raises InputError when
        the folder holds something already, OutputError when it cannot be written or there is too
        little space.
        """
        self.folder = Path(folder)
        self._min_free_bytes, self._queue_bytes = min_free_bytes, queue_bytes
        # of a live source what cannot be written in time is lost; files can wait
        self._waits = source is not None and not source.live
        if calibration is None and source is not None:
            calibration = source.calibration
        self._begin(source, options, calibration)
        self._changed = threading.Condition()
        self._queue: deque[StereoFrame] = deque()
        self._queued_bytes = 0
        self._written = self._dropped = self._bytes_written = 0
        self._error: BaseException | None = None
        self._closing = False
        self._thread = start_thread("recorder", self._work)

    def _begin(
        self,
        source: StereoSource | None,
        options: SourceOptions | None,
        calibration: StereoRig | RectifiedRig | None,
    ) -> None:
        _check_empty(self.folder)
        make_folder(self.folder / FRAMES)
        self._check_space()
        meta = {
            "format": FORMAT,
            "source": None if source is None else source.name,
            "options": None if options is None else asdict(options),
            "started": datetime.now(UTC).isoformat(),
            "started_monotonic_s": time.monotonic(),
            "calibration": RIG if isinstance(calibration, StereoRig) else _rectified(calibration),
            "versions": {
                "stereo-depth": __version__,
                "opencv": cv2.__version__,
                "python": platform.python_version(),
            },
        }
        if isinstance(calibration, StereoRig):
            save_rig(calibration, self.folder / RIG)
        write_whole(self.folder / META, (json.dumps(meta, indent=2) + "\n").encode())

    # --- for whoever captures -----------------------------------------------------------------

    @property
    def stats(self) -> RecordStats:
        """What happened so far."""
        with self._changed:
            waiting = len(self._queue)
            return RecordStats(self._written, self._dropped, waiting, self._bytes_written)

    def write(self, frame: StereoFrame) -> bool:
        """Hand a pair over; False, and counted, when a live source is faster than the disk.

        A source that is not live waits for room in the queue instead. Raises OutputError when
        writing has failed; what was written stays.
        """
        size = frame.left.nbytes + frame.right.nbytes
        with self._changed:
            while True:
                self._raise_what_failed()
                if not self._queue or self._queued_bytes + size <= self._queue_bytes:
                    break
                if not self._waits:
                    self._dropped += 1
                    return False
                self._changed.wait(0.1)  # so that Ctrl-C is seen
            self._queue.append(frame)
            self._queued_bytes += size
            self._changed.notify_all()
        return True

    def close(self) -> RecordStats:
        """Write what waits and end. Raises OutputError when writing has failed."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        while self._thread.is_alive():
            self._thread.join(0.2)  # so that Ctrl-C is seen
        with self._changed:
            self._raise_what_failed()
        return self.stats

    def _raise_what_failed(self) -> None:
        if self._error is not None:
            raise self._error

    # --- the writing thread -------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._write_all()
        except OSError as error:
            self._error = self._full(cannot_write(self.folder, error))
        except BaseException as error:  # handed to whoever captures
            self._error = error
        finally:
            with self._changed:
                self._changed.notify_all()

    def _write_all(self) -> None:
        """Write what comes until there is no more."""
        index = self.folder / INDEX
        with index.open("xb", buffering=0) as file, ThreadPoolExecutor(2, "encode") as pool:
            while (frame := self._next()) is not None:
                self._wrote(frame, self._write(frame, file.fileno(), pool))
            os.fsync(file.fileno())

    def _next(self) -> StereoFrame | None:
        """The first frame of the queue, which stays there until it is written."""
        with self._changed:
            while not self._queue:
                if self._closing:
                    return None
                self._changed.wait()
            return self._queue[0]

    def _wrote(self, frame: StereoFrame, size: int) -> None:
        """Take the first frame out of the queue."""
        with self._changed:
            self._queue.popleft()
            self._queued_bytes -= frame.left.nbytes + frame.right.nbytes
            self._written += 1
            self._bytes_written += size
            self._changed.notify_all()

    def _write(self, frame: StereoFrame, index: int, pool: ThreadPoolExecutor) -> int:
        """Write the first pair of the queue, then its line; return the bytes of its images."""
        self._check_space()
        with self._changed:
            busy = self._queued_bytes > _BUSY * self._queue_bytes and len(self._queue) > 2
        options = _STORED if busy else _COMPRESSED
        number = self._written
        files = {side: f"{FRAMES}/{number:06d}_{side}.png" for side in ("left", "right")}
        images, before = {"left": frame.left, "right": frame.right}, os.lseek(index, 0, os.SEEK_CUR)
        try:
            pending = {s: pool.submit(_encode, images[s], options) for s in images}
            encoded = {s: pending[s].result() for s in images}
            size = sum(_write_new(self.folder / files[s], encoded[s]) for s in images)
            line = _line(number, frame, files, encoded)
            if os.write(index, line) != len(line):
                raise _disk_full(INDEX)
        except BaseException:
            os.ftruncate(index, before)  # the disk may have taken half a line
            for name in files.values():
                (self.folder / name).unlink(missing_ok=True)
            raise
        return size

    def _check_space(self) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < self._min_free_bytes:
            raise self._full(
                OutputError(
                    f"{self.folder}: {free / 1e6:.0f} MB free, less than the "
                    f"{self._min_free_bytes / 1e6:.0f} MB to be left; free some space, or record "
                    "elsewhere (stereo record has --min-free-mb)"
                )
            )

    def _full(self, error: OutputError) -> OutputError:
        written = getattr(self, "_written", 0)
        return OutputError(f"{error} ({written} pairs are recorded)") if written else error


def _check_empty(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder}: is not empty; give a new folder for the recording")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; give a new folder for the recording")


def _rectified(calibration: RectifiedRig | None) -> dict[str, Any] | None:
    """A rectified rig needs no file of its own: a few numbers."""
    if calibration is None:
        return None
    names = [field.name for field in fields(calibration)]
    return {name: jsonable(getattr(calibration, name)) for name in names}


def _encode(image: Image, options: list[int]) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    done, data = cv2.imencode(".png", bgr, options)
    if not done:
        raise OutputError("OpenCV could not encode an image as PNG")
    return data.tobytes()


def _write_new(path: Path, data: bytes) -> int:
    """Write a file that only counts once the index names it: no renaming, no syncing."""
    with path.open("xb", buffering=0) as file:
        if file.write(data) != len(data):
            raise _disk_full(path.name)
    return len(data)


def _disk_full(name: str) -> OSError:
    """What the system says with the next write when it took only a part of this one."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)


def _line(
    number: int, frame: StereoFrame, files: Mapping[str, str], encoded: Mapping[str, bytes]
) -> bytes:
    # NaN is no JSON
    host_s = None if frame.host_s != frame.host_s else frame.host_s
    entry = {"number": number, "time_s": frame.time_s, "skew_s": frame.skew_s, "host_s": host_s}
    name = {"name": frame.name} if frame.name else {}
    sums = {f"{side}_sum": checksum(data) for side, data in encoded.items()}
    return sealed({**entry, **name, **files, **sums})
