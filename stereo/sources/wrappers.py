"""Sources around a source: one whose first frame is known, one that somebody listens to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from calib import RectifiedRig, StereoRig
from stereo.closing import Closing
from stereo.errors import SourceError
from stereo.frame import StereoFrame
from stereo.sources.source import SourceStats, StereoSource
from stereo.threads import Latest, start_thread


class Wrapper(Closing):
    """Passes on everything about another source."""

    def __init__(self, source: StereoSource) -> None:
        self._source = source
        self.name, self.live = source.name, source.live
        self.calibration: StereoRig | RectifiedRig | None = source.calibration

    @property
    def stats(self) -> SourceStats:
        """See ``StereoSource``."""
        return self._source.stats

    def close(self) -> None:
        """See ``StereoSource``."""
        self._source.close()


class WithFirstFrame(Wrapper):
    """A source whose first frame is known before anybody iterates; nothing is lost."""

    def __init__(self, source: StereoSource) -> None:
        """Wait for the first frame. Raises SourceError when there is none."""
        super().__init__(source)
        self._frames = iter(source)
        first = next(self._frames, None)
        if first is None:
            raise SourceError(f"{source.name}: holds no frames")
        self.first = first
        self.view_size = first.left.shape[1], first.left.shape[0]

    def __iter__(self) -> Iterator[StereoFrame]:
        """See ``StereoSource``."""
        yield self.first
        yield from self._frames


class WithListener(Wrapper):
    """Hands every frame to ``take`` too, those included that a slow consumer never sees.

    A live source is drained by a thread of its own. ``take`` must be quick and not raise.
    """

    def __init__(self, source: StereoSource, take: Callable[[StereoFrame], object]) -> None:
        super().__init__(source)
        self._take = take
        self._latest: Latest[StereoFrame] = Latest()
        self._handed = 0

    @property
    def stats(self) -> SourceStats:
        """See ``StereoSource``; what only the listener got was handed out to nobody else."""
        stats = self._source.stats
        superseded = stats.superseded + self._latest.superseded
        return replace(stats, delivered=self._handed, superseded=superseded)

    def __iter__(self) -> Iterator[StereoFrame]:
        """See ``StereoSource``."""
        if not self.live:
            for frame in self._source:
                self._take(frame)
                self._handed += 1
                yield frame
            return
        start_thread("listener", self._drain)
        while (found := self._latest.take()) is not None:
            self._handed += 1
            yield found

    def close(self) -> None:
        """See ``StereoSource``."""
        self._latest.close()
        super().close()

    def _drain(self) -> None:
        try:
            for frame in self._source:
                self._take(frame)
                if not self._latest.put(frame):
                    break
        except BaseException as error:  # handed to whoever iterates
            self._latest.end(error)
        else:
            self._latest.end()
