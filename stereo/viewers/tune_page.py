"""Sliders for a matcher's parameters, what each does, and the disparity they give, in the browser.

Matching runs in a thread of its own, always with the newest values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stereo.closing import Closing
from stereo.errors import StereoError
from stereo.gray import to_rgb8
from stereo.preview import disparity_preview
from stereo.threads import Latest, start_thread
from stereo.tuning.cases import Case
from stereo.tuning.knobs import Values, knobs_of, typed
from stereo.viewers.phone import widen_sheet
from stereo.viewers.server import guard_of, serve, stop, url_of

Write = Callable[[Values], str]
"""Writes these parameters; returns where they went."""


class TunePage(Closing):
    """The page; ``closed`` when somebody pressed "Done"."""

    def __init__(
        self,
        matcher: str,
        cases: Sequence[Case],
        start: Values,
        write: Write,
        *,
        host: str,
        port: int,
        token: bool = True,
    ) -> None:
        """Raises as ``serve`` and ``guard_of`` in ``stereo.viewers.server`` do."""
        guard = guard_of(host, token=token)
        self._server = serve(host, port, "stereo tune", guard)
        self.url = url_of(self._server, host, guard.control)
        self.url_to_look = url_of(self._server, host, guard.view)
        self.closed = False
        self._matcher, self._start, self._write = matcher, start, write
        self._cases = {case.name: case for case in cases}
        self._wanted: Latest[tuple[Case, dict[str, int | bool]]] = Latest()
        self._build(cases[0])
        self._thread = start_thread("tune-page", self._work)
        self._ask(None)

    def _build(self, first: Case) -> None:
        gui = self._server.gui
        widen_sheet(gui)
        gui.set_panel_label(f"Parameters of {self._matcher}")
        self._pair = gui.add_dropdown("Pair", tuple(self._cases), initial_value=first.name)
        self._pair.on_update(self._ask)
        self._sliders: dict[str, Any] = {}
        for knob in knobs_of(self._matcher):
            now = self._start[knob.name]
            if knob.switch:
                slider: Any = gui.add_checkbox(knob.name, bool(now))
            else:
                step = 1 if (now - knob.low) % knob.step else knob.step
                slider = gui.add_slider(knob.name, knob.low, knob.high, step, int(now))
            slider.on_update(self._ask)
            gui.add_markdown(f"<small>{knob.effect}</small>")
            self._sliders[knob.name] = slider
        gui.add_button("Back to the start").on_click(self._reset)
        gui.add_button("Write TOML", color="green").on_click(self._save)
        self._said = gui.add_markdown("")
        gui.add_button("Done", color="red").on_click(self._end)
        panel = gui.add_panel()
        with panel.add_tab("Disparity"):
            black = np.zeros((360, 640, 3), np.uint8)
            self._status = gui.add_markdown("matching")
            self._disparity = gui.add_image(black, label="disparity, as matched and refined")
            self._left = gui.add_image(black, label="left image", jpeg_quality=80)
        panel.dock_left()
        panel.set_width(680)

    @property
    def values(self) -> dict[str, int | bool]:
        """What the sliders say now."""
        return typed(self._matcher, {name: s.value for name, s in self._sliders.items()})

    def _ask(self, _event: Any) -> None:
        self._wanted.put((self._cases[self._pair.value], self.values))

    def _reset(self, _event: Any) -> None:
        for name, slider in self._sliders.items():
            slider.value = self._start[name]

    def _save(self, _event: Any) -> None:
        try:
            self._said.content = f"written: {self._write(self.values)}"
        except StereoError as error:
            self._said.content = f"not written: {error}"

    def _end(self, _event: Any) -> None:
        self.closed = True

    def _work(self) -> None:
        while (wanted := self._wanted.take()) is not None:
            case, values = wanted
            try:
                found, _ = case.match(self._matcher, values)
            except StereoError as error:
                self._status.content = str(error)
                continue
            self._disparity.image = disparity_preview(found.px)
            self._left.image = to_rgb8(case.pair.left)
            known = 100 * float(np.isfinite(found.px).mean())
            self._status.content = f"{known:.1f} % of the pixels have a disparity"

    def close(self) -> None:
        """Stop serving."""
        self._wanted.close()
        self._thread.join(2)
        stop(self._server)
