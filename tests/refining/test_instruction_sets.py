"""What refines a map gives the same bits on every instruction set."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from stereo.matching import sgm

FINGERPRINT = """
import hashlib
import numpy as np
from stereo.frame import DisparityMap
from stereo.native import find_native
from stereo.refining.edges import sharpen_edges
from stereo.refining.filling import fill

digest = hashlib.sha256()
rng = np.random.default_rng(3)
for shape in (40, 170), (7, 90), (33, 12):
    for channels in (1, 3):
        image = rng.integers(60, 90, (*shape, channels)).astype(np.uint8)
        px = np.round(rng.uniform(0, 9, shape)).astype(np.float32)
        px[rng.random(shape) < 0.4] = np.nan
        given = DisparityMap(px, np.where(np.isnan(px), 0, rng.random(shape)).astype(np.float32))
        for threads in (1, 3):
            found = sharpen_edges(given, image, threads=threads)
            digest.update(found.px.tobytes() + found.confidence.tobytes())
            digest.update(fill(given, image, threads=threads).px.tobytes())
            for plane in find_native().texture(image[..., 0].copy(), 75, 22, True, threads):
                digest.update(plane.tobytes())
print(digest.hexdigest())
"""


@pytest.mark.skipif(not sgm.is_available(), reason="native module not built")
def test_edges_filling_and_texture_are_the_same_bits_on_every_instruction_set() -> None:
    levels = ["baseline", "avx2", "avx512"]
    found = {
        subprocess.run(
            [sys.executable, "-c", FINGERPRINT],
            env=os.environ | {"STEREO_SIMD": level},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for level in levels[: levels.index(sgm.simd_level()) + 1]
    }
    assert len(found) == 1
