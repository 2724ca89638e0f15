"""What is known of a network before it runs: its inputs and outputs, and who said the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stereo.errors import MatcherError
from stereo.networks.ports import Port, chosen_output, confidence_output, recognised
from stereo.networks.presets import NETWORK_PRESETS, Convention, preset_named, told_convention
from stereo.networks.session import Network

_BY_FILE = {
    "mccnn": "mccnn",
    "liteanystereo": "liteanystereo",
    "crestereo": "crestereo",
    "hitnet": "hitnet",
    "raft": "raft",
    "igev": "igev",
    "lightstereo": "lightstereo",
    "banet": "lightstereo",
    "foundation": "foundationstereo",
    "s2m2": "s2m2",
}
"""What a file's name holds -> preset."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a network is used. ``missing`` says what nobody told, and it cannot run without."""

    ports: tuple[Port, ...]
    convention: Convention
    told_by: str
    """Who said what the graph does not: a preset, a file, or a guess and its reason."""
    output: str
    confidence: str | None
    missing: str = ""

    @property
    def fixed(self) -> tuple[int | None, int | None]:
        """(height, width) of the full-size inputs; None: open."""
        return next(port.size for port in self.ports if not port.half)

    @property
    def channels(self) -> int:
        """1: gray, 3: colour."""
        return max(port.view_channels for port in self.ports)

    @property
    def values(self) -> str:
        """What the network gets of a pixel, in words."""
        if all(port.dtype == np.uint8 for port in self.ports):
            return "0 to 255"
        return values_in_words(self.convention)

    @property
    def size_in_words(self) -> str:
        """Which sizes it takes."""
        high, wide = self.fixed
        multiple = self.convention.multiple
        if high is None and wide is None:
            return f"any; padded to a multiple of {multiple}"
        fixed = f"{wide or 'any width'} x {high or 'any height'}"
        return (
            f"{fixed}, fixed: smaller images are padded, larger ones scaled down with their "
            "disparity, or cut into tiles (tile=true)"
        )


def values_in_words(convention: Convention) -> str:
    """Return what becomes of a pixel, for people."""

    def numbers(values: Sequence[float]) -> str:
        return "/".join(f"{value:g}" for value in values)

    c, words = convention, "0 to 255"
    if c.standardise:
        return "each image's own mean taken out, divided by its deviation"
    if c.scale != 1:
        words = "0 to 1" if c.scale == 255 else f"pixel / {c.scale:g}"
    if c.mean == (0.0,) and c.std == (1.0,):
        return words
    return f"({words} - {numbers(c.mean)}) / {numbers(c.std)}"


def read_network(network: Network, preset: str | None) -> Reading:
    """Return how ``network`` is used. Raises MatcherError, naming the file, where it is no stereo
    network or what was told contradicts it; what nobody told is in ``missing``.
    """
    path = network.file.path
    told, told_by = told_convention(path, preset)
    try:
        ports = recognised(network.inputs, left="" if told is None else told.left)
        if told is None:
            told, told_by = guessed(path, ports)
        missing = "" if told else missing_values(path, f"onnx:{path}")
        convention = told or Convention()
        names = [output.name for output in network.outputs]
        output = chosen_output(names, convention.output)
        shape = next(o.shape for o in network.outputs if o.name == output)
        if not 2 <= len(shape or [0, 0]) <= 4:
            raise MatcherError(f"output {output!r} {shape} is no map of one number a pixel")
        if convention.occlusion and convention.occlusion not in names:
            raise MatcherError(
                f"occlusion={convention.occlusion!r} is none of its outputs: {', '.join(names)}"
            )
        sure = confidence_output(names, convention.confidence)
    except MatcherError as error:
        raise MatcherError(f"{path}: {error}") from None
    return Reading(ports, convention, told_by, output, sure, missing)


def missing_values(path: Path, named: str) -> str:
    """Return what is missing where nobody tells it; ``named``: how the network is used."""
    return (
        "which values it expects (0 to 255, 0 to 1, ImageNet's?)"
        f"{', and the sign of what it gives' if named.startswith('onnx:') else ''}, which no graph "
        f"tells: {named}?preset=NAME (`stereo networks` lists "
        f"{', '.join(NETWORK_PRESETS)}), or {path.with_suffix('.toml').name} beside it"
    )


def guessed(path: Path, ports: Sequence[Port]) -> tuple[Convention | None, str]:
    """Return the preset of what only one family has, and why; None: it could be any."""
    if all(port.dtype == np.uint8 for port in ports):
        return preset_named("plain"), "its inputs are bytes"
    file = path.stem.lower().replace("-", "").replace("_", "")
    for part, preset in _BY_FILE.items():
        if part in file:
            return preset_named(preset), f"preset {preset}, by the file's name"
    if len(ports) == 4:
        return preset_named("crestereo"), "preset crestereo, by its four inputs"
    if ports[0].view == "both" and ports[0].stacked == "channels":
        return preset_named("hitnet"), "preset hitnet, by its one input"
    if any(port.name == "left_values" for port in ports):
        return preset_named("stereo-matching"), "preset stereo-matching, by its inputs' names"
    return None, ""
