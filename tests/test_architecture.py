"""Who may import whom, and what must not be imported early. See docs/architecture.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
LAZY = {
    *("open3d", "matplotlib", "viser", "rich", "jinja2", "dask", "distributed", "fsspec", "optuna"),
    *("foxglove", "mcap", "rosbags", "rclpy", "onnxruntime", "onnx"),
}
"""Slow to import: only inside functions."""

CALIB = {
    *("calib", "calib.camera", "calib.checks", "calib.errors", "calib.nearby", "calib.plain"),
    *("calib.placed", "calib.rig", "calib.words"),
}
"""What of calib anybody in stereo may use: its face, cameras, errors, hints, data, words."""

CORNERS = {"calib.board", "calib.detection", "calib.errors"}
SOLVED = {*CORNERS, "calib.camera", "calib.rig", "calib.solving"}
JUDGED = {*SOLVED, "calib.judging"}
DATA = {"stereo.errors", "stereo.frame", "stereo.proof"}

ROOMS: dict[str, set[str]] = {
    "calib.errors": set(),
    "calib.atomic": set(),
    "calib.imagebytes": set(),
    "calib.plain": set(),
    "calib.words": set(),
    "calib.nearby": set(),
    "calib.lens": set(),
    "calib.notes": {"calib.errors"},
    "calib.units": set(),
    "calib.checks": {"calib.errors", "calib.words"},
    "calib.camera": {"calib.checks", "calib.errors", "calib.lens", "calib.notes"},
    "calib.rig": {
        *("calib.camera", "calib.checks", "calib.errors", "calib.notes", "calib.units"),
    },
    "calib.placed": {
        *("calib.camera", "calib.checks", "calib.errors", "calib.notes", "calib.rig"),
    },
    "calib.board": {"calib.errors", "calib.words"},
    "calib.page": {"calib.atomic", "calib.board"},
    "calib.detection": {"calib.atomic", "calib.board", "calib.imagebytes"},
    "calib.solving": {*CORNERS, "calib.camera", "calib.lens", "calib.rig"},
    "calib.common_view": {"calib.camera", "calib.errors"},
    "calib.formats": {
        *("calib.atomic", "calib.camera", "calib.checks", "calib.common_view", "calib.errors"),
        *("calib.nearby", "calib.notes", "calib.placed", "calib.rig", "calib.solving"),
        *("calib.units", "calib.words"),
    },
    "calib.judging": {*SOLVED, "calib.words"},
    "calib.health": {
        *("calib.camera", "calib.errors", "calib.plain", "calib.rig", "calib.solving"),
        "calib.words",
    },
    "calib.outcome": {*JUDGED, "calib.plain"},
    "calib.calibrate": {*JUDGED, "calib.outcome"},
    "calib.single": {*JUDGED, "calib.calibrate", "calib.outcome", "calib.plain"},
    "calib.collect": {
        *("calib.board", "calib.calibrate", "calib.detection", "calib.outcome", "calib.solving"),
    },
    "calib.report": {
        *JUDGED,
        *("calib.atomic", "calib.outcome", "calib.words"),
    },
    "calib": set(),
    "stereo._version": set(),
    "stereo.errors": set(),
    "stereo.closing": set(),
    "stereo.threads": set(),
    "stereo.display": set(),
    "stereo.system": set(),
    "stereo.doctor": {"stereo.system"},
    "stereo.presets": set(),
    "stereo.native": {"stereo._native", "stereo.errors", "stereo.threads"},
    "stereo.memory": set(),
    "stereo.proof": set(),
    "stereo.guard": set(),
    "stereo.frame": {"calib.words", "stereo.errors", "stereo.proof"},
    "stereo.gray": {"stereo.frame"},
    "stereo.change": {"stereo.frame"},
    "stereo.confidence": {"stereo.frame"},
    "stereo.depth": {*DATA, "calib.words", "stereo.native"},
    "stereo.measure": {"calib.words", "stereo.frame"},
    "stereo.preview": {"calib.words", "stereo.frame"},
    "stereo.synthetic": CALIB,
    "stereo.files": {*CALIB, *DATA, "calib.atomic", "calib.formats", "calib.imagebytes"},
    "stereo.cloud": {*DATA, "calib.words", "stereo.files", "stereo.gray", "stereo.native"},
    "stereo.render": {"stereo.cloud", "stereo.errors"},
    "stereo.networks": {
        *DATA,
        *("calib.nearby", "stereo.confidence", "stereo.files", "stereo.gray", "stereo.memory"),
    },
    "stereo.matching": {
        *DATA,
        *("calib.nearby", "calib.words", "stereo.change", "stereo.confidence", "stereo.gray"),
        *("stereo.native", "stereo.networks"),
    },
    "stereo.refining": {*DATA, "stereo.change", "stereo.gray", "stereo.native"},
    "stereo.turning": {"stereo.frame"},
    "stereo.rectify": {
        *CALIB,
        *DATA,
        "calib.common_view",
        "calib.judging",
        "calib.solving",
        *("stereo.depth", "stereo.turning"),
    },
    "stereo.sources": {
        *CALIB,
        *DATA,
        *("stereo._version", "stereo.closing", "stereo.files", "stereo.native"),
        *("stereo.synthetic", "stereo.threads"),
    },
    "stereo.register_numpy": {"stereo.frame"},
    "stereo.register": {
        *CALIB,
        *DATA,
        *("stereo.cloud", "stereo.gray", "stereo.native", "stereo.register_numpy"),
    },
    "stereo.result": {
        *DATA,
        *("calib.nearby", "stereo.cloud", "stereo.files", "stereo.preview", "stereo.register"),
    },
    "stereo.pipeline": {
        *DATA,
        *("stereo.gray", "stereo.matching", "stereo.networks", "stereo.rectify"),
        *("stereo.refining", "stereo.register", "stereo.result"),
    },
    "stereo.compute": {
        *CALIB,
        *("stereo.files", "stereo.frame", "stereo.matching", "stereo.pipeline"),
        *("stereo.rectify", "stereo.refining", "stereo.result"),
    },
    "stereo.evaluation": {
        *CALIB,
        *DATA,
        *("stereo.depth", "stereo.files", "stereo.gray", "stereo.matching", "stereo.memory"),
        *("stereo.pipeline", "stereo.rectify", "stereo.refining"),
    },
    "stereo.tuning": {
        *DATA,
        *("stereo.evaluation", "stereo.gray", "stereo.matching", "stereo.pipeline"),
        *("stereo.rectify", "stereo.refining"),
    },
    "stereo.live": {
        *CALIB,
        *JUDGED,
        *DATA,
        *("calib.calibrate", "calib.collect", "calib.health", "calib.outcome"),
        *("stereo.closing", "stereo.depth"),
        "stereo.gray",
        *("stereo.matching", "stereo.networks", "stereo.pipeline", "stereo.rectify"),
        *("stereo.refining", "stereo.register", "stereo.result", "stereo.sources"),
        "stereo.threads",
    },
    "stereo.run": {
        *CALIB,
        *DATA,
        "stereo.evaluation",
        *("calib.health", "calib.solving", "stereo.rectify"),
        *("stereo._version", "stereo.cloud", "stereo.files", "stereo.gray", "stereo.memory"),
        *("stereo.pipeline", "stereo.result", "stereo.sources", "stereo.threads"),
    },
    "stereo.pages": {
        *DATA,
        *("calib.report", "calib.words", "stereo.evaluation", "stereo.files", "stereo.gray"),
        "stereo.run",
    },
    "stereo.viewers": {
        *DATA,
        *("calib.detection", "stereo.closing", "stereo.cloud", "stereo.display", "stereo.gray"),
        "stereo.guard",
        *("stereo.live", "stereo.matching", "stereo.measure", "stereo.presets"),
        *("stereo.preview", "stereo.result", "stereo.run", "stereo.threads"),
        *("calib.words", "stereo.depth", "stereo.evaluation", "stereo.files", "stereo.render"),
        "stereo.tuning",
    },
    "stereo.publishing": {
        *CALIB,
        *DATA,
        *("stereo._version", "stereo.closing", "stereo.cloud", "stereo.files", "stereo.guard"),
        *("stereo.rectify", "stereo.register", "stereo.result", "stereo.sources"),
        *("stereo.threads", "stereo.turning"),
    },
    "stereo": {"stereo._version"},
    "stereo.cli": {"calib", "stereo"},
}
"""Every room, from the ground up, and what it may import; a room stands for all in it. A room
may import only what stands above it here: no arrow runs upward. The command line may use all."""

MOST_LINES = 400
LONG = 300
WHY_LONG: dict[str, str] = {
    "calib.board": "five boards and the text form they share; each is short",
    "calib.calibrate": "from images to an answer: the whole of it on one page",
    "stereo.live.calibration": "one state machine; its parts make no sense apart",
    "stereo.rectify": "Rectification, what it is built from, and what it answers",
    "stereo.sources.phase": "one proof: the period, the phase, and what lateness leaves of them",
    "stereo.synthetic.room": "one scene, listed thing by thing",
    "stereo.synthetic.textures": "a list of textures, one function each",
    "stereo.viewers.panels": "the panels of one page, one class each",
}
"""Files of more than 300 lines, each with the reason why it is not two."""


@cache
def modules() -> dict[str, Path]:
    found = {}
    for package in ("stereo", "calib"):
        for path in sorted((REPO / package).rglob("*.py")):
            parts = path.relative_to(REPO).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Modules that a file names: of ``from a import b`` a.b where that is one, else a."""
    tree = ast.parse(path.read_text())
    names: set[str] = set()
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                names.add(full if full in modules() else str(node.module))
    return names


