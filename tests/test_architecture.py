"""Who may import whom, and what must not be imported early. See shared design, "Arrows"."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
LAZY = {"open3d", "matplotlib", "viser", "rich", "jinja2"}
"""Slow to import: only inside functions."""

# module -> what of ours it may import; a package stands for everything in it
ALLOWED = {
    "calib.errors": set(),
    "calib.atomic": set(),
    "calib.lens": set(),
    "calib.camera": {"calib.errors", "calib.lens"},
    "calib.formats": {"calib.atomic", "calib.camera", "calib.errors", "calib.formats"},
    "calib.solving.adjust": {"calib.camera", "calib.lens"},
    "calib.board": {"calib.errors"},
    "calib.page": {"calib.atomic", "calib.board"},
    "calib.detection.circles": {"calib.board"},
    "calib.detection.detect": {"calib.atomic", "calib.board", "calib.detection.circles"},
    "calib.detection.guess": {"calib.board", "calib.detection.detect"},
    "calib.solving.solve": {
        "calib.solving.adjust",
        "calib.board",
        "calib.camera",
        "calib.detection.detect",
        "calib.errors",
    },
    "calib.judging.quality": {"calib.solving.adjust", "calib.solving.solve"},
    "calib.judging.uncertainty": {
        "calib.solving.adjust",
        "calib.camera",
        "calib.judging.quality",
        "calib.solving.solve",
    },
    "stereo.errors": set(),
    "stereo.frame": {"stereo.errors"},
    "stereo.gray": {"stereo.frame"},
    "stereo.depth": {"stereo.errors", "stereo.frame"},
    "stereo.native": {"stereo._native"},
    "stereo.refining.plane_fit": {"stereo.frame", "stereo.native"},
    "stereo.refining.surfaces": {"stereo.frame", "stereo.refining.plane_fit"},
    "stereo.refining.edges": {"stereo.errors", "stereo.frame", "stereo.native"},
    "stereo.refining.refine": {
        "stereo.refining.edges",
        "stereo.errors",
        "stereo.frame",
        "stereo.gray",
        "stereo.refining.surfaces",
    },
    "stereo.evaluation.evaluate": {"stereo.errors", "stereo.frame", "stereo.refining.refine"},
    "stereo.cloud": {"stereo.errors", "stereo.frame"},
    "stereo.render": {"stereo.errors", "stereo.frame"},
    "stereo.preview": {"stereo.errors", "stereo.frame"},
    "stereo.rectify": {"calib", "stereo.depth", "stereo.errors", "stereo.frame"},
    "stereo.matching": {
        "stereo.errors",
        "stereo.frame",
        "stereo.gray",
        "stereo.matching",
        "stereo.native",
    },
    "stereo.threads": set(),
    "stereo.display": set(),
    "stereo.measure": {"stereo.frame"},
    "stereo.sources.sync": set(),
    "stereo.live.calibration": {"calib", "stereo.errors", "stereo.frame"},
    "stereo.sources.layout": {"stereo.errors", "stereo.frame"},
    "stereo.sources.sequence": {
        "calib",
        "stereo.errors",
        "stereo.frame",
        "stereo.sources.layout",
        "stereo.sources.source",
    },
    "stereo.sources.record": {
        "calib",
        "stereo._version",
        "stereo.files.atomic",
        "stereo.errors",
        "stereo.frame",
    }
    | {"stereo.sources"},
    "stereo.live.region": {"stereo.depth", "stereo.errors", "stereo.frame"},
    "stereo.refining.temporal": {"stereo.frame"},
    "stereo.pipeline": {
        "stereo.cloud",
        "stereo.errors",
        "stereo.frame",
        "stereo.matching",
        "stereo.rectify",
        "stereo.refining.refine",
    },
}


def modules() -> list[tuple[str, Path]]:
    found = []
    for package in ("stereo", "calib"):
        for path in sorted((REPO / package).rglob("*.py")):
            parts = path.relative_to(REPO).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append((name, path))
    return found


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def inside(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def test_calib_never_imports_stereo() -> None:
    for name, path in modules():
        if name.startswith("calib"):
            assert not {i for i in imports(path) if inside(i, {"stereo"})}, name


def test_nothing_imports_the_command_line() -> None:
    for name, path in modules():
        if not name.startswith("stereo.cli"):
            assert not {i for i in imports(path) if inside(i, {"stereo.cli"})}, name


@pytest.mark.parametrize("stage", sorted(ALLOWED))
def test_stage_imports_only_what_it_may(stage: str) -> None:
    ours = [item for item in modules() if inside(item[0], {stage})]
    assert ours, f"{stage} is named here but does not exist"
    for name, path in ours:
        used = {i for i in imports(path) if inside(i, {"stereo", "calib"})}
        used -= {"stereo", "calib"}
        # "from stereo.frame import X" names both stereo.frame and stereo.frame.X
        wrong = {i for i in used if not inside(i, ALLOWED[stage])}
        assert not wrong, f"{name} must not import {sorted(wrong)}"


def test_slow_libraries_are_imported_inside_functions() -> None:
    for name, path in modules():
        early = {i.split(".")[0] for i in imports(path, top_level_only=True)} & LAZY
        assert not early, f"{name} imports {early} at module level"


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
