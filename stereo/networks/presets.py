"""What networks expect of images and mean by their outputs: by name, or in a TOML file.

A graph tells its inputs' number, layout, type and size, but not what its values shall be, nor
which sign a disparity has. That is a ``Convention``: of a preset, with what a TOML file beside the
weights (MODEL.toml) says over it. But for mccnn, no weights of these families lie in a package
registry, so the presets are what is published about the exports, untried on them; see
docs/networks.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from calib.nearby import did_you_mean
from stereo.errors import MatcherError
from stereo.files.text import read_toml

_IMAGENET: dict[str, Any] = {
    "scale": 255.0,
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
}
COLOURS = ("rgb", "bgr")
_MOST_MULTIPLE = 256


@dataclass(frozen=True, slots=True)
class Convention:
    """What a network takes and gives. Raises MatcherError for values that make no sense."""

    scale: float = 1.0
    """The network gets (pixel / scale - mean) / std of pixels 0 to 255: 1 keeps them, 255 makes
    0 to 1, 127.5 with mean 1 makes -1 to 1."""
    mean: tuple[float, ...] = (0.0,)
    """One number, or one for each channel."""
    std: tuple[float, ...] = (1.0,)
    """One number, or one for each channel."""
    standardise: bool = False
    """Whether each image's own mean and deviation are taken out instead."""
    colour: str = "rgb"
    """Order of three channels: "rgb" or "bgr"."""
    left: str = ""
    """Name of the left input; empty: by its name, else the first."""
    output: str = ""
    """Name of the output that is the disparity; empty: the only one, or by its name."""
    channel: int = 0
    """Which channel of it, where it has several."""
    sign: float = 1.0
    """-1 where it is the flow, whose x is the negative disparity."""
    factor: float = 0.0
    """Times the output is px of the network's input; 0: 1 where it has the input's size."""
    confidence: str = ""
    """Name of an output that is 1 where the network is sure; empty: by its name, if any."""
    occlusion: str = ""
    """Name of an output that is 1 where the right camera sees nothing; empty: none."""
    multiple: int = 32
    """Sides must be a multiple of this, where the graph leaves them open."""
    licence: str = "not stated"
    """Of the weights."""

    def __post_init__(self) -> None:
        def require(ok: bool, name: str, expected: str) -> None:
            if not ok:
                raise MatcherError(f"{name} must be {expected}, got {getattr(self, name)!r}")

        require(0 < self.scale < 1e6, "scale", "a positive number, such as 255")
        for name in ("mean", "std"):
            values = getattr(self, name)
            require(len(values) in (1, 3), name, "one number or three")
            require(all(abs(v) < 1e6 for v in values), name, "finite")
        require(all(v > 0 for v in self.std), "std", "positive")
        require(self.colour in COLOURS, "colour", f"one of {', '.join(COLOURS)}")
        require(self.sign in (1, -1), "sign", "1 or -1")
        require(0 <= self.factor < 1e4, "factor", "a positive number, such as 4")
        require(0 <= self.channel < 16, "channel", "between 0 and 15")
        require(1 <= self.multiple <= _MOST_MULTIPLE, "multiple", f"1 to {_MOST_MULTIPLE}")


@dataclass(frozen=True, slots=True)
class NetworkPreset:
    """A family of exports that share a convention."""

    convention: Convention
    of: str
    """Which networks."""
    source: str
    """Where weights come from."""


def _preset(of: str, source: str, licence: str, **convention: Any) -> NetworkPreset:
    return NetworkPreset(Convention(licence=licence, **convention), of, source)


