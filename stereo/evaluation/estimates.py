"""Where a disparity map to be judged comes from: a matcher that runs now, or somebody's files."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stereo.depth import disparity_sigma
from stereo.errors import InputError
from stereo.evaluation.manifest import ManifestPair
from stereo.files.archives import read_npz
from stereo.files.outputs import read_map
from stereo.frame import Float, RectifiedPair
from stereo.matching import make_matcher
from stereo.memory import peak_memory_mb, reset_peak
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.refining.refine import RefineParams

_SUFFIXES = (".pfm", ".png", ".npy", ".npz", ".tiff", ".tif")
_DISPARITY = ("disparity", "disp", "px")
_SIGMA, _CONFIDENCE = "sigma_px", "confidence"
_FOLDERS = ("", "disp_0", "disp")
"""Where results lie below what is named: the folders that KITTI's servers ask for."""
_MOST_NAMED = 5


@dataclass(frozen=True, eq=False, slots=True)
class Estimate:
    """One disparity map, and what came with it."""

    px: Float
    """(H, W) px, NaN where there is no answer."""
    dense: Float | None = None
    """The same with its holes filled by whoever made it; None: nobody did."""
    confidence: Float | None = None
    """(H, W) in [0, 1]; None: not given."""
    sigma_px: Float | None = None
    """(H, W) error bar, one sigma, px; None: not given."""
    seconds: float = float("nan")
    """What it took; NaN: made before."""
    memory_mb: float = float("nan")
    """Most memory that the process held meanwhile, MB; NaN: not known."""


class Estimator(Protocol):
    """Whatever gives a map for each pair."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        ...

    def check(self, pairs: Sequence[ManifestPair], /) -> None:
        """Raise InputError where some of the pairs have no map; before any work."""
        ...

    def estimate(self, item: ManifestPair, pair: RectifiedPair) -> Estimate:
        """Return the map of a pair. Raises StereoError's children."""
        ...


@dataclass(frozen=True, slots=True)
class Matching:
    """A matcher of ours with all that follows it."""

    name: str
    """What it is called in tables."""
    matcher: str
    """Its name for ``make_matcher``."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Its own parameters; over what the pair says of the range."""
    quality: bool = False
    """As in ``StereoPipeline``."""
    refine: RefineParams = field(default_factory=RefineParams)
    """As in ``StereoPipeline``."""

    def check(self, _pairs: Sequence[ManifestPair], /) -> None:
        """Nothing can be missing."""

    def estimate(self, item: ManifestPair, pair: RectifiedPair) -> Estimate:
        """Match the pair; its range is what the manifest says, else found."""
        params = {"num_disparities": item.num_disparities, **self.params}
        matcher = make_matcher(self.matcher, **params)
        pipeline = StereoPipeline(
            Rectification.already_rectified(), matcher, refine=self.refine, quality=self.quality
        )
        reset_peak()
        began = time.perf_counter()
        refined, filled = pipeline.disparity_and_filled(pair)
        took = time.perf_counter() - began
        sigma = disparity_sigma(refined.confidence)
        return Estimate(refined.px, filled.px, refined.confidence, sigma, took, peak_memory_mb())


@dataclass(frozen=True, slots=True)
class Predictions:
    """A folder of maps that somebody else made.

    NAME.pfm, NAME.npy, NAME.tiff hold px; NAME.png holds px x 256 with 0 for unknown (KITTI);
    NAME.npz holds ``disparity`` and perhaps ``sigma_px`` and ``confidence``; NAME/disp0*.pfm is
    what Middlebury and ETH3D ask for. What is not finite, or negative, is no answer.
    """

    folder: Path
    """Where they lie."""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    def check(self, pairs: Sequence[ManifestPair], /) -> None:
        """Raise InputError naming the pairs without a map."""
        if not self.folder.is_dir():
            raise InputError(f"{self.folder}: no such folder of predictions")
        missing = [item.name for item in pairs if self.find(item) is None]
        if missing:
            more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
            raise InputError(
                f"{self.folder}: has no prediction for {len(missing)} of {len(pairs)} pairs: "
                f"{', '.join(missing[:_MOST_NAMED])}{more}; expected {missing[0]}.pfm (or .png, "
                f".npy, .npz, .tiff) or {missing[0]}/disp0.pfm"
            )

    def estimate(self, item: ManifestPair, pair: RectifiedPair) -> Estimate:
        """Read the map of a pair. Raises InputError when it is none of this pair, ImageError."""
        path = self.find(item)
        if path is None:
            self.check([item])
        assert path is not None
        found = _read(path)
        height, width = pair.left.shape[:2]
        if found.px.shape != (height, width):
            raise InputError(
                f"{path}: is {found.px.shape[1]}x{found.px.shape[0]}, the images of pair "
                f"{item.name!r} are {width}x{height}; a prediction has the size of the left image"
            )
        return found

    def find(self, item: ManifestPair) -> Path | None:
        """Return the file that holds the map of a pair."""
        stems = dict.fromkeys((item.name, str(item.entry.get("path", item.name))))
        for folder in _FOLDERS:
            for stem in stems:
                base = self.folder / folder / stem
                for suffix in _SUFFIXES:
                    if base.with_name(base.name + suffix).is_file():
                        return base.with_name(base.name + suffix)
                inside = sorted(p for s in _SUFFIXES for p in base.glob(f"disp0*{s}"))
                if inside:
                    return inside[0]
        return None


def _read(path: Path) -> Estimate:
    sigma = confidence = None
    if path.suffix == ".npz":
        planes = read_npz(path, (*_DISPARITY, _SIGMA, _CONFIDENCE))
        sigma, confidence = planes.pop(_SIGMA, None), planes.pop(_CONFIDENCE, None)
        if len(planes) != 1:
            raise InputError(
                f"{path}: holds {', '.join(planes) or 'no map'}; one array is expected, called "
                "disparity"
            )
        (px,) = planes.values()
    else:
        px = read_map(path)
    with np.errstate(invalid="ignore"):
        px = np.where(px >= 0, px, np.float32(np.nan))
    if not np.isfinite(px).any():
        raise InputError(f"{path}: holds no disparity of at least 0; is its sign turned?")
    if confidence is not None:
        confidence = np.nan_to_num(confidence, nan=0.0)
    return Estimate(px, None, confidence, sigma)
