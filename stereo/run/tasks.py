"""A pair as a task: what is sent to where it is worked on, what comes back, and the work itself."""

from __future__ import annotations

import contextlib
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import cv2

from stereo.errors import OutputError, StereoError
from stereo.files.images import read_image
from stereo.files.urls import Place, size_of
from stereo.pipeline import StereoPipeline
from stereo.run.pairs import Pair
from stereo.run.processing import BatchSettings, PairReport, SetAside, report_or_set_aside

_THUMBNAIL_PX = 240
_PAUSE_S = 0.5
_PASSING = (MemoryError, ConnectionError, TimeoutError, InterruptedError)


@dataclass(frozen=True, eq=False, slots=True)
class Job:
    """What is done to every pair; goes to each worker once."""

    pipeline: StereoPipeline
    """Has no state between pairs, but memory: each worker has its own."""
    settings: BatchSettings
    """What is written, and where."""


@dataclass(frozen=True, eq=False, slots=True)
class Task:
    """One pair to work on."""

    pair: Pair
    folder: Place
    """Where its results go."""
    attempt: int = 1
    """Counts from 1."""
    thumbnail: bool = False
    """Whether a small picture of the result is wanted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A pair that did not end as a pair should."""

    kind: Literal["crash", "passing", "fatal"]
    """crash: its worker died; passing: may go better next time; fatal: every pair would fail."""
    reason: str


@dataclass(frozen=True, eq=False, slots=True)
class Done:
    """What became of a task."""

    outcome: PairReport | SetAside | Fault
    seconds: float
    """How long that took."""
    thumbnail: bytes | None = None
    """A small JPEG of the depth, where it was wanted."""
    summary_bytes: int = 0
    """Of a pair that is done: the size of its ``summary.json``, 0 at a URL."""


class Executor(Protocol):
    """Where tasks are worked on: processes of this computer, or a cluster."""

    def free(self) -> bool:
        """Return whether one more task should be submitted."""
        ...

    def submit(self, task: Task) -> None:
        """Start a task."""
        ...

    def wait(self) -> list[tuple[Task, Done]]:
        """Wait until a task has ended; return those that have. Empty: none is under way."""
        ...

    def close(self) -> None:
        """End at once, whatever is under way."""
        ...


def do(task: Task, job: Job) -> Done:
    """Work on one task; whatever goes wrong is said in the outcome."""
    if task.attempt > 1:
        time.sleep(_PAUSE_S * (task.attempt - 1))  # a server needs a while to come back
    start = time.perf_counter()
    outcome: PairReport | SetAside | Fault
    picture, summary_bytes = None, 0
    try:
        outcome = report_or_set_aside(task.pair, job.pipeline, job.settings, task.folder)
        if isinstance(outcome, SetAside) and _is_passing(outcome.error):
            outcome = Fault("passing", str(outcome.error))
        elif isinstance(outcome, PairReport):
            picture = _thumbnail(outcome) if task.thumbnail else None
            if isinstance(outcome.folder, Path):
                summary_bytes = size_of(outcome.folder / "summary.json")
    except OutputError as error:
        outcome = Fault("fatal", str(error))
    except StereoError as error:
        outcome = SetAside(task.pair.name, error)
    except Exception as error:
        if _is_passing(error):
            outcome = Fault("passing", f"{type(error).__name__}: {error}")
        else:
            where = traceback.extract_tb(error.__traceback__)[-1]
            outcome = SetAside(
                task.pair.name,
                StereoError(
                    f"an error of this program: {type(error).__name__}: {error} "
                    f"({Path(where.filename).name}:{where.lineno}); please report it"
                ),
            )
    return Done(outcome, time.perf_counter() - start, picture, summary_bytes)


def _is_passing(error: BaseException | None) -> bool:
    """Whether a fault of the system, not of the input, lies behind an error."""
    while error is not None:
        if isinstance(error, _PASSING):
            return True
        if isinstance(error, OSError) and not isinstance(
            error, (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
        ):
            return True
        error = error.__cause__
    return False


def _thumbnail(report: PairReport) -> bytes | None:
    """A small JPEG of the coloured map, where one was written."""
    file = report.summary["files"].get("preview")
    if file is None:
        return None
    with contextlib.suppress(StereoError, OSError), ExitStack() as stack:
        place = report.folder / file
        local = place if isinstance(place, Path) else stack.enter_context(place.fetched())
        picture = read_image(local)
        scale = min(1.0, _THUMBNAIL_PX / picture.shape[1])
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if small.ndim == 3:
            small = small[..., ::-1]
        return bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 75])[1])
    return None