_ZOO = "PINTO0309/PINTO_model_zoo on GitHub"
NETWORK_PRESETS: dict[str, NetworkPreset] = {
    "plain": _preset("any that takes 0 to 255, RGB, and gives px", "", "see the weights"),
    "unit": _preset("any that takes 0 to 1, RGB, and gives px", "", "see the weights", scale=255.0),
    "imagenet": _preset(
        "any that takes ImageNet's mean and std", "", "see the weights", **_IMAGENET
    ),
    "liteanystereo": _preset(
        "LiteAnyStereo 1 and 2", "TomTomTommi/LiteAnyStereo on GitHub", "MIT", output="disparity"
    ),
    "crestereo": _preset("CREStereo, init and combined", f"{_ZOO}, 284", "Apache-2.0", channel=0),
    "hitnet": _preset("HITNet", f"{_ZOO}, 142", "weights: not stated", scale=255.0),
    "raft": _preset(
        "RAFT-Stereo (negative flow)",
        "princeton-vl/RAFT-Stereo on GitHub, exported",
        "MIT",
        sign=-1.0,
    ),
    "igev": _preset("IGEV-Stereo, IGEV++", "gangweiX/IGEV on GitHub, exported", "MIT"),
    "lightstereo": _preset(
        "LightStereo, BANet and others of OpenStereo",
        "XiandaGuo/OpenStereo on GitHub, exported",
        "Apache-2.0; see the weights",
        **_IMAGENET,
    ),
    "stereo-matching": _preset(
        "exports of PyPI's stereo-matching",
        "pypi.org/project/stereo-matching",
        "per model",
        **_IMAGENET,
    ),
    "foundationstereo": _preset(
        "FoundationStereo", "NVIDIA NGC (576x960), or exported", "NVIDIA's own: see NGC"
    ),
    "s2m2": _preset("S2M2", "junhong-3dv/s2m2 on GitHub, exported", "not for commercial use"),
    "mccnn": _preset(
        "MC-CNN fast: features, for sgm",
        "pypi.org/project/mccnn",
        "Apache-2.0",
        standardise=True,
        multiple=1,
    ),
}
"""name -> preset."""


def preset_named(name: str) -> Convention:
    """Return a preset's convention. Raises MatcherError naming what is known."""
    if name not in NETWORK_PRESETS:
        hint = did_you_mean(name, NETWORK_PRESETS) or ";"
        raise MatcherError(
            f"unknown network preset {name!r}{hint} `stereo networks` lists "
            f"{', '.join(NETWORK_PRESETS)}"
        )
    return NETWORK_PRESETS[name].convention


def told_convention(model: Path, preset: str | None) -> tuple[Convention | None, str]:
    """Return what the preset and MODEL.toml say together, and who says it; None: neither does.

    ``preset`` beats the file's own choice of one. Raises MatcherError naming the file and the key.
    """
    beside = model.with_suffix(".toml")
    if not beside.is_file():
        return (None, "") if preset is None else (preset_named(preset), f"preset {preset}")
    told = read_toml(beside)
    named = told.pop("preset", None)
    base = preset or named
    if base is not None and not isinstance(base, str):
        raise MatcherError(f"{beside}: preset must be a name, got {base!r}")
    try:
        convention = Convention() if base is None else preset_named(base)
        convention = replace(convention, **_checked(told))
    except MatcherError as error:
        raise MatcherError(f"{beside}: {error}") from None
    return convention, str(beside) if base is None else f"preset {base}, {beside}"


def _checked(told: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a TOML file in the types of a ``Convention``."""
    kinds = {field.name: type(field.default) for field in fields(Convention)}
    values: dict[str, Any] = {}
    for key, value in told.items():
        if key not in kinds:
            hint = did_you_mean(key, kinds) or ";"
            raise MatcherError(f"unknown key {key!r}{hint} known are {', '.join(sorted(kinds))}")
        try:
            values[key] = _as(kinds[key], value)
        except (TypeError, ValueError):
            raise MatcherError(
                f"{key} must be like {_EXAMPLE[kinds[key]]}, got {value!r}"
            ) from None
    return values


_EXAMPLE = {
    float: "255.0",
    int: "32",
    str: '"disparity"',
    tuple: "[0.485, 0.456, 0.406]",
    bool: "true",
}


def _as(kind: type, value: Any) -> Any:
    if kind is tuple:
        return tuple(float(one) for one in (value if isinstance(value, list) else [value]))
    if (kind is bool) != isinstance(value, bool) or (kind is str) != isinstance(value, str):
        raise TypeError
    if kind is int and value != int(value):
        raise ValueError
    return kind(value)
