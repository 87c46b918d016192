"""Samplers hear of the limits of now, under whichever limits trials ended."""

from pathlib import Path

import pytest

from automl.front.objectives import Objective
from automl.samplers import SearchContext, make_sampler
from automl.samplers.limited import LimitedStudy
from automl.study.ledger import Ledger, open_ledger
from search_spaces import Choice, Integer, Real, StudentSpec, Values
from trials.recipe import LossTerm, Recipe
from trials.records import Candidate, Latency, Limit, Outcome, Trial, TrialResult

CHOICES = (
    Choice(name="width", domain=Integer(low=2, high=64, log=True)),
    Choice(name="rate", domain=Real(low=1e-4, high=1e-1, log=True)),
)
OBJECTIVES = (
    Objective(metric="accuracy", higher_is_better=True, worst=0.1, best=1.0),
    Objective(metric="size_bytes", higher_is_better=False, worst=1e5, best=1e3, log=True),
)
RECIPE = Recipe(losses=(LossTerm(name="hard_label", weight=1.0),), epochs=1, batch_size=8, learning_rate=0.01)
LATENCY = Latency(median_ms=1.0, low_ms=0.9, high_ms=1.1, runs=10, provisional=True, device="none")
LOOSE = (Limit(metric="size_bytes", at_most=True, value=5000.0),)
STRICT = (Limit(metric="size_bytes", at_most=True, value=900.0), Limit(metric="accuracy", at_most=False, value=0.6))


def open_at(
    folder: Path, sampler: str, limits: tuple[Limit, ...], storage: str | None = None, *, known: bool = False
) -> Ledger:
    folder.mkdir(exist_ok=True)
    return open_ledger(
        folder,
        storage=None if storage is None else f"sqlite:///{folder}/study.db",
        name="s",
        choices=CHOICES,
        directions=["maximize", "minimize"],
        sampler=make_sampler(
            sampler, seed=1, options={}, context=SearchContext(choices=CHOICES, objectives=OBJECTIVES, limits=limits)
        ),
        limits=limits,
        known=known,
    )


def tell(ledger: Ledger, limits: tuple[Limit, ...], *, outcome: Outcome = Outcome.TRAINED) -> Values:
    """Train a student in no time: the wider, the larger and the better."""
    proposal = ledger.ask()
    width, rate = float(proposal.values["width"]), float(proposal.values["rate"])
    metrics = {"size_bytes": 100 * width, "accuracy": min(1.0, width / 80 + rate)}
    if outcome is Outcome.INFEASIBLE:
        del metrics["accuracy"]
    trial = Trial(number=proposal.number, spec=StudentSpec(space="own", values=proposal.values), recipe=RECIPE, seed=0)
    candidate = Candidate(precision="float32", metrics=metrics, latency=LATENCY)
    result = TrialResult(number=trial.number, digest=trial.digest, outcome=outcome, candidates=(candidate,))
    ledger.tell(trial, result, objectives=OBJECTIVES, limits=limits)
    return proposal.values


@pytest.mark.parametrize("storage", [None, "sqlite"])
@pytest.mark.parametrize(("sampler", "drawn"), [("tpe", 10), ("nsga2", 20)])
def test_a_search_with_other_limits_proposes_what_it_would_have_if_all_trials_had_ended_under_them(
    tmp_path: Path, sampler: str, drawn: int, storage: str | None
) -> None:
    def propose(name: str, count: int, limits: tuple[Limit, ...]) -> list[Values]:
        ledger = open_at(tmp_path / name, sampler, limits, storage)
        return [tell(ledger, limits) for _ in range(count)]

    # The first ones are drawn at random, whatever the limits are.
    assert propose("changed", drawn, LOOSE) == propose("always", drawn, STRICT) == propose("never", drawn, LOOSE)
    assert propose("changed", 6, STRICT) == propose("always", 6, STRICT) != propose("never", 6, LOOSE)


def constraints(ledger: Ledger) -> list[dict[str, float]]:
    study = ledger._study
    assert isinstance(study, LimitedStudy)
    return [trial.constraints for trial in study.get_trials()]


@pytest.mark.parametrize("known", [False, True])
def test_what_a_trial_breaks_is_told_of_the_limits_of_now(tmp_path: Path, known: bool) -> None:
    values = tell(open_at(tmp_path, "random", LOOSE), LOOSE)
    size = 100 * float(values["width"])
    assert constraints(open_at(tmp_path, "random", LOOSE, known=known)) == [{"size_bytes <= 5000": size / 5000 - 1}]
    assert constraints(open_at(tmp_path, "random", (), known=known)) == [{}]
    (now,) = constraints(open_at(tmp_path, "random", STRICT, known=known))
    assert now["size_bytes <= 900"] == size / 900 - 1
    assert set(now) == {"size_bytes <= 900", "accuracy >= 0.6"}


def test_what_was_refused_stays_infeasible_where_it_would_be_trained_now(tmp_path: Path) -> None:
    values = tell(open_at(tmp_path, "random", STRICT), STRICT, outcome=Outcome.INFEASIBLE)
    size = 100 * float(values["width"])
    tighter = (Limit(metric="size_bytes", at_most=True, value=size - 1),)
    looser = (Limit(metric="size_bytes", at_most=True, value=size + 1),)
    assert constraints(open_at(tmp_path, "random", tighter)) == [{str(tighter[0]): pytest.approx(1 / (size - 1))}]
    assert constraints(open_at(tmp_path, "random", looser)) == [{"size_bytes <= 900": size / 900 - 1}]
