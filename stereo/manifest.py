"""Pairs with ground truth, listed in a JSON file, for evaluation.

``{"pairs": [{name, left, right, ground_truth, ground_truth_divisor, num_disparities, mask?,
mask_visible_value?, right_ground_truth?, calibration?}]}`` with paths relative to the file.
Disparity in px is |value| / divisor; unknown where not finite or 0.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stereo.errors import InputError
from stereo.evaluate import visible_from_truths
from stereo.frame import Float, Mask, RectifiedPair
from stereo.images import read_image
from stereo.outputs import read_map


@dataclass(frozen=True, slots=True)
class ManifestPair:
    """One rectified pair with its truth."""

    name: str
    """Name, unique in its manifest."""
    folder: Path
    """What the paths are relative to."""
    entry: dict[str, Any]
    """The pair's JSON object."""

    @property
    def num_disparities(self) -> int:
        """How many disparities the benchmark searches, px."""
        return int(self._get("num_disparities"))

    def pair(self) -> RectifiedPair:
        """Read the images. Raises ImageError."""
        left, right = (self.folder / self._get(key) for key in ("left", "right"))
        return RectifiedPair(read_image(left), read_image(right))

    def truth(self) -> Float:
        """Return the true disparity, (H, W) float32 px, NaN where unknown. Raises ImageError."""
        return self._truth("ground_truth")

    def visible(self, truth: Float) -> Mask:
        """Return which pixels both cameras see: from the mask, the right truth, or all known."""
        if "mask" in self.entry:
            mask = read_image(self.folder / self.entry["mask"])
            plane = mask if mask.ndim == 2 else mask[..., 0]
            return np.asarray(plane == self._get("mask_visible_value"))
        if "right_ground_truth" in self.entry:
            return visible_from_truths(truth, self._truth("right_ground_truth"))
        return np.isfinite(truth)

    def _truth(self, key: str) -> Float:
        values = np.abs(read_map(self.folder / self._get(key), png_divisor=1))
        return np.where(values == 0, np.float32(np.nan), values / self._get("ground_truth_divisor"))

    def _get(self, key: str) -> Any:
        if key not in self.entry:
            raise InputError(f"pair {self.name!r} in the manifest has no {key!r}")
        return self.entry[key]


def load_manifest(path: str | Path) -> list[ManifestPair]:
    """Return the pairs a manifest lists. Raises InputError naming what is wrong with it."""
    path = Path(path)
    try:
        pairs = json.loads(path.read_text())["pairs"]
        found = [ManifestPair(str(entry["name"]), path.parent, dict(entry)) for entry in pairs]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f'{path}: expected {{"pairs": [{{"name": ...}}, ...]}}, but: {error!r}'
        ) from error
    names = [pair.name for pair in found]
    if not names or len(set(names)) < len(names):
        raise InputError(f"{path}: lists no pairs, or one name twice")
    return found
