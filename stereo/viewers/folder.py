"""A result folder in one picture: image, depth and cloud beside each other, and distances in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.words import measured
from stereo.cloud import PointCloud
from stereo.errors import InputError
from stereo.files.images import read_image
from stereo.files.text import read_json
from stereo.frame import DepthFrame, Float, Image, StereoGeometry
from stereo.gray import to_rgb8
from stereo.measure import Measured, distance
from stereo.preview import depth_preview, disparity_preview
from stereo.render import render_cloud
from stereo.viewers.files import read_values

RGB = NDArray[np.uint8]

_DEPTHS = ("depth_m.tiff", "depth_m.npy", "depth_mm.png")
_DISPARITIES = ("disparity.pfm", "disparity.png")
_SIGMAS = ("sigma_m.tiff",)
_CLOUDS = ("cloud.ply", "cloud.pcd")
_PANEL_PX = 620  # wide; three of them side by side fit a usual screen
_WIDE, _WIDE_PANEL_PX = 2.0, 1000  # images so much wider than high lie below each other
_GAP_PX = 6
_PAPER, _INK = (250, 250, 250), (30, 30, 30)
_LINE_PX = 34


@dataclass(frozen=True, eq=False, slots=True)
class ResultFolder:
    """What ``stereo run`` wrote for one pair, as far as it is there."""

    name: str
    """The folder, as given."""
    image: Image | None
    """The rectified left image."""
    depth_m: Float | None
    """(H, W) metres, NaN where unknown."""
    sigma_m: Float | None
    """(H, W) one standard deviation of ``depth_m``, metres."""
    disparity: Float | None
    """(H, W) px, NaN where unknown; read only where there is no depth."""
    cloud: PointCloud | None
    """The coloured points."""
    geometry: StereoGeometry | None
    """From summary.json; None: distances along the ray are not known, only depth."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a folder. Raises InputError when it holds nothing to show, ImageError for a damaged
        file or maps of different sizes.
        """
        depth_file, sigma_file = _first(folder, _DEPTHS), _first(folder, _SIGMAS)
        depth = None if depth_file is None else read_values(depth_file, "depth")
        sigma = None if sigma_file is None or depth is None else read_values(sigma_file, "sigma")
        flat = _first(folder, _DISPARITIES) if depth is None else None
        disparity = None if flat is None else read_values(flat, "disparity")
        image_file, cloud_file = _first(folder, ("left.png",)), _first(folder, _CLOUDS)
        image = None if image_file is None else read_image(image_file)
        cloud = None if cloud_file is None else PointCloud.load(cloud_file)
        if image is None and depth is None and disparity is None and cloud is None:
            raise InputError(_nothing(folder))
        _check_sizes(folder, image, depth, sigma)
        return cls(str(folder), image, depth, sigma, disparity, cloud, _geometry(folder))

    def words_at(self, x: int, y: int) -> str:
        """Say how far the point seen at column ``x``, row ``y`` of the maps is."""
        if self.depth_m is None:
            return "no depth in this folder, so no distances"
        height, width = self.depth_m.shape
        if not (0 <= x < width and 0 <= y < height):
            return ""
        sigma = np.full_like(self.depth_m, np.nan) if self.sigma_m is None else self.sigma_m
        if self.geometry is None:
            z = float(self.depth_m[y, x])
            what, found = "depth", Measured(z, float(sigma[y, x])) if np.isfinite(z) else None
        else:
            blank = np.zeros(self.depth_m.shape, np.uint8)
            frame = DepthFrame(self.depth_m, sigma, blank, self.geometry)
            what, found = "distance", distance(frame, (x, y))
        if found is None:
            return f"column {x}, row {y}: unknown"
        bare = " (no error bar: no sigma_m.tiff)" if self.sigma_m is None else ""
        return f"column {x}, row {y}: {what} {measured(found.value_m, found.sigma_m)}{bare}"


@dataclass(frozen=True, eq=False, slots=True)
class Panels:
    """A picture of a folder, and where in it the maps lie."""

    picture: RGB
    """(H, W, 3)."""
    starts: tuple[tuple[int, int], ...]
    """(column, row) where each panel begins whose pixels are those of the maps."""
    size: tuple[int, int]
    """(width, height) of the maps in the picture, pixels."""
    scale: float
    """Picture pixels per map pixel."""

    def place(self, x: float, y: float) -> tuple[int, int] | None:
        """Return (column, row) of the maps under a pixel of the picture; None beside them."""
        for left, top in self.starts:
            if left <= x < left + self.size[0] and top <= y < top + self.size[1]:
                return int((x - left) / self.scale), int((y - top) / self.scale)
        return None

    def saying(self, words: str) -> RGB:
        """Return the picture with a line of words above it."""
        picture = self.picture.copy()
        _write(picture, words)
        return picture


def panels(result: ResultFolder, *, yaw_deg: float = 14.0, pitch_deg: float = 8.0) -> Panels:
    """Return image, depth (or disparity) and cloud as far as they are there: side by side, or one
    below the other where the images are wide.
    """
    first = next(
        (m for m in (result.image, result.depth_m, result.disparity) if m is not None), None
    )
    height, width = (3, 4) if first is None else first.shape[:2]
    wide = width > _WIDE * height
    scale = (_WIDE_PANEL_PX if wide else _PANEL_PX) / width
    size = round(width * scale), max(1, round(height * scale))
    shown = _maps(result, size)
    maps = len(shown)
    if result.cloud is not None and len(result.cloud):
        room = size[0], max([size[1], *(len(picture) for picture in shown)])
        shown.append(render_cloud(result.cloud, size=room, yaw_deg=yaw_deg, pitch_deg=pitch_deg))
    picture, starts = _arranged(shown, below=wide)
    _write(picture, result.name)
    return Panels(picture, starts[:maps], size, scale)


def _maps(result: ResultFolder, size: tuple[int, int]) -> list[RGB]:
    """Image and depth, made small before they are drawn, so that letters stay sharp."""
    shown: list[RGB] = []
    if result.image is not None:
        how = cv2.INTER_AREA if size[0] < result.image.shape[1] else cv2.INTER_LINEAR
        shown.append(to_rgb8(cv2.resize(result.image, size, interpolation=how)))  # type: ignore[arg-type]
    drawing = ((result.depth_m, depth_preview), (result.disparity, disparity_preview))
    for values, draw in drawing:
        if values is not None:  # nearest: a mean over an edge would show what is nowhere
            near: Any = cv2.resize(values, size, interpolation=cv2.INTER_NEAREST)
            shown.append(draw(near))
    return shown


def _arranged(shown: list[RGB], *, below: bool) -> tuple[RGB, tuple[tuple[int, int], ...]]:
    """One picture of several with room for words above, and where each of them begins."""
    width, height = (max(picture.shape[axis] for picture in shown) for axis in (1, 0))
    starts, x, y = [], 0, _LINE_PX
    for picture in shown:
        starts.append((x, y))
        x, y = (0, y + len(picture) + _GAP_PX) if below else (x + picture.shape[1] + _GAP_PX, y)
    all_width = width if below else x - _GAP_PX
    all_height = y - _GAP_PX if below else _LINE_PX + height
    sheet = np.full((all_height, all_width, 3), _PAPER, np.uint8)
    for picture, (left, top) in zip(shown, starts, strict=True):
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet, tuple(starts)


def _write(picture: RGB, words: str) -> None:
    picture[:_LINE_PX] = _PAPER
    ascii_words = words.replace("±", "+-")  # OpenCV's letters are ASCII
    place, font = (8, _LINE_PX - 11), cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(picture, ascii_words, place, font, 0.55, _INK, 1, cv2.LINE_AA)


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _nothing(folder: Path) -> str:
    wanted = ", ".join(("left.png", *_DEPTHS, *_DISPARITIES, *_CLOUDS))
    inside = next((p.parent for p in sorted(folder.glob("*/summary.json"))), None)
    advice = "" if inside is None else f"; it holds folders with results, such as {inside}"
    return f"{folder}: no results to show (expected one of {wanted}){advice}"


def _check_sizes(folder: Path, image: Image | None, depth: Float | None, sigma: Any) -> None:
    for name, plane in (("left.png", image), ("sigma_m.tiff", sigma)):
        if depth is not None and plane is not None and plane.shape[:2] != depth.shape:
            raise InputError(
                f"{folder}: {name} has {plane.shape[1]}x{plane.shape[0]} pixels, the depth "
                f"{depth.shape[1]}x{depth.shape[0]}; are they of one result?"
            )


def _geometry(folder: Path) -> StereoGeometry | None:
    """As summary.json says; None where it is missing, older, or of a result without metres."""
    names = ("focal_px", "baseline_m", "cx_px", "cy_px", "doffs_px")
    try:
        facts = read_json(folder / "summary.json")
        return StereoGeometry(*(float(facts[name]) for name in names))
    except (OSError, ValueError, KeyError, TypeError):  # distances along the axis still do
        return None
