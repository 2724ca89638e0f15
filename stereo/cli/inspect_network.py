"""``stereo inspect MODEL.onnx``: what was recognised of a network, and what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from stereo.networks.features import FeatureExtractor, is_extractor, read_extractor
from stereo.networks.matcher import file_and_query, is_network
from stereo.networks.reading import Reading, read_network, values_in_words
from stereo.networks.session import Network, open_network


def names_network(given: str) -> bool:
    """Whether a word names a network rather than a rig."""
    return is_network(given) or file_and_query(given)[0].lower().endswith(".onnx")


def inspect_network(given: str, *, as_json: bool) -> bool:
    """Show a network; return whether it can be used. Raises MatcherError for what is none."""
    path, query = file_and_query(given)
    network = open_network(Path(path))
    if is_extractor(network):
        return _inspect_extractor(given, network, query.get("preset"), as_json=as_json)
    reading = read_network(network, query.get("preset"))
    facts = _facts(network, reading)
    if as_json:
        click.echo(json.dumps({"network": path, **facts}))
    else:
        _show(path, facts)
    return not reading.missing


def _inspect_extractor(path: str, network: Network, preset: str | None, *, as_json: bool) -> bool:
    """The same of a network that gives features of one image."""
    reading = read_extractor(network, preset)
    known = not reading.missing
    facts = {
        **_of_file(network),
        "inputs": [reading.port.in_words()],
        "outputs": [f"{output.name} {output.shape}" for output in network.outputs],
        "features": FeatureExtractor(network.file.path, preset=preset).layout.features
        if known
        else None,
        "values": values_in_words(reading.convention) if known else None,
        "told_by": reading.told_by,
        "licence": reading.convention.licence if known else None,
        "missing": reading.missing,
    }
    if as_json:
        click.echo(json.dumps({"network": path, **facts}))
        return known
    _show_file(path, facts)
    if not known:
        click.echo(f"warning: missing: {facts['missing']}", err=True)
        return False
    click.echo(
        f"features: {facts['features']} of a pixel; their signs take the place of our matcher's "
        f"learned code: --matcher sgm --matcher-param features={path}"
    )
    click.echo(f"values: {facts['values']} ({facts['told_by']})")
    click.echo(f"licence: {facts['licence']}")
    return True


def _of_file(network: Network) -> dict[str, Any]:
    file = network.file
    return {
        "megabytes": round(file.weights_bytes / 1e6, 1),
        "producer": file.producer,
        "opset": file.opset,
        "operators": file.operators,
        "metadata": file.notes,
        "load_s": round(network.load_s, 3),
    }


def _facts(network: Network, reading: Reading) -> dict[str, Any]:
    known = not reading.missing
    return {
        **_of_file(network),
        "inputs": [port.in_words() for port in reading.ports],
        "outputs": [f"{output.name} {output.shape}" for output in network.outputs],
        "disparity": reading.output,
        "confidence": reading.confidence,
        "size": reading.size_in_words,
        "values": reading.values if known else None,
        "sign": reading.convention.sign if known else None,
        "told_by": reading.told_by,
        "licence": reading.convention.licence if known else None,
        "missing": reading.missing,
    }


def _show_file(path: str, facts: dict[str, Any]) -> None:
    made = f" made by {facts['producer']}" if facts["producer"] else ""
    click.echo(
        f"{path}: network, {facts['megabytes']} MB, {facts['operators']} operators, opset "
        f"{facts['opset']}{made}; loads in {facts['load_s']} s"
    )
    for line in facts["inputs"]:
        click.echo(f"  input  {line}")
    for line in facts["outputs"]:
        click.echo(f"  output {line}")


def _show(path: str, facts: dict[str, Any]) -> None:
    _show_file(path, facts)
    click.echo(f"disparity: {facts['disparity']}")
    own = facts["confidence"] or "none of its own: the right view is matched too, and compared"
    click.echo(f"confidence: {own}")
    click.echo(f"size: {facts['size']}")
    for key, text in facts["metadata"].items():
        click.echo(f"metadata: {key[:60]}: {text[:120]}")
    if facts["missing"]:
        click.echo(f"warning: missing: {facts['missing']}", err=True)
        return
    negative = "" if facts["sign"] > 0 else ", what comes out is negative"
    click.echo(f"values: {facts['values']}{negative} ({facts['told_by']})")
    click.echo(f"licence: {facts['licence']}")