def ours(name: str) -> set[str]:
    return {i for i in imports(modules()[name]) if i.split(".")[0] in ("stereo", "calib")}


def room_of(name: str) -> str:
    """The room that a module stands in: its longest beginning that the table has."""
    parts = name.split(".")
    for length in range(min(2, len(parts)), 0, -1):
        if ".".join(parts[:length]) in ROOMS and (length == 2 or len(parts) == 1):
            return ".".join(parts[:length])
    raise AssertionError(f"{name} is in no room of the table: give it one, in its place")


@pytest.mark.parametrize("name", sorted(modules()))
def test_module_imports_only_what_its_room_may(name: str) -> None:
    room = room_of(name)
    used = {i if i == "stereo._native" else room_of(i) for i in ours(name)} - {room}
    if room == "stereo.cli":
        return
    assert used <= ROOMS[room], f"{name} must not import {sorted(used - ROOMS[room])}"


def test_no_arrow_runs_upward() -> None:
    above: set[str] = {"stereo._native"}
    for room, may in ROOMS.items():
        if room != "stereo.cli":
            assert may <= above, f"{room} may import {sorted(may - above)}, which stands higher"
        above.add(room)


def test_every_room_of_the_table_exists_and_uses_what_it_may() -> None:
    used: dict[str, set[str]] = {room: set() for room in ROOMS}
    for name in modules():
        used[room_of(name)] |= {i if i == "stereo._native" else room_of(i) for i in ours(name)}
    there = {room_of(name) for name in modules()}
    assert there == set(ROOMS)
    for room, may in ROOMS.items():
        unused = may - used[room] - CALIB - JUDGED - DATA
        assert room == "stereo.cli" or not unused, f"{room} no longer imports {sorted(unused)}"


