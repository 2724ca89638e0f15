"""Draw accuracy against time from what benchmarks/others.py measured.

pip install -e '.[bench]'
python benchmarks/others.py --json ROWS.json
python benchmarks/figures.py ROWS.json [-o benchmarks/accuracy_against_time.svg]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

OURS, OPENCV, OTHERS = "#c2410c", "#475569", "#0f766e"
BESIDE = {  # label -> where it stands from its point, in points; the rest to the right
    "OpenCV 3WAY": (-77, -4),
    "OpenCV SGBM": (7, -2),
    "OpenCV HH": (8, 0),
    "OpenCV HH4": (5, -12),
    "OpenCV 3WAY + WLS 500": (8, 1),
}


def color_of(row: dict[str, Any]) -> str:
    if row["method"].startswith("sgm"):
        return OURS
    return OPENCV if row["library"] == "ours" else OTHERS


def draw(rows: list[dict[str, Any]], out: Path) -> None:
    """Error after filling, mean over the pairs, over CPU time on one core; both logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "stereo-depth"  # the same file for the same figures
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text: a fifth of the size
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
    for row in rows:
        if "matched only" in row["method"]:
            continue  # ours without its refinement says little here and crowds the picture
        x, y, color = row["ms"]["1"], row["figures"]["dense_1"], color_of(row)
        bold = color == OURS
        axes.plot(x, y, "o", color=color, markersize=8 if bold else 6)
        axes.annotate(
            row["method"],
            (x, y),
            xytext=BESIDE.get(row["method"], (7, -3)),
            textcoords="offset points",
            fontsize=9,
            fontweight="bold" if bold else "normal",
            color=color,
        )
    axes.set(xscale="log", yscale="log", xlim=(9, 16000))
    axes.set_xlabel("CPU time on one core for a 741x497 pair, 64 disparities [ms]")
    axes.set_ylabel("pixels off by more than 1 px [%]")
    ticks = [5, 7, 10, 15, 20]
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.set_yticks([], minor=True)
    axes.set_xticks(
        [20, 50, 100, 200, 500, 1000, 5000], ["20", "50", "100", "200", "500", "1000", "5000"]
    )
    axes.set_xticks([], minor=True)
    axes.set_title("Filled maps, mean over 11 pairs: lower left is better", fontsize=10, loc="left")
    axes.grid(color="#e2e8f0", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path, help="written by others.py --json")
    default = Path(__file__).with_name("accuracy_against_time.svg")
    parser.add_argument("-o", "--out", type=Path, default=default, help=".svg or .png")
    arguments = parser.parse_args()
    draw(json.loads(arguments.rows.read_text()), arguments.out)


if __name__ == "__main__":
    main()
