"""Live sources that fail: two cameras on loopback, broken; and the tests of every other fault."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as Tree
from pathlib import Path

from camera_faults import DOUBTS, faults
from streams import MjpegCamera, numbered

from faults.asking import Question, Row, ask_all
from faults.judging import forget_peak, peak_mb
from faults.samples import REPO
from stereo.errors import StereoError
from stereo.sources import Event, SourceOptions, StereoSource, open_source
from stereo.synthetic import read_frame_number

MOST_MB = 400.0
BACK_S, PROVEN_S, FIRST_S, STOPPED_S = 3.0, 30.0, 60.0, 0.5
TESTED = (
    *("test_address.py", "test_bad_images.py", "test_camera.py", "test_mjpeg.py"),
    *("test_record.py", "test_sync.py", "test_two_streams.py", "test_bag.py"),
)
"""In tests/sources: what cameras, servers and recordings do wrong, most in virtual time."""


class _Reader:
    """Takes pairs in a thread and remembers when the last came, and which were wrong."""

    def __init__(self, source: StereoSource) -> None:
        self.taken_s: float | None = None
        self.wrong: list[tuple[int | None, int | None]] = []
        self.frozen = False
        self.error: StereoError | None = None
        threading.Thread(target=self._read, args=(source,), daemon=True).start()

    def _read(self, source: StereoSource) -> None:
        try:
            for frame in source:
                left, right = read_frame_number(frame.left), read_frame_number(frame.right)
                if left != right and not self.frozen:
                    self.wrong.append((left, right))
                self.taken_s = frame.host_s
        except StereoError as error:
            self.error = error

    def after(self, moment_s: float, within_s: float) -> float | None:
        """How long after a moment a pair was taken; None when there was none in time."""
        end_s = time.monotonic() + within_s
        while time.monotonic() < end_s and self.error is None:
            if self.taken_s is not None and self.taken_s > moment_s:
                return time.monotonic() - moment_s
            time.sleep(0.01)
        return None


def lived(name: str) -> str:
    """Break two cameras in this way; what was wrong with how it was survived."""
    fault, seconds = faults()[name]
    now, frames = time.monotonic(), numbered(60)
    events: list[Event] = []
    forget_peak()
    with (
        MjpegCamera(frames, started_s=now, seed=1) as one,
        MjpegCamera(frames, started_s=now, seed=2) as two,
        open_source(
            f"{one.url},{two.url}",
            SourceOptions(frozen_after_s=1.0, give_up_after_s=None),
            on_event=events.append,
        ) as source,
    ):
        reader = _Reader(source)
        if reader.after(0.0, FIRST_S) is None:
            return f"no pair in {FIRST_S:g} s before anything was broken"
        told = len(events)
        reader.frozen = name == "frozen"
        fault([one, two], seconds)
        mended_s = time.monotonic()
        time.sleep(0.3)  # what is under way
        reader.frozen = False
        limit_s = PROVEN_S if name in DOUBTS else BACK_S
        back_s = reader.after(mended_s, 2 * limit_s)
        one.behaviour.stalled = True
        time.sleep(0.2)
        closed_s = time.monotonic()
        source.close()
        stopped_s = time.monotonic() - closed_s
    if reader.error is not None:
        return f"ended: {reader.error}"
    if reader.wrong:
        return f"wrong pairs: {reader.wrong[:3]}"
    if back_s is None or back_s > limit_s:
        return f"no pair within {limit_s:g} s of its end"
    if peak_mb() > MOST_MB:
        return f"{peak_mb():.0f} MB"
    if stopped_s > STOPPED_S:
        return f"stopped only after {stopped_s:.2f} s while a stream was stalled"
    return "" if len(events) > told or name in DOUBTS else "no event told of it"


def _questions(rounds: int) -> list[Question]:
    return [
        ("live: two cameras", f"{name}, round {k + 1}", {"do": "live", "fault": name})
        for k in range(rounds)
        for name in faults()
    ]


def live(*, rounds: int) -> list[Row]:
    """Break cameras in every way, so many times.

    What takes too long is tried twice more: on a busy machine arrivals prove nothing for a while.
    A wrong pair is not forgiven.
    """
    left, rows, again = _questions(rounds), [], 0
    tried = len(left)
    for attempt in range(3):
        rows = ask_all(left, workers=1, hangs_s=240, told=lambda _: None)
        late = {
            case.partition(": ")[0] for row in rows for case in row.failed if "wrong" not in case
        }
        if attempt == 2 or not late or any(len(row.failed) > len(late) for row in rows):
            break
        left = [question for question in left if question[1] in late]
        again += len(left)
    failed = [case for row in rows for case in row.failed]
    note = f"{again} tried again: too late on a busy machine" if again else ""
    return [Row("live: two cameras", tried, failed, note)]


def tested() -> list[Row]:
    """Run the tests of live sources and recordings; each is a case."""
    with tempfile.TemporaryDirectory() as name:
        report = Path(name, "report.xml")
        call = [sys.executable, "-m", "pytest", "-q", "-n", "2", f"--junitxml={report}"]
        call += [f"tests/sources/{test}" for test in TESTED]
        subprocess.run(call, cwd=REPO, capture_output=True, check=False)
        rows: dict[str, Row] = {}
        for case in Tree.parse(report).iter("testcase"):
            room = case.get("classname", "").rpartition("test_")[2]
            row = rows.setdefault(room, Row(f"tests of {room}"))
            bad = case.find("failure") if case.find("failure") is not None else case.find("error")
            wrong = "" if bad is None else bad.get("message", "failed")[:200]
            row.count(case.get("name", ""), wrong)
    return list(rows.values())
