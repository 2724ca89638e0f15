"""Fit how far a map can be trusted: the points of doubt_table.py and the error bar of depth.py.

    python benchmarks/fit_doubt.py [MANIFEST ...] [--write]

Maps of each matcher, with their holes and filled, on every pair; a pixel's clues (see
stereo/refining/doubt.py) against whether it is within 1 px of the truth, by additive logistic
regression; then the error bar as a function of that confidence, by quantile regression: two sigma
shall hold 95 % of what it was fitted to, so that 90 % are left where nobody fitted. Every pair,
matcher and map weighs the same. Once on all pairs, and once without each scene family, which is
what all figures are of: reliability and coverage of families left out. Pairs of a family are
matched by the cost that was fitted without it (benchmarks/families.py), so that errors are those
of pairs that the cost has not seen. `--write` writes stereo/refining/doubt_table.py, the line in
stereo/depth.py, benchmarks/folds/ and RESULTS.md; run `ruff format` afterwards. Takes five minutes
where the machine is free.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass

import numpy as np
from common import (
    ROOT,
    Array,
    add_manifests,
    pairs_of,
    pipeline,
    put_between,
    table_head,
    table_row,
)
from families import FOLDS, families_of, family_of
from numpy.typing import NDArray
from scipy.optimize import linprog

from stereo.depth import SIGMA_POWERS
from stereo.evaluation.manifest import ManifestPair
from stereo.evaluation.sparsification import sparsification_area
from stereo.refining.doubt import STEP, clues
from stereo.refining.refine import refine_both

MATCHERS = ("sgm", "sgm-quality", "sgm-fast", "sgbm")
KNOTS = {
    "own": (1, 27, 60, 94, 115, 140, 160, 174, 190, 205, 220, 235, 245, 255),
    "around": (0, 27, 60, 94, 115, 140, 160, 174, 190, 205, 220, 235, 245, 255),
    "differ": (0, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 255),
    "unlike": (0, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 255),
    "drop": (0, 4, 8, 12, 16, 24, 32, 64, 128, 255),
    "drop_near": (0, 2, 4, 8, 12, 16, 32, 64, 255),
    "rise": (0, 4, 8, 12, 16, 24, 32, 64, 128, 255),
}
"""Levels between which points follow a straight line: close where most pixels are."""
SAMPLES = 2500  # of a map
HELD = 0.95
RIDGE = 3e-4


@dataclass(frozen=True)
class Sample:
    """Pixels of one map, all of one pair."""

    name: str
    matcher: str
    filled: bool
    levels: dict[str, Array]
    """Clue -> (n,)"""
    error: Array
    """(n,) px, absolute."""
    hidden: NDArray[np.bool_]
    """(n,) whether the right camera does not see it, and yet it was matched."""


def gather(item: ManifestPair, matcher: str) -> list[Sample]:
    """What the two maps of a pair are like."""
    stages = pipeline(matcher, item.num_disparities, without=family_of(item.name))
    found, seen = stages.match(item.pair())
    truth = item.truth()
    both = refine_both(found, seen, stages.refine_params)
    samples = []
    for filled, disparity in zip((False, True), both, strict=True):
        own, around = clues(disparity, seen)
        known = np.flatnonzero(np.isfinite(disparity.px) & np.isfinite(truth))
        chosen = np.random.default_rng(0).choice(known, SAMPLES)
        at = tuple(place // STEP for place in np.divmod(chosen, truth.shape[1]))
        levels = {clue: plane[at].astype(float) for clue, plane in around.items()}
        levels["own"] = own.ravel()[chosen].astype(float)
        error = np.abs(disparity.px - truth).ravel()[chosen].astype(float)
        hidden = ~item.visible(truth).ravel()[chosen]
        samples.append(Sample(item.name, matcher, filled, levels, error, hidden))
    return samples


def hats(levels: dict[str, Array]) -> Array:
    """(n, k) how much of each knot a pixel has, all clues side by side."""
    columns = []
    for clue, knots in KNOTS.items():
        for number in range(len(knots)):
            one = np.eye(len(knots))[number]
            columns.append(np.interp(levels[clue], knots, one))
    return np.column_stack(columns)


def fit_points(x: Array, right: Array) -> Array:
    """(k,) logits, by Newton's method. Where pixels are few, points follow their neighbours."""
    weights = np.zeros(x.shape[1])
    rules = RIDGE * roughness() + 1e-6 * np.eye(len(weights))
    for _ in range(12):
        p = 1 / (1 + np.exp(-x @ weights))
        curvature = (x * (p * (1 - p))[:, None]).T @ x / len(x) + rules
        slope = x.T @ (right - p) / len(x) - rules @ weights
        weights += np.linalg.solve(curvature, slope)
    return weights


