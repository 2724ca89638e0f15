"""A network that describes each pixel of one image, for our own matcher's cost.

Of each feature only its sign is kept, against the feature's median over the image: one bit.
Compared by counting different bits, such signs tell more than the features' own product, and the
native matcher counts bits anyway. They take the place of its learned code
(``stereo.matching.code``); census and gradient stay. docs/networks.md says what it brings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.errors import MatcherError
from stereo.frame import Float, Image
from stereo.gray import to_8bit
from stereo.memory import free_memory_mb
from stereo.networks.fitting import Fit, Planes, Size, fit_of, run_fitted
from stereo.networks.matcher import model_and_settings
from stereo.networks.ports import Port, one_view
from stereo.networks.presets import Convention, told_convention
from stereo.networks.reading import guessed, missing_values, values_in_words
from stereo.networks.session import Network, open_network
from stereo.networks.tensors import feeds

Code = NDArray[np.uint8]
"""(H, W, bits / 8), eight bits in a byte."""

LEAST_FEATURES = 8
"""An output of fewer channels describes no pixel well enough to find it again."""
_MOST_BORDER = 32
_PROBE = (64, 96)
"""(height, width) of what is asked how the output lies in the input."""
_MEDIAN_STEP = 4
"""Of pixels that the median is taken of."""


@dataclass(frozen=True, slots=True)
class FeatureReading:
    """How a feature extractor is used. ``missing`` says what nobody told."""

    port: Port
    convention: Convention
    told_by: str
    output: str
    missing: str


def is_extractor(network: Network) -> bool:
    """Whether a network takes one image of one view, as no stereo network does."""
    return one_view(network.inputs) is not None


def read_extractor(network: Network, preset: str | None) -> FeatureReading:
    """Return how ``network`` is used. Raises MatcherError, naming the file, where it takes two
    views or has no such output.
    """
    path = network.file.path
    told, told_by = told_convention(path, preset)
    port = one_view(network.inputs)
    if port is None:
        raise MatcherError(
            f"{path}: is no feature extractor, which takes one image of 1 or 3 channels; a stereo "
            f"network is a matcher itself: --matcher onnx:{path}"
        )
    if told is None:
        told, told_by = guessed(path, [port])
    missing = "" if told else missing_values(path, f"features={path}")
    convention = told or Convention()
    names = [output.name for output in network.outputs]
    output = convention.output or names[0]
    if output not in names:
        raise MatcherError(f"{path}: output={output!r} is none of its outputs: {', '.join(names)}")
    return FeatureReading(port, convention, told_by, output, missing)


class FeatureExtractor:
    """Describes the pixels of pairs by the signs of a network's features."""

    def __init__(
        self,
        model: Path,
        *,
        preset: str | None = None,
        provider: str = "cpu",
        threads: int = 0,
    ) -> None:
        """Raises MatcherError for a file that is no feature extractor, or does not say how it is
        used; MissingLibraryError without onnxruntime, or without the provider.
        """
        self.model = model
        self._network = open_network(model, provider=provider, threads=threads)
        self.reading = read_extractor(self._network, preset)
        if self.reading.missing:
            raise MatcherError(f"{model}: it is not known {self.reading.missing}")
        _ = self.layout  # says now what is wrong

    def codes(self, left: Image, right: Image, *, bits: int) -> tuple[Code, Code]:
        """Return the code of each pixel of two gray images (H, W).

        Of ``bits`` features, evenly spaced among all; where there are fewer, some count twice.
        Raises MatcherError when the network fails, gives no number, or would need more memory than
        is free.
        """
        kept = np.linspace(0, self.layout.features - 1, bits).round().astype(int)
        fit = self._fit((left.shape[0], left.shape[1]))
        self._check_memory(fit)
        one, other = (self._code(view, fit, kept) for view in to_8bit((left, right)))
        return one, other

    def _code(self, view: Image, fit: Fit, kept: NDArray[np.intp]) -> Code:
        (high, wide), border = view.shape, self.layout.border
        wide_view = np.asarray(np.pad(view, border, mode="edge"), np.uint8)
        planes = run_fitted(fit, wide_view, wide_view, lambda view, _: self._described(view, kept))
        code = np.zeros((high, wide, -(-len(kept) // 8)), np.uint8)
        for bit, plane in enumerate(planes):
            sign = self._above_median(plane[border : border + high, border : border + wide])
            code[..., bit // 8] |= sign.view(np.uint8) << np.uint8(bit % 8)
        return code

    def notes(self, size: tuple[int, int]) -> list[str]:
        """Return what to know before images of ``size`` (width, height) are matched."""
        fit = self._fit((size[1], size[0]))
        scaled = f"{size[0]}x{size[1]} images are scaled for it; " if fit.scaled else ""
        line = (
            f"{self.model.name}: {self.layout.features} features of a pixel for the matching cost; "
            f"{scaled}what it expects: {self.reading.told_by}"
        )
        return [line, self._network.note] if self._network.note else [line]

    @cached_property
    def layout(self) -> Layout:
        """How its output lies in its input, which a run on an empty image tells."""
        port, multiple = self.reading.port, self.reading.convention.multiple
        high, wide = (
            fixed or -(-side // multiple) * multiple
            for fixed, side in zip(port.size, _PROBE, strict=True)
        )
        return layout_of(self._run(np.zeros((high, wide), np.uint8)), (high, wide), self._name)

    @property
    def _name(self) -> str:
        return f"{self.model}: output {self.reading.output!r}"

    def _fit(self, size: Size) -> Fit:
        bordered = size[0] + 2 * self.layout.border, size[1] + 2 * self.layout.border
        return fit_of(bordered, self.reading.port.size, self.reading.convention.multiple, None)

    def _run(self, view: Image) -> NDArray[Any]:
        reading = self.reading
        given = feeds([reading.port], view, view, reading.convention)  # type: ignore[arg-type]
        return self._network.run(given, [reading.output])[0]

    def _described(self, view: Image, kept: NDArray[np.intp]) -> Planes:
        """These features of an image of the network's size, each at its size."""
        size = view.shape[0], view.shape[1]
        found = self._run(view)
        layout = layout_of(found, size, self._name)
        stack = np.moveaxis(found.reshape(found.shape[-3:]), layout.axis, 0)
        return [layout.placed(np.asarray(stack[k], np.float32), size) for k in kept]

    def _above_median(self, plane: Float) -> NDArray[np.bool_]:
        middle = np.median(plane[::_MEDIAN_STEP, ::_MEDIAN_STEP])
        if np.isnan(middle):
            raise MatcherError(
                f"{self._name} holds NaN; are the values that it gets those it expects? They are "
                f"{values_in_words(self.reading.convention)}"
            )
        return np.asarray(plane > middle)

    def _check_memory(self, fit: Fit) -> None:
        """Raise MatcherError before a run that would need more memory than there is."""
        limit_mb = free_memory_mb()
        pixels = fit.network[0] * fit.network[1]
        # a layer's input and its output, as many as the features, and those of the other image
        need_mb = 4 * pixels * 3 * self.layout.features / 1e6
        if need_mb > limit_mb:
            raise MatcherError(
                f"{self.model}: needs about {need_mb:.0f} MB for {fit.network[1]}x{fit.network[0]} "
                f"and {limit_mb:.0f} MB is there; smaller images, or --coarse-to-fine"
            )


def feature_extractor(named: str, *, threads: int = 0) -> FeatureExtractor:
    """Return the extractor of "MODEL.onnx?preset=NAME&provider=cuda".

    Raises MatcherError and MissingLibraryError as ``FeatureExtractor``, and for what it has not.
    """
    model, settings = model_and_settings(f"features={named}", named, _SETTINGS)
    return FeatureExtractor(Path(model), threads=threads, **settings)


_SETTINGS = ("preset", "provider")


@dataclass(frozen=True, slots=True)
class Layout:
    """How an output lies in its input."""

    axis: int
    """Of the features, of the last three: 0 or 2."""
    features: int
    border: int
    """Pixels that the output lacks on each side; 0: none, or it has another scale."""

    def placed(self, plane: Float, size: Size) -> Float:
        """Return a plane of the output at the input's size."""
        if self.border:
            plane = np.pad(plane, self.border, mode="edge")
        if plane.shape == size:
            return plane
        return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR))


def layout_of(array: NDArray[Any], size: Size, name: str) -> Layout:
    """Return how an output lies in an input of ``size`` (height, width).

    Raises MatcherError where it is no stack of features of its pixels.
    """
    sides = list(array.shape)
    while len(sides) > 3 and sides[0] == 1:
        del sides[0]
    if len(sides) == 3 and array.dtype.kind == "f":
        for axis, (high, wide) in ((0, sides[1:]), (2, sides[:2])):
            missing = size[0] - high
            border = missing // 2 if 0 <= missing <= 2 * _MOST_BORDER else 0
            same = missing == size[1] - wide and missing == 2 * border
            scaled = min(high, wide) > 0 and round(size[0] / high) == round(size[1] / wide) > 1
            if sides[axis] >= LEAST_FEATURES and (same or scaled):
                return Layout(axis, sides[axis], border if same else 0)
    raise MatcherError(
        f"{name} {list(array.shape)} {array.dtype} is no stack of at least {LEAST_FEATURES} "
        f"features for each pixel of an image of {size[1]}x{size[0]}"
    )
