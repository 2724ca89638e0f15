"""The search itself: one study on all pairs, and one without each part of them, side by side.

A study that leaves pairs out never sees them, neither to propose nor to choose; what its best
parameters do there is the gain. All start from the same pool (the start and a few drawn at random),
so each pair is matched once for it. Studies take turns trial by trial, so that a budget that ends
early ends all of them alike. Everything lies in optuna's own SQLite file: a rerun goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stereo.errors import InputError, MatcherError, MissingLibraryError
from stereo.frame import SearchRange
from stereo.matching import matcher_for_range
from stereo.tuning.cases import Case
from stereo.tuning.gain import Gain, gain_of, safer
from stereo.tuning.judges import Judge
from stereo.tuning.knobs import Knob, Values, defaults_of, knobs_of, typed

if TYPE_CHECKING:
    import optuna

POOL = 12
"""Parameters that every study starts with, the start itself included."""
FOLDS = 4
"""Parts that pairs are left out by."""
LEAST_PAIRS = 3
_SEED = 7
_TRIES = 1000

OnTrial = Callable[[int, float, "Search"], None]
"""Told the round, the seconds left, and the search, after each round."""


def pool_of(matcher: str, start: Values | None = None, size: int = POOL) -> list[Values]:
    """Return the start (the defaults, changed by ``start``) and random parameters that run."""
    found: list[Values] = [{**defaults_of(matcher), **(start or {})}]
    random = np.random.default_rng(_SEED)
    for _ in range(_TRIES):
        if len(found) >= size:
            break
        drawn = typed(matcher, {knob.name: _drawn(knob, random) for knob in knobs_of(matcher)})
        with contextlib.suppress(MatcherError):
            matcher_for_range(matcher, SearchRange(0, 64), **drawn)
            found.append(drawn)
    return found


@dataclass(slots=True)
class Search:
    """Looks for parameters; ask ``best`` and ``gain`` at any time."""

    matcher: str
    cases: Sequence[Case]
    judge: Judge
    pool: Sequence[Values]
    storage: Path
    """SQLite file; what an earlier run found there is used."""
    left_out: Sequence[Sequence[Case]] = ()
    """What is left out together; empty: ``parts`` of the cases."""
    _known: dict[str, dict[str, float]] = field(default_factory=dict)
    _studies: list[tuple[optuna.Study, list[Case]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Raise InputError for too few pairs or another search's file, MissingLibraryError
        without optuna.
        """
        if len(self.cases) < LEAST_PAIRS:
            raise InputError(
                f"tuning leaves pairs out to know its gain and needs at least {LEAST_PAIRS} pairs, "
                f"got {len(self.cases)}: give more of the scene"
            )
        optuna = _optuna()
        url = f"sqlite:///{self.storage}"
        for number, part in enumerate([[], *(self.left_out or parts(self.cases))]):
            name = f"without part {number}" if part else "all pairs"
            left_out = {case.name for case in part}
            study = optuna.create_study(
                storage=url,
                study_name=name,
                sampler=optuna.samplers.TPESampler(seed=_SEED, n_startup_trials=len(self.pool)),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=len(self.pool)),
                load_if_exists=True,
            )
            self._check_same(study)
            if not study.trials:
                for values in self.pool:
                    study.enqueue_trial(dict(values))
            self._studies.append((study, [c for c in self.cases if c.name not in left_out]))
        self._remember()

    def run(self, *, minutes: float, rounds: int | None = None, tell: OnTrial) -> None:
        """Search for so long, or so many rounds in all; each is one trial of every study."""
        end_s = time.monotonic() + 60 * minutes
        for number in self._rounds(rounds):
            for study, cases in self._studies:
                if time.monotonic() > end_s and number > 0:
                    return
                self._trial(study, cases)
            tell(number, end_s - time.monotonic(), self)

    def best(self) -> Values:
        """Return the best parameters on all pairs; the start where none is surely better."""
        return self._chosen(self.cases)

    def chosen_without(self) -> list[Values]:
        """Return, for each part, the best parameters by what the pairs outside of it say."""
        return [self._chosen(cases, study) for study, cases in self._studies[1:]]

    def gain(self) -> Gain:
        """Return what parameters chosen without them do to the pairs left out."""
        before = {case.name: self._score(case, self.pool[0]) for case in self.cases}
        tuned: dict[str, float] = {}
        for (_, cases), values in zip(self._studies[1:], self.chosen_without(), strict=True):
            seen = {case.name for case in cases}
            rest = [case for case in self.cases if case.name not in seen]
            tuned |= {case.name: self._score(case, values) for case in rest}
        return gain_of(before, {name: tuned[name] for name in before})

    def _rounds(self, most: int | None) -> Iterator[int]:
        done = min(len(_finished(study)) for study, _ in self._studies)
        number = done
        while most is None or number < most:
            yield number
            number += 1

    def _trial(self, study: optuna.Study, cases: Sequence[Case]) -> None:
        import optuna

        trial = study.ask(_distributions(self.matcher, self.pool[0]))
        values = typed(self.matcher, trial.params)
        logs: list[float] = []
        try:
            for step, case in enumerate(cases):
                score = self._score(case, values)
                logs.append(float(np.log(score / self._score(case, self.pool[0]))))
                trial.report(float(np.mean(logs)), step)
                if trial.should_prune() and step + 1 < len(cases):
                    break
        except MatcherError:
            logs = []
        except BaseException:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            raise
        trial.set_user_attr("scores", self._known.get(_key(values), {}))
        if len(logs) == len(cases):
            study.tell(trial, float(np.mean(logs)))
        else:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)

    def _chosen(self, cases: Sequence[Case], study: optuna.Study | None = None) -> Values:
        """The safest of what a study tried to the end; the start is one of them."""
        start = {case.name: self._score(case, self.pool[0]) for case in cases}
        best, lowest = self.pool[0], 0.0
        for trial in (study or self._studies[0][0]).trials:
            values = typed(self.matcher, trial.params)
            scores = self._known.get(_key(values), {})
            if trial.value is None or not start.keys() <= scores.keys():
                continue
            if (how := safer(scores, start)) < lowest:
                best, lowest = values, how
        return best

    def _score(self, case: Case, values: Values) -> float:
        """A score, from memory where it is known."""
        known = self._known.setdefault(_key(values), {})
        if case.name not in known:
            known[case.name] = self.judge.score(case, self.matcher, values)
        return known[case.name]

    def _remember(self) -> None:
        for study, _ in self._studies:
            for trial in study.trials:
                scores = trial.user_attrs.get("scores")
                if scores:
                    self._known.setdefault(_key(typed(self.matcher, trial.params)), {}).update(
                        scores
                    )

    def _check_same(self, study: optuna.Study) -> None:
        mine = self._identity()
        other = study.user_attrs.setdefault("of", mine)
        if other != mine:
            raise InputError(
                f"{self.storage}: holds a search on other pairs, another matcher or other "
                "parameters; delete it, or name another output"
            )
        study.set_user_attr("of", mine)

    def _identity(self) -> str:
        digest = hashlib.sha256(repr([self.matcher, self.judge.unit, self.pool[0]]).encode())
        for case in self.cases:
            digest.update(repr([case.name, case.search]).encode())
            digest.update(np.ascontiguousarray(case.pair.left).tobytes())
            digest.update(np.ascontiguousarray(case.pair.right).tobytes())
        return digest.hexdigest()


