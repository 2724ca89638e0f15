"""Coloured points in metres: from a depth frame, cleaned as users ask for, and kept in a file.

Thinning, outlier removal and normals are open3d's, imported only when used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.words import length
from stereo.errors import InputError, MissingLibraryError
from stereo.files import clouds
from stereo.frame import DepthFrame, Float, Mask, freeze
from stereo.gray import to_8bit, to_rgb8
from stereo.native import find_native, thread_count

MAX_RELATIVE_SIGMA = 0.25
"""Points whose error bar exceeds this share of their depth smear over many metres; left out."""


@dataclass(frozen=True, eq=False, slots=True)
class PointCloud:
    """Coloured points in the rectified left camera's frame (x right, y down, z forward).

    Raises InputError for wrong dtype or shape.
    """

    points: Float
    """(N, 3) float32 metres, all finite."""
    colors: NDArray[np.uint8]
    """(N, 3) RGB."""
    normals: Float | None = None
    """(N, 3) float32 unit vectors towards the camera, or None."""

    def __post_init__(self) -> None:
        n = len(self.points)
        for name, array, dtype in (
            ("points", self.points, np.float32),
            ("colors", self.colors, np.uint8),
            ("normals", self.normals, np.float32),
        ):
            if array is None:
                continue
            if array.dtype != dtype or array.shape != (n, 3):
                raise InputError(
                    f"{name}: expected {np.dtype(dtype)} ({n}, 3), got {array.dtype} {array.shape}"
                )
            freeze(self, name, array)

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        if not len(self):
            return "PointCloud(0 points)"
        near, far = np.percentile(self.points[:, 2], [1, 99])
        normals = "" if self.normals is None else ", with normals"
        return f"PointCloud({len(self)} points, depth {length(near)} to {length(far)}{normals})"

    def save(self, path: str | Path) -> None:
        """Write a binary .ply or .pcd in metres, with colour, and normals if there are any.

        Raises InputError for another ending, OutputError when it cannot be written.
        """
        clouds.write(path, clouds.Vertices(self.points, self.colors, self.normals))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a .ply or .pcd as ``save`` writes it. Raises ImageError naming the file."""
        return cls(*clouds.read(path))

    def to_open3d(self) -> Any:
        """Return an ``open3d.geometry.PointCloud``. Raises MissingLibraryError without open3d."""
        o3d = _open3d()
        legacy = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(self.points.astype(np.float64)))
        legacy.colors = o3d.utility.Vector3dVector(self.colors / 255.0)
        if self.normals is not None:
            legacy.normals = o3d.utility.Vector3dVector(self.normals.astype(np.float64))
        return legacy


def point_cloud(depth: DepthFrame, *, max_relative_sigma: float = np.inf) -> PointCloud:
    """Back-project every pixel whose depth is known: ``X = (x - cx) Z / f``, ``Y`` likewise.

    Pixels whose ``sigma_m`` exceeds ``max_relative_sigma`` times their depth are left out.
    """
    native = find_native()
    if native is None:
        return _points_in_numpy(depth, *_rays(depth), max_relative_sigma)
    points, colors = native.cloud_of(*_planes(depth), max_relative_sigma, thread_count(None))
    return PointCloud(points, colors)


def every_point(depth: DepthFrame, *, max_relative_sigma: float = np.inf) -> Float:
    """Return (H, W, 4) float32, a point for each pixel: x, y, z in metres, NaN where unknown, rgb.

    ``rgb`` is four bytes, blue, green, red, 255, as ROS and PCL pack a colour into a float.
    Unknown are also pixels that ``point_cloud`` leaves out. One thread: whoever wants this works
    beside a matcher, which has the others.
    """
    native = find_native()
    if native is not None:
        points: Float = native.every_point(*_planes(depth), max_relative_sigma, 1)
        return points.reshape(*depth.depth_m.shape, 4)
    ray_x, ray_y = _rays(depth)
    z = np.where(np.isfinite(depth.depth_m), depth.depth_m, np.float32(np.nan))
    if np.isfinite(max_relative_sigma):
        z[doubtful(depth, max_relative_sigma)] = np.nan
    color = cv2.cvtColor(to_rgb8(depth.color), cv2.COLOR_RGB2BGRA)
    packed = color.view(np.float32)[..., 0]
    return cv2.merge([z * ray_x, z * ray_y[:, None], z, packed])  # type: ignore[return-value]


def _rays(depth: DepthFrame) -> tuple[Float, Float]:
    """(W,) and (H,): x and y of each column and row at depth 1."""
    height, width = depth.depth_m.shape
    g = depth.geometry
    ray_x = ((np.arange(width) - g.cx_px) / g.focal_px).astype(np.float32)
    ray_y = ((np.arange(height) - g.cy_px) / g.focal_px).astype(np.float32)
    return ray_x, ray_y


def _planes(depth: DepthFrame) -> tuple[NDArray[Any], ...]:
    """What the native module takes: depth, sigma, colour (H, W, 1 or 3), and the rays."""
    (color,) = to_8bit([depth.color])
    planes = depth.depth_m, depth.sigma_m, color.reshape(*depth.depth_m.shape, -1)
    return (*map(np.ascontiguousarray, planes), *_rays(depth))


