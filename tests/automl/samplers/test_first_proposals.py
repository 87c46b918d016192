"""Given points come first, whoever proposes the others."""

from pathlib import Path

import numpy as np
import pytest

from automl.samplers import SAMPLERS, make_sampler
from automl.samplers.first import FirstProposals
from automl.study.ledger import Ledger, open_ledger
from search_spaces import Values, sample
from tests.contracts.test_samplers import CHOICES, CONTEXT, DEAF, OPTIONS, tell

POINTS = [sample(CHOICES, np.random.default_rng(seed)) for seed in (11, 12, 13)]
TRIALS = 12


def open_at(folder: Path, name: str, points: list[Values]) -> Ledger:
    folder.mkdir(exist_ok=True)
    sampler = make_sampler(name, seed=0, options=OPTIONS.get(name, {}), context=CONTEXT)
    return open_ledger(
        folder,
        storage=None,
        name="s",
        choices=CHOICES,
        directions=["maximize", "minimize"],
        sampler=FirstProposals(sampler, points, CHOICES),
    )


def propose(folder: Path, name: str, *, points: list[Values], reopened: bool = False) -> list[Values]:
    """Keep two under way, so that the ends of trials and proposals mix."""
    ledger = open_at(folder, name, points)
    flying = [ledger.ask()]
    proposed = [flying[0].values]
    while len(proposed) < TRIALS:
        flying.append(ledger.ask())
        proposed.append(flying[-1].values)
        tell(ledger, flying.pop(0))
        if reopened:
            ledger = open_at(folder, name, points)
            assert ledger.running() == flying
    return proposed


@pytest.mark.parametrize("name", SAMPLERS)
def test_given_points_come_first_and_a_search_that_is_reopened_goes_on_alike(name: str, tmp_path: Path) -> None:
    whole = propose(tmp_path / "whole", name, points=POINTS)
    assert whole[: len(POINTS)] == POINTS
    assert propose(tmp_path / "reopened", name, points=POINTS, reopened=True) == whole


@pytest.mark.parametrize("name", sorted(set(SAMPLERS) - set(DEAF)))
def test_the_sampler_learns_from_what_became_of_them(name: str, tmp_path: Path) -> None:
    with_points = propose(tmp_path / "with", name, points=POINTS)
    assert with_points[len(POINTS) :] != propose(tmp_path / "without", name, points=[])[len(POINTS) :]


def test_those_of_nsga2_are_parents(tmp_path: Path) -> None:
    ledger = open_at(tmp_path, "nsga2", POINTS)
    for _ in range(4):
        tell(ledger, ledger.ask())
    kept = [trial.system_attrs for trial in ledger._study.get_trials()]
    assert [attrs.get("NSGAIISampler:generation") for attrs in kept] == [0, 0, 0, 0]