def parts(cases: Sequence[Case]) -> list[list[Case]]:
    """Return what is left out together: neighbours, which are of one scene or one moment."""
    count = min(FOLDS, len(cases))
    bounds = [round(k * len(cases) / count) for k in range(count + 1)]
    return [list(cases[a:b]) for a, b in pairwise(bounds)]


def _finished(study: optuna.Study) -> list[Any]:
    return [trial for trial in study.trials if trial.state.is_finished()]


def _distributions(matcher: str, start: Values) -> dict[str, Any]:
    import optuna

    found: dict[str, Any] = {}
    for knob in knobs_of(matcher):
        low, high = min(knob.low, start[knob.name]), max(knob.high, start[knob.name])
        if not knob.log:
            high = low + -(-(high - low) // knob.step) * knob.step
        step = 1 if knob.log or (start[knob.name] - low) % knob.step else knob.step
        found[knob.name] = optuna.distributions.IntDistribution(low, high, knob.log, step)
    return found


def _drawn(knob: Knob, random: np.random.Generator) -> int:
    if knob.log:
        return round(float(np.exp(random.uniform(np.log(knob.low), np.log(knob.high)))))
    return knob.low + knob.step * int(random.integers(0, (knob.high - knob.low) // knob.step + 1))


def _key(values: Mapping[str, Any]) -> str:
    return json.dumps({name: int(values[name]) for name in sorted(values)})


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingLibraryError(
            f"tuning needs optuna ({error}): pip install 'stereo-depth[tune]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
