"""How far a random rig is off after A -> rig -> B -> rig, the worst over every pair of formats.

python benchmarks/round_trips.py --rigs 50
"""

from __future__ import annotations

import argparse
import os
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from calib import FORMATS, Camera, StereoRig, load_rig, save_rig

HOLDS = {
    "rig": 14, "opencv": 14, "ros": 8, "kalibr": 4, "euroc": 4, "mrcal": 12, "zed": 8, "kitti": 5,
}  # fmt: skip
"""Formats of two cameras, and how many pinhole coefficients each holds."""
FISHEYE = {"rig", "opencv", "ros", "kalibr", "euroc"}
_SCALES = np.array([0.2, 0.05, 2e-3, 2e-3, 0.01, 0.1, 0.02, 5e-3, *[1e-3] * 4, 0.01, 0.01])


def random_rig(rng: np.random.Generator, coefficients: int, *, fisheye: bool) -> StereoRig:
    """A rig side by side with numbers as real ones have."""
    size = (1280, 720)
    cameras = []
    for _ in range(2):
        f = rng.uniform(600, 1500)
        K = np.array(
            [[f, 0, 640 + rng.normal(0, 20)], [0, f * rng.uniform(0.99, 1.01), 0], [0, 0, 1]]
        )
        K[1, 2] = 360 + rng.normal(0, 20)
        D = _SCALES[:coefficients] * rng.uniform(-1, 1, coefficients)
        if fisheye:
            D = 0.02 * rng.uniform(-1, 1, 4)
        cameras.append(Camera("fisheye" if fisheye else "pinhole", size, K, D))
    R = Rotation.from_rotvec(rng.normal(0, 0.02, 3)).as_matrix()
    t = rng.uniform(0.02, 0.6) * np.array([-1, rng.normal(0, 0.05), rng.normal(0, 0.05)])
    return StereoRig(cameras[0], cameras[1], R, t)


def there_and_back(rig: StereoRig, name: str, folder: Path) -> StereoRig:
    """Write a rig as a format and read it again."""
    target = folder if FORMATS[name].names else folder / "calib.yaml"
    files = save_rig(rig, target, format=name)
    back = load_rig(",".join(map(str, files)))
    assert isinstance(back, StereoRig)
    for file in files:
        file.unlink()
    return back


def deviation(one: StereoRig, other: StereoRig) -> float:
    """The largest difference of any number: pixels, coefficients, metres, cosines."""
    off = [
        np.abs(one.R_right_left - other.R_right_left).max(),
        np.abs(one.t_right_left - other.t_right_left).max(),
    ]
    for a, b in ((one.left, other.left), (one.right, other.right)):
        D = [np.pad(each.distortion, (0, 14 - each.distortion.size)) for each in (a, b)]
        off += [np.abs(a.K - b.K).max(), np.abs(D[0] - D[1]).max()]
        assert (a.model, a.size) == (b.model, b.size)
    return float(max(off))


def main() -> None:
    """Measure every pair and print the worst ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--rigs", type=int, default=20)
    told = parser.parse_args()
    os.fsync = lambda _: None  # type: ignore[assignment]  # ten thousand files, of no worth
    rng = np.random.default_rng(1)
    worst: dict[tuple[str, str], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for one, other in product(HOLDS, HOLDS):
            for number in range(told.rigs):
                fisheye = number % 2 == 1 and {one, other} <= FISHEYE
                rig = random_rig(rng, min(HOLDS[one], HOLDS[other]), fisheye=fisheye)
                back = there_and_back(there_and_back(rig, one, Path(folder)), other, Path(folder))
                worst[one, other] = max(worst.get((one, other), 0.0), deviation(rig, back))
    for (one, other), off in sorted(worst.items(), key=lambda item: -item[1])[:5]:
        print(f"{one:8} -> {other:8} {off:.1e}")
    print(f"{len(worst)} pairs x {told.rigs} rigs: at most {max(worst.values()):.1e}")


if __name__ == "__main__":
    main()
