"""Every trial is in the ledger before it starts and after it ends, whatever happens in between."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy.exc

from automl.errors import WorkFailed
from automl.front.objectives import Objective
from automl.run import FinishedTrial
from automl.samplers import SearchContext, make_sampler
from automl.study import patience
from automl.study.ledger import JOURNAL, Ledger, Proposal, open_ledger
from search_spaces import Categorical, Choice, Integer, Real, StudentSpec, equals
from trials.recipe import LossTerm, Recipe
from trials.records import Candidate, EpochRecord, Latency, Limit, Outcome, Trial, TrialResult

CHOICES = (
    Choice(name="width", domain=Integer(low=2, high=64, log=True)),
    Choice(name="leaky", domain=Categorical(options=(False, True))),
    Choice(name="leaky.slope", domain=Real(low=1e-3, high=0.3, log=True), when=equals("leaky", True)),
    Choice(name="depth", domain=Integer(low=1, high=5)),
    Choice(name="rate", domain=Real(low=1e-4, high=1e-1, log=True)),
)
OBJECTIVES = (
    Objective(metric="accuracy", higher_is_better=True, worst=0.1, best=1.0),
    Objective(metric="size_bytes", higher_is_better=False, worst=1e5, best=1e3, log=True),
)
SIZE_LIMIT = Limit(metric="size_bytes", at_most=True, value=1000.0)
RECIPE = Recipe(losses=(LossTerm(name="hard_label", weight=1.0),), epochs=1, batch_size=8, learning_rate=0.01)
LATENCY = Latency(median_ms=1.0, low_ms=0.9, high_ms=1.1, runs=10, provisional=True, device="none")


def open_at(folder: Path, *, sampler: str = "random", storage: str | None = None, fresh: bool = False) -> Ledger:
    return open_ledger(
        folder,
        storage=storage,
        name="s",
        choices=CHOICES,
        directions=["maximize", "minimize"],
        sampler=make_sampler(
            sampler, seed=1, options={}, context=SearchContext(choices=CHOICES, objectives=OBJECTIVES)
        ),
        fresh=fresh,
    )


def trial_of(proposal: Proposal) -> Trial:
    spec = StudentSpec(space="own", values=proposal.values)
    return Trial(number=proposal.number, spec=spec, recipe=RECIPE, seed=0)


def result_of(trial: Trial, outcome: Outcome = Outcome.TRAINED, **metrics: float) -> TrialResult:
    candidate = Candidate(precision="float32", metrics=metrics, latency=LATENCY)
    return TrialResult(
        number=trial.number, digest=trial.digest, outcome=outcome, candidates=(candidate,) if metrics else ()
    )


def tell(ledger: Ledger, proposal: Proposal, outcome: Outcome, limits: tuple[Limit, ...] = (), **found: float) -> None:
    trial = trial_of(proposal)
    ledger.tell(trial, result_of(trial, outcome, **found), objectives=OBJECTIVES, limits=limits)


def study_in(folder: Path, storage: str | None = None) -> optuna.Study:
    """Open the study as optuna-dashboard does."""
    if storage is not None:
        return optuna.load_study(study_name="s", storage=storage)
    backend = optuna.storages.journal.JournalFileBackend(str(folder / JOURNAL))
    return optuna.load_study(study_name="s", storage=optuna.storages.JournalStorage(backend))


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", waited.append)
    return waited


def test_a_proposal_is_written_down_before_it_is_given(tmp_path: Path) -> None:
    proposal = open_at(tmp_path).ask()
    (trial,) = study_in(tmp_path).get_trials()
    assert (trial.number, trial.state.name, trial.params) == (0, "RUNNING", proposal.values)


def test_what_was_told_is_read_back_to_the_last_bit(tmp_path: Path) -> None:
    ledger = open_at(tmp_path)
    proposal = ledger.ask()
    trial = replace(trial_of(proposal), known_latency={"float32": LATENCY})
    history = (EpochRecord(epoch=1, losses={"hard_label": 0.1 + 0.2}, learning_rate=1e-3, seconds=1 / 3),)
    result = replace(result_of(trial, accuracy=2 / 3, size_bytes=1234.0), history=history)
    ledger.tell(trial, result, objectives=OBJECTIVES, limits=())
    (finished,) = open_ledger(tmp_path, storage=None, name="s").finished()
    assert finished.trial == trial
    assert finished.trial.digest == trial.digest
    assert finished.result == result
    assert finished.values == proposal.values
    assert finished.started <= finished.ended
    assert finished.ended.tzinfo is not None


def test_the_study_holds_natural_values_with_their_directions(tmp_path: Path) -> None:
    ledger = open_at(tmp_path)
    tell(ledger, ledger.ask(), Outcome.TRAINED, accuracy=0.75, size_bytes=4321.0)
    study = study_in(tmp_path)
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.get_trials()[0].values == [0.75, 4321.0]


def test_a_running_trial_goes_on_under_its_own_number_and_is_proposed_once(tmp_path: Path) -> None:
    before = open_at(tmp_path)
    proposals = [before.ask() for _ in range(3)]
    tell(before, proposals[1], Outcome.TRAINED, accuracy=0.5, size_bytes=2000.0)
    assert before.running() == []  # They are this process's own.
    after = open_at(tmp_path)
    assert after.running() == [proposals[0], proposals[2]]
    assert after.running() == []
    assert after.ask().number == 3
    for proposal in (proposals[0], proposals[2]):
        tell(after, proposal, Outcome.TRAINED, accuracy=0.6, size_bytes=3000.0)
    assert [finished.trial.number for finished in after.finished()] == [0, 1, 2]


def test_a_failed_trial_is_told_so_and_kept_with_its_error(tmp_path: Path) -> None:
    ledger = open_at(tmp_path)
    trial = trial_of(ledger.ask())
    result = TrialResult(number=0, digest=trial.digest, outcome=Outcome.FAILED, error="Traceback\nValueError: no")
    ledger.tell(trial, result, objectives=OBJECTIVES, limits=(SIZE_LIMIT,))
    (told,) = study_in(tmp_path).get_trials()
    assert told.state.name == "FAIL"
    assert told.values is None
    assert ledger.finished()[0].result == result


def test_a_refused_trial_is_told_complete_at_the_floor_with_its_true_costs(tmp_path: Path) -> None:
    ledger = open_at(tmp_path)
    tell(ledger, ledger.ask(), Outcome.INFEASIBLE, (SIZE_LIMIT,), size_bytes=1500.0)
    tell(ledger, ledger.ask(), Outcome.TRAINED, (SIZE_LIMIT,), accuracy=0.3, size_bytes=900.0)
    study = study_in(tmp_path)
    refused, kept = study.get_trials()
    assert refused.state.name == "COMPLETE"
    assert refused.values == [0.1, 1500.0]
    assert refused.user_attrs["outcome"] == "infeasible"
    assert refused.constraints == {"size_bytes <= 1000": pytest.approx(0.5)}
    assert kept.constraints == {"size_bytes <= 1000": pytest.approx(-0.1)}
    assert [trial.number for trial in study.best_trials] == [1]


def test_broken_limits_count_by_share_so_that_bytes_do_not_drown_milliseconds(tmp_path: Path) -> None:
    limits = (
        SIZE_LIMIT,
        Limit(metric="latency_ms", at_most=True, value=2.0),
        Limit(metric="accuracy", at_most=False, value=0.8),
    )
    ledger = open_at(tmp_path)
    tell(ledger, ledger.ask(), Outcome.TRAINED, limits, accuracy=0.4, size_bytes=2000.0, latency_ms=6.0)
    (told,) = study_in(tmp_path).get_trials()
    assert told.constraints == pytest.approx(
        {"size_bytes <= 1000": 1.0, "latency_ms <= 2": 2.0, "accuracy >= 0.8": 0.5}
    )


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_a_limit_on_what_a_refused_trial_lacks_is_left_open_and_samplers_go_on(tmp_path: Path, sampler: str) -> None:
    limits = (SIZE_LIMIT, Limit(metric="accuracy", at_most=False, value=0.5), Limit(metric="x", at_most=True, value=0))
    ledger = open_at(tmp_path, sampler=sampler)
    for number in range(24):
        proposal = ledger.ask()
        if number % 2:
            tell(ledger, proposal, Outcome.INFEASIBLE, limits, size_bytes=1500.0 + number)
        else:
            tell(ledger, proposal, Outcome.TRAINED, limits, accuracy=0.04 * number, size_bytes=900.0, x=1.0)
    constraints = [set(trial.constraints) for trial in study_in(tmp_path).get_trials()]
    assert constraints[:2] == [{"size_bytes <= 1000", "accuracy >= 0.5", "x <= 0"}, {"size_bytes <= 1000"}]


def test_a_proposal_that_was_cut_off_halfway_is_completed_as_it_would_have_been(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    ledger = open_at(whole)
    tell(ledger, ledger.ask(), Outcome.TRAINED, accuracy=0.5, size_bytes=2000.0)
    expected = ledger.ask()
    lines = (whole / JOURNAL).read_bytes().splitlines(keepends=True)
    created = max(row for row, line in enumerate(lines) if json.loads(line)["op_code"] == 4)  # A trial is made.
    assert len(lines) - created - 1 == len(expected.values)
    for kept in range(len(expected.values) + 1):
        (cut / JOURNAL).write_bytes(b"".join(lines[: created + 1 + kept]) + b'{"op')
        assert open_at(cut).running() == [expected]


@pytest.mark.parametrize("storage", [None, "sqlite"])
def test_records_longer_than_a_column_of_a_database_are_kept_in_parts(tmp_path: Path, storage: str | None) -> None:
    url = None if storage is None else f"sqlite:///{tmp_path}/study.db"
    ledger = open_at(tmp_path, storage=url)
    trial = trial_of(ledger.ask())
    history = tuple(
        EpochRecord(epoch=e, losses={"hard_label": math.pi / e, "kd": 1.0}, learning_rate=0.1, seconds=1.5)
        for e in range(1, 1001)
    )
    details = {f"accuracy.n{label:08d}": 1 / (label + 1) for label in range(1000)}
    result = replace(result_of(trial, accuracy=0.5, size_bytes=10.0, **details), history=history, error="é" * 20_000)
    ledger.tell(trial, result, objectives=OBJECTIVES, limits=())
    record = {"teacher": "x" * 100_000}
    ledger.remember("teachers", record)
    ledger.remember("final:a:float32", record)
    ledger.remember("final:a:int8", {"short": 1})

    study = study_in(tmp_path, url)
    attributes = {**study.user_attrs, **study.get_trials()[0].user_attrs}
    assert max(len(json.dumps(value)) for value in attributes.values()) < 65_535
    again = open_ledger(tmp_path, storage=url, name="s")
    assert again.finished()[0].result == result
    assert again.recall("teachers") == record
    assert dict(again.recall_all("final:")) == {"a:float32": record, "a:int8": {"short": 1}}


def test_facts_are_kept_and_unknown_ones_are_none(tmp_path: Path) -> None:
    open_at(tmp_path).remember("machine", {"cores": "2"})
    ledger = open_ledger(tmp_path, storage=None, name="s")
    assert ledger.recall("machine") == {"cores": "2"}
    assert ledger.recall("objectives") is None


def test_reading_makes_no_study(tmp_path: Path) -> None:
    with pytest.raises(WorkFailed, match=rf"no study 's' in {tmp_path}/study\.journal"):
        open_ledger(tmp_path, storage=None, name="s")
    assert list(tmp_path.iterdir()) == []
    open_at(tmp_path)
    with pytest.raises(WorkFailed, match="no study 'other'"):
        open_ledger(tmp_path, storage=None, name="other")


def test_a_study_of_another_run_in_a_shared_storage_is_not_mixed_in(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    open_at(tmp_path, storage=url, fresh=True)
    with pytest.raises(ValueError, match="a study 's' of another run already; give this search another name"):
        open_at(tmp_path, storage=url, fresh=True)
    ledger = open_at(tmp_path, storage=url)
    ledger.forget()
    open_at(tmp_path, storage=url, fresh=True)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("nosuchdialect://user:secret@localhost/db", "URL of a database, .*; SQLAlchemy knows no 'nosuchdialect' here"),
        ("not a url, secret", "expected the URL of a database, such as"),
        ("sqlite:////nowhere/secret/study.db", "OperationalError.*check `storage` and that the server runs"),
    ],
)
def test_a_storage_that_cannot_be_used_is_told_without_its_address(tmp_path: Path, url: str, expected: str) -> None:
    with pytest.raises((ValueError, WorkFailed), match=expected) as caught:
        open_at(tmp_path, storage=url)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


class _Away:
    """A function that fails some times before it works, as with a server that is away."""

    def __init__(self, function: Callable[..., Any], times: int) -> None:
        self._function, self._times = function, times

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self._times:
            self._times -= 1
            raise sqlalchemy.exc.OperationalError("postgresql://user:secret@db", None, Exception("gone"))
        return self._function(*args, **options)


@pytest.mark.parametrize(
    "method", ["create_new_trial", "set_trial_param", "set_trial_user_attr", "set_trial_state_values"]
)
def test_the_search_waits_for_a_database_that_is_away_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_waiting: list[float], method: str
) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    ledger = open_at(tmp_path, storage=url)
    backend = ledger._study._storage
    monkeypatch.setattr(backend, method, _Away(getattr(backend, method), times=3))
    proposal = ledger.ask()
    tell(ledger, proposal, Outcome.TRAINED, accuracy=0.5, size_bytes=10.0)
    assert no_waiting == [1.0, 2.0, 4.0]
    (finished,) = open_ledger(tmp_path, storage=url, name="s").finished()
    assert (finished.trial.number, finished.values) == (0, proposal.values)


def test_a_database_that_stays_away_ends_the_search_without_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_waiting: list[float]
) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    ledger = open_at(tmp_path, storage=url)
    proposal = ledger.ask()
    backend = ledger._study._storage
    monkeypatch.setattr(backend, "set_trial_state_values", _Away(backend.set_trial_state_values, times=100))
    with pytest.raises(WorkFailed, match=r"failed for 63 s \(OperationalError\).*go on with --resume") as caught:
        tell(ledger, proposal, Outcome.TRAINED, accuracy=0.5, size_bytes=10.0)
    assert "secret" not in str(caught.value)
    assert len(no_waiting) == len(patience.PAUSES)
    assert open_at(tmp_path, storage=url).running() == [proposal]


def test_finished_trials_come_with_what_was_asked(tmp_path: Path) -> None:
    ledger = open_at(tmp_path)
    proposals = [ledger.ask() for _ in range(3)]
    for proposal in reversed(proposals):
        tell(ledger, proposal, Outcome.TRAINED, accuracy=0.5, size_bytes=10.0 + proposal.number)
    finished: tuple[FinishedTrial, ...] = ledger.finished()
    assert [one.values for one in finished] == [proposal.values for proposal in proposals]
    assert finished[0].ended > finished[2].ended


def test_what_is_open_is_counted_until_it_ends(tmp_path: Path) -> None:
    ledger = open_at(tmp_path)
    first, _ = ledger.ask(), ledger.ask()
    assert ledger.num_running() == 2
    tell(ledger, first, Outcome.TRAINED, accuracy=0.9, size_bytes=2000.0)
    assert ledger.num_running() == open_at(tmp_path).num_running() == 1
