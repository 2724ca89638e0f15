"""``synthetic:room``: the sample rig walks into the rendered room and back again, for ever.

A live source without a camera: paced by the clock, newest pair first. It knows its calibration.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator

from calib import StereoRig
from stereo.closing import Closing
from stereo.errors import InputError
from stereo.frame import Image, StereoFrame
from stereo.sources.layout import arrange
from stereo.sources.source import OnEvent, SourceOptions, SourceStats
from stereo.synthetic import Quality, burn_frame_number, camera_rays, make_sample_rig, room_scene
from stereo.synthetic.pair import LEFT_SENSOR, RIGHT_SENSOR
from stereo.synthetic.raycast import see
from stereo.synthetic.sample_data import CLIP_FRAMES, clip_pose
from stereo.threads import start_thread

SIZE = (320, 240)
"""(width, height) of each view unless asked otherwise."""
FPS = 15.0

_COARSE = Quality(texel_m=0.016, light_m=0.25, light_points=4, lamp_points=2, sky_rays=6)
_STEP = 2  # every second pose of the clip: half the rendering, twice the pace
_LEAST_WIDTH = 256  # of the burned frame number
_NUMBERS = 1024  # that a burned frame number can tell apart


def open(spec: str, options: SourceOptions, on_event: OnEvent) -> SyntheticSource:
    """Open ``synthetic:room``; see ``open_source``. The first frame takes two seconds to render.

    ``options.size`` is that of one view, 4:3; ``options.fps`` the pace, 15 by default. Raises
    InputError.
    """
    scene = spec.partition(":")[2]
    if scene not in ("", "room"):
        raise InputError(f"{spec}: there is no such scene; say synthetic:room")
    return SyntheticSource(spec, options)


class SyntheticSource(Closing):
    """Pairs of the room, rendered by a thread once and then shown again and again.

    Each pair carries its number, modulo 1024, in the corner (``read_frame_number``).
    """

    live = True

    def __init__(self, name: str, options: SourceOptions) -> None:
        """Raises InputError for a size that is not 4:3, or too small for the frame number."""
        width, height = options.size or SIZE
        if width * 3 != height * 4 or width < _LEAST_WIDTH:
            raise InputError(
                f"{name}: size is {width}x{height}; one view must be 4:3 and at least "
                f"{_LEAST_WIDTH} px wide, such as 640x480"
            )
        self.name = name
        self._rig = make_sample_rig((width, height))
        # swapped or mirrored images are no longer those of the rig
        plain = not options.swap and options.flip == "none"
        self.calibration: StereoRig | None = self._rig if plain else None
        self._options = options
        self._fps = options.fps or FPS
        self._rendered: list[tuple[Image, Image]] = []
        self._error: BaseException | None = None
        self._closed = threading.Event()
        self._ready = threading.Event()
        self._delivered = self._superseded = 0
        self._start_s = math.nan
        self._renderer = start_thread("synthetic", self._render)

    def _render(self) -> None:
        try:
            scene = room_scene(quality=_COARSE)
            cameras = (self._rig.left, self._rig.right)
            rays = [camera_rays(camera, samples=1) for camera in cameras]
            for k in range(0, CLIP_FRAMES, _STEP):
                if self._closed.is_set():
                    break
                left = clip_pose(k)
                views = [
                    sensor.expose(
                        see(scene, ray, pose, samples=1, focal_px=float(camera.K[0, 0])),
                        seed=2 * k + side,
                    )
                    for side, (sensor, ray, pose, camera) in enumerate(
                        zip(
                            (LEFT_SENSOR, RIGHT_SENSOR),
                            rays,
                            (left, left.right_of(self._rig)),
                            cameras,
                            strict=True,
                        )
                    )
                ]
                self._rendered.append((views[0], views[1]))
                self._ready.set()
        except BaseException as error:  # handed to whoever iterates
            self._error = error
        finally:
            self._ready.set()

    def _view(self, number: int) -> tuple[Image, Image]:
        """Forth and back through what is rendered so far, each with its number burned in."""
        count = len(self._rendered)
        place = number % max(2 * count - 2, 1)
        left, right = self._rendered[min(place, 2 * count - 2 - place)]
        burned = [burn_frame_number(image, number % _NUMBERS) for image in (left, right)]  # type: ignore[arg-type]
        return arrange(burned[0], burned[1], swap=self._options.swap, flip=self._options.flip)

    @property
    def stats(self) -> SourceStats:
        """What happened so far."""
        fps = self._fps if self._delivered > 1 else 0.0
        if self._delivered and self._superseded:
            fps *= self._delivered / (self._delivered + self._superseded)
        return SourceStats(self._delivered, self._superseded, fps=fps)

    def __iter__(self) -> Iterator[StereoFrame]:
        """Give the newest pair each time, for ever. Raises what rendering raised."""
        while not self._ready.wait(0.1) and not self._closed.is_set():
            pass  # wakes up so that Ctrl-C is seen
        if math.isnan(self._start_s):
            self._start_s = time.monotonic()
        number = -1
        while not self._closed.is_set():
            if self._error is not None:
                raise self._error
            newest = int((time.monotonic() - self._start_s) * self._fps)
            if newest <= number:
                due = self._start_s + (number + 1) / self._fps
                self._closed.wait(max(due - time.monotonic(), 0.001))
                continue
            self._superseded += newest - number - 1 if number >= 0 else 0
            number = newest
            left, right = self._view(number)
            time_s = self._start_s + number / self._fps
            self._delivered += 1
            yield StereoFrame(left, right, time_s, 0.0, time_s)

    def close(self) -> None:
        """Stop; a rendering under way ends with its frame."""
        self._closed.set()
        self._ready.set()
        self._renderer.join(0.4)
