"""What one frame became, and what that can be written as: the table behind ``--outputs``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calib.nearby import did_you_mean
from stereo.cloud import (
    MAX_RELATIVE_SIGMA,
    PointCloud,
    point_cloud,
    remove_outliers,
    thin,
    with_normals,
)
from stereo.errors import InputError, StereoError
from stereo.files import outputs as write
from stereo.files.outputs import make_folder
from stereo.frame import DepthFrame, DisparityMap, Float, Image, RectifiedPair
from stereo.preview import RGB, confidence_preview, depth_preview, disparity_preview
from stereo.register import RegisteredDepth


@dataclass(frozen=True, slots=True)
class CloudOptions:
    """What is done to a point cloud before it is written."""

    voxel_m: float | None = None
    """Keep one point per cube of this side, metres; None: all."""
    outliers: bool = False
    """Remove points far from their neighbours."""
    normals: bool = False
    """Add normals."""
    max_relative_sigma: float = MAX_RELATIVE_SIGMA
    """Leave out points whose error bar exceeds this share of their depth; inf: none."""

    def __post_init__(self) -> None:
        if not self.max_relative_sigma > 0:
            raise InputError(
                "max_relative_sigma must be a positive share of depth (0.25 is 25 %; inf keeps "
                f"all), got {self.max_relative_sigma}"
            )


@dataclass(frozen=True, eq=False, slots=True)
class StereoResult:
    """What one frame became, stage by stage."""

    pair: RectifiedPair
    """The rectified images as they were matched: of cameras above each other both are turned."""
    disparity: DisparityMap
    """Disparity of ``left``, px, with confidence; of cameras above each other ``y_left -
    y_right``, or the reverse where the left one is the lower."""
    depth: DepthFrame | None
    """Metric depth with its error bar; None when no calibration is known."""
    registered: RegisteredDepth | None = None
    """The same for the pixels of a camera beside the rig; None: none was asked for."""

    @property
    def left(self) -> Image:
        """The rectified left image, as its camera stands: what ``disparity`` and ``depth`` fit."""
        return self.pair.left if self.depth is None else self.depth.color

    def __repr__(self) -> str:
        return f"StereoResult({self.disparity if self.depth is None else self.depth})"

    def cloud(self, *, max_relative_sigma: float = MAX_RELATIVE_SIGMA) -> PointCloud:
        """Return the coloured points, without those whose error bar exceeds that share of depth.

        ``max_relative_sigma=math.inf`` keeps all; see ``stereo.cloud.point_cloud``.

        Raises StereoError when there is no metric depth.
        """
        if self.depth is None:
            raise StereoError("no point cloud without metric depth; give a calibration")
        return point_cloud(self.depth, max_relative_sigma=max_relative_sigma)

    def save(
        self,
        folder: str | Path,
        outputs: Sequence[str] | None = None,
        cloud: CloudOptions | None = None,
    ) -> dict[str, Path]:
        """Write ``outputs`` (names in ``OUTPUTS``) into ``folder``; return where each lies.

        Those that need depth are left out where there is none. Raises InputError for an unknown
        name, OutputError when something cannot be written.
        """
        names = DEFAULT_OUTPUTS if outputs is None else tuple(outputs)
        check_output_names(names)
        make_folder(Path(folder))
        files = write_outputs(Path(folder), names, self, cloud or CloudOptions())
        return {name: Path(folder) / file for name, file in files.items()}


Writer = Callable[[Path, StereoResult, CloudOptions], None]


def _cloud(result: StereoResult | RegisteredDepth, options: CloudOptions) -> PointCloud:
    cloud = result.cloud(max_relative_sigma=options.max_relative_sigma)
    if options.voxel_m is not None:
        cloud = thin(cloud, options.voxel_m)
    if options.outliers:
        cloud = remove_outliers(cloud)
    return with_normals(cloud) if options.normals else cloud


def _depth(result: StereoResult) -> Float:
    assert result.depth is not None  # OUTPUTS says which writers need depth
    return result.depth.depth_m


def _sigma(result: StereoResult) -> Float:
    assert result.depth is not None
    return result.depth.sigma_m


def _confidence(result: StereoResult) -> RGB:
    return confidence_preview(result.disparity.confidence, np.isfinite(result.disparity.px))


def _preview(path: Path, result: StereoResult, _: CloudOptions) -> None:
    if result.depth is None:
        picture = disparity_preview(result.disparity.px)
    else:
        picture = depth_preview(result.depth.depth_m)
    write.write_image_png(path, picture)


@dataclass(frozen=True, slots=True)
class Output:
    """One kind of result."""

    file: str
    """Name of the file it is written to."""
    write: Writer
    """Writes it."""
    needs_depth: bool
    """Whether it exists only with a calibration."""
    help: str
    """One line for the user."""


OUTPUTS: dict[str, Output] = {
    "disparity": Output(
        "disparity.pfm",
        lambda path, r, _: write.write_disparity_pfm(path, r.disparity.px),
        False,
        "float32 px, inf unknown",
    ),
    "disparity-png": Output(
        "disparity.png",
        lambda path, r, _: write.write_disparity_png16(path, r.disparity.px),
        False,
        "16 bit, px x 256, 0 unknown (KITTI)",
    ),
    "depth": Output(
        "depth_mm.png",
        lambda path, r, _: write.write_depth_png_mm(path, _depth(r)),
        True,
        "16 bit millimetres, 0 unknown or beyond 65.535 m",
    ),
    "depth-tiff": Output(
        "depth_m.tiff",
        lambda path, r, _: write.write_tiff(path, _depth(r)),
        True,
        "float32 metres, NaN unknown",
    ),
    "depth-npy": Output(
        "depth_m.npy",
        lambda path, r, _: write.write_npy(path, _depth(r)),
        True,
        "float32 metres, NaN unknown",
    ),
    "sigma": Output(
        "sigma_m.tiff",
        lambda path, r, _: write.write_tiff(path, _sigma(r)),
        True,
        "float32 metres: one standard deviation of depth",
    ),
    "confidence": Output(
        "confidence.png",
        lambda path, r, _: write.write_confidence_png(path, r.disparity.confidence),
        False,
        "8 bit, 255 = certain",
    ),
    "confidence-preview": Output(
        "confidence_preview.png",
        lambda path, r, _: write.write_image_png(path, _confidence(r)),
        False,
        "colour-mapped confidence",
    ),
    "cloud": Output(
        "cloud.ply",
        lambda path, r, options: _cloud(r, options).save(path),
        True,
        "binary PLY, metres, colour",
    ),
    "cloud-pcd": Output(
        "cloud.pcd",
        lambda path, r, options: _cloud(r, options).save(path),
        True,
        "binary PCD, metres, colour",
    ),
    "preview": Output("preview.png", _preview, False, "colour-mapped picture with a scale"),
    "left": Output(
        "left.png",
        lambda path, r, _: write.write_image_png(path, r.left),
        False,
        "the rectified left image, which all maps fit",
    ),
}
"""What ``--outputs`` can name."""

REGISTERED: dict[str, Callable[[Path, RegisteredDepth, CloudOptions], None]] = {
    "depth": lambda path, r, _: write.write_depth_png_mm(path, r.depth_m),
    "depth-tiff": lambda path, r, _: write.write_tiff(path, r.depth_m),
    "depth-npy": lambda path, r, _: write.write_npy(path, r.depth_m),
    "sigma": lambda path, r, _: write.write_tiff(path, r.sigma_m),
    "cloud": lambda path, r, options: _cloud(r, options).save(path),
    "cloud-pcd": lambda path, r, options: _cloud(r, options).save(path),
    "preview": lambda path, r, _: write.write_image_png(path, depth_preview(r.depth_m)),
}
"""Which of them there are for a camera beside the rig as well, in the folder ``registered``."""

DEFAULT_OUTPUTS = ("disparity", "depth", "cloud", "preview", "left")


def output_names(text: str) -> tuple[str, ...]:
    """Return the names in a comma separated list, as ``--outputs`` takes them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def check_output_names(names: Sequence[str]) -> None:
    """Raise InputError when there are none, or one that is not in ``OUTPUTS``."""
    for name in names:
        if name not in OUTPUTS:
            hint = did_you_mean(name, OUTPUTS) or ";"
            raise InputError(f"unknown output {name!r}{hint} choose from {', '.join(OUTPUTS)}")
    if not names:
        raise InputError(f"no outputs asked for; choose from {', '.join(OUTPUTS)}")


def write_outputs(
    folder: Path, names: Sequence[str], result: StereoResult, cloud: CloudOptions
) -> dict[str, str]:
    """Write the named outputs, without depth only those that need none; return name -> file."""
    files = {}
    for name in names:
        output = OUTPUTS[name]
        if result.depth is not None or not output.needs_depth:
            output.write(folder / output.file, result, cloud)
            files[name] = output.file
    if result.registered is not None:
        files |= _write_registered(folder, names, result.registered, cloud)
    return files


def _write_registered(
    folder: Path, names: Sequence[str], registered: RegisteredDepth, cloud: CloudOptions
) -> dict[str, str]:
    """The same in the other camera's frame, always with sigma and the image that all of it fits."""
    make_folder(folder / "registered")
    files = {}
    for name in dict.fromkeys([*(n for n in names if n in REGISTERED), "sigma"]):
        files[f"registered-{name}"] = file = f"registered/{OUTPUTS[name].file}"
        REGISTERED[name](folder / file, registered, cloud)
    files["registered-color"] = file = "registered/color.png"
    write.write_image_png(folder / file, registered.color)
    return files
