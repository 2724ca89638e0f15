"""Sources around a source: hand every frame to somebody else as well; look at the first one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from calib import RectifiedRig, StereoRig
from stereo.errors import SourceError
from stereo.frame import StereoFrame
from stereo.sources.source import SourceStats, StereoSource
from stereo.threads import start_thread


class _Around:
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Peeked(_Around):
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


class Tap(_Around):
    """Hands every frame to ``take`` too, those included that a slow consumer never sees.

    A live source is drained by a thread of its own. ``take`` must be quick and not raise.
    """

    def __init__(self, source: StereoSource, take: Callable[[StereoFrame], object]) -> None:
        super().__init__(source)
        self._take = take
        self._changed = threading.Condition()
        self._newest: StereoFrame | None = None
        self._error: BaseException | None = None
        self._done = False

    def __iter__(self) -> Iterator[StereoFrame]:
        """See ``StereoSource``."""
        if not self.live:
            for frame in self._source:
                self._take(frame)
                yield frame
            return
        start_thread("tap", self._drain)
        while (found := self._next()) is not None:
            yield found

    def close(self) -> None:
        """See ``StereoSource``."""
        with self._changed:
            self._done = True
            self._changed.notify_all()
        super().close()

    def _next(self) -> StereoFrame | None:
        with self._changed:
            while self._newest is None and not self._done:
                self._changed.wait(0.1)
            frame, self._newest = self._newest, None
            if frame is None and self._error is not None:
                raise self._error
            return frame

    def _drain(self) -> None:
        try:
            for frame in self._source:
                self._take(frame)
                with self._changed:
                    if self._done:
                        return
                    self._newest = frame
                    self._changed.notify_all()
        except BaseException as error:  # handed to whoever iterates
            self._error = error
        finally:
            with self._changed:
                self._done = True
                self._changed.notify_all()
