"""A network behind the ``Matcher`` protocol: ``make_matcher("onnx:MODEL.onnx")`` makes one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import cv2
import numpy as np

from calib.nearby import did_you_mean
from stereo.errors import MatcherError
from stereo.frame import DisparityMap, Float, Image, RectifiedPair
from stereo.gray import gray_pair, to_8bit
from stereo.memory import free_memory_mb, peak_memory_mb, reset_peak, resident_memory_mb
from stereo.networks.fitting import Fit, Planes, Size, fit_of, run_fitted
from stereo.networks.reading import read_network
from stereo.networks.session import Network, open_network
from stereo.networks.tensors import feeds, plane_of
from stereo.networks.trust import UNCHECKED, sign_is_turned, trust

SCHEME = "onnx:"
"""What a network's name as a matcher begins with."""
DEFAULT_TILE = (512, 768)
"""(height, width) of tiles, where the network's size is open."""
_PROBE = 4
"""Memory is measured on images whose sides are so much smaller."""


@dataclass(frozen=True, slots=True)
class NetworkParams:
    """How a network is run. Raises MatcherError for values that make no sense."""

    preset: str | None = None
    """What it expects, see ``stereo networks``; None: MODEL.toml, or its family is known."""
    tile: bool | str = False
    """Cut larger images into tiles: True, or "WIDTHxHEIGHT"."""
    provider: str = "cpu"
    """What runs it: cpu, cuda, tensorrt, openvino, directml or coreml."""
    threads: int = 0
    """Of the CPU; 0: all cores."""
    left_right: bool = True
    """Run it for the right view too, for confidence, where it gives none itself."""
    max_memory_mb: int | None = None
    """Refuse to run when more is needed; None: what is free."""

    def __post_init__(self) -> None:
        def require(ok: bool, name: str, expected: str) -> None:
            if not ok:
                raise MatcherError(f"{name} must be {expected}, got {getattr(self, name)!r}")

        preset, threads, memory = self.preset, self.threads, self.max_memory_mb
        require(preset is None or type(preset) is str, "preset", "a name")
        require(self.tile_size is not False, "tile", "true, false or WIDTHxHEIGHT such as 768x512")
        require(type(threads) is int and 0 <= threads <= 1024, "threads", "0 to 1024")
        require(type(self.left_right) is bool, "left_right", "true or false")
        whole = memory is None or (type(memory) is int and memory > 0)
        require(whole, "max_memory_mb", "a whole number above 0")

    @property
    def tile_size(self) -> Size | bool | None:
        """(height, width); None: not cut; False: what was told is no size."""
        if isinstance(self.tile, bool):
            return DEFAULT_TILE if self.tile else None
        told = re.fullmatch(r"(\d{2,5})x(\d{2,5})", str(self.tile))
        return False if told is None else (int(told[2]), int(told[1]))


