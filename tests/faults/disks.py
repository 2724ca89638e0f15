"""Places that cannot be written to: full at every size, read-only, gone in the middle.

Full is a limit on every file's size, which needs no rights, and a small file system where one may
be mounted (root, or a user namespace).
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from faults.asking import Row
from faults.kills import STEREO, images_beside, run_call
from faults.samples import REPO

MOST_S = 90
_RIG = REPO / "sample_data/room/rig.yaml"


def _calls(folder: Path) -> dict[str, list[str]]:
    """Commands that write into ``folder``/o."""
    out, source = folder / "o", images_beside(folder)
    left, right = str(source / "left/0.png"), str(source / "right/0.png")
    one = ["--rectified", "--focal-px", "300", "--baseline-m", "0.1", "--num-disparities", "32"]
    return {
        "run": [*STEREO, "run", left, right, *one, "-o", str(out)],
        "record": [*STEREO, "record", str(REPO / "sample_data/clip/room.mp4"), "-o", str(out),
                   "--min-free-mb", "0", "--max-frames", "8"],
        "convert": [*STEREO, "convert", str(_RIG), str(out / "c.yaml"), "--to", "opencv"],
        "board": [*STEREO, "board", "--board", "chessboard:9x6:25mm", "-o", str(out / "board.pdf")],
    }  # fmt: skip


def _judged(done: subprocess.CompletedProcess[str], out: Path, *, whole: bool = False) -> str:
    """What was wrong with how a command ended that could not write; "" for nothing."""
    if whole and done.returncode == 0:
        return ""
    if done.returncode not in (1, 2):
        return f"exit code {done.returncode}: {done.stderr[-200:]}"
    if "unexpected" in done.stderr or "Traceback" in done.stderr:
        return done.stderr[-300:]
    left = [path.name for path in out.rglob("*.part")] if out.is_dir() else []
    if left:
        return f"{left[0]} was left behind"
    return "a summary stands" if out.is_dir() and any(out.rglob("summary.json")) else ""


def _run(call: list[str], limit: int | None = None) -> subprocess.CompletedProcess[str]:
    def prepare() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        call, capture_output=True, text=True, timeout=MOST_S, check=False, preexec_fn=prepare
    )


def limited(folder: Path, sizes: dict[str, tuple[int, ...]]) -> Row:
    """No file may become larger than so many bytes."""
    row = Row("disk: a limit of size")
    for name, call in _calls(folder).items():
        for size in sizes.get(name, ()):
            shutil.rmtree(folder / "o", ignore_errors=True)
            (folder / "o").mkdir() if name in ("convert", "board") else None
            row.count(f"{name}, at {size} bytes", _judged(_run(call, size), folder / "o"))
    return row


def _mounted(folder: Path, options: str, call: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command with a small file system on ``folder``/o, in a namespace of its own."""
    (folder / "o").mkdir(exist_ok=True)
    looks = f'"$@"; code=$?; find {folder}/o -name "*.part" -o -name summary.json >&2; exit $code'
    script = f"mount -t tmpfs -o {options} tmpfs {folder}/o && {looks}"
    return _run(["unshare", "-Urm", "sh", "-c", script, "sh", *call])


def mounted(folder: Path, sizes: tuple[str, ...]) -> Row:
    """A file system that is full at so much, or read-only; skipped where none may be mounted."""
    row = Row("disk: full or read-only")
    calls = {name: _into(call, folder / "o") for name, call in _calls(folder).items()}
    if _mounted(folder, "size=1m", ["true"]).returncode:
        row.note = "skipped: no file system may be mounted here"
        return row
    for name, call in calls.items():
        small = sizes if name in ("run", "record") else ("4k",)
        for options in [*(f"size={size}" for size in small), "ro"]:
            if name in ("convert", "board") and options == "size=4k":
                options = "size=4k,nr_inodes=1"
            done = _mounted(folder, options, call)
            wrong = _judged(done, folder / "nowhere")
            if not wrong and (".part" in done.stderr or "o/x/summary.json" in done.stderr):
                wrong = f"left behind: {done.stderr[-200:]}"
            row.count(f"{name}, {options}", wrong)
    return row


def _into(call: list[str], out: Path) -> list[str]:
    """The call with a folder inside the mounted one as its output."""
    return [str(out / "x") if word == str(out) else word for word in call]


def gone(folder: Path, *, times: int) -> Row:
    """The output folder is removed, or becomes a file, while five pairs are worked on."""
    row = Row("disk: folder gone midway")
    what: dict[str, Callable[[Path], object]] = {
        "removed": lambda out: shutil.rmtree(out, ignore_errors=True),
        "moved": lambda out: out.rename(out.with_name(f"moved{time.monotonic_ns()}")),
    }
    for name, act in what.items():
        for k in range(times):
            out = folder / "gone"
            shutil.rmtree(out, ignore_errors=True)
            stop = threading.Event()

            def later(out: Path = out, act: Callable[[Path], object] = act, k: int = k,
                      stop: threading.Event = stop) -> None:  # fmt: skip
                while not stop.is_set() and len(list(out.glob("*/*"))) < 1 + 3 * k:
                    time.sleep(0.002)
                if out.exists():
                    act(out)

            thread = threading.Thread(target=later)
            thread.start()
            done = _run(run_call(out))
            stop.set()
            thread.join()
            wrong = "" if done.returncode in (0, 3) else _judged(done, folder / "nowhere")
            row.count(f"{name} after {1 + 3 * k} files", wrong)
    return row


def disks(scratch: Path, *, full: bool) -> list[Row]:
    """Try them; ``full``: at more sizes."""
    folder = scratch / "disk"
    folder.mkdir(parents=True)
    sizes = {
        "run": (0, 100, 5_000, 150_000, 600_000),
        "record": (0, 200, 30_000),
        "convert": (0, 100),
        "board": (0, 1000),
    }
    if not full:
        return [limited(folder, {"run": (5_000,), "convert": (100,)})]
    return [
        limited(folder, sizes),
        mounted(folder, ("8k", "100k", "300k", "900k")),
        gone(folder, times=3),
    ]
