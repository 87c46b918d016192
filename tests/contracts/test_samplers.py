"""What every sampler must keep. One in the catalog is here by itself; ``OPTIONS`` makes it quick to try."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from automl.front.objectives import Objective
from automl.samplers import SAMPLERS, SearchContext, make_sampler
from automl.study.ledger import JOURNAL, Ledger, Proposal, open_ledger
from search_spaces import Categorical, Choice, Integer, Real, StudentSpec, Value, all_of, at_least, check_values, equals
from trials.recipe import LossTerm, Recipe
from trials.records import Candidate, Latency, Limit, Outcome, Trial, TrialResult

OPTIONS: dict[str, dict[str, Any]] = {
    "tpe": {"n_startup_trials": 4},
    "nsga2": {"population_size": 4},
    "pareto": {"startup_trials": 2},
    "evolution": {"population_size": 4, "tournament_size": 3},
    "reinforce": {"learning_rate": 0.05, "hidden_size": 16},
    "nni_tpe": {"n_startup_jobs": 4},
    "nni_evolution": {"population_size": 4},
}
"""So that a sampler does what it does best within a few trials, and not only what it begins with."""

USERS = {
    "optuna.samplers:NSGAIIISampler": {"population_size": 4},
    "tests.contracts.test_samplers:OwnSampler": {"narrowed": 0.02},
}
"""By import name: one of a library, and one of a user's own."""

NAMES = [*SAMPLERS, *USERS]
DEAF = ("random", "nni_random", "nni_grid")
"""Propose the same whatever they are told, but for points that are known."""
UNSEEDED = ("nni_grid",)
"""Propose the same in each search."""
TRIALS = 14

CHOICES = (
    Choice(name="block", domain=Categorical(options=("plain", "separable", "inverted"))),
    Choice(name="depth", domain=Integer(low=1, high=3)),
    Choice(name="layer1.width", domain=Integer(low=4, high=128, log=True)),
    Choice(name="layer2.width", domain=Integer(low=8, high=64, step=8), when=at_least("depth", 2)),
    Choice(name="layer3.width", domain=Integer(low=8, high=64, step=8), when=at_least("depth", 3)),
    Choice(
        name="inverted.squeeze",
        domain=Real(low=0.1, high=0.5),
        when=all_of(equals("block", "inverted"), at_least("depth", 2)),
    ),
    Choice(name="only", domain=Integer(low=7, high=7)),
    Choice(name="norm", domain=Categorical(options=(True,))),
    Choice(name="learning_rate", domain=Real(low=1e-4, high=1e-1, log=True)),
    Choice(name="losses.kd.weight", domain=Real(low=0.0, high=4.0)),
)
OBJECTIVES = (
    Objective(metric="accuracy", higher_is_better=True, worst=0.1, best=1.0),
    Objective(metric="size_bytes", higher_is_better=False, worst=1e5, best=1e2, log=True),
)
LIMIT = Limit(metric="size_bytes", at_most=True, value=100.0)
"""Broken by about half of the points: each sampler meets some that are refused."""
CONTEXT = SearchContext(choices=CHOICES, objectives=OBJECTIVES, limits=(LIMIT,))
LATENCY = Latency(median_ms=1.0, low_ms=0.9, high_ms=1.1, runs=10, provisional=True, device="none")
RECIPE = Recipe(losses=(LossTerm(name="hard_label", weight=1.0),), epochs=1, batch_size=8, learning_rate=0.01)


class OwnSampler(BaseSampler):
    """A user's own sampler: learning rates from a part of their range only, and with a weight that is its own."""

    def __init__(self, *, seed: int, narrowed: float) -> None:
        self._random = RandomSampler(seed=seed)
        self._narrowed = narrowed
        self._weight: float | None = None

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._weight = 0.25 * (1 + trial.number % 4)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> Any:
        return {}

    def sample_independent(self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Any:
        if name == "learning_rate":
            distribution = FloatDistribution(low=1e-4, high=self._narrowed, log=True)
        if name == "losses.kd.weight":
            return self._weight
        return self._random.sample_independent(study, trial, name, distribution)


def open_at(folder: Path, name: str, *, seed: int = 0) -> Ledger:
    folder.mkdir(exist_ok=True)
    options = OPTIONS.get(name, USERS.get(name, {}))
    return open_ledger(
        folder,
        storage=None,
        name="s",
        choices=CHOICES,
        directions=["maximize", "minimize"],
        sampler=make_sampler(name, seed=seed, options=options, context=CONTEXT),
    )


def answer(proposal: Proposal) -> tuple[Trial, TrialResult]:
    """Judge a proposal by its values and number alone: some are refused, some fail, whatever is proposed."""
    values, number = proposal.values, proposal.number
    trial = Trial(number=number, spec=StudentSpec(space="own", values=values), recipe=RECIPE, seed=0)
    size = float(sum(int(value) for name, value in values.items() if name.endswith("width")) * int(values["depth"]))
    size = max(size, 2 * LIMIT.value) if number % 7 == 3 else size
    metrics = {"accuracy": 1 - 1 / (1 + size) ** 0.2 - abs(float(values["learning_rate"]) - 0.01), "size_bytes": size}
    candidate = Candidate(precision="float32", metrics=metrics, latency=LATENCY)
    result = TrialResult(number=number, digest=trial.digest, outcome=Outcome.TRAINED, candidates=(candidate,))
    if number % 6 == 5:
        return trial, replace(result, outcome=Outcome.FAILED, candidates=(), error="it crashed")
    if size > LIMIT.value:
        refused = replace(candidate, metrics={"size_bytes": size})
        return trial, replace(result, outcome=Outcome.INFEASIBLE, candidates=(refused,))
    return trial, result


def tell(ledger: Ledger, proposal: Proposal) -> None:
    ledger.tell(*answer(proposal), objectives=OBJECTIVES, limits=(LIMIT,))


def propose(
    folder: Path, name: str, *, seed: int = 0, reopened: bool = False, told: bool = True
) -> list[dict[str, Value]]:
    ledger, proposed = open_at(folder, name, seed=seed), []
    for _ in range(TRIALS):
        proposal = ledger.ask()
        proposed.append(dict(proposal.values))
        if told:
            tell(ledger, proposal)
        if reopened:
            ledger = open_at(folder, name, seed=seed)
    return proposed


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, list[dict[str, Value]]]]:
    """Give the folder and the proposals of a search by one object from start to end, made once a sampler."""
    made: dict[str, tuple[Path, list[dict[str, Value]]]] = {}

    def give(name: str) -> tuple[Path, list[dict[str, Value]]]:
        if name not in made:
            folder = tmp_path_factory.mktemp("undisturbed")
            made[name] = folder, propose(folder, name)
        return made[name]

    return give


