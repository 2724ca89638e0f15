"""Whether motion alone tells which images of two real streams show one moment.

    python benchmarks/motion.py [--seeds 8]

The frames of ../shared/data/sequences/oak_video without any times: the right stream is 0 to 4
images behind, some are lost at random on each side. Told is the share of frames whose partner was
named, wrong how many of these were not of the same number. Thresholds were chosen on the first half
of the video and on rendered scenes.
"""

from __future__ import annotations

import argparse

import numpy as np
from common import SEQUENCES, table_head, table_row

from stereo.sources.files import Video
from stereo.sources.motion import Look, MotionJudge, look

SIDES = "left", "right"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    arguments = parser.parse_args()
    looks = {side: looks_of(side) for side in SIDES}
    half = len(looks["left"]) // 2
    print(table_head("frames", "every", "lost", "told", "right", "wrong"))
    for words, kept in (("first half", slice(0, half)), ("second half", slice(half, None))):
        for every in (1, 2):
            shown = {side: looks[side][kept][::every] for side in SIDES}
            for lost in (0.0, 0.01, 0.05, 0.2):
                found = np.array([told(shown, lost, seed) for seed in range(arguments.seeds)])
                right, wrong = found.sum(axis=0)
                share = (right + wrong) / (arguments.seeds * len(shown["left"]))
                print(table_row(words, every, f"{lost:.0%}", f"{share:.0%}", right, wrong))


def looks_of(side: str) -> list[Look]:
    video = Video(str(SEQUENCES / "oak_video" / f"{side}.mp4"))
    try:
        return [look(still.load()) for still in video.stills()]
    finally:
        video.close()


def told(shown: dict[str, list[Look]], lost: float, seed: int) -> tuple[int, int]:
    """How many partners are right, and wrong."""
    rng = np.random.default_rng(seed)
    judge, behind, right, wrong = MotionJudge(), int(rng.integers(0, 5)), 0, 0
    numbers: dict[str, list[int]] = {side: [] for side in SIDES}
    arrivals = [(k, "left", k) for k in range(len(shown["left"]))]
    arrivals += [(k + behind + 0.5, "right", k) for k in range(len(shown["right"]))]
    for _, side, number in sorted(arrivals):
        if rng.random() < lost:
            continue
        judge.add(side, shown[side][number])
        numbers[side].append(number)
        at = judge.partner(side)
        if at is not None:
            same = numbers["right" if side == "left" else "left"][-1 - at] == number
            right, wrong = right + same, wrong + (not same)
    return right, wrong


if __name__ == "__main__":
    main()
