"""``stereo networks``: which stereo networks are known, and where their weights come from."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from calib.words import table
from stereo.cli.groups import command, json_option
from stereo.networks.presets import NETWORK_PRESETS
from stereo.networks.reading import values_in_words


@command("networks")
@json_option()
def networks_command(*, as_json: bool) -> int:
    """List the presets for networks: --matcher 'onnx:MODEL.onnx?preset=NAME'.

    Weights are not ours: get them where they come from, under their own licence. What a preset does
    not know, a MODEL.toml beside MODEL.onnx says; docs/networks.md has its keys.
    """
    if as_json:
        click.echo(json.dumps({name: asdict(preset) for name, preset in NETWORK_PRESETS.items()}))
        return 0
    rows = [
        [
            name,
            preset.of,
            values_in_words(preset.convention),
            preset.source or "-",
            preset.convention.licence,
        ]
        for name, preset in NETWORK_PRESETS.items()
    ]
    for line in table(["preset", "for", "values", "weights from", "licence"], rows, names=5):
        click.echo(line)
    click.echo(
        "\nPresets follow what is published about these exports; none but mccnn was tried on real "
        "weights."
        "\nmccnn gives features, for our own matcher: --matcher-param features=MODEL.onnx."
        "\nFirst look: stereo inspect MODEL.onnx"
    )
    return 0