class NetworkMatcher:
    """A stereo network of an ONNX file. It searches no range; the network has its own."""

    def __init__(self, model: str | Path, params: NetworkParams | None = None) -> None:
        """Raises MatcherError for a file that is no stereo network, or does not say how it is used;
        MissingLibraryError without onnxruntime, or without the provider.
        """
        self.model, self.params = Path(model), params or NetworkParams()
        network = self._network()
        self.reading = read_network(network, self.params.preset)
        if self.reading.missing:
            raise MatcherError(f"{self.model}: it is not known {self.reading.missing}")
        self._roomy: set[Size] = set()

    def __repr__(self) -> str:
        return f"NetworkMatcher({str(self.model)!r}, {self.params})"

    def match(self, pair: RectifiedPair) -> DisparityMap:
        """Return the left view's disparity, with the confidence that the network or the agreement
        of both views gives it.

        Raises MatcherError when the network fails, gives no number, or needs more memory than is
        free.
        """
        network, fit = self._network(), self._fit(pair.left)
        left, right = self._views(pair)
        self._check_memory(network, fit, left, right)

        def run(left: Image, right: Image) -> Planes:
            return self._run(network, left, right)

        px, *sure = run_fitted(fit, left, right, run)
        px = self._checked(px, left, right)
        if sure:
            confidence = np.nan_to_num(np.clip(sure[0], 0, 1), nan=0.0) * np.isfinite(px)
        elif self.params.left_right:
            back = run_fitted(fit, _mirrored(right), _mirrored(left), run)[0]
            confidence = trust(px, back, left, right)
        else:
            confidence = np.isfinite(px) * np.float32(UNCHECKED)
        return DisparityMap(px, np.asarray(confidence, np.float32))

    def match_both(self, pair: RectifiedPair) -> tuple[Float, Float]:
        """Return the left and the right view's disparity, (H, W) px, NaN where unknown, without a
        confidence. Raises as ``match``.
        """
        network, fit = self._network(), self._fit(pair.left)
        left, right = self._views(pair)
        self._check_memory(network, fit, left, right)

        def disparity(left: Image, right: Image) -> Float:
            planes = run_fitted(fit, left, right, lambda one, two: self._run(network, one, two))
            return self._checked(planes[0], left, right)

        back = disparity(_mirrored(right), _mirrored(left))
        return disparity(left, right), np.asarray(cv2.flip(back, 1), np.float32)

    def notes(self, size: tuple[int, int]) -> list[str]:
        """Return what to know before images of ``size`` (width, height) are matched."""
        network, reading = self._network(), self.reading
        fit = self._fit_of((size[1], size[0]))
        lines = [f"{self.model.name}: {fit.in_words}"]
        if reading.told_by:
            lines[0] += f"; what it expects: {reading.told_by}"
        if network.note:
            lines.append(network.note)
        return lines

    def _network(self) -> Network:
        p = self.params
        return open_network(self.model, provider=p.provider, threads=p.threads)

    def _fit(self, image: Image) -> Fit:
        return self._fit_of((image.shape[0], image.shape[1]))

    def _fit_of(self, size: Size) -> Fit:
        tile = self.params.tile_size
        assert not isinstance(tile, bool)
        return fit_of(size, self.reading.fixed, self.reading.convention.multiple, tile)

    def _views(self, pair: RectifiedPair) -> tuple[Image, Image]:
        """Both images in bytes, gray where the network or the pair is."""
        left, right = to_8bit((pair.left, pair.right))
        if self.reading.channels == 1 or left.ndim != right.ndim:
            return gray_pair(left, right)
        return left, right

    def _run(self, network: Network, left: Image, right: Image) -> Planes:
        """The network on images of its own size: disparity, then confidence if it has one."""
        reading, c = self.reading, self.reading.convention
        extra = reading.confidence or c.occlusion
        names = [reading.output, *([extra] if extra else [])]
        found = network.run(feeds(reading.ports, left, right, c), names)  # type: ignore[arg-type]
        size = left.shape[0], left.shape[1]
        try:
            px = plane_of(found[0], size, c.channel, c.factor, reading.output)
            if not extra:
                return [px * np.float32(-1) if c.sign < 0 else px]
            sure = plane_of(found[1], size, 0, None, extra)
        except MatcherError as error:
            raise MatcherError(f"{self.model}: {error}") from None
        return [px * np.float32(c.sign), sure if reading.confidence else 1 - sure]

    def _checked(self, px: Float, left: Image, right: Image) -> Float:
        """Without what is no disparity; raises MatcherError where nothing is left."""
        width = px.shape[1]
        known = cv2.inRange(px, float(1 - width), float(width - 1)) > 0  # NaN is not in it
        if not known.any():
            raise MatcherError(
                f"{self.model}: the network gave no number that is a disparity (NaN, or beyond the "
                f"image's width of {width} px); are the values that it gets those it expects? They "
                f"are {self.reading.values}"
            )
        if not known.all():
            px = np.where(known, px, np.float32(np.nan))
        if sign_is_turned(left, right, px):
            raise MatcherError(
                f"{self.model}: what the network gives is negative (median "
                f"{float(np.nanmedian(px)):.1f} px) and fits the images the other way round: it is "
                "flow; use preset raft, or sign = -1 in MODEL.toml"
            )
        return px

    def _check_memory(self, network: Network, fit: Fit, left: Image, right: Image) -> None:
        """Raise MatcherError before a run that would need more memory than there is."""
        size, limit_mb = fit.network, self.params.max_memory_mb or free_memory_mb()
        if size in self._roomy or self.params.provider != "cpu":
            return
        # at least what goes in and comes out: a process that holds free memory does not grow
        least_mb = 4 * size[0] * size[1] * (2 * self.reading.channels + 1) / 1e6
        need_mb = max(least_mb, self._needed_mb(network, size, left, right))
        if need_mb > limit_mb:
            raise MatcherError(
                f"{self.model}: needs about {need_mb:.0f} MB for {size[1]}x{size[0]} and "
                f"{limit_mb:.0f} MB is there; smaller images, tiles (tile=768x512), or a larger "
                "max_memory_mb to try it all the same"
            )
        self._roomy.add(size)

    def _needed_mb(self, network: Network, size: Size, left: Image, right: Image) -> float:
        """As the file states its intermediates; else as a run on a small part grows; else 0."""
        stated = network.file.largest_bytes
        if stated:
            return (2 * stated + network.file.weights_bytes) / 1e6
        if None not in self.reading.fixed:
            return 0.0
        multiple = self.reading.convention.multiple
        small = tuple(
            side if limit else max(1, side // _PROBE // multiple) * multiple
            for side, limit in zip(size, self.reading.fixed, strict=True)
        )
        share = small[0] * small[1] / (size[0] * size[1])
        if share > 0.5:
            return 0.0
        views = (cv2.resize(image, small[::-1]) for image in (left, right))
        reset_peak()
        before_mb = resident_memory_mb()
        try:
            self._run(network, *views)  # type: ignore[arg-type]
        except MatcherError:  # too small for it, perhaps
            return 0.0
        return (peak_memory_mb() - before_mb) / share


def _mirrored(image: Image) -> Image:
    return cv2.flip(image, 1)  # type: ignore[return-value]


def is_network(name: str) -> bool:
    """Whether a matcher's name is that of a network."""
    return name.startswith(SCHEME)


def file_and_query(name: str) -> tuple[str, dict[str, str]]:
    """Return what a network's name says: its file, and what follows the question mark."""
    model, _, query = name.removeprefix(SCHEME).partition("?")
    return model, dict(parse_qsl(query, keep_blank_values=True))


def model_and_settings(what: str, named: str, known: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the file of "MODEL.onnx?preset=NAME" and what follows the question mark.

    ``what`` it is, for words. Raises MatcherError for a setting that is not ``known``, or no file.
    """
    model, settings = file_and_query(named)
    for key in settings:
        if key not in known:
            hint = did_you_mean(key, known) or ";"
            raise MatcherError(f"{what}: there is no {key!r}{hint} there is {', '.join(known)}")
    if not model:
        raise MatcherError(f"{what} names no file: MODEL.onnx")
    return model, settings


def network_matcher(name: str, params: dict[str, Any]) -> NetworkMatcher:
    """Return the matcher of "onnx:MODEL.onnx?preset=NAME&tile=true"; ``params`` beat the name's.

    Raises MatcherError and MissingLibraryError as ``NetworkMatcher``, and for what no network has.
    """
    model, query = file_and_query(name)
    if not model:
        raise MatcherError(f"{name!r} names no file: onnx:MODEL.onnx")
    given = {key: _value(text) for key, text in query.items()} | params
    names = {field.name for field in fields(NetworkParams)}
    for key in given:
        if key not in names:
            hint = did_you_mean(key, names) or ";"
            raise MatcherError(
                f"a network has no parameter {key!r}{hint} it has {', '.join(sorted(names))}"
            )
    return NetworkMatcher(model, NetworkParams(**given))


def _value(text: str) -> Any:
    if re.fullmatch(r"\d{1,9}", text):
        return int(text)
    return {"true": True, "false": False, "none": None}.get(text.lower(), text)
