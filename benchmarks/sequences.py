"""Matching in time against each frame by itself, on rendered sequences with truth and real ones.

    python benchmarks/sequences.py [CLIP ...] [--quick] [--matched-only] [--pictures DIR] [--write]

"alone" is ``StereoPipeline``: nothing is remembered. "in time" is ``LivePipeline``, as ``stereo
live`` uses it. Both get the same frames in turn, so that times of the stage "match" compare. The
clips are in benchmarks/clips.py: constants may be chosen on some and are reported on others, which
were kept aside. ``--matched-only`` leaves planes and edges out, to see the matcher itself.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path

import numpy as np
from clips import Clip, clips
from common import ROOT, SEQUENCES, put_between, table_head, table_row
from sheets import RGB, disparity_picture, small, titled
from tally import Counter, Maps, Tally, flicker, is_off

from calib import load_rig
from stereo.evaluation.evaluate import fill_rows
from stereo.files.images import read_image
from stereo.files.outputs import make_folder, write_image_png
from stereo.frame import (
    Float,
    RectifiedPair,
    SearchRange,
    StereoFrame,
    StereoGeometry,
)
from stereo.gray import to_rgb8
from stereo.live.pipeline import LivePipeline, LiveSettings
from stereo.matching import make_matcher
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.refining.refine import RefineParams
from stereo.sources import open_source
from stereo.synthetic import PinholeRig, Pose, Scene, Shot
from stereo.synthetic.sequence import Views, stereo_look

FLICKER = ("standing", "lamps")
"""Clips in which no pixel's disparity changes."""
FPS = 30.0
QUICK = ("standing", "passing", "sudden", "cut", "crowd", "covered")
REAL_FRAMES = 24
OAK_START = 100
PICTURES = 3
"""Frames of each clip that are drawn."""
WARM_UP = 2
"""Their first frames, which flicker is not taken from."""


# -- both ways -----------------------------------------------------------------------------------


class Ways:
    """The same frames, each by itself and in time."""

    def __init__(
        self, rectification: Rectification, num_disparities: int, *, matched_only: bool
    ) -> None:
        refine = RefineParams(surfaces=False, edges=False) if matched_only else RefineParams()
        search = SearchRange(0, num_disparities)
        matcher = make_matcher("sgm", num_disparities=num_disparities)
        self._alone = StereoPipeline(rectification, matcher, refine=refine)
        settings = LiveSettings("sgm", search=search, refine=refine)
        self._in_time = LivePipeline(rectification, settings)
        self.match_ms: list[tuple[float, float]] = []
        """Of each frame."""

    def next(self, frame: StereoFrame) -> tuple[RectifiedPair, Maps]:
        """The next frame's pair and its disparities."""
        took: dict[str, float] = {}
        pair = self._alone.rectification.apply(frame)
        alone = self._alone.disparity(pair, timed=partial(_timed, took))
        result, took_in_time = self._in_time.process(frame)
        self.match_ms.append((1e3 * took["match"], 1e3 * took_in_time["match"]))
        return pair, (alone, result.disparity)

    @property
    def time_ratio(self) -> float:
        """Of matching in time to alone, the median frame; the first ones set up buffers."""
        alone, in_time = np.median(self.match_ms[WARM_UP:], axis=0)
        return float(in_time / alone)