def roughness() -> Array:
    """(k, k) whose quadratic form sums the squared steps between neighbouring knots of a clue."""
    rough, at = np.zeros((sum(map(len, KNOTS.values())),) * 2), 0
    for knots in KNOTS.values():
        step = np.diff(np.eye(len(knots)), axis=0)
        rough[at : at + len(knots), at : at + len(knots)] = step.T @ step
        at += len(knots)
    return rough


def fit_sigma(confidence: Array, error: Array) -> Array:
    """Coefficients, none negative, of SIGMA_POWERS of the doubt: the quantile of half the error."""
    order = np.argsort(confidence)
    groups = np.array_split(order, 60)  # the quantile of each, then a curve through them
    doubt = np.array([1 - confidence[g].mean() for g in groups])
    half = np.array([np.quantile(error[g], HELD) / 2 for g in groups])
    basis = np.column_stack([doubt**power for power in SIGMA_POWERS])
    n, k = basis.shape  # least sum of |relative residuals|, as a linear programme
    scaled = basis / half[:, None]
    found = linprog(
        np.r_[np.zeros(k), np.ones(2 * n)],
        A_eq=np.hstack([scaled, np.eye(n), -np.eye(n)]),
        b_eq=np.ones(n),
    )
    return np.asarray(found.x[:k])


@dataclass(frozen=True)
class Fit:
    """What was fitted to some samples."""

    points: Array
    """(k,) logits of all knots, side by side."""
    sigma: Array
    """Coefficients of SIGMA_POWERS."""

    @classmethod
    def to(cls, samples: list[Sample]) -> Fit:
        """Every map weighs the same."""
        x = np.concatenate([hats(s.levels) for s in samples])
        error = np.concatenate([s.error for s in samples])
        points = fit_points(x, (error <= 1).astype(float))
        return cls(points, fit_sigma(1 / (1 + np.exp(-x @ points)), error))

    def confidence(self, sample: Sample) -> Array:
        """(n,) probability that a pixel is right."""
        return np.asarray(1 / (1 + np.exp(-hats(sample.levels) @ self.points)))

    def sigma_px(self, confidence: Array) -> Array:
        """(n,) error bars of pixels that are so likely right."""
        powers = zip(self.sigma, SIGMA_POWERS, strict=True)
        return np.asarray(sum(c * (1 - confidence) ** p for c, p in powers))

    def table(self) -> dict[str, list[list[float]]]:
        """As DoubtTable takes it."""
        found, at = {}, 0
        for clue, knots in KNOTS.items():
            values = self.points[at : at + len(knots)]
            found[clue] = [[k, round(float(v), 2)] for k, v in zip(knots, values, strict=True)]
            at += len(knots)
        return found


def report(samples: list[Sample], fits: dict[str, Fit]) -> str:
    """What the fits say of the families that they left out: by pair, family and matcher."""
    groups: dict[str, list[Sample]] = {}
    for s in samples:
        if s.matcher == MATCHERS[0] and not s.filled:
            groups.setdefault(s.name, []).append(s)
    for s in samples:
        if s.matcher == MATCHERS[0] and not s.filled:
            groups.setdefault(f"family {family_of(s.name)}", []).append(s)
    for s in samples:
        groups.setdefault(f"{s.matcher}, {'filled' if s.filled else 'with holes'}", []).append(s)
    lines = [table_head("sgm with holes, left out", *COLUMNS)]
    for title, group in groups.items():
        rows = np.array([figures(s, fits[family_of(s.name)]) for s in group])
        means = (column[np.isfinite(column)] for column in rows.T)
        lines.append(table_row(title, *(f"{m.mean():.3f}" if len(m) else "–" for m in means)))
    lines += ["", table_head("confidence: share within 1 px", *(f"0.{t}" for t in range(1, 10)))]
    for matcher in MATCHERS:
        chosen = [s for s in samples if s.matcher == matcher]
        c = np.concatenate([fits[family_of(s.name)].confidence(s) for s in chosen])
        right = np.concatenate([s.error for s in chosen]) <= 1
        tenths = [np.minimum((c * 10).astype(int), 9) == tenth for tenth in range(1, 10)]
        shares = (f"{c[t].mean():.2f}: {right[t].mean():.2f}" if t.any() else "–" for t in tenths)
        lines.append(table_row(matcher, *shares))
    return "\n".join(lines)


