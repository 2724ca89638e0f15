"""What every source of stereo frames offers, whether a camera, a stream, or files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from calib import RectifiedRig, StereoRig
from stereo.closing import Closing
from stereo.errors import InputError
from stereo.frame import MAX_SIDE_PX, StereoFrame
from stereo.sources.layout import FLIPS, LAYOUTS, Flip, Layout

EventKind = Literal[
    "connected",
    "lost",
    "reconnecting",
    "frozen",
    "resized",
    "unpaired",
    "dropped",
    "ended",
    "note",
    "moved",
]


@dataclass(frozen=True, slots=True)
class Event:
    """Something a user of a source wants to know as it happens."""

    kind: EventKind
    """What happened."""
    stream: str
    """Which stream: the device or address as the user wrote it."""
    message: str
    """One line for people: what happened and, where something can be done, what."""
    time_s: float
    """``time.monotonic()`` when it happened."""

    def line(self) -> str:
        """One line for people: what, where, and the message."""
        return f"{self.kind}: {self.stream}: {self.message}"


OnEvent = Callable[[Event], None]
"""Called from capture threads: must return quickly and must not raise."""


@dataclass(frozen=True, slots=True)
class SourceStats:
    """What a source has done since it was opened."""

    delivered: int = 0
    """Pairs handed out."""
    superseded: int = 0
    """Pairs never handed out because a newer one was there: the consumer is slower."""
    unpaired_left: int = 0
    """Left images without a right one near enough in time."""
    unpaired_right: int = 0
    """Right images without a left one."""
    rejected: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Images that were no good, of each stream by reason."""
    reconnects: int = 0
    """How often a stream came back."""
    fps: float = 0.0
    """Pairs a second over the last seconds."""
    skew_ms: float = 0.0
    """Median difference of the two capture times over the last pairs, milliseconds."""
    max_skew_ms: float = 0.0
    """Largest absolute difference over the last pairs, milliseconds."""
    jitter_ms: float = 0.0
    """How late images of two streams arrive at most, milliseconds; 0 where they bear true times."""
    margin: float = 1.0
    """Share of a frame that no lateness reaches: below a twentieth no pair is proven."""
    confidence: float = 1.0
    """Chance that neither image of the newest pair was so late that it is another's partner."""
    paired_by: str = "capture times"
    """What tells which images belong together; see ``Proof``."""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How a source is opened; what a source has no use for is ignored.

    Raises InputError for values that make no sense.
    """

    layout: Layout | None = None
    """How one image holds both views; None: side by side for one stream, "two" for two."""
    swap: bool = False
    """Exchange left and right."""
    flip: Flip = "none"
    """Mirror both images, such as "both" for cameras mounted upside down."""
    pixel_format: str | None = None
    """Letters such as MJPG or Y16, the camera's own choice when None."""
    size: tuple[int, int] | None = None
    """(width, height) asked of each device; both views together for one device."""
    fps: float | None = None
    """Frames a second asked of a camera, or at which nameless files are stamped."""
    exposure: float | None = None
    """Exposure in the driver's own unit; None: automatic."""
    gain: float | None = None
    """Gain in the driver's own unit; None: automatic."""
    max_skew_s: float | None = None
    """Largest difference in time between two images of a pair; None: two fifths of a frame."""
    read_timeout_s: float = 2.0
    """A stream that is silent for so long counts as lost."""
    give_up_after_s: float | None = 60.0
    """A lost stream is tried again for so long; None: for ever."""
    frozen_after_s: float | None = 5.0
    """Images that do not change for so long count as frozen; None: never."""
    follow: bool = False
    """A stream's server may send us on to other addresses, by redirects or playlists."""
    pace: bool = False
    """Files: hand pairs out no faster than they were recorded."""
    extra: dict[str, Any] = field(default_factory=dict)
    """What only one kind of source understands, such as ``topics`` of a bag."""

    def __post_init__(self) -> None:
        for name in ("read_timeout_s", "give_up_after_s", "frozen_after_s", "max_skew_s", "fps"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1e6:
                raise InputError(f"{name} must be above 0, got {value}")
        for name, choices in (("layout", LAYOUTS), ("flip", FLIPS)):
            value = getattr(self, name)
            if value is not None and value not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
        if self.pixel_format is not None and len(self.pixel_format) not in (3, 4):
            raise InputError(
                f"pixel_format must be four letters (MJPG) or three (Y16), got "
                f"{self.pixel_format!r}"
            )
        if self.size is not None and not all(1 <= side <= MAX_SIDE_PX for side in self.size):
            raise InputError(f"size must be (width, height) in pixels, got {self.size}")


class StereoSource(Closing, Protocol):
    """Gives stereo frames, one after the other.

    Live sources hand out the newest pair and let older ones go; the others hand out every pair in
    order and then end. Iterating raises SourceError's children when a source fails for good.
    """

    name: str
    """As the user wrote it."""
    live: bool
    """Whether time goes on when nobody looks."""
    calibration: StereoRig | RectifiedRig | None
    """What the source knows about its own cameras."""

    @property
    def stats(self) -> SourceStats:
        """What happened so far."""
        ...

    def __iter__(self) -> Iterator[StereoFrame]:
        """Give frames until the source ends or is closed."""
        ...

    def close(self) -> None:
        """Stop, within half a second whatever the stream does; harmless when called again."""
        ...
