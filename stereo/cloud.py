"""From a depth frame to coloured points in metres, and the clean-up users ask for.

Thinning, outlier removal and normals are open3d's, imported only when used.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.errors import InputError, MissingLibraryError
from stereo.frame import DepthFrame, Float, PointCloud
from stereo.gray import to_rgb8


def point_cloud(depth: DepthFrame, *, max_relative_sigma: float = np.inf) -> PointCloud:
    """Back-project every pixel whose depth is known: ``X = (x - cx) Z / f``, ``Y`` likewise.

    Pixels whose ``sigma_m`` exceeds ``max_relative_sigma`` times their depth are left out.
    """
    z = depth.depth_m
    keep = np.isfinite(z)
    if np.isfinite(max_relative_sigma):
        with np.errstate(invalid="ignore"):
            keep &= depth.sigma_m <= np.float32(max_relative_sigma) * z
    height, width = z.shape
    g = depth.geometry
    ray_x = ((np.arange(width) - g.cx_px) / g.focal_px).astype(np.float32)
    ray_y = ((np.arange(height) - g.cy_px) / g.focal_px).astype(np.float32)
    xyz: Any = cv2.merge([z * ray_x, z * ray_y[:, None], z])
    # taking whole triples by index is three times faster than a boolean mask over (H, W, 3)
    index = np.flatnonzero(keep)
    colors = to_rgb8(depth.color).reshape(-1, 3).take(index, axis=0)
    return PointCloud(xyz.reshape(-1, 3).take(index, axis=0), colors)


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
    return _from_open3d(_to_open3d(cloud).voxel_down_sample(voxel_m), cloud.normals is not None)


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
    _, kept = _to_open3d(cloud).remove_statistical_outlier(neighbors, std_ratio)
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
    legacy = _to_open3d(cloud)
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


def _to_open3d(cloud: PointCloud) -> Any:
    o3d = _open3d()
    legacy = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(cloud.points.astype(np.float64)))
    legacy.colors = o3d.utility.Vector3dVector(cloud.colors / 255.0)
    if cloud.normals is not None:
        legacy.normals = o3d.utility.Vector3dVector(cloud.normals.astype(np.float64))
    return legacy


def _from_open3d(legacy: Any, has_normals: bool) -> PointCloud:
    colors = np.rint(np.asarray(legacy.colors) * 255).astype(np.uint8)
    normals = None
    if has_normals:
        legacy.normalize_normals()
        normals = _float32(legacy.normals)
    return PointCloud(_float32(legacy.points), colors, normals)


def _float32(vectors: Any) -> Float:
    return np.asarray(vectors).astype(np.float32)
