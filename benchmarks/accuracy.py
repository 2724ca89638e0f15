"""Accuracy of every matcher on pairs with ground truth; the tables of README and RESULTS.md.

    python benchmarks/accuracy.py [MANIFEST ...] [--per-pair] [--only ROW ...] [--pictures DIR]
                                   [--write]

For each manifest (by default ../shared/data/pairs.json and pairs_more.json) and each of our
matchers two rows, **fitted on all** and **families left out** (each pair by what scripts fitted
without its scene family, benchmarks/families.py), then OpenCV's modes and the best of them.
Thresholds that people chose were chosen on pairs.json: pairs_more.json is what was left out of
that. Metrics as in stereo.evaluation.evaluate. `--pictures` draws a sheet for each pair, of the
first row that is shown, and overview.png of all; `--write` puts the tables where they are quoted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from common import ROOT, add_manifests, pairs_of, pipeline, put_between, table_head, table_row
from families import family_of, fitted_without
from sheets import Judged, class_picture, overview, sheet

from stereo.depth import SIGMA_OF_DOUBT_PX, disparity_sigma
from stereo.evaluation.estimates import Estimate
from stereo.evaluation.evaluate import Metrics, geometric_mean, mean_of
from stereo.evaluation.manifest import ManifestPair
from stereo.evaluation.scoring import score_estimate
from stereo.files.outputs import make_folder, write_image_png
from stereo.matching import make_matcher
from stereo.refining.refine import RefineParams, refine

Method = Callable[[ManifestPair], Estimate]


def tutorial(item: ManifestPair) -> Estimate:
    """SGBM as tutorials do it: colour, block 5, no padding, OpenCV's own speckle filter."""
    pair = item.pair()
    matcher = cv2.StereoSGBM.create(
        minDisparity=0,
        numDisparities=item.num_disparities,
        blockSize=5,
        P1=8 * 3 * 25,
        P2=32 * 3 * 25,
        disp12MaxDiff=1,
        uniquenessRatio=10,
        speckleWindowSize=100,
        speckleRange=2,
    )
    px = matcher.compute(pair.left, pair.right).astype(np.float32) / 16
    return Estimate(np.where(px < 0, np.float32(np.nan), px))


def plain(name: str) -> Method:
    """A matcher alone, holes filled as the benchmark does."""

    def match(item: ManifestPair) -> Estimate:
        return Estimate(
            make_matcher(name, num_disparities=item.num_disparities).match(item.pair()).px
        )

    return match


def ours(name: str, *, left_out: bool = False) -> Method:
    """A matcher as `stereo run --fill` and `stereo eval` use it, with our surfaces and filling."""

    def match(item: ManifestPair) -> Estimate:
        without = family_of(item.name) if left_out else None
        stages = pipeline(name, item.num_disparities, without=without)
        sparse, dense = stages.disparity_and_filled(item.pair())
        fitted = {} if without is None else fitted_without(without)
        sigma = disparity_sigma(sparse.confidence, fitted.get("sigma", SIGMA_OF_DOUBT_PX))
        return Estimate(sparse.px, dense.px, sparse.confidence, sigma)

    return match


OURS = {
    "sgm": "sgm",
    "sgm --quality": "sgm-quality",
    "sgm-fast": "sgm-fast",
    "sgbm, our surfaces": "sgbm",
}
OPENCV: dict[str, Method] = {
    "sgbm (3WAY)": plain("sgbm"),
    "sgbm-5": plain("sgbm-5"),
    "sgbm-hh4": plain("sgbm-hh4"),
    "sgbm-hh": plain("sgbm-hh"),
}
METHODS: dict[str, Method] = {
    **{
        f"{label}, {rest}": ours(name, left_out=rest != "fitted on all")
        for label, name in OURS.items()
        for rest in ("fitted on all", "families left out")
    },
    "sgm, matched only": plain("sgm"),
    "SGBM as in tutorials": tutorial,
    **OPENCV,
}
SHOWN = (
    *("density", "sparse_2", "dense_1", "dense_2", "dense_mae_px", "d1_all", "edge_2", "smooth_2"),
    *("sigma_1", "sigma_2", "sigma_3", "ause_px"),
)


def judged(item: ManifestPair, method: Method) -> tuple[Metrics, Judged]:
    """The figures of a pair, and what its sheet is drawn from."""
    found = score_estimate(item, item.pair(), item.truth(), method(item))
    left, estimate = found.pair.left, found.estimate
    drawn = (left, found.truth, found.visible, estimate.px, found.filled, estimate.sigma_px)
    return found.score.metrics, Judged(item.name, *drawn)


def cells(scores: Sequence[Metrics]) -> list[str]:
    """The means, and the geometric mean of dense_2."""
    mean = mean_of(scores)
    geometric = geometric_mean([score.dense_2 for score in scores])
    return [_cell(getattr(mean, name)) for name in SHOWN] + [f"{geometric:.2f}"]


