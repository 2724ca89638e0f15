"""What the benchmarks share: where data lies, timing of interleaved repeats, tables, fits.

Scripts are run as ``python benchmarks/NAME.py``, so that ``import common`` finds this file; no
script imports another. Shared likewise: ``clips.py``, ``families.py``, ``sheets.py``, ``tally.py``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import families
import numpy as np
from numpy.typing import NDArray

from calib.board import Board, parse_board
from calib.calibrate import ImagePair
from calib.detection.detection import match_order
from calib.detection.files import default_cache, detect_files
from calib.solving.calibration import View
from stereo.evaluation.manifest import ManifestPair, load_manifest
from stereo.files.pairing import find_pairs
from stereo.matching import make_matcher
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.refining.doubt import FITTED, DoubtTable
from stereo.refining.refine import RefineParams

ROOT = Path(__file__).resolve().parents[1]
ROOM = ROOT / "sample_data" / "room"
SHARED = ROOT.parent / "shared" / "data"
PAIRS = SHARED / "pairs.json"
MORE_PAIRS = SHARED / "pairs_more.json"
SEQUENCES = SHARED / "sequences"
CALIBRATION = SHARED / "calibration"

CALIBRATION_SETS = {
    "opencv_samples": ("left*", "right*", "chessboard:9x6:1u", "rms <= 0.13, rows <= 0.105"),
    "sourishg_pinhole": (
        "left*",
        "right*",
        "chessboard:9x6:24.23mm",
        "rms < 0.258, rows <= 0.20, 94 +- 1",
    ),
    "fhgr_charuco": (
        "left/*",
        "right/*",
        "charuco:11x8:30mm:22mm:DICT_5X5_50:legacy",
        "rms <= 0.32, 75.3 +- 0.3",
    ),
    "yeolip_chessboard": ("left/*", "right/*", "chessboard:8x5:60mm", "rms <= 0.27, 92.2 +- 0.3"),
    "stereopi_fisheye": (
        "left*",
        "right*",
        "chessboard:9x6:25mm",
        "rms <= 0.13, 64.7 +- 0.5, orphan",
    ),
    "sourishg_fisheye": ("left*", "right*", "chessboard:9x6:24.23mm", "rms <= 0.30, 110.7 +- 1"),
    "simplestereo_webcams": ("*_L*", "*_R*", "chessboard:7x6:60.5mm", "80.2 +- 1"),
    "simplestereo_wide": ("*_L*", "*_R*", "chessboard:7x6:60.5mm", "-"),
    "degenerate_parallel_views": ("left*", "right*", "chessboard:7x5:1u", "recalibrate, named"),
}
"""Folder in CALIBRATION -> patterns of the left and the right images, board, goal."""

Array = NDArray[np.float64]
Result = TypeVar("Result")


def calibration_pairs(folder: Path) -> tuple[list[ImagePair], list[Path], str]:
    """Pairs of a set, its images without a partner, and its board."""
    left, right, board, _ = CALIBRATION_SETS[folder.name]
    found = find_pairs(folder / left, folder / right)
    pairs = [ImagePair(one.stem, one, two) for _, one, two in found.pairs]
    return pairs, [*found.unmatched_left, *found.unmatched_right], board


def calibration_views() -> Iterator[tuple[str, list[View], Board]]:
    """Name, views and board of every set that is there and can be calibrated."""
    for name in CALIBRATION_SETS if CALIBRATION.is_dir() else ():
        if name.startswith("degenerate"):
            continue
        pairs, _, spec = calibration_pairs(CALIBRATION / name)
        board = parse_board(spec)
        yield name, views_of(pairs, board, cache=default_cache()), board


def views_of(pairs: Sequence[ImagePair], board: Board, *, cache: Path | None) -> list[View]:
    """What is seen of a board in those pairs that show it in both images."""
    found = detect_files([p for _, a, b in pairs for p in (a, b)], board, cache=cache)
    return [
        View(pair.name, a, match_order(a, b, board))
        for pair, a, b in zip(pairs, found[::2], found[1::2], strict=True)
        if a is not None and b is not None
    ]


def pipeline(
    name: str, num_disparities: int, *, fill: bool = False, without: str | None = None
) -> StereoPipeline:
    """What `stereo run --matcher NAME`, or `--quality` for its matcher, does to a pair.

    ``without`` a family: everything that scripts fit is taken as fitted to all the others.
    """
    families.use_code_without(without)
    fitted = {} if without is None else families.fitted_without(without)
    return StereoPipeline(
        Rectification.already_rectified(),
        make_matcher(name, num_disparities=num_disparities, **fitted.get("matcher", {})),
        refine=RefineParams(fill=fill),
        quality=name == "sgm-quality",
        doubt=DoubtTable(fitted["doubt"]) if "doubt" in fitted else FITTED,
    )


def add_manifests(parser: argparse.ArgumentParser) -> None:
    """Add the argument MANIFEST for several."""
    parser.add_argument(
        "manifests", type=Path, nargs="*", default=[PAIRS, MORE_PAIRS], metavar="MANIFEST",
        help="pairs with ground truth; by default both that are shared",
    )  # fmt: skip


def add_manifest(parser: argparse.ArgumentParser) -> None:
    """Add the argument MANIFEST."""
    parser.add_argument(
        "manifest", type=Path, nargs="?", default=PAIRS, help="pairs with ground truth"
    )


def pairs_of(manifest: Path) -> list[ManifestPair]:
    """Its pairs; ends the script with a word where it is not there."""
    if not manifest.is_file():
        sys.exit(f"{manifest} is not there; give a manifest of pairs with ground truth")
    return load_manifest(manifest)


def from_tests(name: str) -> ModuleType:
    """A helper of the tests, which are no package."""
    spec = spec_from_file_location(name, ROOT / "tests" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def interleaved(
    runs: Mapping[str, Callable[[], Result]], repeats: int, *, warm_up: bool = True
) -> dict[str, list[Result]]:
    """What each run gave in each repeat. All take turns; the first round, to warm up, is unused."""
    found: dict[str, list[Result]] = {name: [] for name in runs}
    for _ in range(repeats + warm_up):
        for name, run in runs.items():
            found[name].append(run())
    return {name: results[warm_up:] for name, results in found.items()}


def medians_ms(
    stages: Mapping[str, Callable[[], object]], repeats: int, *, cpu: bool = False
) -> dict[str, float]:
    """The median time of each stage, interleaved; ``cpu``: of the processor, of all threads."""
    clock = time.process_time if cpu else time.perf_counter
    timed = {name: lambda s=stage: milliseconds(s, clock) for name, stage in stages.items()}
    return {name: float(np.median(ms)) for name, ms in interleaved(timed, repeats).items()}


def milliseconds(
    run: Callable[[], object], clock: Callable[[], float] = time.perf_counter
) -> float:
    """How long it takes."""
    start = clock()
    run()
    return 1e3 * (clock() - start)


def table_head(*columns: str) -> str:
    """The first two lines of a table in Markdown."""
    return f"{table_row(*columns)}\n{'|---' * len(columns)}|"


def table_row(*cells: object) -> str:
    """A line of it."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def put_between(path: Path, name: str, text: str) -> None:
    """Put text between the comments ``<!-- NAME -->`` and ``<!-- /NAME -->`` of a page."""
    before, rest = path.read_text().split(f"<!-- {name} -->\n")
    _, after = rest.split(f"<!-- /{name} -->")
    path.write_text(f"{before}<!-- {name} -->\n{text}\n<!-- /{name} -->{after}")


def logistic_fit(features: Array, right: Array) -> Array:
    """Logistic regression by Newton's method: (n, k) features, (n,) 0 or 1 -> (k,) weights."""
    weights = np.zeros(features.shape[1])
    for _ in range(25):
        p = probability(features, weights)
        curvature = (features * (p * (1 - p))[:, None]).T @ features
        weights += np.linalg.solve(
            curvature + 1e-3 * np.eye(len(weights)), features.T @ (right - p)
        )
    return weights


def probability(features: Array, weights: Array) -> Array:
    """(n,) what such weights say."""
    return np.asarray(1 / (1 + np.exp(-features @ weights)))


def fit_all_but_one(features: list[Array], right: list[Array]) -> Iterable[Array]:
    """(n,) probabilities of each part, by the weights fitted to all others."""
    for left_out, part in enumerate(features):
        others = [k for k in range(len(features)) if k != left_out]
        x, r = (np.concatenate([values[k] for k in others]) for values in (features, right))
        yield probability(part, logistic_fit(x, r))
