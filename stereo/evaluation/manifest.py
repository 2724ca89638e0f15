"""Pairs with ground truth, listed in a JSON file, for evaluation.

``{"pairs": [{name, left, right, ground_truth, ground_truth_divisor, num_disparities, mask?,
mask_visible_value?, right_ground_truth?, calibration?}]}`` with paths relative to the file.
Disparity in px is |value| / divisor; unknown where not finite or 0. A manifest is checked whole
before its first pair is used, so that a mistake in its last entry does not cost the work before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stereo.errors import InputError
from stereo.evaluation.evaluate import visible_from_truths
from stereo.files.images import read_image
from stereo.files.outputs import read_map
from stereo.files.text import read_json
from stereo.frame import Float, Mask, RectifiedPair

_FILES = ("left", "right", "ground_truth", "mask", "right_ground_truth")
_NUMBERS: dict[str, tuple[Any, float, str]] = {
    "num_disparities": (int, 1, "a whole number of at least 1"),
    "ground_truth_divisor": ((int, float), 1e-6, "a number above 0"),
    "mask_visible_value": (int, 0, "a whole number of at least 0"),
}
_LARGEST = 1e6
"""More disparities, or a larger divisor, no file has; JSON's 1e999 is infinite."""
_OPTIONAL = ("mask", "right_ground_truth", "mask_visible_value")


@dataclass(frozen=True, slots=True)
class ManifestPair:
    """One rectified pair with its truth."""

    name: str
    """Name, unique in its manifest; results are saved under it."""
    folder: Path
    """What the paths are relative to."""
    entry: dict[str, Any]
    """The pair's JSON object."""

    @property
    def num_disparities(self) -> int:
        """How many disparities the benchmark searches, px."""
        return int(self.entry["num_disparities"])

    def pair(self) -> RectifiedPair:
        """Read the images. Raises ImageError."""
        left, right = (self.folder / self.entry[key] for key in ("left", "right"))
        return RectifiedPair(read_image(left), read_image(right))

    def truth(self) -> Float:
        """Return the true disparity, (H, W) float32 px, NaN where unknown. Raises ImageError."""
        return self._truth("ground_truth")

    def visible(self, truth: Float) -> Mask:
        """Return which pixels both cameras see: from the mask, the right truth, or all known.

        Raises ImageError, and InputError where mask or right truth do not fit ``truth`` or leave
        nothing to compare with.
        """
        if "mask" in self.entry:
            mask = read_image(self.folder / self.entry["mask"])
            plane = mask if mask.ndim == 2 else mask[..., 0]
            self._same_size("mask", plane, truth)
            seen = np.asarray(plane == self.entry["mask_visible_value"])
        elif "right_ground_truth" in self.entry:
            right = self._truth("right_ground_truth")
            self._same_size("right_ground_truth", right, truth)
            seen = visible_from_truths(truth, right)
        else:
            seen = np.isfinite(truth)
        if not np.any(seen & np.isfinite(truth)):
            raise InputError(
                f"pair {self.name!r}: no pixel is both visible and known in ground_truth; check "
                "ground_truth, mask and mask_visible_value"
            )
        return seen

    def _truth(self, key: str) -> Float:
        values = np.abs(read_map(self.folder / self.entry[key], png_divisor=1))
        return np.where(
            values == 0, np.float32(np.nan), values / self.entry["ground_truth_divisor"]
        )

    def _same_size(self, key: str, plane: NDArray[Any], truth: Float) -> None:
        if plane.shape != truth.shape:
            raise InputError(
                f"pair {self.name!r}: {key} is {plane.shape[1]}x{plane.shape[0]}, ground_truth is "
                f"{truth.shape[1]}x{truth.shape[0]}"
            )


def load_manifest(path: str | Path) -> list[ManifestPair]:
    """Return the pairs a manifest lists. Raises InputError naming what is wrong with it."""
    path = Path(path)
    try:
        entries = [(str(entry["name"]), dict(entry)) for entry in read_json(path)["pairs"]]
    except InputError as error:
        raise InputError(f"{error}; a JSON file that lists pairs was expected") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f'{path}: expected {{"pairs": [{{"name": ...}}, ...]}}, but: {error!r}'
        ) from error
    names = [name for name, _ in entries]
    if not names or len(set(names)) < len(names):
        raise InputError(f"{path}: lists no pairs, or one name twice")
    for name, entry in entries:
        mistake = _mistake(name, entry, path.parent)
        if mistake is not None:
            raise InputError(f"{path}: pair {name!r} {mistake}")
    return [ManifestPair(name, path.parent, entry) for name, entry in entries]


def _mistake(name: str, entry: dict[str, Any], folder: Path) -> str | None:
    """What is wrong with an entry, in words that go on from the pair's name."""
    if name in ("", ".", "..") or any(character in name for character in "/\\\0"):
        return "needs a name that can be a file's: results are saved as NAME.pfm"
    wanted = {key for key in (*_FILES, *_NUMBERS) if key not in _OPTIONAL}
    wanted |= {"mask_visible_value"} if "mask" in entry else set()
    for key in (key for key in (*_FILES, *_NUMBERS) if key in wanted | set(entry)):
        if key not in entry:
            return f"has no {key!r}"
        value = entry[key]
        if key in _NUMBERS:
            kind, least, expected = _NUMBERS[key]
            fits = isinstance(value, kind) and not isinstance(value, bool)
            if not fits or not least <= value <= _LARGEST:
                return f"has {key!r}: {value!r:.60}; {expected} was expected"
        elif not isinstance(value, str):
            return f"has {key!r}: {value!r:.60}; a path was expected"
        elif not _is_file(folder / value):
            return f"names {key!r}: {folder / value}, which is not there"
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long to be one
        return False