@pytest.mark.parametrize("name", NAMES)
def test_proposals_are_points_of_the_space(name: str, undisturbed: Callable[..., Any]) -> None:
    _, proposed = undisturbed(name)
    for values in proposed:
        check_values(CHOICES, values)
    assert len({json.dumps(values) for values in proposed}) > TRIALS // 2
    assert max(int(values["depth"]) for values in proposed) > 1  # Conditional choices were among them.
    if "OwnSampler" in name:
        assert max(float(values["learning_rate"]) for values in proposed) <= 0.02
        # What it remembers as a trial begins is there when its choices are asked.
        assert [values["losses.kd.weight"] for values in proposed[:5]] == [0.25, 0.5, 0.75, 1.0, 0.25]


@pytest.mark.parametrize("name", NAMES)
def test_trials_that_fail_or_are_refused_are_taken(name: str, undisturbed: Callable[..., Any]) -> None:
    folder, _ = undisturbed(name)
    outcomes = {finished.result.outcome for finished in open_at(folder, name).finished()}
    assert outcomes == {Outcome.TRAINED, Outcome.FAILED, Outcome.INFEASIBLE}


@pytest.mark.parametrize("name", NAMES)
def test_a_sampler_made_anew_for_each_trial_proposes_the_same(
    name: str, undisturbed: Callable[..., Any], tmp_path: Path
) -> None:
    assert propose(tmp_path, name, reopened=True) == undisturbed(name)[1]


def test_another_process_proposes_the_same(undisturbed: Callable[..., Any], tmp_path: Path) -> None:
    code = (
        "import json, sys; from pathlib import Path; from tests.contracts.test_samplers import NAMES, propose\n"
        "found = {name: propose(Path(sys.argv[1]) / str(k), name) for k, name in enumerate(NAMES)}\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {name: undisturbed(name)[1] for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_proposes_others(name: str, undisturbed: Callable[..., Any], tmp_path: Path) -> None:
    other = propose(tmp_path, name, seed=1)
    assert (sum(values in undisturbed(name)[1] for values in other) < TRIALS // 2) == (name not in UNSEEDED)


@pytest.mark.parametrize("name", [*SAMPLERS, "optuna.samplers:NSGAIIISampler"])
def test_what_was_told_is_listened_to(name: str, undisturbed: Callable[..., Any], tmp_path: Path) -> None:
    listened = propose(tmp_path, name, told=False) != undisturbed(name)[1]
    assert listened == (name not in DEAF)


@pytest.mark.parametrize("name", NAMES)
def test_a_proposal_cut_off_anywhere_goes_on_as_it_would_have_gone(
    name: str, undisturbed: Callable[..., Any], tmp_path: Path
) -> None:
    folder, proposed = undisturbed(name)
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    operations = [json.loads(line)["op_code"] for line in lines]
    created = [row for row, operation in enumerate(operations) if operation == 4]
    ended = [row for row, operation in enumerate(operations) if operation == 6]
    for number in (0, 5, TRIALS - 2, TRIALS - 1):
        told = next(row for row in ended if row > created[number])
        for kept in range(created[number] + 1, told + 1):
            (tmp_path / JOURNAL).write_bytes(b"".join(lines[:kept]))
            ledger = open_at(tmp_path, name)
            assert [(one.number, one.values) for one in ledger.running()] == [(number, proposed[number])]
            assert [finished.trial.number for finished in ledger.finished()] == list(range(number))


@pytest.mark.parametrize("name", NAMES)
def test_several_may_be_in_flight_and_end_in_any_order(name: str, tmp_path: Path) -> None:
    def search(folder: Path, *, killed: bool) -> list[dict[str, Value]]:
        ledger = open_at(folder, name)
        flying = [ledger.ask() for _ in range(3)]
        proposed = {one.number: dict(one.values) for one in flying}
        for step in range(TRIALS - 3):
            tell(ledger, flying.pop(step % 3))
            if killed:
                ledger = open_at(folder, name)
                assert ledger.running() == sorted(flying, key=lambda one: one.number)
            flying.append(ledger.ask())
            proposed[flying[-1].number] = dict(flying[-1].values)
        return [proposed[number] for number in range(TRIALS)]

    assert search(tmp_path / "killed", killed=True) == search(tmp_path / "whole", killed=False)


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_option_is_told_as_the_sampler_is_made(name: str) -> None:
    with pytest.raises(ValueError, match=rf"'{name}' has no option 'no_such_option'"):
        make_sampler(name, seed=0, options={"no_such_option": 1}, context=CONTEXT)
