"""Tokens weighed by their role."""

import pytest
import torch

from teachers import Outputs
from trials.losses import LOSSES, Needs, bind, forward_kl, jsd, loss_options, needs_of, token_weigher
from trials.losses.syntax_aware import NEXT_ROLE, syntax_weights
from trials.recipe import LossTerm
from trials.syntax import ROLES


def test_a_token_weighs_what_its_role_does_and_one_without_a_role_1():
    role_B = torch.tensor([ROLES.index("comment"), ROLES.index("keyword"), -1, len(ROLES)])
    weight_B = syntax_weights({NEXT_ROLE: role_B}, comment=0.25, keyword=3.0)
    assert weight_B.tolist() == [0.25, 3.0, 1.0, 1.0]


def test_structure_weighs_twice_what_the_rest_does():
    weights = syntax_weights({NEXT_ROLE: torch.arange(len(ROLES))}).tolist()
    assert dict(zip(ROLES, weights, strict=True)) == {
        "keyword": 2.0,
        "operator": 2.0,
        "bracket": 2.0,
        "indent": 2.0,
        "identifier": 1.0,
        "literal": 1.0,
        "comment": 1.0,
    }


def test_the_loss_itself_is_the_one_that_is_wrapped():
    generator = torch.Generator().manual_seed(0)
    student, teacher = (Outputs(logits=torch.randn(4, 5, generator=generator)) for _ in range(2))
    labels = torch.zeros(4, dtype=torch.int64)
    term = LossTerm(name="syntax_forward_kl", weight=1.0, options={"keyword": 5.0})
    assert torch.equal(bind(term)(student, teacher, labels), forward_kl(student, teacher, labels))
    assert torch.equal(
        LOSSES["syntax_jsd"](student, teacher, labels, beta=0.2), jsd(student, teacher, labels, beta=0.2)
    )


def test_options_are_those_of_the_loss_and_a_weight_for_each_role():
    assert set(loss_options("syntax_forward_kl")) == set(ROLES)
    assert set(loss_options("syntax_jsd")) == {*loss_options("jsd"), *ROLES}
    with pytest.raises(ValueError, match="keyword of 'syntax_forward_kl' must be a number of at least 0, got -1"):
        bind(LossTerm(name="syntax_forward_kl", weight=1.0, options={"keyword": -1.0}))
    with pytest.raises(ValueError, match="beta of 'syntax_jsd' must be a number from 0 to 1"):
        bind(LossTerm(name="syntax_jsd", weight=1.0, options={"beta": 2.0}))


def test_it_needs_the_role_of_what_comes_next_and_nothing_else():
    assert needs_of(LossTerm(name="syntax_forward_kl", weight=1.0)) == Needs(facts=(NEXT_ROLE,))
    assert needs_of(LossTerm(name="kd", weight=1.0)) == Needs()
    assert token_weigher(LossTerm(name="kd", weight=1.0)) is None


def test_options_of_the_term_reach_the_weights():
    term = LossTerm(name="syntax_forward_kl", weight=1.0, options={"keyword": 5.0})
    facts = {NEXT_ROLE: torch.tensor([ROLES.index("keyword"), ROLES.index("literal")])}
    assert token_weigher(term)(facts).tolist() == [5.0, 1.0]
