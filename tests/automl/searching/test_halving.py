"""Halving: who goes on at a rung, and a search that stops trials and is stopped itself."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.cluster.executor import LostWorkError, OverdueError
from automl.searching.halving import is_among_best
from automl.searching.rungs import Rungs
from automl.searching.stop_rule import StopRule
from automl.study.ledger import Proposal
from search_spaces import Choice, Integer, Real, StudentSpec
from tests.automl.controlled import LATENCY, RECIPE, Scripted, Search, tmp_path_of, trained
from trials.records import Artefacts, Candidate, EpochRecord, Limit, Outcome, Trial, TrialResult

RUNGS = Rungs(epochs=(1, 3), longest=9, reduction=3)
WIDE = (
    Choice(name="width", domain=Real(low=1.0, high=1000.0, log=True)),
    Choice(name="skill", domain=Real(low=0, high=1)),
)


def make_trial(proposal: Proposal) -> Trial:
    spec = StudentSpec(space="own", values=proposal.values)
    return Trial(number=proposal.number, spec=spec, recipe=replace(RECIPE, epochs=9), seed=0)


class Learning:
    """Trains nothing: the more skilful, the better, and all the better the longer; counts the epochs of each trial."""

    def __init__(self, **metrics: float) -> None:
        self.asked: list[tuple[int, int, int]] = []
        self._metrics = metrics

    def __call__(
        self, trial: Trial, setting: Any, underway: Any = None, until_epoch: int | None = None
    ) -> tuple[TrialResult, Any]:
        del setting
        begun = 0 if underway is None else underway
        epoch = until_epoch or trial.recipe.epochs
        self.asked.append((trial.number, begun, epoch))
        accuracy = 0.2 + 0.7 * float(trial.spec.values["skill"]) * epoch / 9
        metrics = {"accuracy": accuracy, "size_bytes": float(trial.spec.values["width"]), **self._metrics}
        outcome = Outcome.TRAINED if until_epoch is None else Outcome.PRUNED
        records = [EpochRecord(epoch=n + 1, losses={}, learning_rate=0.1, seconds=0.0) for n in range(epoch)]
        result = TrialResult(
            number=trial.number,
            digest=trial.digest,
            outcome=outcome,
            candidates=(Candidate(precision="float32", metrics=metrics, latency=LATENCY),),
            history=tuple(records),
        )
        return result, epoch if until_epoch else Artefacts(files={"graph": b"0"})


def halved(folder: Path, executor: Any, learning: Learning, **changes: Any) -> Search:
    settings = {"choices": WIDE, "rungs": RUNGS, "make_trial": make_trial, "stop": StopRule(trials=9)}
    return Search(folder, executor, learning, **(settings | changes))


@pytest.mark.parametrize(
    ("losses", "goes_on"),
    [
        ([[9.0]], True),  # Nobody to compare it with.
        ([[1.0], [2.0]], False),
        ([[2.0], [1.0]], True),
        ([[1.0], [1.0]], True),  # A tie holds nobody back.
        ([[1.0], [2.0], [3.0], [1.5]], True),  # Two of four may go on.
        ([[1.0], [2.0], [3.0], [2.5]], False),
        ([[0, 1], [1, 0]], True),  # Neither beats the other.
        ([[0, 9], [9, 0], [8, 8], [1, 1]], False),  # The ends come first, and two may go on.
        ([[0, 9], [9, 0], [8, 8], [1, 1], [1, 1], [1, 1], [2, 2]], False),
        ([[math.nan], [2.0]], True),  # What is no number comes last, and counts.
        ([[1.0], [math.nan]], False),
        ([[math.inf, 0.0]], False),
    ],
)
def test_the_best_third_of_those_that_have_come_goes_on(losses: list[list[float]], goes_on: bool) -> None:
    assert is_among_best(np.array(losses, dtype=float), reduction=3) is goes_on


def test_a_search_stops_trials_that_others_beat(tmp_path: Path) -> None:
    learning = Learning()
    search = halved(tmp_path, Scripted(), learning, stop=StopRule(trials=12))
    search.run()
    finished = search.ledger.finished()
    pruned = [f for f in finished if f.result.outcome is Outcome.PRUNED]
    kept = [f for f in finished if f.result.outcome is Outcome.TRAINED]
    assert len(finished) == 12
    assert len(pruned) >= 4
    assert kept
    assert finished[0].result.outcome is Outcome.TRAINED  # The first one met nobody.
    for each in pruned:
        assert [record.goes_on for record in each.rungs] == [True] * (len(each.rungs) - 1) + [False]
        assert each.rungs[-1].epoch == len(each.result.history)
        assert each.result.candidates == (each.rungs[-1].candidate,)
    for each in kept:
        assert [(r.rung, r.epoch, r.goes_on) for r in each.rungs] == [(1, 1, True), (3, 3, True)]
    # Each rung goes on from the one before, and no epoch is trained twice.
    for each in finished:
        tasks = [(begun, end) for number, begun, end in learning.asked if number == each.trial.number]
        assert tasks == [(0, 1), (1, 3), (3, 9)][: len(tasks)]
    on_front = {member.trial for member in search.standing.front().members}
    assert on_front <= {f.trial.number for f in kept}
    assert {path.name for path in (tmp_path / "students").iterdir()} <= {f.result.digest for f in kept}
    assert search.listening.ticks[-1] == (0, 12)


def test_a_search_that_is_stopped_anywhere_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = halved(tmp_path_of(tmp_path, "whole"), Scripted(), Learning())
    whole.run()
    expected = [(f.values, f.result.outcome, f.rungs) for f in whole.ledger.finished()]
    for stop_after in range(1, len(whole.listening.ticks) + 1):
        folder = tmp_path_of(tmp_path, str(stop_after))
        with pytest.raises(KeyboardInterrupt):
            halved(folder, Scripted(stop_after=stop_after), Learning()).run()
        again = Learning()
        search = halved(folder, Scripted(), again)
        search.run()
        assert [(f.values, f.result.outcome, f.rungs) for f in search.ledger.finished()] == expected
        assert again.asked[0][1] == 0  # Nothing is left of what it had trained.


def test_a_trial_that_starts_again_passes_the_rungs_that_it_passed_before(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        halved(tmp_path, Scripted(stop_after=3), Learning()).run()  # The first one has passed both rungs.
    again = Learning()
    search = halved(tmp_path, Scripted(), again, stop=StopRule(trials=1))
    search.run()
    assert again.asked == [(0, 0, 9)]
    assert [record.rung for record in search.ledger.finished()[0].rungs] == [1, 3]


def test_a_trial_that_was_to_end_ends_there_though_its_rivals_have_come_since(tmp_path: Path) -> None:
    search = halved(tmp_path, Scripted(), Learning())
    search.run()
    stopped = next(f for f in search.ledger.finished() if f.result.outcome is Outcome.PRUNED)
    halving = search.controller._halving
    assert halving is not None
    assert halving.until_epoch(stopped.trial) == stopped.rungs[-1].epoch
    better = replace(stopped.result.candidates[0], metrics={"accuracy": 1.0, "size_bytes": 1.0})
    assert not halving.goes_on(stopped.trial, replace(stopped.result, candidates=(better,)))


def test_a_lost_checkpoint_starts_the_trial_again_and_keeps_its_decisions(tmp_path: Path) -> None:
    learning = Learning()
    lost = LostWorkError("what it was to go on from is lost")
    search = halved(tmp_path, Scripted(None, lost), learning, retries=1, stop=StopRule(trials=1))
    search.run()
    assert learning.asked == [(0, 0, 1), (0, 1, 3), (0, 0, 3), (0, 3, 9)]
    assert search.outcomes == [(0, "trained")]
    assert [record.epoch for record in search.ledger.finished()[0].rungs] == [1, 3]


def test_rungs_of_a_trial_that_took_too_long_count_and_it_fails(tmp_path: Path) -> None:
    late = OverdueError("it took longer than allowed and was stopped")
    search = halved(tmp_path, Scripted(None, late), Learning(), stop=StopRule(trials=2))
    search.run()
    assert search.outcomes[0] == (0, "failed")
    assert [record.epoch for record in search.ledger.finished()[0].rungs] == [1]


def test_the_time_of_a_trial_is_for_all_its_rungs_together(tmp_path: Path) -> None:
    class Timed(Scripted):
        given: list[float | None]

        def submit(self, function: Any, trial: Trial, setting: Any, *rung: Any, **named: Any) -> Any:
            self.given = [*getattr(self, "given", []), named["seconds"]]
            return super().submit(function, trial, setting, *rung, **named)

    executor = Timed()
    search = halved(tmp_path, executor, Learning(), seconds=100.0, stop=StopRule(trials=1))
    search.run()
    first, second, third = executor.given
    assert first is not None and second is not None and third is not None
    assert 100.0 >= first > second > third


def test_an_equal_student_of_one_that_was_stopped_is_not_trained(tmp_path: Path) -> None:
    few = (Choice(name="width", domain=Integer(low=1, high=1)), Choice(name="skill", domain=Integer(low=0, high=3)))
    learning = Learning()
    search = halved(tmp_path, Scripted(), learning, choices=few, in_flight=3, stop=StopRule(trials=20))
    search.run()
    finished = search.ledger.finished()
    assert len(finished) == 20
    assert any(f.result.outcome is Outcome.PRUNED for f in finished)
    firsts = [number for number, begun, end in learning.asked if begun == 0]
    assert len(firsts) == len({f.result.digest for f in finished}) == 4
    for one in finished:
        first = next(f for f in finished if f.result.digest == one.result.digest)
        assert one.result == replace(first.result, number=one.trial.number)
    assert sorted(f.trial.number for f in finished if f.rungs) == sorted(firsts)  # Rivals are counted once.


def test_those_that_break_limits_of_now_hold_nobody_back(tmp_path: Path) -> None:
    large = Learning(size_bytes=900.0)
    before = halved(tmp_path, Scripted(), large, stop=StopRule(trials=3))
    before.run()
    limits = (Limit(metric="size_bytes", at_most=True, value=500.0),)
    search = halved(
        tmp_path, Scripted(), Learning(size_bytes=400.0, accuracy=0.1), limits=limits, stop=StopRule(trials=4)
    )
    search.run()
    last = search.ledger.finished()[-1]
    assert last.result.outcome is Outcome.TRAINED  # Smaller and worse; but in its limits it is the first.


def test_what_is_kept_of_a_rung_leaves_out_values_by_class(tmp_path: Path) -> None:
    search = halved(tmp_path, Scripted(), Learning(**{"accuracy.7": 0.5, "f1": 0.4}), stop=StopRule(trials=1))
    search.run()
    (finished,) = search.ledger.finished()
    assert {name for record in finished.rungs for name in record.candidate.metrics} == {"accuracy", "f1", "size_bytes"}


def test_a_metric_that_is_no_number_at_a_rung_fails_the_trial(tmp_path: Path) -> None:
    search = halved(tmp_path, Scripted(), Learning(accuracy=math.nan), stop=StopRule(trials=1))
    search.run()
    assert search.outcomes == [(0, "failed")]
    assert search.ledger.finished()[0].rungs == ()


def test_without_halving_nothing_is_asked_or_written_of_rungs(tmp_path: Path) -> None:
    def run(trial: Trial, setting: Any, *rung: Any) -> tuple[TrialResult, Artefacts]:
        assert rung == ()
        return trained(trial, setting)

    Search(tmp_path, Scripted(), run).run()
    assert "rung" not in (tmp_path / "study.journal").read_text()
