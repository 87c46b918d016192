"""How well rungs foretold the end."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from scipy import stats

from automl.run import Run
from automl.searching.rung_agreement import rung_agreements
from tests.automl.rung_runs import with_rungs
from trials.records import Outcome

MakeRun = Callable[..., Run]


def test_an_order_that_stays_is_foretold_wholly(make_run: MakeRun) -> None:
    run = with_rungs(make_run(20), stopped={1: 1, 2: 4, 3: 1})
    first, second = rung_agreements(run.trials, run.front.objectives, "accuracy")
    trained = run.count(Outcome.TRAINED)
    assert (first.rung, first.num_reached, first.num_stopped, first.num_compared) == (1, trained + 3, 2, trained)
    assert (second.rung, second.num_reached, second.num_stopped, second.num_compared) == (4, trained + 1, 1, trained)
    assert first.quality is not None
    assert first.quality.spearman == pytest.approx(1.0)
    assert first.quality.kendall == pytest.approx(1.0)


def test_it_is_the_correlation_of_the_trials_that_ended(make_run: MakeRun) -> None:
    run = with_rungs(make_run(20), stopped={1: 1})
    ended = [each for each in run.trials if each.result.outcome is Outcome.TRAINED]
    # What came first at the rung is last there now.
    then = sorted((each.rungs[0].candidate.metrics["accuracy"] for each in ended), reverse=True)
    shuffled = []
    for each, accuracy in zip(ended, then, strict=True):
        candidate = replace(each.rungs[0].candidate, metrics={**each.rungs[0].candidate.metrics, "accuracy": accuracy})
        shuffled.append(replace(each, rungs=(replace(each.rungs[0], candidate=candidate),)))
    last = [each.result.candidates[0].metrics["accuracy"] for each in ended]
    (found,) = rung_agreements(shuffled, run.front.objectives, "accuracy")
    assert found.quality is not None and found.standing is not None
    assert found.quality.spearman == pytest.approx(stats.spearmanr(then, last).statistic)
    assert found.quality.kendall == pytest.approx(stats.kendalltau(then, last).statistic)
    assert -1 <= found.standing.kendall <= 1


def test_too_few_trials_tell_no_order(make_run: MakeRun) -> None:
    run = with_rungs(make_run(3), stopped={0: 1})
    first, _ = rung_agreements(run.trials, run.front.objectives, "accuracy")
    assert (first.num_compared, first.standing, first.quality) == (2, None, None)


def test_trials_that_all_tie_tell_no_order(make_run: MakeRun) -> None:
    run = with_rungs(make_run(6), stopped={})
    same = [
        replace(each, rungs=tuple(replace(r, candidate=run.trials[0].rungs[0].candidate) for r in each.rungs))
        for each in run.trials
    ]
    first, _ = rung_agreements(same, run.front.objectives, "accuracy")
    assert (first.num_compared, first.standing, first.quality) == (6, None, None)


def test_without_halving_there_is_none(make_run: MakeRun) -> None:
    run = make_run(8)
    assert rung_agreements(run.trials, run.front.objectives, "accuracy") == []
