"""Lopsided teaching is told once a search, in a line that says what to do."""

from dataclasses import replace

import pytest

from automl.searching.lopsided import LopsidedWatch, lopsided
from trials.records import Outcome

FAINT = {"hard_label": 0.997, "kd": 0.003}
EVEN = {"hard_label": 0.5, "kd": 0.5}


@pytest.fixture
def with_shares(make_run):
    """Give ``make(shares, ...)``, which makes trained trials with these shares, one each."""

    def make(*shares, **recipe):
        return [
            replace(
                finished,
                trial=replace(finished.trial, recipe=replace(finished.trial.recipe, **recipe)),
                result=replace(
                    finished.result, history=tuple(replace(r, shares=each) for r in finished.result.history)
                ),
            )
            for finished, each in zip(make_run(len(shares), outcomes={6: Outcome.TRAINED}).trials, shares, strict=True)
        ]

    return make


@pytest.fixture
def said():
    return []


def test_what_comes_up_in_three_trials_is_told_while_the_search_goes_on_and_never_again(with_shares, said):
    watch = LopsidedWatch([], said.append)
    told = []
    for finished in with_shares(EVEN, FAINT, FAINT, FAINT, FAINT, FAINT):
        watch.on_finished(finished, None)
        told.append(len(said))
    watch.tell_rest()
    assert told == [0, 0, 0, 1, 1, 1]
    assert said == [
        "the loss kd held under 1 % of the gradient in 3 of 4 trained trials: raise its weight, or set "
        "balance: magnitude"
    ]


@pytest.mark.parametrize(
    ("shares", "told"), [([FAINT, EVEN, EVEN], 0), ([FAINT, EVEN, EVEN, FAINT], 1), ([FAINT], 1), ([EVEN], 0)]
)
def test_what_half_of_few_trials_had_is_told_at_the_end_and_nothing_rarer(with_shares, said, shares, told):
    watch = LopsidedWatch([], said.append)
    for finished in with_shares(*shares):
        watch.on_finished(finished, None)
    assert said == []
    watch.tell_rest()
    assert len(said) == told
    assert all(f"in {shares.count(FAINT)} of {len(shares)} trained trial" in line for line in said)


def test_trials_from_before_a_resume_count(with_shares, said):
    *earlier, last = with_shares(FAINT, FAINT, FAINT)
    LopsidedWatch(earlier, said.append).on_finished(last, None)
    assert "in 3 of 3 trained trials" in said[0]


def test_what_drowns_the_others_is_told_with_its_remedy(with_shares):
    great = {"hard_label": 0.06, "kd": 0.94}
    (found,) = lopsided(with_shares(great, great))
    assert found.told(2) == (
        "the loss kd held over 90 % of the gradient in 2 of 2 trained trials: lower its weight, or set "
        "balance: magnitude"
    )
    (balanced,) = lopsided(with_shares(great, balance="magnitude"))
    assert balanced.told(1).endswith("in 1 of 1 trained trial: lower its weight")


def test_a_quiet_teacher_is_told_with_its_remedy(make_run):
    (finished,) = make_run(1).trials
    shares = {"slanted_left": 0.6, "straight": 0.399, "slanted_right": 0.001}
    history = tuple(replace(record, teacher_shares=shares) for record in finished.result.history)
    (found,) = lopsided([replace(finished, result=replace(finished.result, history=history))])
    assert found.told(1) == (
        "the teacher slanted_right held under 1 % of what teachers add to the gradient in 1 of 1 trained trial: "
        "raise its teacher_weights, let it cover more rows, or leave it out"
    )


def test_trials_that_were_not_trained_do_not_count(make_run, said):
    watch = LopsidedWatch(make_run(2, outcomes=dict.fromkeys(range(2), Outcome.FAILED)).trials, said.append)
    watch.tell_rest()
    assert said == []