def _points_in_numpy(
    depth: DepthFrame, ray_x: Float, ray_y: Float, max_relative_sigma: float
) -> PointCloud:
    """The same, to the last bit, where no compiler built native/src/metric.cpp."""
    z = depth.depth_m
    keep = np.isfinite(z)
    if np.isfinite(max_relative_sigma):
        keep &= ~doubtful(depth, max_relative_sigma)
    xyz: Any = cv2.merge([z * ray_x, z * ray_y[:, None], z])
    # taking whole triples by index is three times faster than a boolean mask over (H, W, 3)
    index = np.flatnonzero(keep)
    colors = to_rgb8(depth.color).reshape(-1, 3).take(index, axis=0)
    return PointCloud(xyz.reshape(-1, 3).take(index, axis=0), colors)


class WithErrorBar(Protocol):
    """Any depth that says how far to trust it."""

    @property
    def depth_m(self) -> Float:
        """(H, W) metres, NaN where unknown."""
        ...

    @property
    def sigma_m(self) -> Float:
        """(H, W) one standard deviation of it, metres."""
        ...


def doubtful(depth: WithErrorBar, max_relative_sigma: float) -> Mask:
    """Return (H, W) True where depth is known and its error bar exceeds that share of it.

    An unknown error bar is too large for any share.
    """
    with np.errstate(invalid="ignore"):
        certain = depth.sigma_m <= np.float32(max_relative_sigma) * depth.depth_m
    return np.isfinite(depth.depth_m) & ~certain


def crop(
    cloud: PointCloud, low_m: tuple[float, float, float], high_m: tuple[float, float, float]
) -> PointCloud:
    """Return the points inside the box from ``low_m`` to ``high_m`` (x, y, z in metres).

    Raises InputError when the box is empty.
    """
    low, high = np.asarray(low_m, np.float32), np.asarray(high_m, np.float32)
    if low.shape != (3,) or high.shape != (3,) or not np.all(low < high):
        raise InputError(f"crop box needs low < high in x, y and z, got {low_m} and {high_m}")
    return _select(cloud, np.all((cloud.points >= low) & (cloud.points <= high), axis=1))


def thin(cloud: PointCloud, voxel_m: float) -> PointCloud:
    """Return one averaged point for each cube of ``voxel_m`` metres that holds any.

    Raises InputError unless ``voxel_m`` is positive, MissingLibraryError without open3d.
    """
    if not 0 < voxel_m < np.inf:
        raise InputError(f"voxel size must be a positive number of metres, got {voxel_m}")
    if len(cloud) == 0:
        return cloud
    if float(np.ptp(cloud.points, axis=0).max()) / voxel_m > 2e9:
        raise InputError(f"voxel size {voxel_m} m is too small for the extent of this cloud")
    return _from_open3d(cloud.to_open3d().voxel_down_sample(voxel_m), cloud.normals is not None)


def remove_outliers(
    cloud: PointCloud, *, neighbors: int = 20, std_ratio: float = 2.0
) -> PointCloud:
    """Drop points whose mean distance to their neighbours is unusually large.

    Statistical outlier removal (Rusu et al., 2008) as open3d does it: farther than ``std_ratio``
    standard deviations from the mean. Raises InputError for senseless parameters.
    """
    if neighbors < 1 or not std_ratio > 0:
        raise InputError(f"neighbors and std_ratio must be positive, got {neighbors}, {std_ratio}")
    if len(cloud) <= neighbors:
        return cloud
    _, kept = cloud.to_open3d().remove_statistical_outlier(neighbors, std_ratio)
    mask = np.zeros(len(cloud), np.bool_)
    mask[np.asarray(kept)] = True
    return _select(cloud, mask)


def with_normals(cloud: PointCloud, *, neighbors: int = 30) -> PointCloud:
    """Return the cloud with unit normals, each turned towards the camera at the origin.

    The direction of least spread among the nearest ``neighbors``. Raises MissingLibraryError
    without open3d.
    """
    if len(cloud) == 0:
        return PointCloud(cloud.points, cloud.colors, np.zeros((0, 3), np.float32))
    o3d = _open3d()
    legacy = cloud.to_open3d()
    legacy.estimate_normals(o3d.geometry.KDTreeSearchParamKNN(neighbors))
    legacy.orient_normals_towards_camera_location(np.zeros(3))
    return PointCloud(cloud.points, cloud.colors, _float32(legacy.normals))


def _select(cloud: PointCloud, mask: NDArray[np.bool_]) -> PointCloud:
    normals = None if cloud.normals is None else cloud.normals[mask]
    return PointCloud(cloud.points[mask], cloud.colors[mask], normals)


def _open3d() -> ModuleType:
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise MissingLibraryError(
            f"this needs open3d, which does not load ({error}): `stereo doctor` says what mends it"
        ) from error
    return open3d


def _from_open3d(legacy: Any, has_normals: bool) -> PointCloud:
    colors = np.rint(np.asarray(legacy.colors) * 255).astype(np.uint8)
    normals = None
    if has_normals:
        legacy.normalize_normals()
        normals = _float32(legacy.normals)
    return PointCloud(_float32(legacy.points), colors, normals)


def _float32(vectors: Any) -> Float:
    return np.asarray(vectors).astype(np.float32)