COLUMNS = (
    *("1 sigma", "2 sigma", "3 sigma", "hidden in 2", "median bar px", "mean bar px"),
    *("AUSE px before", "AUSE px", "ideal px"),
)


def figures(s: Sample, fit: Fit) -> list[float]:
    """COLUMNS: coverage, of what is hidden too; bars of pixels within 1 px; order; see AUSE."""
    confidence = fit.confidence(s)
    bar = fit.sigma_px(confidence)
    held = [float(np.mean(s.error <= n * bar)) for n in (1, 2, 3)]
    enough = np.count_nonzero(s.hidden) >= 20
    hidden = float(np.mean((s.error <= 2 * bar)[s.hidden])) if enough else float("nan")
    right = bar[s.error <= 1]
    orders = [sparsification_area(s.error, by) for by in (s.levels["own"], confidence)]
    kept = np.cumsum(np.sort(s.error)) / np.arange(1, len(s.error) + 1)
    bars = [float(np.median(right)), float(np.mean(right))]
    return [*held, hidden, *bars, *orders, float(kept.mean())]


def write(whole: Fit, fits: dict[str, Fit]) -> None:
    """The table in use, and one for each family left out."""
    lines = [
        f'    "{clue}": {tuple(map(tuple, points))},' for clue, points in whole.table().items()
    ]
    text = HEAD.format(points="\n".join(lines))
    (ROOT / "stereo" / "refining" / "doubt_table.py").write_text(text)
    depth = ROOT / "stereo" / "depth.py"
    line = f"SIGMA_OF_DOUBT_PX = {tuple(round(float(c), 3) for c in whole.sigma)}"
    depth.write_text(re.sub(r"(?m)^SIGMA_OF_DOUBT_PX = .*$", line, depth.read_text()))
    FOLDS.mkdir(exist_ok=True)
    for family, fit in fits.items():
        path = FOLDS / f"{family}.json"
        before = json.loads(path.read_text()) if path.is_file() else {}
        sigma = [round(float(c), 3) for c in fit.sigma]
        path.write_text(json.dumps(before | {"doubt": fit.table(), "sigma": sigma}) + "\n")


HEAD = '''"""What a clue is worth: the points of stereo/refining/doubt.py, and the error bar.

Written by ``benchmarks/fit_doubt.py --write`` from the pairs of both manifests, whose text says
how. What it gives on scene families left out of the fit stands in benchmarks/RESULTS.md.
"""

POINTS: dict[str, tuple[tuple[int, float], ...]] = {{
{points}
}}
"""Clue -> (level, logit)."""
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_manifests(parser)
    parser.add_argument("--write", action="store_true", help="the tables in use")
    arguments = parser.parse_args()
    items = [item for manifest in arguments.manifests for item in pairs_of(manifest)]
    samples = [s for item in items for matcher in MATCHERS for s in gather(item, matcher)]
    fits = {
        family: Fit.to([s for s in samples if family_of(s.name) != family])
        for family in families_of(item.name for item in items)
    }
    text, whole = report(samples, fits), Fit.to(samples)
    print(text)
    print("error bar:", dict(zip(SIGMA_POWERS, whole.sigma.round(3).tolist(), strict=True)))
    if arguments.write:
        write(whole, fits)
        put_between(ROOT / "benchmarks" / "RESULTS.md", "doubt", text)


if __name__ == "__main__":
    main()
