"""The recurrent controller: its decisions, its formulas, and what it learns."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from automl.front.objectives import Objective
from automl.samplers import SearchContext, make_sampler
from automl.samplers.reinforce.decisions import Decisions, Options
from automl.samplers.reinforce.learner import Learner, Teaching, advantage, rewards, weights_of
from automl.samplers.reinforce.policy import Policy, Walks
from automl.samplers.reinforce.sampler import Memory
from automl.samplers.scalarised import Told
from search_spaces import (
    Categorical,
    Choice,
    Domain,
    Integer,
    Point,
    Real,
    Values,
    all_of,
    at_least,
    check_values,
    equals,
)
from tests.automl.samplers.test_pareto_sampler import different, search

CHOICES = (
    Choice(name="block", domain=Categorical(options=("plain", "separable", "inverted"))),
    Choice(name="depth", domain=Integer(low=1, high=3)),
    Choice(name="layer1.width", domain=Integer(low=4, high=128, log=True)),
    Choice(name="layer2.width", domain=Integer(low=8, high=64, step=8), when=at_least("depth", 2)),
    Choice(name="squeeze", domain=Real(low=0.1, high=0.5), when=all_of(equals("block", "inverted"))),
    Choice(name="only", domain=Integer(low=7, high=7)),
    Choice(name="learning_rate", domain=Real(low=1e-4, high=1e-1, log=True)),
)
ACCURACY = Objective(metric="accuracy", higher_is_better=True, worst=0.0, best=1.0, chance=0.0)
SIZE = Objective(metric="params", higher_is_better=False, worst=1.0, best=0.0)
CONTEXT = SearchContext(choices=CHOICES, objectives=(ACCURACY, SIZE))
TEACHING = Teaching()


def played(
    judge: "dict[str, float]", *, rounds: int, context: SearchContext = CONTEXT, key: str = "block"
) -> tuple[Learner, list[Told]]:
    """Let a controller decide, and tell it losses by one of the choices: the same in all objectives."""
    learner, told, rng = Learner(context, TEACHING), [], np.random.default_rng(0)
    for number in range(rounds):
        (values,) = learner.policy.draw(weights_of(number, len(context.objectives)), rng, count=1)
        loss = judge[str(values[key])]
        told.append(Told(number=number, values=values, loss_D=np.full(len(context.objectives), loss), excess=0.0))
        learner.learn(told)
    return learner, told


def drawn(learner: Learner, weight_D: Sequence[float] = (0.5, 0.5)) -> list[Point]:
    return learner.policy.draw(np.array(weight_D), np.random.default_rng(1), count=200)


@pytest.mark.parametrize(
    ("domain", "count"),
    [
        (Categorical(options=(True, 1, "1")), 3),
        (Integer(low=1, high=3), 3),
        (Integer(low=8, high=64, step=8), 8),
        (Integer(low=3, high=63, step=3), 8),
        (Integer(low=1, high=12, log=True), 7),  # No whole number lies in the second stretch, 1.4 to 1.9.
        (Real(low=0.5, high=0.5), 1),
        (Real(low=1e-4, high=1e-1, log=True), 8),
    ],
)
def test_each_option_gives_values_that_are_read_as_it(domain: Domain, count: int) -> None:
    options, rng = Options(Choice(name="c", domain=domain), bins=8), np.random.default_rng(0)
    assert options.count == count
    seen = set()
    for option in range(options.count):
        for _ in range(60):
            value = options.value_of(option, rng)
            assert value in domain
            assert options.option_of(value) == option
            seen.add((type(value), value))
    if isinstance(domain, Integer):
        assert len(seen) == (domain.high - domain.low) // domain.step + 1  # Nothing is out of reach.


def test_conditional_choices_are_decided_only_where_they_are_active() -> None:
    decisions = Decisions(CHOICES, bins=8)
    values = {"block": "plain", "depth": 2, "layer1.width": 4, "layer2.width": 64, "only": 7, "learning_rate": 0.1}
    # Options are numbered through: 3 blocks, 3 depths, 8 widths, 8 widths, 8 shares, 1, 8 rates.
    assert decisions.decided(values) == [(0, 0), (1, 4), (2, 6), (3, 21), (6, 38)]
    assert decisions.decided({**values, "depth": 1}) is None
    for point in drawn(Learner(CONTEXT, TEACHING)):
        check_values(CHOICES, point)


def test_likelihood_and_entropy_are_those_of_the_distributions() -> None:
    decisions = Decisions(CHOICES, bins=8)
    policy = Policy(decisions, num_objectives=2, hidden_size=4)
    with torch.no_grad():
        policy.head.weight.zero_()
        policy.head.bias.zero_()
        policy.head.bias[:3] = torch.tensor([math.log(2.0), math.log(1.0), math.log(1.0)])
    walks = Walks(
        weight_BD=torch.full((2, 2), 0.5),
        choice_BL=torch.tensor([[0, 1, 3], [0, 1, 1]]),
        option_BL=torch.tensor([[0, 4, 21], [1, 3, 3]]),
        mask_BL=torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]]),
    )
    likelihood_B, entropy_B = policy(walks)
    # Blocks 1/2, 1/4, 1/4 with an entropy of 1.5 bits; depths and widths even.
    assert likelihood_B.tolist() == pytest.approx([math.log(1 / 2 / 3 / 8), math.log(1 / 4 / 3)], abs=1e-5)
    bits = 1.5 * math.log(2)
    assert entropy_B.tolist() == pytest.approx([bits + math.log(3 * 8), bits + math.log(3)], abs=1e-5)


def test_advantage_is_the_distance_from_the_moving_average_in_spreads() -> None:
    # The last counts most: 1/7, 2/7 and 4/7.
    before_N = np.array([-1.0, 4.0, 3.5])
    average = (-1.0 + 2 * 4.0 + 4 * 3.5) / 7
    variance = ((-1 - average) ** 2 + 2 * (4 - average) ** 2 + 4 * (3.5 - average) ** 2) / 7
    assert average == 3.0
    assert advantage(4.0, before_N, decay=0.5) == pytest.approx(1.0 / math.sqrt(variance))
    assert advantage(1e9, before_N, decay=0.5) == 3.0
    assert advantage(5.0, np.zeros(0), decay=0.5) == 0.0
    assert advantage(5.0, np.array([5.0, 5.0]), decay=0.5) == 0.0


def test_reward_is_minus_chebyshev_and_what_breaks_limits_loses() -> None:
    loss_ND = np.array([[0.2, 0.8], [0.2, 0.8], [0.2, 0.8]])
    found_N = rewards(loss_ND, np.array([0.0, 0.25, 9.0]), np.array([0.5, 0.5]), penalty=2.0)
    plain = -(0.4 + 0.05 * 0.5)
    assert found_N == pytest.approx([plain, plain - 2.5, plain - 4.0])


def test_it_comes_to_decide_what_is_rewarded() -> None:
    learner, _ = played({"plain": 0.9, "separable": 0.5, "inverted": 0.1}, rounds=120)
    assert np.mean([point["block"] == "inverted" for point in drawn(learner)]) > 0.7


def test_one_controller_serves_all_weights() -> None:
    learner, told, rng = Learner(CONTEXT, TEACHING), [], np.random.default_rng(0)
    losses = {"plain": (0.0, 1.0), "separable": (1.0, 1.0), "inverted": (1.0, 0.0)}
    for number in range(250):
        (values,) = learner.policy.draw(weights_of(number, 2), rng, count=1)
        told.append(Told(number=number, values=values, loss_D=np.array(losses[str(values["block"])]), excess=0.0))
        learner.learn(told)
    for weights, wanted in (((0.95, 0.05), "plain"), ((0.05, 0.95), "inverted")):
        assert np.mean([point["block"] == wanted for point in drawn(learner, weights)]) > 0.6


def test_failures_and_broken_limits_are_avoided() -> None:
    learner, told, rng = Learner(CONTEXT, TEACHING), [], np.random.default_rng(0)
    for number in range(120):
        (values,) = learner.policy.draw(weights_of(number, 2), rng, count=1)
        loss_D = None if values["block"] == "plain" else np.array([0.5, 0.5])
        excess = 0.1 if values["block"] == "separable" else 0.0
        told.append(Told(number=number, values=values, loss_D=loss_D, excess=excess))
        learner.learn(told)
    assert np.mean([point["block"] == "inverted" for point in drawn(learner)]) > 0.7


def test_going_on_is_the_same_as_beginning_anew_and_a_changed_past_is_seen() -> None:
    _, told = played({"plain": 0.9, "separable": 0.5, "inverted": 0.1}, rounds=12)
    memory = Memory(CONTEXT)
    for count in range(13):
        learner = memory.learner(told[:count], TEACHING)
    assert memory.learner(told, TEACHING) is learner
    anew = Memory(CONTEXT).learner(told, TEACHING)
    for one, other in zip(learner.policy.parameters(), anew.policy.parameters(), strict=True):
        assert torch.equal(one, other)
    changed = [Told(number=0, values=told[0].values, loss_D=np.zeros(2), excess=0.0), *told[1:]]
    assert memory.learner(changed, TEACHING) is not learner


def test_the_generator_of_everybody_and_the_threads_stay_as_they_are() -> None:
    torch.manual_seed(3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    played({"plain": 0.9, "separable": 0.5, "inverted": 0.1}, rounds=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_what_is_no_point_of_the_space_teaches_nothing() -> None:
    foreign: Values = {"block": "unheard of"}
    learner, fresh = Learner(CONTEXT, TEACHING), Learner(CONTEXT, TEACHING)
    learner.learn([Told(number=0, values=foreign, loss_D=np.zeros(2), excess=0.0)])
    assert drawn(learner) == drawn(fresh)


def test_nothing_is_proposed_twice_with_several_in_flight() -> None:
    assert different(search("reinforce", trials=40, in_flight=4)) == 40


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be above 0, got 0.0"),
        ({"entropy_weight": -1.0}, "entropy_weight must be at least 0, got -1.0"),
        ({"penalty": -0.1}, "penalty must be at least 0, got -0.1"),
        ({"baseline_decay": 1.0}, "baseline_decay must lie from 0 to below 1, got 1.0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"bins": 1}, "bins must be at least 2, got 1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_sampler("reinforce", seed=0, options=options, context=CONTEXT)
