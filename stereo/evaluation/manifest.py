"""Pairs with ground truth, listed in a JSON file, for evaluation.

``{"pairs": [{name, left, right, ground_truth, ground_truth_divisor, num_disparities?, mask?,
mask_visible_value?, right_ground_truth?, visible_ground_truth?, objects?, calibration?}]}`` with
paths relative to the file. Disparity in px is |value| / divisor; unknown where not finite or 0.
``visible_ground_truth`` knows only what both cameras see; ``objects`` is above 0 on foreground.
Where there is no ``calibration`` file, ``focal_px``, ``baseline_m`` and ``doffs_px`` may say the
same, and with ``ground_truth_is: "depth"`` the truth is metres. A manifest is checked whole before
its first pair is used, so that a mistake in its last entry does not cost the work before.

``stereo.evaluation.layouts`` makes such entries of data sets as their owners publish them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calib import RectifiedRig, load_rig
from stereo.errors import ImageError, InputError
from stereo.evaluation.evaluate import visible_from_truths
from stereo.files.images import image_size, read_image
from stereo.files.outputs import read_map
from stereo.files.text import read_json
from stereo.frame import Float, Mask, RectifiedPair, StereoGeometry

_FILES = (
    *("left", "right", "ground_truth", "mask", "right_ground_truth"),
    *("visible_ground_truth", "objects", "calibration"),
)
_NUMBERS: dict[str, tuple[Any, float, str]] = {
    "num_disparities": (int, 1, "a whole number of at least 1"),
    "ground_truth_divisor": ((int, float), 1e-6, "a number above 0"),
    "mask_visible_value": (int, 0, "a whole number of at least 0"),
    "focal_px": ((int, float), 1, "a number of pixels, at least 1"),
    "baseline_m": ((int, float), 1e-4, "a number of metres above 0"),
    "doffs_px": ((int, float), -1e6, "a number of pixels"),
}
_LARGEST = 1e6
"""More disparities, or a larger divisor, no file has; JSON's 1e999 is infinite."""
_NEEDED = ("left", "right", "ground_truth", "ground_truth_divisor")


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
    def num_disparities(self) -> int | Literal["auto"]:
        """How many disparities the benchmark searches, px; "auto" where nobody says."""
        if "num_disparities" in self.entry:
            return int(self.entry["num_disparities"])
        rig = self._rig()
        return "auto" if rig is None else rig.num_disparities or "auto"

    def pair(self) -> RectifiedPair:
        """Read the images. Raises ImageError."""
        left, right = (read_image(self.folder / self.entry[key]) for key in ("left", "right"))
        try:
            return RectifiedPair(left, right)
        except ImageError as error:
            raise ImageError(f"pair {self.name!r}: {error}") from error

    def truth(self) -> Float:
        """Return the true disparity, (H, W) float32 px, NaN where unknown. Raises ImageError."""
        return self._truth("ground_truth")

    def geometry(self) -> StereoGeometry | None:
        """Return what turns disparity into metres; None where nobody says.

        Raises RigFileError or CameraError for a calibration file that cannot be read.
        """
        told = [self.entry.get(key) for key in ("focal_px", "baseline_m", "doffs_px")]
        if told[0] is not None and told[1] is not None:
            return StereoGeometry(told[0], told[1], 0.0, 0.0, told[2] or 0.0)
        rig = self._rig()
        if rig is None:
            return None
        return StereoGeometry(rig.focal_px, rig.baseline_m, rig.cx_left_px, rig.cy_px, rig.doffs_px)

    def foreground(self, truth: Float) -> Mask | None:
        """Return where objects are, (H, W); None where no map says. Raises as ``visible``."""
        if "objects" not in self.entry:
            return None
        objects = _plane(self.folder / self.entry["objects"])
        self._same_size("objects", objects, truth)
        return np.asarray(objects > 0)

    def visible(self, truth: Float) -> Mask:
        """Return which pixels both cameras see: from the mask, the right truth, or all known.

        Raises ImageError, and InputError where mask or right truth do not fit ``truth`` or leave
        nothing to compare with.
        """
        if "mask" in self.entry:
            plane = _plane(self.folder / self.entry["mask"])
            self._same_size("mask", plane, truth)
            seen = np.asarray(plane == self.entry["mask_visible_value"])
        elif "right_ground_truth" in self.entry:
            right = self._truth("right_ground_truth")
            self._same_size("right_ground_truth", right, truth)
            seen = visible_from_truths(truth, right)
        elif "visible_ground_truth" in self.entry:
            known = self._truth("visible_ground_truth")
            self._same_size("visible_ground_truth", known, truth)
            seen = np.isfinite(known)
        else:
            seen = np.isfinite(truth)
        if not np.any(seen & np.isfinite(truth)):
            raise InputError(
                f"pair {self.name!r}: no pixel is both visible and known in ground_truth; check "
                "ground_truth, mask and mask_visible_value"
            )
        return seen

    def _truth(self, key: str) -> Float:
        path, divisor = self.folder / self.entry[key], self.entry["ground_truth_divisor"]
        values = np.abs(read_map(path, png_divisor=1))
        values = np.where(values == 0, np.float32(np.nan), values / np.float32(divisor))
        if self.entry.get("ground_truth_is") == "depth":
            geometry = self.geometry()
            assert geometry is not None  # checked when the manifest was read
            values = geometry.focal_px * geometry.baseline_m / values - geometry.doffs_px
        return np.asarray(values, np.float32)

    def _rig(self) -> RectifiedRig | None:
        """What the calibration file says of images of this size."""
        if "calibration" not in self.entry:
            return None
        rig = load_rig(self.folder / self.entry["calibration"], rectified=True)
        if not isinstance(rig, RectifiedRig):
            return None
        size = image_size(self.folder / self.entry["left"])
        return rig if rig.size in (None, size) else rig.scaled(size)

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
    return checked(path, path.parent, entries)


def checked(
    source: Path, folder: Path, entries: Sequence[tuple[str, dict[str, Any]]]
) -> list[ManifestPair]:
    """Return pairs of a name and an entry each. Raises InputError for the first mistake."""
    names = [name for name, _ in entries]
    if not names or len(set(names)) < len(names):
        raise InputError(f"{source}: lists no pairs, or one name twice")
    for name, entry in entries:
        mistake = _mistake(name, entry, folder)
        if mistake is not None:
            raise InputError(f"{source}: pair {name!r} {mistake}")
    return [ManifestPair(name, folder, entry) for name, entry in entries]


def _mistake(name: str, entry: dict[str, Any], folder: Path) -> str | None:
    """What is wrong with an entry, in words that go on from the pair's name."""
    if name in ("", ".", "..") or any(character in name for character in "/\\\0"):
        return "needs a name that can be a file's: results are saved as NAME.pfm"
    wanted = {*_NEEDED, *(["mask_visible_value"] if "mask" in entry else [])}
    if entry.get("ground_truth_is", "disparity") not in ("disparity", "depth"):
        return f"has 'ground_truth_is': {entry['ground_truth_is']!r:.60}; disparity or depth"
    if entry.get("ground_truth_is") == "depth":
        wanted |= {"focal_px", "baseline_m"}
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


def _plane(path: Path) -> NDArray[Any]:
    """The first channel of an image."""
    image = read_image(path)
    return image if image.ndim == 2 else image[..., 0]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long to be one
        return False
