"""The parts of the page: cloud, sliders of the matcher, distances, recording."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import DepthFrame, Image
from stereo.gray import to_rgb8
from stereo.live.depth import LiveFrame
from stereo.live.pipeline import LiveSettings
from stereo.matching import MATCHERS, SearchRange, sgm
from stereo.measure import Measured, distance, length
from stereo.presets import PRESETS, Preset
from stereo.viewers.controls import Controls
from stereo.viewers.scene import bounded_cloud, pick_pixel

if TYPE_CHECKING:
    import viser

Latest = Callable[[], LiveFrame | None]

_PRESETS = {"as started": Preset(), **PRESETS}
_MOST_DISPARITIES = 256
_FAR_M = 50.0


class CloudView:
    """The coloured points, and the view of them."""

    def __init__(self, server: viser.ViserServer, max_points: int) -> None:
        self._server, self._max_points = server, max_points
        self._handle: viser.PointCloudHandle | None = None
        self._middle_m = 2.0
        self._look(server.initial_camera)
        button = server.gui.add_button("View from the camera")
        button.on_click(self._reset)
        server.scene.add_frame("/camera", show_axes=True, axes_length=0.1, axes_radius=0.004)

    def show(self, depth: DepthFrame) -> None:
        """Replace the cloud."""
        cloud = bounded_cloud(depth, max_points=self._max_points)
        if not len(cloud):
            return
        middle = float(np.median(cloud.points[:, 2]))
        # a point covers what one kept pixel covers at the middle distance
        kept = math.sqrt(depth.depth_m.size / max(self._max_points, 1))
        size = middle / depth.geometry.focal_px * max(kept, 1.0) * 1.2
        if self._handle is None:
            self._middle_m = middle
            self._look(self._server.initial_camera)
            for client in self._server.get_clients().values():
                self._look(client.camera)
            self._handle = self._server.scene.add_point_cloud(
                "/cloud",
                cloud.points,
                cloud.colors,
                point_size=size,
                precision="float32",
                point_shading="flat",
            )
        with self._server.atomic():
            self._handle.points, self._handle.colors = cloud.points, cloud.colors
            self._handle.point_size = size

    def _reset(self, event: Any) -> None:
        self._look(event.client.camera)

    def _look(self, camera: Any) -> None:
        """A step behind and above the left camera, looking where it looks."""
        z = self._middle_m
        camera.position = (0.08 * z, -0.2 * z, -0.2 * z)
        camera.look_at = (0.0, 0.0, z)


class MatcherPanel:
    """Sliders of the matcher; every change tells the new settings."""

    def __init__(
        self,
        server: viser.ViserServer,
        start: LiveSettings,
        change: Callable[..., Any],
        guarded: Callable[[Callable[..., Any]], Callable[..., Any]],
    ) -> None:
        self._start, self._change, self._quiet = start, change, False
        gui = server.gui
        names = [n for n in MATCHERS if sgm.is_available() or not n.startswith("sgm")]
        names += [start.matcher] * (start.matcher not in MATCHERS)  # a network
        search = start.search
        count = 128 if search is None else search.num_disparities
        with gui.add_folder("Matcher"):
            self._preset = gui.add_dropdown("Preset", tuple(_PRESETS))
            self._matcher: Any = gui.add_dropdown("Matcher", names, initial_value=start.matcher)
            self._auto = gui.add_checkbox("Find range", initial_value=search is None)
            self._count = gui.add_slider(
                "Disparities, px",
                min=16,
                max=_MOST_DISPARITIES,
                step=16,
                initial_value=min(_MOST_DISPARITIES, max(16, count)),
            )
            self._unique: Any = gui.add_slider(
                "Uniqueness, %", min=0, max=40, step=1, initial_value=_uniqueness(start)
            )
            self._far = gui.add_slider(
                "Max depth, m",
                min=0.5,
                max=_FAR_M,
                step=0.5,
                initial_value=min(max(start.max_depth_m, 0.5), _FAR_M),
            )
            self._fill: Any = gui.add_checkbox("Fill holes", initial_value=start.refine.fill)
            self._smooth = gui.add_checkbox("Smooth in time", initial_value=start.smooth)
        self._count.disabled = self._auto.value
        self._preset.on_update(guarded(self._take_preset))
        for handle in (
            self._matcher,
            self._auto,
            self._count,
            self._unique,
            self._far,
            self._fill,
            self._smooth,
        ):
            handle.on_update(guarded(self._tell))

    def _take_preset(self, _event: Any) -> None:
        start, preset = self._start, _PRESETS[self._preset.value]
        matcher = start.matcher if preset.matcher is None else preset.matcher
        unique, fill = preset.uniqueness_percent, preset.fill
        self._quiet = True  # tell once, not for each slider
        if matcher in self._matcher.options:
            self._matcher.value = matcher
        self._unique.value = _uniqueness(start) if unique is None else unique
        self._fill.value = start.refine.fill if fill is None else fill
        self._quiet = False
        self._tell(None)

    def _tell(self, _event: Any) -> None:
        if self._quiet:
            return
        self._count.disabled = self._auto.value
        name, start = self._matcher.value, self._start
        low = 0 if start.search is None else start.search.min_disparity
        params = dict(start.matcher_params) if name == start.matcher else {}
        if name in MATCHERS:
            params["uniqueness_percent"] = int(self._unique.value)
        self._change(
            matcher=name,
            quality=name == "sgm-quality",
            matcher_params=params,
            search=None if self._auto.value else SearchRange(low, int(self._count.value)),
            refine=replace(start.refine, fill=self._fill.value),
            max_depth_m=math.inf if self._far.value >= _FAR_M else float(self._far.value),
            smooth=self._smooth.value,
        )


def _uniqueness(settings: LiveSettings) -> int:
    known = settings.matcher if settings.matcher in MATCHERS else "sgbm"
    own = MATCHERS[known].params().uniqueness_percent
    return int(settings.matcher_params.get("uniqueness_percent", own))


class MeasurePanel:
    """Distance of a pixel, length between two: typed, or clicked in the cloud."""

    def __init__(self, server: viser.ViserServer, latest: Latest) -> None:
        self._server, self._latest = server, latest
        self._points: list[tuple[int, int]] = []
        gui = server.gui
        with gui.add_folder("Measure"):
            gui.add_markdown("Click a point of the cloud; a second one gives the length between.")
            self._pixel = gui.add_vector2("Pixel x, y", initial_value=(0, 0), min=(0, 0), step=1)
            gui.add_button("Measure pixel").on_click(self._typed)
            gui.add_button("Clear").on_click(self._clear)
            self._answer = gui.add_markdown("nothing measured")
        server.scene.on_click()(self._clicked)

    def refresh(self, frame: LiveFrame) -> None:
        """Measure the same pixels in a new frame."""
        if self._points and frame.depth is not None:
            self._answer.content = _answers(frame.depth, self._points)
            self._mark(frame.depth)

    def _typed(self, _event: Any) -> None:
        x, y = self._pixel.value
        self._add(round(x), round(y))

    def _clicked(self, event: Any) -> None:
        frame = self._latest()
        if frame is None or frame.depth is None:
            return
        pixel = pick_pixel(frame.depth, np.array(event.ray_origin), np.array(event.ray_direction))
        if pixel is None:
            self._answer.content = "nothing there: click nearer to a point of the cloud"
            return
        self._add(*pixel)

    def _add(self, x: int, y: int) -> None:
        frame = self._latest()
        if frame is None or frame.depth is None:
            self._answer.content = "no depth yet"
            return
        height, width = frame.depth.depth_m.shape
        if not (0 <= x < width and 0 <= y < height):
            self._answer.content = f"({x}, {y}) lies outside the image of {width} x {height} pixels"
            return
        self._points = [*self._points, (x, y)] if len(self._points) < 2 else [(x, y)]
        self.refresh(frame)

    def _clear(self, _event: Any) -> None:
        self._points = []
        self._answer.content = "nothing measured"
        for name in ("/measured/0", "/measured/1", "/measured/line"):
            self._server.scene.remove_by_name(name)

    def _mark(self, depth: DepthFrame) -> None:
        """Balls at the points, and a line between two."""
        scene, g = self._server.scene, depth.geometry
        found = []
        for number, (x, y) in enumerate(self._points):
            z = float(depth.depth_m[y, x])
            if not math.isfinite(z):
                continue
            at = ((x - g.cx_px) * z / g.focal_px, (y - g.cy_px) * z / g.focal_px, z)
            found.append(at)
            scene.add_icosphere(
                f"/measured/{number}", radius=0.008 * z, color=(255, 40, 120), position=at
            )
        if len(self._points) < 2:
            scene.remove_by_name("/measured/1")
        if len(found) < 2:
            scene.remove_by_name("/measured/line")
            return
        scene.add_line_segments(
            "/measured/line",
            np.array([found], np.float32),
            (255, 40, 120),
            thickness=3,
            thickness_units="screen",
        )


def _answers(depth: DepthFrame, points: list[tuple[int, int]]) -> str:
    lines = [f"({x}, {y}): **{_known(distance(depth, (x, y)))}**" for x, y in points]
    if len(points) == 2:
        lines.append(f"length: **{_known(length(depth, *points))}**")
    return "\n\n".join(lines)


def _known(measured: Measured | None) -> str:
    return "unknown: no depth there" if measured is None else str(measured)


class RecordPanel:
    """Save a frame, start and stop recording."""

    def __init__(
        self,
        server: viser.ViserServer,
        controls: Controls,
        latest: Latest,
        guarded: Callable[[Callable[..., Any]], Callable[..., Any]],
    ) -> None:
        self._controls, self._latest, self._guarded = controls, latest, guarded
        self._recording = False
        if controls.on_save is None and controls.on_record is None:
            return
        with server.gui.add_folder("Keep"):
            if controls.on_save is not None:
                server.gui.add_button("Save this frame").on_click(self._save)
            if controls.on_record is not None:
                self._record = server.gui.add_button("Record", color="red")
                self._record.on_click(self._toggle)
            self._said = server.gui.add_markdown("")

    def _save(self, _event: Any) -> None:
        frame, save = self._latest(), self._controls.on_save
        if frame is None or save is None:
            self._said.content = "no frame yet"
            return
        where = self._guarded(save)(frame)
        if where is not None:
            self._said.content = f"saved: {where}"

    def _toggle(self, _event: Any) -> None:
        record, wanted = self._controls.on_record, not self._recording
        assert record is not None
        where = self._guarded(record)(wanted)
        if where is None and wanted:  # it did not start; the reason is shown
            return
        self._recording = wanted
        self._record.label = "Stop recording" if wanted else "Record"
        self._said.content = f"recording to {where}" if wanted else f"recorded: {where or 'failed'}"


def fitting(image: Image, width: int) -> NDArray[np.uint8]:
    """Return (H, W, 3) RGB uint8 no wider than ``width``."""
    if image.shape[1] > width:
        height = max(1, round(image.shape[0] * width / image.shape[1]))
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return to_rgb8(image)