@contextmanager
def _timed(took: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    took[stage] = took.get(stage, 0.0) + time.perf_counter() - start


# -- rendering -----------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def all_clips() -> dict[str, Clip]:
    return clips()


def shot_of(job: tuple[str, int]) -> Shot:
    """One frame of a clip."""
    name, moment = job
    take = all_clips()[name].take
    return take.shot(moment, _standing(take.scene(moment), take.rig, take.path(moment)))


@lru_cache(maxsize=4)
def _standing(scene: Scene, rig: PinholeRig, pose: Pose) -> Views:
    """Looked at once while the camera stands: its pose is one object then."""
    return stereo_look(scene, rig, pose)


# -- clips ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Judged:
    """A clip's figures."""

    name: str
    clip: Clip
    tally: Tally
    time_ratio: float


def judged(
    name: str, clip: Clip, shots: Iterable[Shot], *, matched_only: bool, pictures: Path | None
) -> Judged:
    """Match a clip both ways."""
    height, width = clip.take.rig.size[::-1]
    rig = clip.take.rig
    geometry = StereoGeometry(rig.focal_px, rig.baseline_m, (width - 1) / 2, (height - 1) / 2)
    rectification = Rectification.already_rectified(geometry, size=rig.size)
    ways = Ways(rectification, clip.num_disparities, matched_only=matched_only)
    counter = Counter(clip.anew, keep_maps=name in FLICKER)
    worst = Worst()
    for number, shot in enumerate(shots):
        time_s = clip.moments[number] / FPS
        _, maps = ways.next(StereoFrame(shot.left, shot.right, time_s))
        counter.add(number, shot, maps)
        if pictures is not None:
            worst.offer(number, shot, maps)
    if pictures is not None:
        worst.draw(pictures, name)
    return Judged(name, clip, counter.tally, ways.time_ratio)


class Worst:
    """The frames that got worse most in time, as pictures."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, RGB]] = []

    def offer(self, number: int, shot: Shot, maps: Maps) -> None:
        known = np.isfinite(shot.truth_px) & shot.visible
        alone, in_time = (known & is_off(fill_rows(m.px), shot.truth_px) for m in maps)
        more = int(in_time.sum()) - int(alone.sum())
        if number and len(self._rows) == PICTURES and more <= self._rows[-1][0]:
            return
        low, high = span(shot.truth_px if known.any() else maps[0].px)
        colors = np.array([(50, 90, 50), (60, 120, 230), (230, 40, 40), (150, 110, 60)], np.uint8)
        errors = colors[alone + 2 * in_time]
        errors[~known] = 0
        row = panels(
            (f"frame {number}: {more:+d} px off", to_rgb8(shot.left)),
            ("truth", disparity_picture(shot.truth_px, low, high)),
            ("alone", disparity_picture(maps[0].px, low, high)),
            ("in time", disparity_picture(maps[1].px, low, high)),
            ("off: red only in time, blue only alone", errors),
        )
        self._rows = sorted([*self._rows, (more, number, row)], key=lambda r: -r[0])[:PICTURES]

    def draw(self, folder: Path, name: str) -> None:
        rows = [row for _, _, row in sorted(self._rows, key=lambda r: r[1])]
        write_image_png(folder / f"{name.replace(', ', '-')}.png", np.vstack(rows))


def panels(*titled_pictures: tuple[str, RGB]) -> RGB:
    """Side by side."""
    return np.hstack([titled(title, small(picture)) for title, picture in titled_pictures])


def span(px: Float) -> tuple[float, float]:
    """What colours are for."""
    known = px[np.isfinite(px)]
    return tuple(np.quantile(known, [0.002, 0.998])) if known.size else (0.0, 1.0)  # type: ignore[return-value]


# -- real sequences ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Real:
    """How far a real sequence in time is from each frame by itself."""

    frames: int
    differ: float
    """Percent of pixels answered both ways that differ by more than 1 px."""
    worst: float
    """The same of the worst frame."""
    only_alone: float
    """Percent of all pixels that only alone has."""
    only_in_time: float
    time_ratio: float


def real(name: str, *, quick: bool, matched_only: bool, pictures: Path | None) -> Real:
    """Match a real sequence both ways."""
    rectification, num_disparities, frames = REAL[name](REAL_FRAMES // 3 if quick else REAL_FRAMES)
    ways = Ways(rectification, num_disparities, matched_only=matched_only)
    differ, only, rows = [], [], []
    for number, frame in enumerate(frames):
        pair, maps = ways.next(frame)
        alone, in_time = (m.px for m in maps)
        have = np.isfinite(alone), np.isfinite(in_time)
        with np.errstate(invalid="ignore"):
            apart = np.abs(alone - in_time) > 1
        differ.append(100 * apart.sum() / max((have[0] & have[1]).sum(), 1))
        only.append((100 * (have[0] & ~have[1]).mean(), 100 * (have[1] & ~have[0]).mean()))
        if pictures is not None and number:
            low, high = span(alone)
            kinds = np.where(apart, 3, have[0] + 2 * have[1] - 3 * (have[0] & have[1]))
            colors = np.array([(30, 30, 30), (215, 200, 70), (60, 120, 230), (230, 40, 40)])
            rows.append((differ[-1], number, panels(
                (f"{name} frame {number}: {differ[-1]:.2f} % differ", to_rgb8(pair.left)),
                ("alone", disparity_picture(alone, low, high)),
                ("in time", disparity_picture(in_time, low, high)),
                ("red > 1 px apart, yellow only alone, blue only in time",
                 colors.astype(np.uint8)[kinds]),
            )))  # fmt: skip
            rows = sorted(rows, key=lambda r: -r[0])[:PICTURES]
    if pictures is not None and rows:
        write_image_png(pictures / f"{name}.png", np.vstack([row for _, _, row in rows]))
    later, lost = np.array(differ[1:]), np.mean(only[1:], axis=0)
    return Real(len(differ), later.mean(), later.max(), lost[0], lost[1], ways.time_ratio)


def karlsruhe(count: int) -> tuple[Rectification, int, Iterator[StereoFrame]]:
    left, right = (sorted((SEQUENCES / "karlsruhe" / side).glob("*")) for side in ("left", "right"))
    frames = (StereoFrame(read_image(a), read_image(b)) for a, b in zip(left, right, strict=True))
    return Rectification.already_rectified(), 128, islice(frames, count)


def euroc(count: int) -> tuple[Rectification, int, Iterator[StereoFrame]]:
    cams = [SEQUENCES / "euroc" / cam for cam in ("cam0", "cam1")]
    left, right = (sorted(cam.rglob("*.png")) for cam in cams)
    rig = load_rig(",".join(str(cam / "sensor.yaml") for cam in cams))
    frames = (StereoFrame(read_image(a), read_image(b)) for a, b in zip(left, right, strict=True))
    return Rectification.from_calibration(rig), 64, islice(frames, count)


def oak(count: int) -> tuple[Rectification, int, Iterator[StereoFrame]]:
    folder = SEQUENCES / "oak_video"
    rig = load_rig(folder / "calib.json")
    source = open_source(f"{folder / 'left.mp4'},{folder / 'right.mp4'}")
    return Rectification.from_calibration(rig), 128, islice(source, OAK_START, OAK_START + count)


REAL = {"oak_video": oak, "karlsruhe": karlsruhe, "euroc": euroc}


# -- the page ------------------------------------------------------------------------------------


def number(value: float | None, form: str = ".2f") -> str:
    return "–" if value is None or np.isnan(value) else f"{value:{form}}"


def both(values: tuple[float, float], form: str = ".2f") -> str:
    """Alone and in time."""
    return "–" if np.isnan(values[0]) else f"{values[0]:{form}}, {values[1]:{form}}"


def row(found: Judged) -> str:
    tally = found.tally
    dense = np.array(tally.dense)
    more = dense[:, 1] - dense[:, 0]
    changed = tally.changed[:3].sum(axis=0)
    return table_row(
        f"{found.name}: {found.clip.what}",
        *(f"{value:.2f}" for value in dense.mean(axis=0)),
        f"{more.mean():+.2f} ({more.max():+.2f})",
        both(tuple(np.mean(tally.textured, axis=0))),
        both(tuple(np.mean(tally.wanting, axis=0)), ".1f"),
        both(tally.off(tally.edges), ".1f"),
        number(tally.ghost_frames, "d"),
        both(tally.off(changed), ".1f"),
        number(tally.late_frames, "+.2f"),
        f"{found.time_ratio:.2f}",
    )


def table(found: Sequence[Judged]) -> str:
    head = table_head(
        *("clip", "dense-2 alone", "in time", "more (worst frame)", "textured", "off or missing"),
        *("edges", "ghosts, frames", "changed < 3 frames ago", "late by, frames", "time"),
    )
    mean = np.mean([np.mean(one.tally.dense, axis=0) for one in found], axis=0)
    last = table_row("mean", *(f"{v:.2f}" for v in mean), f"{mean[1] - mean[0]:+.2f}", *[""] * 7)
    return "\n".join([head, *map(row, found), last])


def flicker_table(found: Sequence[Judged]) -> str:
    lines = [
        table_row(
            f"{one.name}, {way}", f"{f.median_px:.3f}", f"{f.p95_px:.2f}", f"{f.come_and_go:.1f}"
        )
        for one in found
        for way, f in zip(("alone", "in time"), flicker(one.tally.maps[WARM_UP:]), strict=True)
    ]
    return "\n".join([table_head("flicker", "median px", "95 % px", "come and go, %"), *lines])


def real_table(found: dict[str, Real]) -> str:
    lines = [
        table_row(f"{name}, {r.frames} frames", f"{r.differ:.2f} ({r.worst:.2f})",
                  f"{r.only_alone:.2f}", f"{r.only_in_time:.2f}", f"{r.time_ratio:.2f}")
        for name, r in found.items()
    ]  # fmt: skip
    head = table_head(
        *("real", "> 1 px apart, % (worst frame)", "only alone, %", "only in time, %", "time")
    )
    return "\n".join([head, *lines])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", metavar="CLIP", help="only these, real ones too")
    parser.add_argument("--quick", action="store_true", help="only those at hand in a minute")
    parser.add_argument("--matched-only", action="store_true", help="no planes, no edges")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="draw the worst frames there")
    parser.add_argument("--write", action="store_true", help="put the tables in RESULTS.md")
    arguments = parser.parse_args()
    known = all_clips()
    wanted = arguments.clips or [*(QUICK if arguments.quick else known), *REAL]
    if unknown := set(wanted) - {*known, *REAL}:
        parser.error(f"no such clip: {', '.join(unknown)}; there are {', '.join([*known, *REAL])}")
    if arguments.pictures is not None:
        make_folder(arguments.pictures)
    how = {"matched_only": arguments.matched_only, "pictures": arguments.pictures}
    found = []
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(os.cpu_count(), context) as pool:  # before any thread of ours
        for name in (name for name in wanted if name in known):
            jobs = [(name, moment) for moment in known[name].moments]
            shots = list(pool.map(shot_of, jobs, chunksize=4))  # matching is timed: not meanwhile
            found.append(judged(name, known[name], shots, **how))
            print(row(found[-1]), file=sys.stderr, flush=True)
    chosen = [one for one in found if not one.clip.kept_aside]
    aside = [one for one in found if one.clip.kept_aside]
    titles = {"Clips that constants may be chosen on:": chosen, "Kept aside:": aside}
    text = [f"{title}\n\n{table(part)}" for title, part in titles.items() if part]
    if still := [one for one in found if one.tally.maps]:
        text.append(flicker_table(still))
    reals = [name for name in wanted if name in REAL and SEQUENCES.is_dir()]
    if reals:
        text.append(real_table({name: real(name, quick=arguments.quick, **how) for name in reals}))
    page = "\n\n".join(text)
    print(page)
    if arguments.write:
        section = "sequences, matched only" if arguments.matched_only else "sequences"
        put_between(ROOT / "benchmarks" / "RESULTS.md", section, page)


if __name__ == "__main__":
    main()
