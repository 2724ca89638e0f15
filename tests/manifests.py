"""A manifest to evaluate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from support import textured_pair

from stereo.files import outputs


def make_manifest(folder: Path, **more: object) -> Path:
    """A manifest of one pair, 4 px everywhere, with its images beside it."""
    pair = textured_pair(4.0)
    outputs.write_image_png(folder / "l.png", pair.left)
    outputs.write_image_png(folder / "r.png", pair.right)
    truth = np.full(pair.left.shape, 32, np.uint8)
    truth[:5] = 0
    outputs.write_image_png(folder / "t.png", truth)
    mask = np.full(pair.left.shape, 255, np.uint8)
    mask[:, :10] = 128
    outputs.write_image_png(folder / "m.png", mask)
    entry = {
        "name": "a", "left": "l.png", "right": "r.png", "ground_truth": "t.png",
        "ground_truth_divisor": 8, "num_disparities": 16, **more,
    }  # fmt: skip
    path = folder / "pairs.json"
    path.write_text(json.dumps({"pairs": [entry]}))
    return path
