"""Options of losses are told before anything is trained: unknown ones, other types, and what lies out of bounds."""

import math
import sys
import types

import pytest

from trials.losses import LOSSES, Bounds, bind, bounded, loss_options, needs_of, temperature_of
from trials.recipe import LossTerm


def term(name, **options):
    return LossTerm(name=name, weight=1.0, options=options)


OUT_OF_BOUNDS = [
    *[("skew_kl", {"alpha": alpha}, "above 0 and below 1") for alpha in (0.0, 1.0, -1.0, math.nan)],
    *[("skew_reverse_kl", {"alpha": alpha}, "above 0 and below 1") for alpha in (0, 1, 2)],
    *[("jsd", {"beta": beta}, "from 0 to 1") for beta in (-0.1, 1.5, math.nan)],
    *[(f"{style}dkd", {part: -1.0}, "of at least 0") for style in ("", "standardised_") for part in ("alpha", "beta")],
    *[(f"{style}dist", {part: -1.0}, "of at least 0") for style in ("", "standardised_") for part in ("beta", "gamma")],
    *[("rkd", {part: -1.0}, "of at least 0") for part in ("distance", "angle")],
    *[("cluster_relation", {"lowest": lowest}, "from 0 to 2") for lowest in (-0.1, 2.1)],
    *[(name, {"temperature": 0.0}, "above 0") for name in ("kd", "dkd", "dist", "standardised_kd", "fcfd")],
    ("kd", {"temperature": math.inf}, "above 0"),
]


@pytest.mark.parametrize(("name", "options", "expected"), OUT_OF_BOUNDS)
@pytest.mark.parametrize("told_by", [needs_of, temperature_of, bind])
def test_a_number_out_of_bounds_is_told_with_the_bounds_and_the_loss(name, options, expected, told_by):
    ((option, value),) = options.items()
    with pytest.raises(ValueError, match=rf"{option} of '{name}' must be a number {expected}, got {value}"):
        told_by(term(name, **options))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("jsd", {"beta": 0}),
        ("jsd", {"beta": 1}),
        ("skew_kl", {"alpha": 1e-6}),
        ("dkd", {"alpha": 0, "beta": 0.0, "temperature": 1}),
        ("rkd", {"angle": 0.0}),
        ("cluster_relation", {"lowest": 2.0, "unlabelled_only": True}),
        ("minilm", {"relation_heads": 4}),
    ],
)
def test_numbers_at_the_bounds_and_whole_numbers_in_place_of_others_fit(name, options):
    needs_of(term(name, **options))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dkd", {"alpha": "much"}, r"alpha of 'dkd' must be a number of at least 0, got 'much'"),
        ("dkd", {"alpha": True}, r"alpha of 'dkd' must be a number of at least 0, got True"),
        ("fcfd", {"feature_weight": "5"}, r"feature_weight of 'fcfd' must be a number, got '5'"),
        ("fcfd", {"paths": 1.5}, r"paths of 'fcfd' must be a whole number, got 1.5"),
        ("minilm", {"relation_heads": 2.0}, r"relation_heads of 'minilm' must be a whole number, got 2.0"),
        ("minilm", {"relation_heads": -1}, r"relation_heads must be a whole number, at least 0, got -1"),
        ("sp", {"layer": 3}, r"layer of 'sp' must be a text, got 3"),
        ("cluster_relation", {"unlabelled_only": 1}, r"unlabelled_only of 'cluster_relation' must be true or false"),
        ("kd", {"tau": 1.0}, r"loss 'kd' has no option tau; its options are temperature"),
    ],
)
def test_another_type_than_the_defaults_is_told(name, options, message):
    with pytest.raises(ValueError, match=message):
        needs_of(term(name, **options))


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_bounds_are_of_options_that_there_are_and_defaults_lie_within(name):
    defaults = loss_options(name)
    assert getattr(LOSSES[name], "option_bounds", {}).keys() <= defaults.keys()
    needs_of(term(name, **defaults))


def test_own_losses_may_have_bounds_and_options_whose_default_tells_no_type(monkeypatch):
    @bounded(share=Bounds(0, 1))
    def own(student, teacher, label_B, *, share=0.5, mode=None, temperature):
        return None

    module = types.ModuleType("own_bounds")
    module.own = own
    monkeypatch.setitem(sys.modules, "own_bounds", module)
    needs_of(term("own_bounds:own", mode="any", temperature=2.0))
    with pytest.raises(ValueError, match=r"share of 'own_bounds:own' must be a number from 0 to 1, got 2"):
        needs_of(term("own_bounds:own", share=2))
    with pytest.raises(ValueError, match=r"temperature of 'own_bounds:own' must be a number above 0, got -1"):
        needs_of(term("own_bounds:own", temperature=-1))
    with pytest.raises(ValueError, match=r"'own_bounds:own' has no default temperature; give it one, or give the opt"):
        temperature_of(term("own_bounds:own"))