def _cell(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"


def show_planes(pairs: list[ManifestPair]) -> None:
    """Print how many pixels of each pair were given a plane, and how many of those are right."""
    for item in pairs:
        stages, truth = pipeline("sgm", item.num_disparities), item.truth()
        matched, seen = stages.match(item.pair())
        px = refine(matched, seen, RefineParams(edges=False)).px
        given = np.isfinite(px) & (px != matched.px) & np.isfinite(truth)
        right = np.mean(np.abs(px - truth)[given] <= 1) if given.any() else float("nan")
        print(f"{item.name:16} {given.mean():6.1%} given a plane, {right:6.1%} within 1 px")


def draw(folder: Path, label: str, sheets: list[tuple[Metrics, Judged]]) -> None:
    """Write NAME.png of each pair and overview.png, the worst pairs first."""
    make_folder(folder)
    worst = sorted(sheets, key=lambda one: -one[0].dense_2)
    for _, one in worst:
        write_image_png(folder / f"{one.name}.png", sheet(one))
    titled = [(f"{j.name}: {m.dense_2:.1f} % > 2 px", class_picture(j)) for m, j in worst]
    write_image_png(folder / "overview.png", overview(titled))
    print(f"{label}: {len(sheets)} sheets and overview.png in {folder}")


Rows = dict[str, list[Metrics]]
"""Label -> a score for each pair."""


def measured(manifest: Path, labels: Sequence[str], pictures: Path | None) -> Rows:
    """Every row of a manifest; pictures of the first."""
    pairs = pairs_of(manifest)
    rows: Rows = {}
    for label in labels:
        found = [judged(item, METHODS[label]) for item in pairs]
        rows[label] = [metrics for metrics, _ in found]
        print(f"{manifest.name}: {label} is done", file=sys.stderr)
        if pictures is not None and label == labels[0]:
            draw(pictures / manifest.stem, label, found)
    best = opencv_best(rows)
    return rows if best is None else rows | {f"OpenCV's best: {best}": rows[best]}


def opencv_best(rows: Rows) -> str | None:
    """Its mode with the lowest mean dense_2."""
    modes = [label for label in rows if label in OPENCV]
    return min(modes, key=lambda label: mean_of(rows[label]).dense_2, default=None)


def table(rows: Rows) -> str:
    """All figures of a manifest, in Markdown."""
    lines = [table_row(label, *cells(scores)) for label, scores in rows.items()]
    return "\n".join([table_head("matcher", *SHOWN, "dense_2 geometric"), *lines])


def per_pair(pairs: Sequence[ManifestPair], rows: Rows) -> str:
    """dense_2 of every pair."""
    lines = [
        table_row(item.name, *(f"{scores[number].dense_2:.2f}" for scores in rows.values()))
        for number, item in enumerate(pairs)
    ]
    return "\n".join([table_head("dense_2", *rows), *lines])


def summary(found: dict[Path, Rows]) -> str:
    """What the README quotes: families left out, and OpenCV, on every manifest."""
    named = {
        "`stereo run`": "sgm, families left out",
        "`stereo run --quality`": "sgm --quality, families left out",
        "SGBM as in tutorials": "SGBM as in tutorials",
    }
    lines = []
    for title, label in named.items():
        lines.append(table_row(title, *(_brief(rows[label]) for rows in found.values())))
    best = [(opencv_best(rows) or "", rows) for rows in found.values()]
    lines.append(table_row("OpenCV's best mode", *(_brief(rows[mode]) for mode, rows in best)))
    head = [f"{path.name}, {len(next(iter(rows.values())))} pairs" for path, rows in found.items()]
    return "\n".join([table_head("off by more than 2 px, mean / geometric mean", *head), *lines])


def _brief(scores: list[Metrics]) -> str:
    geometric = geometric_mean([score.dense_2 for score in scores])
    return f"{mean_of(scores).dense_2:.1f} / {geometric:.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_manifests(parser)
    parser.add_argument("--per-pair", action="store_true", help="dense_2 of every pair as well")
    parser.add_argument("--only", nargs="+", choices=list(METHODS), help="only these rows")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="draw sheets there")
    parser.add_argument("--planes", action="store_true", help="only: how right are the planes?")
    parser.add_argument("--write", action="store_true", help="put all rows in README and RESULTS")
    arguments = parser.parse_args()
    if arguments.planes:
        for manifest in arguments.manifests:
            show_planes(pairs_of(manifest))
        return
    labels = list(METHODS) if arguments.write else arguments.only or list(METHODS)
    found = {path: measured(path, labels, arguments.pictures) for path in arguments.manifests}
    tables = "\n\n".join(f"{path.name}\n\n{table(rows)}" for path, rows in found.items())
    print(tables)
    if arguments.per_pair:
        for path, rows in found.items():
            print(f"\n{per_pair(pairs_of(path), rows)}")
    if arguments.write:
        put_between(ROOT / "benchmarks" / "RESULTS.md", "accuracy", tables)
        put_between(ROOT / "README.md", "accuracy", summary(found))


if __name__ == "__main__":
    main()
