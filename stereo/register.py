"""Depth for a third camera: what a colour camera beside the rig sees, pixel by pixel.

Each measured pixel is a small facet of a surface: it slopes as its neighbours do that lie on the
same surface, is moved into the other camera's frame and drawn into a z-buffer there. So surfaces
stay whole when they are seen larger (no cracks), a near one hides a far one (occlusions dropped),
and a slanted one keeps its slope between pixels. What the rig did not see stays unknown.

The map fits the camera's own image, lens and all; depth is along its own axis.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calib import Camera, PlacedCamera
from stereo.cloud import PointCloud, doubtful
from stereo.errors import ImageError
from stereo.frame import DepthFrame, Float, Image, StereoGeometry, freeze
from stereo.gray import to_rgb8
from stereo.native import find_native, thread_count
from stereo.register_numpy import register_depth as in_numpy

SAME_SURFACE_PX = 1.0
"""Neighbours whose disparities differ by less lie on one surface: the gradient at which matching
itself ends (Burt and Julesz, "A disparity gradient limit for binocular fusion", Science 1980)."""
HALF_SIDE = 0.5
"""Of a facet, in pixels: facets touch. Larger ones overlap, and where they do the nearer of two
noisy depths would win: 0.6 brings depth nearer by half a per cent at a fifth of a pixel's noise."""
LARGEST = 6.0
"""Facets reach no farther from their middle than so many times the size of a pixel in the other
image: what is stretched farther was hardly seen."""
LEAST_TURN = 0.05
"""A facet so edge-on that it covers a smaller share of what it would if it faced the rig is not
drawn; one that is seen from behind neither."""

_CELL_PX = 8.0  # of the lens table: bilinear between them is good to about 0.01 px
_WIDEST = 6.0  # tangent, 80 degrees off the axis: beyond lies nothing that a rectified camera sees
_MOST_CELLS = 1024

Index = NDArray[np.int32]


@dataclass(frozen=True, eq=False, slots=True)
class RegisteredDepth:
    """Metric depth of another camera's image, each pixel with its error bar."""

    depth_m: Float
    """(H, W) metres along the camera's optical axis; NaN where the rig saw nothing."""
    sigma_m: Float
    """(H, W) one standard deviation of ``depth_m``, metres; NaN where unknown."""
    color: Image
    """(H, W) gray or (H, W, 3) RGB: the camera's image; where none was given, what the left image
    shows of each point, black where unknown."""
    camera: PlacedCamera
    """Whose pixels these are."""
    tangents: Float
    """(H, W, 2) x/z and y/z of each pixel's ray in the camera's frame; NaN where it has none."""
    time_s: float = 0.0
    """Time of capture, seconds."""

    def __post_init__(self) -> None:
        for name in ("depth_m", "sigma_m", "color", "tangents"):
            freeze(self, name, getattr(self, name))

    def cloud(self, *, max_relative_sigma: float = np.inf) -> PointCloud:
        """Return the coloured points in the camera's own frame (x right, y down, z forward).

        Without those whose error bar exceeds that share of their depth.
        """
        keep = np.isfinite(self.depth_m)
        if np.isfinite(max_relative_sigma):
            keep &= ~doubtful(self, max_relative_sigma)
        index = np.flatnonzero(keep)
        z = self.depth_m.take(index)
        x, y = self.tangents.reshape(-1, 2).take(index, axis=0).T
        colors = to_rgb8(self.color).reshape(-1, 3).take(index, axis=0)
        return PointCloud(np.stack([x * z, y * z, z], axis=1), colors)


