"""What a sampler is told that does not take an option."""

import pytest
from optuna.samplers import RandomSampler

from automl.samplers import SAMPLERS, SearchContext, make_sampler
from automl.samplers.refused_options import refused_option

NOTHING = SearchContext(choices=(), objectives=(), limits=(), costs=lambda _: {})


class Mine(RandomSampler):
    def __init__(self, *, seed: int, strength: float, pace: int = 1) -> None:
        super().__init__(seed)


def test_the_options_that_there_are_are_listed_with_the_nearest() -> None:
    with pytest.raises(
        ValueError, match=r"^sampler 'tpe' has no option 'multivariat', did you mean 'multivariate'\?"
    ) as refusal:
        make_sampler("tpe", seed=0, options={"multivariat": True}, context=NOTHING)
    known = str(refusal.value).partition("known: ")[2].split(", ")
    assert {"group", "multivariate", "n_startup_trials"} <= set(known)
    assert not {"seed", "self"} & set(known)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_every_sampler_of_the_catalog_tells_its_own(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^sampler '{name}' has no option 'no_such_option'.* known: "):
        make_sampler(name, seed=0, options={"no_such_option": 1}, context=NOTHING)


def test_a_sampler_of_the_users_tells_its_own_too() -> None:
    with pytest.raises(TypeError) as refusal:
        Mine(seed=0, strength=1.0, strenght=2.0)  # type: ignore[call-arg]
    assert refused_option(refusal.value) == "has no option 'strenght', did you mean 'strength'? known: pace, strength"


def test_another_mistake_is_not_taken_for_a_refused_option() -> None:
    assert refused_option(TypeError("'float' object is not callable")) == ""
    assert refused_option(ImportError("nothing() got an unexpected keyword argument 'x'")) == ""
