"""When a proxy orders candidates, and when it no longer does."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from automl.proxies.judge import JUDGED_EVERY, JUDGED_FROM, ProxyJudge, Quality, proxy_agreements
from automl.run import FinishedTrial, Run
from trials.records import Outcome

MakeRun = Callable[..., Run]
ACCURACY = Quality(metric="accuracy", higher_is_better=True)


def scored(trials: Sequence[FinishedTrial], *, good_until: int) -> list[FinishedTrial]:
    """Give trials a proxy that knows their accuracy, and from one number on its opposite; params are chance."""
    rng = np.random.default_rng(0)
    found = []
    for finished in trials:
        accuracy = finished.result.candidates[0].metrics["accuracy"]
        right = accuracy if finished.trial.number < good_until else -accuracy
        found.append(replace(finished, proxies={"params": float(rng.uniform()), "naswot": right}))
    return found


@pytest.fixture
def trained(make_run: MakeRun) -> tuple[FinishedTrial, ...]:
    return make_run(80, outcomes=dict.fromkeys(range(80), Outcome.TRAINED)).trials


def judged(trials: Sequence[FinishedTrial]) -> tuple[ProxyJudge, list[tuple[int, bool]]]:
    judge = ProxyJudge("naswot", ACCURACY)
    told = [(verdict.students, verdict.in_use) for finished in trials if (verdict := judge.take(finished)) is not None]
    return judge, told


def test_a_proxy_is_in_use_on_trust_and_then_while_it_leads(trained: tuple[FinishedTrial, ...]) -> None:
    early, told = judged(scored(trained, good_until=0)[: JUDGED_FROM - 1])
    assert early.in_use
    assert (early.verdicts, told) == ([], [])
    good, told = judged(scored(trained, good_until=80))
    assert good.in_use
    assert told == []
    assert [verdict.students for verdict in good.verdicts] == list(range(JUDGED_FROM, 81, JUDGED_EVERY))


def test_it_is_switched_off_once_and_may_come_back(trained: tuple[FinishedTrial, ...]) -> None:
    bad, told = judged(scored(trained, good_until=0))
    assert not bad.in_use
    assert told == [(JUDGED_FROM, False)]
    waking = scored(trained, good_until=80)
    waking[:15] = scored(trained, good_until=0)[:15]
    turned, told = judged(waking)
    assert turned.in_use
    assert [in_use for _, in_use in told] == [False, True]


def test_what_is_found_says_by_which_figures(trained: tuple[FinishedTrial, ...]) -> None:
    judge, _ = judged(scored(trained, good_until=0))
    text = judge.verdicts[0].sentence()
    assert text.startswith("the proxy naswot is off, since it is not shown to beat params: over 20 trained students")
    assert "its rank correlation with accuracy is -1.00 (-1.00 to -1.00), that of params is " in text
    good, _ = judged(scored(trained, good_until=80))
    assert good.verdicts[0].sentence().startswith("the proxy naswot orders candidates again: over 20 trained students")


def test_it_depends_on_the_trials_that_ended_and_their_order_alone(trained: tuple[FinishedTrial, ...]) -> None:
    trials = scored(trained, good_until=30)
    whole, _ = judged(trials)
    resumed = ProxyJudge("naswot", ACCURACY)
    for finished in trials[:33]:
        resumed.take(finished)
    for finished in trials[33:]:
        resumed.take(finished)
    assert resumed.verdicts == whole.verdicts


def test_a_student_counts_once_and_only_if_it_was_trained(trained: tuple[FinishedTrial, ...]) -> None:
    trials = scored(trained, good_until=80)
    failed = replace(trials[0].result, outcome=Outcome.FAILED, candidates=(), digest="other")
    judge, _ = judged([*trials[:19], *trials[:19], replace(trials[0], result=failed)])
    assert judge.verdicts == []
    (params, naswot) = proxy_agreements([*trials[:19], *trials[:5]], ACCURACY)
    assert (params.name, naswot.name, naswot.students) == ("params", "naswot", 19)


def test_without_scores_it_is_off(trained: tuple[FinishedTrial, ...]) -> None:
    judge, told = judged(trained)
    assert not judge.in_use
    assert told == [(JUDGED_FROM, False)]
    assert judge.verdicts[0].sentence() == "the proxy naswot is off: too few of 20 trained students have its score"
    assert proxy_agreements(trained, ACCURACY) == []


def test_a_metric_that_falls_is_foretold_by_its_opposite(trained: tuple[FinishedTrial, ...]) -> None:
    trials = scored(trained, good_until=80)
    falling = Quality(metric="accuracy", higher_is_better=False)
    (_, naswot) = proxy_agreements(trials, falling, ["naswot"])
    assert naswot.correlation.value == pytest.approx(-1.0)
