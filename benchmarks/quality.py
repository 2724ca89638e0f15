"""Does ``stereo quality`` measure what is there? Walls with exact truth, and real scenes.

    python benchmarks/quality.py

Painted walls: distance, yaw, sensor noise and texture vary; plane-fit RMS, fill and Z accuracy are
compared with those of the exact truth over the same pixels. Then the sample room and the road of
../shared/data/sequences/karlsruhe: what was measured over what the error bars promised.
"""

from __future__ import annotations

import numpy as np
from common import SEQUENCES, from_tests, table_head, table_row

from stereo.depth import disparity_sigma
from stereo.evaluation.session import QualitySession, Seen
from stereo.evaluation.wall import GROSS_PX
from stereo.files.images import read_image
from stereo.frame import RectifiedPair, StereoFrame, StereoGeometry
from stereo.matching import make_matcher
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification

painted = from_tests("evaluation/painted_walls")
GEOMETRY, painted_wall = painted.GEOMETRY, painted.painted_wall

KARLSRUHE = SEQUENCES / "karlsruhe"
KARLSRUHE_GEOMETRY = StereoGeometry(645.2401, 368.2632 / 645.2401, 635.9587, 194.1291)


def walls() -> None:
    """Print measured over true figures of painted walls."""
    print(table_head("distance", "yaw", "noise", "RMS / true", "fill / true", "Z error %", "kept"))
    for distance in (0.6, 1.2, 2.4):
        for yaw in (0, 20):
            for noise in (1, 3, 6):
                pair, truth = painted_wall(distance, yaw_deg=yaw, noise=noise)
                seen = _seen(pair, GEOMETRY)
                session = QualitySession()
                wall = session.add(seen)
                assert wall is not None
                (stand,) = session.result([distance]).stands
                off = GEOMETRY.focal_px * GEOMETRY.baseline_m / seen.depth.depth_m - truth
                fine = np.abs(off[wall.mask]) <= GROSS_PX
                true_rms = np.sqrt(np.mean(off[wall.mask][fine] ** 2))
                true_fill = np.isfinite(off[wall.mask]).mean()
                assert stand.accuracy is not None
                figures = stand.rms_px / true_rms, stand.fill / true_fill
                cells = (distance, yaw, noise, *figures, stand.accuracy.percent, stand.times)
                print(table_row(*(f"{cell:.3g}" for cell in cells)), flush=True)


def real() -> None:
    """Print measured over promised RMS of scenes that nobody painted."""
    session = QualitySession()
    for left in sorted((KARLSRUHE / "left").iterdir()):
        pair = RectifiedPair(read_image(left), read_image(KARLSRUHE / "right" / left.name))
        session.add(_seen(pair, KARLSRUHE_GEOMETRY))
    print(f"karlsruhe road: RMS is {session.result().times:.2f} times the promise")


def _seen(pair: RectifiedPair, geometry: StereoGeometry) -> Seen:
    rect = Rectification.already_rectified(geometry)
    pipeline = StereoPipeline(rect, make_matcher("sgm", num_disparities="auto"))
    result = pipeline.process(StereoFrame(pair.left, pair.right))
    assert result.depth is not None
    return Seen("wall", result.depth, disparity_sigma(result.disparity.confidence))


if __name__ == "__main__":
    walls()
    real()