def test_no_circles() -> None:
    """Within a room too: no module needs itself to be imported."""
    graph = {name: ours(name) & set(modules()) for name in modules()}
    while leaves := {name for name, needs in graph.items() if not needs}:
        graph = {name: needs - leaves for name, needs in graph.items() if name not in leaves}
    assert not graph, f"circles among {sorted(graph)}"


@pytest.mark.parametrize("name", sorted(modules()))
def test_nothing_inside_imports_the_packages_face(name: str) -> None:
    """Names come from the module that defines them; ``from a.b import module`` is fine."""
    parts = name.split(".")
    faces = {".".join(parts[:length]) for length in range(1, len(parts))}
    found = {i for i in ours(name) if i in faces}
    # the command line stands outside of all rooms and may use the front door
    assert not found, f"{name} imports from {sorted(found)}"


def test_calib_never_imports_stereo() -> None:
    for name in modules():
        if name.startswith("calib"):
            assert not {i for i in ours(name) if i.startswith("stereo")}, name


def test_slow_libraries_are_imported_inside_functions() -> None:
    for name, path in modules().items():
        early = {i.split(".")[0] for i in imports(path, top_level_only=True)} & LAZY
        assert not early, f"{name} imports {early} at module level"


def test_no_file_is_too_long() -> None:
    lines = {name: len(path.read_text().splitlines()) for name, path in modules().items()}
    assert not {name: n for name, n in lines.items() if n > MOST_LINES}
    assert set(WHY_LONG) == {name for name, n in lines.items() if n > LONG}


def loaded_by(code: str) -> set[str]:
    script = f"import sys; {code}; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPO
    )
    return set(done.stdout.split())


def test_help_loads_no_heavy_library() -> None:
    loaded = loaded_by(
        "from stereo.cli.main import cli; cli.main(['--help'], standalone_mode=False)"
    )
    assert not loaded & {"cv2", "numpy", "scipy", "open3d", "matplotlib"}


def test_run_command_loads_neither_open3d_nor_matplotlib() -> None:
    assert not loaded_by("import stereo.cli.run") & {"open3d", "matplotlib", "rich"}
