"""Measure the wall: the figures of ``stereo quality`` of what the camera sees now.

A thread of its own looks for the wall in the newest result, at a bounded share of one core; frames
that see it from one place are gathered until the rig moves, for the noise over time.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from stereo.depth import disparity_sigma
from stereo.errors import StereoError
from stereo.evaluation.quality import Stand
from stereo.evaluation.session import QualitySession, Seen
from stereo.live.depth import LiveFrame
from stereo.threads import Latest, start_thread

if TYPE_CHECKING:
    import viser

_MOST_FRAMES = 10
"""Frames that are gathered before it begins anew: each holds two maps."""
_REST_S, _SHARE = 0.3, 0.2  # the least between two looks, and of one core's time at most


class WallGauge:
    """Turns frames into the figures of the wall they show; remembers the last few of one place."""

    def __init__(self) -> None:
        self._session, self._frames = QualitySession(), 0

    def add(self, frame: LiveFrame, true_m: float | None = None) -> Stand:
        """Return what the frames from this place say. Raises QualityError without a wall.

        ``true_m`` is the true straight distance, where it is known.
        """
        result = frame.result
        assert result.depth is not None
        sigma_px = disparity_sigma(result.disparity.confidence)
        seen = Seen(str(frame.number), result.depth, sigma_px)
        if self._frames >= _MOST_FRAMES or not self._still(seen):
            self._session, self._frames = QualitySession(), 0
            self._session.add(seen)
        self._frames += 1
        stands = self._session.result(() if true_m is None else (true_m,)).stands
        return stands[-1]

    def _still(self, seen: Seen) -> bool:
        """Add a frame; whether it shows the wall of those before from the same place."""
        try:
            return self._session.add(seen) is not None and len(self._session.result().stands) == 1
        except StereoError:  # another size: begin anew
            return False


class WallPanel:
    """The part of the page that shows it."""

    def __init__(self, server: viser.ViserServer) -> None:
        gui = server.gui
        with gui.add_folder("Measure the wall"):
            self._on = gui.add_checkbox(
                "Measure", initial_value=False, hint="Point the rig at a flat wall; hold still."
            )
            self._true = gui.add_number(
                "True distance, m",
                initial_value=0.0,
                min=0.0,
                max=1000.0,
                step=0.001,
                hint="Straight from the left camera to the wall; 0: unknown.",
            )
            self._said = gui.add_markdown("off")
        self._frames: Latest[LiveFrame] = Latest()
        self._ended = threading.Event()
        self._on.on_update(self._switched)
        self._thread = start_thread("wall", self._work)

    def offer(self, frame: LiveFrame) -> None:
        """Leave the newest result; takes microseconds."""
        if self._on.value:
            self._frames.put(frame)

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._frames.close()
        self._thread.join(2)

    def _switched(self, _event: Any) -> None:
        self._said.content = "looking for the wall" if self._on.value else "off"

    def _work(self) -> None:
        gauge = WallGauge()
        while (frame := self._frames.take()) is not None:
            began = time.thread_time()
            said = self._measured(gauge, frame)
            if self._on.value:
                self._said.content = said
            took = time.thread_time() - began
            self._ended.wait(max(_REST_S, took * (1 / _SHARE - 1)))

    def _measured(self, gauge: WallGauge, frame: LiveFrame) -> str:
        if frame.depth is None:
            return "no metric depth: give --calib RIG"
        try:
            return wall_lines(gauge.add(frame, self._true.value or None))
        except StereoError as error:
            return str(error)


def wall_lines(stand: Stand) -> str:
    """Return the figures as Markdown."""
    honest = "**more than promised**" if stand.times > 1.3 else "as promised"
    lines = [
        f"**{stand.distance_m:.3f} m**, tilted {stand.tilt_deg:.0f}°, {100 * stand.share:.0f} % "
        "of the image",
        f"fill **{100 * stand.fill:.1f} %**, wrong {100 * stand.gross:.1f} %",
        f"plane-fit RMS **{1000 * stand.rms_m:.2f} mm** ({stand.rms_percent:.2f} %), "
        f"**{stand.rms_px:.3f} px**",
        f"promised {1000 * stand.promised_m:.2f} mm, {stand.promised_px:.3f} px: "
        f"{stand.times:.2f} times, {honest}",
    ]
    if stand.temporal is None:
        lines.append("noise over time: hold still")
    else:
        t = stand.temporal
        lines.append(f"noise over time {1000 * t.m:.2f} mm, {t.px:.3f} px ({t.frames} frames)")
    if stand.accuracy is not None:
        a = stand.accuracy
        lines.append(
            f"Z error **{1000 * a.error_m:+.1f} mm** ({a.percent:+.2f} %), promised "
            f"{1000 * a.promised_m:.1f} mm"
        )
    return "\n\n".join(lines)
