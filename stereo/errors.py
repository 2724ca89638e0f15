"""What can go wrong between two images and a point cloud.

StereoError
├── InputError         an argument or array that makes no sense                    ValueError
│   ├── ImageError     an image that is missing, broken, too large, or mismatched  ValueError
│   └── MatcherError   matcher parameters that no matcher can run with             ValueError
├── RectificationError a rig that cannot be rectified, or images that are not of it ValueError
├── SwappedPairError   the match itself says left and right are exchanged          ValueError
├── QualityError       a scene that no depth quality can be measured on            ValueError
├── SourceError        a camera, stream or recording that failed at work
│   ├── StreamLostError    a stream that went away and did not come back in time
│   └── UnpairedError      two streams that deliver, but never at the same time
├── OutputError        a result that could not be written whole
└── MissingLibraryError a library or system package that an output needs is absent

Children that are a caller's mistake are also ``ValueError``: the command line exits with 2 for
them and with 1 for the rest. Only ``stereo.cli.main`` catches.
"""


class StereoError(Exception):
    """Root of everything ``stereo`` raises on purpose."""


class InputError(StereoError, ValueError):
    """An argument or array that makes no sense; the message says what was expected."""


class ImageError(InputError):
    """An image file or array that cannot be used; the message names it."""


class MatcherError(InputError):
    """Matcher parameters that no matcher can run with."""


class RectificationError(StereoError, ValueError):
    """A rig that cannot be rectified, or images that do not belong to it."""


class SwappedPairError(StereoError, ValueError):
    """The match itself says that left and right are exchanged."""


class QualityError(StereoError, ValueError):
    """A scene that no depth quality can be measured on: it shows no wall and no floor."""


class SourceError(StereoError):
    """A camera, stream or recording that failed at work; the message names it."""


class StreamLostError(SourceError):
    """A stream that went away and did not come back in time."""


class UnpairedError(SourceError):
    """Two streams that deliver, but never at the same time; the message says how far apart."""


class OutputError(StereoError):
    """A result that could not be written whole; nothing half-written is left behind."""


class MissingLibraryError(StereoError):
    """A library or a system package that the wanted output needs is absent."""
