"""``stereo tune``: find the matcher's parameters for a rig and a scene, and say what they gain."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import click
import numpy as np

from stereo.cli.groups import command, json_option, option
from stereo.cli.matching import chosen_matcher
from stereo.cli.options import MatchOptions, PairOptions, ViewOptions
from stereo.cli.piping import rectification_for
from stereo.cli.progress import BatchProgress
from stereo.cli.rig_options import RigOptions
from stereo.cli.run_input import run_input
from stereo.errors import ImageError, InputError
from stereo.evaluation.manifest import load_manifest
from stereo.files.atomic import write_whole
from stereo.networks.matcher import is_network
from stereo.tuning.cases import Case, case_of, case_of_manifest
from stereo.tuning.gain import Gain
from stereo.tuning.judges import Judge, StandInJudge, TruthJudge, ranks
from stereo.tuning.knobs import Values, knobs_of
from stereo.tuning.search import Search, pool_of

_EXPERTS = 5
"""Parameters of the pool whose maps are the consensus that the stand-in asks."""
_TELL_EVERY = 5
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneOptions:
    """How long and on what."""

    heading: ClassVar[str] = "Tuning"
    out: Path = option(
        "-o", "--out", type=click.Path(path_type=Path), required=True, help="TOML file to write."
    )
    minutes: float = option(
        type=click.FloatRange(0, min_open=True), default=10.0, show_default=True,
        help="How long to search.",
    )  # fmt: skip
    trials: int | None = option(
        type=click.IntRange(min=1), help="End after so many parameters were tried."
    )
    pairs: int = option(
        type=click.IntRange(min=3), default=24, show_default=True,
        help="Use at most so many pairs, evenly spread.",
    )  # fmt: skip
    width: int = option(
        type=click.IntRange(min=64), default=640, show_default=True,
        help="Reduce images to this width for the search.",
    )  # fmt: skip
    without_truth: bool = option(is_flag=True, help="Ignore the ground truth of a manifest.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneViewOptions(ViewOptions):
    """Whether to turn the parameters by hand."""

    view: str | None = option(
        type=click.Choice(["web"]), help="Instead of a search: sliders in the browser."
    )


@command("tune", without=("coarse_to_fine", "guide", "provider", "tile"))
@click.argument("left")
@click.argument("right", required=False)
@json_option()
def tune_command(
    left: str,
    right: str | None,
    *,
    images: PairOptions,
    rig: RigOptions,
    match: MatchOptions,
    tuning: TuneOptions,
    looking: TuneViewOptions,
    as_json: bool,
) -> int:
    """Find the matcher's parameters for your rig and scene; write what --config reads.

    LEFT is a manifest of pairs with ground truth (.json), or LEFT RIGHT are images, folders,
    recordings or videos as for stereo run, without truth. The search goes on where an earlier one
    ended (OUT.sqlite3). Exit code 3: no gain beyond noise on pairs left out; the file then holds
    the parameters that you had.
    """
    matcher = chosen_matcher(match)
    if is_network(matcher):
        raise InputError(
            "a network has no parameters to tune; stereo compare shows it beside other matchers"
        )
    cases = _cases(left, right, images, rig, tuning)
    pool = pool_of(matcher, _start(matcher, match.params))
    if looking.view == "web":
        return _by_hand(matcher, cases, pool[0], tuning, looking)
    known = all(case.truth is not None for case in cases) and not tuning.without_truth
    judge: Judge = TruthJudge() if known else StandInJudge(pool[:_EXPERTS])
    if not known and not ranks(matcher):
        raise InputError(
            f"without ground truth the parameters of {matcher} cannot be ranked (measured: see "
            "docs/tune.md); give a manifest with truth, or tune --matcher sgbm"
        )
    if not as_json:
        click.echo(f"{len(cases)} pairs, {matcher}, judged by {judge.unit}", err=True)
    search = Search(matcher, cases, judge, pool, tuning.out.with_name(tuning.out.name + ".sqlite3"))
    search.run(minutes=tuning.minutes, rounds=tuning.trials, tell=_progress)
    gain, best = search.gain(), search.best()
    values = best if gain.real else pool[0]
    text = _toml(matcher, values, _comments(gain, judge, cases, tuning.width))
    write_whole(tuning.out, text.encode())
    if as_json:
        click.echo(json.dumps(_facts(matcher, values, gain, judge)))
    else:
        _say(values, pool[0], gain, tuning.out)
    return 0 if gain.real else 3


def _cases(
    left: str, right: str | None, images: PairOptions, rig: RigOptions, tuning: TuneOptions
) -> list[Case]:
    if right is None and Path(left).suffix.lower() == ".json":
        items = _spread(load_manifest(left), tuning.pairs)
        return [case_of_manifest(item, width=tuning.width) for item in items]
    progress = BatchProgress(quiet=False)
    with ExitStack() as stack:
        given = run_input(stack, left, right, progress.event, composite=images.composite)
        _, rect = rectification_for(given, images, rig)
        chosen = set(_spread(range(given.total), tuning.pairs)) if given.total else None
        cases: list[Case] = []
        for number, pair in enumerate(given.pairs):
            if chosen is None and len(cases) == tuning.pairs:
                break
            if chosen is not None and number not in chosen:
                continue
            try:
                ready = rect.apply(pair.read(swap=images.swapped))
            except ImageError as error:
                click.echo(f"set aside: {pair.name}: {error}", err=True)
                continue
            cases.append(case_of(f"{number} {pair.name}", ready, width=tuning.width))
    return cases


def _spread(items: Any, most: int) -> list[Any]:
    """At most so many, evenly spread."""
    items = list(items)
    picked = np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int))
    return [items[number] for number in picked]


def _start(matcher: str, params: dict[str, Any]) -> dict[str, Any]:
    names = {knob.name for knob in knobs_of(matcher)}
    for name in params:
        if name not in names:
            raise InputError(
                f"--matcher-param {name}: is not tuned; the search starts from "
                f"{', '.join(sorted(names))}"
            )
    return params


def _progress(number: int, left_s: float, search: Search) -> None:
    if (number + 1) % _TELL_EVERY == 0:
        gain, left = search.gain(), f"{max(left_s, 0) / 60:.1f} min left"
        said = f"trial {number + 1}: {100 * gain.mean:+.1f} % on pairs left out, {left}"
        click.echo(said, err=True)


def _by_hand(
    matcher: str, cases: list[Case], start: Values, tuning: TuneOptions, looking: ViewOptions
) -> int:
    """Serve the page until somebody is done."""
    from stereo.cli.live_web import say_where
    from stereo.viewers.tune_page import TunePage

    def write(values: Values) -> str:
        text = _toml(matcher, values, ["chosen by hand; nothing was measured"])
        write_whole(tuning.out, text.encode())
        return str(tuning.out)

    host, port, token = looking.host, looking.port, not looking.no_token
    with TunePage(matcher, cases, start, write, host=host, port=port, token=token) as page:
        say_where(page, looking)
        while not page.closed:
            time.sleep(_LOOK_S)
    return 0


def _comments(gain: Gain, judge: Judge, cases: list[Case], width: int) -> list[str]:
    said = gain.line() if gain.real else f"no gain beyond noise: {gain.line()}; start kept"
    return [
        f"{judge.unit}: {said}",
        f"{len(cases)} pairs, at most {width} columns wide, first {cases[0].name!r:.80}",
    ]


def _toml(matcher: str, values: Values, comments: list[str]) -> str:
    lines = [
        "# Written by `stereo tune`; use it with --config.",
        *(f"# {comment}" for comment in comments),
        "quality = true" if matcher == "sgm-quality" else f'matcher = "{matcher}"',
        "",
        "[matcher_params]",
        *(f"{name} = {json.dumps(value)}" for name, value in sorted(values.items())),
    ]
    return "\n".join(lines) + "\n"


def _facts(matcher: str, values: Values, gain: Gain, judge: Judge) -> dict[str, Any]:
    return {
        "schema": "stereo-depth-tune/1",
        "matcher": matcher,
        "matcher_params": dict(values),
        "judged_by": judge.unit,
        "gain": {"mean": gain.mean, "low": gain.low, "high": gain.high, "real": gain.real},
        "per_pair": dict(gain.per_pair),
    }


def _say(values: Values, start: Values, gain: Gain, out: Path) -> None:
    click.echo(f"gain: {gain.line()}")
    if not gain.real:
        click.echo(f"no gain beyond noise: {out} holds the parameters you had")
        return
    for name in values:
        if values[name] != start[name]:
            click.echo(f"  {name}: {start[name]} -> {values[name]}")
    click.echo(f"written: {out}; use it with --config {out}")
