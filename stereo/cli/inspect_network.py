"""``stereo inspect MODEL.onnx``: what was recognised of a network, and what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from stereo.networks.matcher import file_and_query, is_network
from stereo.networks.reading import Reading, read_network
from stereo.networks.session import Network, open_network


def names_network(given: str) -> bool:
    """Whether a word names a network rather than a rig."""
    return is_network(given) or file_and_query(given)[0].lower().endswith(".onnx")


def inspect_network(given: str, *, as_json: bool) -> bool:
    """Show a network; return whether it can be used. Raises MatcherError for what is none."""
    path, query = file_and_query(given)
    network = open_network(Path(path))
    reading = read_network(network, query.get("preset"))
    facts = _facts(network, reading)
    if as_json:
        click.echo(json.dumps({"network": path, **facts}))
    else:
        _show(path, facts)
    return not reading.missing


def _facts(network: Network, reading: Reading) -> dict[str, Any]:
    file, known = network.file, not reading.missing
    return {
        "megabytes": round(file.weights_bytes / 1e6, 1),
        "producer": file.producer,
        "opset": file.opset,
        "operators": file.operators,
        "metadata": file.notes,
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
        "load_s": round(network.load_s, 3),
    }


def _show(path: str, facts: dict[str, Any]) -> None:
    made = f" made by {facts['producer']}" if facts["producer"] else ""
    click.echo(
        f"{path}: network, {facts['megabytes']} MB, {facts['operators']} operators, opset "
        f"{facts['opset']}{made}; loads in {facts['load_s']} s"
    )
    for line in facts["inputs"]:
        click.echo(f"  input  {line}")
    for line in facts["outputs"]:
        click.echo(f"  output {line}")
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
