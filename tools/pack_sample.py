"""Write the sample pair into the package, small: `make sample-data` calls it after the rendering.

The package's pair is what `stereo demo` shows wherever it is installed; ``sample_data/room`` has it
without loss, beside its truth, for the tests.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2

REPO = Path(__file__).resolve().parents[1]
ROOM = REPO / "sample_data" / "room"
PACKED = REPO / "stereo" / "synthetic" / "room"

PACKED.mkdir(exist_ok=True)
for side in ("left", "right"):
    image = cv2.imread(str(ROOM / f"{side}.png"))
    cv2.imwrite(str(PACKED / f"{side}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 92])
shutil.copyfile(ROOM / "rig.yaml", PACKED / "rig.yaml")
