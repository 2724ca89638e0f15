"""Whether the search range holds everything near, and what finding it costs.

    python benchmarks/search_range.py [--only poles|truth|sequences|time]

Rendered poles of 1 to 3 % of the width, in front of a slanted background, in the middle of the
image and at both borders, at several image sizes: how many of them the range found holds. Pairs
with ground truth (both manifests): whether their largest disparity lies inside, and how many
disparities more than that are searched. Sequences: the range of some pairs. Time: the share of the
default's matching.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from common import MORE_PAIRS, PAIRS, SEQUENCES, medians_ms, pairs_of, table_head, table_row
from numpy.typing import NDArray

from calib import load_rig
from stereo.evaluation.manifest import load_manifest
from stereo.files.images import read_image
from stereo.frame import RectifiedPair, StereoFrame
from stereo.matching import find_search_range, make_matcher
from stereo.rectify import Rectification

Gray = NDArray[np.uint8]

SIZES = ((384, 288), (450, 375), (640, 480), (1280, 720), (1800, 1200), (2964, 1988))
WIDTHS = (0.01, 0.015, 0.02, 0.03)
PLACES = {"left border": 0.0, "left": 0.3, "middle": 0.5, "right": 0.7, "right border": 1.0}
FAR, NEAR = 0.02, (0.08, 0.15, 0.25)
"""Disparities of the background and of the poles, as shares of the width."""
TALL = 0.5
"""Of the height, each pole."""
EVERY = 3  # frame of a sequence


def texture(seed: int, height: int, width: int) -> NDArray[np.float32]:
    """Detail of every size, as images have: noise at octaves, the coarser the stronger."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width), np.float32)
    side = 2
    while side <= max(height, width):
        grid = rng.normal(0, 1, (-(-height // side) + 2, -(-width // side) + 2))
        octave = cv2.resize(grid.astype(np.float32), None, fx=side, fy=side)
        image += side**0.5 * octave[:height, :width]
        side *= 2
    image -= image.mean()
    return np.asarray(image / image.std(), np.float32)


def with_pole(
    size: tuple[int, int], pole_width: int, x: int, disparity: int, seed: int
) -> RectifiedPair:
    """A background with a pole whose left edge is column ``x`` of the left image."""
    width, height = size
    far = round(FAR * width)
    wide = texture(seed, height, width + 2 * far + 2)
    slant = np.linspace(0, far, height).astype(np.float32)[:, None]  # nearer towards the bottom
    columns = np.arange(width, dtype=np.float32)[None]
    rows = np.repeat(np.arange(height, dtype=np.float32)[:, None], width, axis=1)
    left = wide[:, :width].copy()
    right = cv2.remap(wide, columns + far + slant, rows, cv2.INTER_LINEAR)
    pole = texture(seed + 1000, height, pole_width) * 0.6 + np.float32(0.8)
    top, bottom = round((0.5 - TALL / 2) * height), round((0.5 + TALL / 2) * height)
    for view, at in ((left, x), (right, x - disparity)):
        first, last = max(at, 0), min(at + pole_width, width)
        if last > first:
            view[top:bottom, first:last] = pole[top:bottom, first - at : last - at]
    images = [np.clip(110 + 40 * v, 0, 255).astype(np.uint8) for v in (left, right)]
    noise = np.random.default_rng(seed + 2000)
    noisy = [np.clip(i + noise.normal(0, 1, i.shape), 0, 255).astype(np.uint8) for i in images]
    return RectifiedPair(noisy[0], noisy[1])


def poles(sizes: tuple[tuple[int, int], ...] = SIZES) -> None:
    """How many of the poles the range holds; at the left border: of the right image."""
    print(table_head("size", *(f"{100 * w:g} % wide" for w in WIDTHS), "disparities / needed"))
    for size in sizes:
        cells, excess = [], []
        for share in WIDTHS:
            held = []
            for near in NEAR:
                for number, place in enumerate(PLACES.values()):
                    pole_width, disparity = round(share * size[0]), round(near * size[0])
                    room = size[0] - pole_width - disparity
                    x = disparity + round(place * room)
                    found = find_search_range(with_pole(size, pole_width, x, disparity, number))
                    held.append(
                        found.min_disparity <= FAR * size[0] and found.max_disparity >= disparity
                    )
                    excess.append(found.num_disparities / disparity)
            cells.append(f"{np.count_nonzero(held)} of {len(held)}")
        print(table_row(f"{size[0]}x{size[1]}", *cells, f"{np.median(excess):.2f}"), flush=True)


def truth() -> None:
    """Whether the true disparities of the pairs of both manifests lie in their ranges."""
    print(table_head("pair", "truth", "found", "outside, %", "found / truth"))
    for manifest in (PAIRS, MORE_PAIRS):
        for item in load_manifest(manifest) if manifest.is_file() else ():
            known = item.truth()
            known = known[np.isfinite(known)]
            found = find_search_range(item.pair())
            low, high = found.min_disparity, found.max_disparity
            outside = np.mean((known < low) | (known > high))
            spread = f"{known.min():.0f} to {known.max():.0f}"
            more = found.num_disparities / known.max()
            cells = spread, f"{low} to {high}", f"{100 * outside:.3f}", f"{more:.2f}"
            print(table_row(item.name, *cells), flush=True)


def sequences() -> None:
    """The range of some pairs of each rectified sequence: it should not leap."""
    for name, (rectification, frames) in {"karlsruhe": karlsruhe(), "euroc": euroc()}.items():
        texts = []
        for left, right in frames[::EVERY]:
            frame = StereoFrame(read_image(left), read_image(right))
            found = find_search_range(rectification.apply(frame))
            texts.append(f"{found.min_disparity} to {found.max_disparity} ({found.support:.2f})")
        print(f"{name}: {', '.join(texts)}", flush=True)


def karlsruhe() -> tuple[Rectification, list[tuple[Path, Path]]]:
    left, right = (sorted((SEQUENCES / "karlsruhe" / side).glob("*")) for side in ("left", "right"))
    return Rectification.already_rectified(), list(zip(left, right, strict=True))


def euroc() -> tuple[Rectification, list[tuple[Path, Path]]]:
    cams = [SEQUENCES / "euroc" / cam for cam in ("cam0", "cam1")]
    left, right = (sorted(cam.rglob("*.png")) for cam in cams)
    if not left:
        return Rectification.already_rectified(), []
    rig = load_rig(",".join(str(cam / "sensor.yaml") for cam in cams))
    return Rectification.from_calibration(rig), list(zip(left, right, strict=True))


def times() -> None:
    """Milliseconds, and the share of matching within the range found."""
    item = next((i for i in pairs_of(PAIRS) if i.name == "aloe"), pairs_of(PAIRS)[0])
    views = [np.asarray(image) for image in (item.pair().left, item.pair().right)]
    print(table_head("size", "range, ms", "match, ms", "share, %"))
    for size in SIZES[:4]:
        pair = RectifiedPair(*(cv2.resize(v, size, interpolation=cv2.INTER_AREA) for v in views))
        found = find_search_range(pair)
        matcher = make_matcher(
            "sgm", min_disparity=found.min_disparity, num_disparities=found.num_disparities
        )
        ms = medians_ms(
            {"range": partial(find_search_range, pair), "match": partial(matcher.match, pair)}, 9
        )
        share = 100 * ms["range"] / ms["match"]
        cells = f"{ms['range']:.1f}", f"{ms['match']:.1f}", f"{share:.0f}"
        print(table_row(f"{size[0]}x{size[1]}", *cells), flush=True)


PARTS = {"poles": poles, "truth": truth, "sequences": sequences, "time": times}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(PARTS), help="only this part")
    only = parser.parse_args().only
    for name, part in PARTS.items():
        if only in (None, name):
            print(f"\n{name}\n", file=sys.stderr)
            part()


if __name__ == "__main__":
    main()