@dataclass(frozen=True, eq=False, slots=True)
class Registration:
    """Computed once for a rig and a camera beside it, applied to every depth frame."""

    camera: PlacedCamera
    """Whose pixels are wanted."""
    R_depth_left: NDArray[np.float64] | None = None
    """(3, 3) turns the left camera's axes into those of its depth, as ``Rectification`` has it;
    None: the left image came rectified."""
    _lens: tuple[Float, tuple[float, float, float]] = field(init=False, repr=False)
    _tangents: Float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_lens", _lens_table(self.camera.camera))
        object.__setattr__(self, "_tangents", _tangents(self.camera.camera))

    def apply(
        self, depth: DepthFrame, image: Image | None = None, *, threads: int | None = None
    ) -> RegisteredDepth:
        """Return the depth that the camera sees; ``image`` is its own, taken at the same time.

        Raises ImageError when the image has not the size of the camera.
        """
        width, height = self.camera.camera.size
        if image is not None and image.shape[:2] != (height, width):
            raise ImageError(
                f"the image to register to is {image.shape[1]}x{image.shape[0]} but its camera "
                f"file is for {width}x{height}; give it as calibrated"
            )
        moved, sigma, source = self._moved(depth, thread_count(threads))
        color = _carried(depth.color, source) if image is None else image
        return RegisteredDepth(moved, sigma, color, self.camera, self._tangents, depth.time_s)

    def _moved(self, depth: DepthFrame, threads: int) -> tuple[Float, Float, Index]:
        native = find_native()
        register = in_numpy if native is None else native.register_depth
        g, (K, table, where) = depth.geometry, (self.camera.camera.K, *self._lens)
        turn = self.camera.R_camera_left
        R = turn if self.R_depth_left is None else turn @ self.R_depth_left.T
        motion = np.concatenate([R.ravel(), self.camera.t_camera_left]).astype(np.float32)
        return register(
            np.ascontiguousarray(depth.depth_m),
            np.ascontiguousarray(depth.sigma_m),
            np.array([g.focal_px, g.cx_px, g.cy_px], np.float32),
            self.camera.camera.size,
            np.array([K[0, 0], K[1, 1], K[0, 2], K[1, 2], *where], np.float32),
            motion,
            table,
            _rules(g, self.camera.camera),
            threads,
        )


def _rules(g: StereoGeometry, camera: Camera) -> Float:
    largest = LARGEST * max(1.0, float(np.diag(camera.K)[:2].max()) / g.focal_px)
    scale = g.focal_px * g.baseline_m
    return np.array([scale, SAME_SURFACE_PX, HALF_SIDE, largest, LEAST_TURN], np.float32)


def _carried(image: Image, source: Index) -> Image:
    """The left image's colour of each pixel, black where it has none."""
    rgb = to_rgb8(image).reshape(-1, 3)
    carried = rgb.take(np.maximum(source, 0).ravel(), axis=0).reshape(*source.shape, 3)
    carried[source < 0] = 0
    return carried


def _tangents(camera: Camera) -> Float:
    """(H, W, 2) x/z and y/z of the ray of each pixel."""
    width, height = camera.size
    x, y = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    rays = camera.unproject(np.stack([x, y], -1).reshape(-1, 2)).reshape(height, width, 3)
    rays[~(rays[..., 2] > 0)] = np.nan
    return (rays[..., :2] / rays[..., 2:]).astype(np.float32)


def _lens_table(camera: Camera) -> tuple[Float, tuple[float, float, float]]:
    """Pixels (rows, columns, 2) of rays (x, y, 1) on a grid; its first x and y, and cells per unit.

    A table serves any lens at the same speed.
    """
    K = camera.K
    along = np.linspace(0, 1, 33)
    square = [
        (along, 0 * along),
        (along, 0 * along + 1),
        (0 * along, along),
        (0 * along + 1, along),
    ]
    rim = np.concatenate([np.stack(side, axis=-1) for side in square]) * camera.size - 0.5
    rays = camera.unproject(rim)
    rays = rays[(rays[:, 2] > 0).nonzero()[0]]
    reached = rays[:, :2] / rays[:, 2:] if len(rays) else np.zeros((1, 2))
    complete = len(rays) == len(rim)  # else some of the image lies beyond the lens or 90 degrees
    wide = np.full(2, _WIDEST)
    low = np.maximum(reached.min(axis=0), -wide) if complete else -wide
    high = np.minimum(reached.max(axis=0), wide) if complete else wide
    step = max(_CELL_PX / min(K[0, 0], K[1, 1]), float((high - low).max()) / _MOST_CELLS)
    first = low - 4 * step
    columns, rows = (int(np.ceil(n)) + 5 for n in (high - low) / step)
    i, j = np.meshgrid(np.arange(columns), np.arange(rows))
    grid = np.stack([first[0] + i * step, first[1] + j * step, np.ones(i.shape)], axis=-1)
    pixels = camera.project(grid.reshape(-1, 3)).reshape(rows, columns, 2).astype(np.float32)
    return np.ascontiguousarray(pixels), (float(first[0]), float(first[1]), 1 / step)
