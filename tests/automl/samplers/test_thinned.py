"""One of several candidates is tried, whoever proposes them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from automl.samplers import SAMPLERS, make_sampler
from automl.samplers.thinned import ThinnedProposals
from automl.study.ledger import JOURNAL, Ledger, open_ledger
from search_spaces import Choice, Integer, Values, check_values
from tests.contracts.test_samplers import CHOICES, CONTEXT, OPTIONS, tell

TRIALS = 12
ALIKE = ("nni_grid",)
"""Proposes the same whatever the chance."""


class Widest:
    """Prefers wide first layers."""

    most = 3

    def __init__(self, *, on: bool = True, first: bool = False) -> None:
        self.on = on
        self.first = first
        self.seen: list[list[Values]] = []

    def num_candidates(self) -> int:
        return self.most if self.on else 1

    def choose(self, candidates: Sequence[Values]) -> int:
        self.seen.append(list(candidates))
        widths = [float(values["layer1.width"]) for values in candidates]
        return 0 if self.first else widths.index(max(widths))


def open_at(folder: Path, name: str, chooser: Widest | None, choices: tuple[Choice, ...] = CHOICES) -> Ledger:
    folder.mkdir(exist_ok=True)
    context = replace(CONTEXT, choices=choices)
    sampler = make_sampler(name, seed=0, options=OPTIONS.get(name, {}), context=context)
    return open_ledger(
        folder,
        storage=None,
        name="s",
        choices=choices,
        directions=["maximize", "minimize"],
        sampler=sampler if chooser is None else ThinnedProposals(sampler, chooser, context=context),
    )


def propose(folder: Path, name: str, chooser: Widest | None, *, reopened: bool = False) -> list[Values]:
    """Keep two under way, so that the ends of trials and proposals mix."""
    ledger = open_at(folder, name, chooser)
    flying = [ledger.ask()]
    proposed = [flying[0].values]
    while len(proposed) < TRIALS:
        flying.append(ledger.ask())
        proposed.append(flying[-1].values)
        tell(ledger, flying.pop(0))
        if reopened:
            ledger = open_at(folder, name, chooser)
            assert ledger.running() == flying
    return proposed


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_search_that_is_reopened_chooses_alike(name: str, tmp_path: Path) -> None:
    chooser = Widest()
    whole = propose(tmp_path / "whole", name, chooser)
    for number, (values, seen) in enumerate(zip(whole, chooser.seen, strict=True)):
        check_values(CHOICES, values)
        assert values["layer1.width"] == max(each["layer1.width"] for each in seen)
        assert not [each for each in seen if each in whole[:number]]
    assert (max(map(len, chooser.seen)) > 1) == (name not in ALIKE)
    assert propose(tmp_path / "reopened", name, Widest(), reopened=True) == whole


@pytest.mark.parametrize("name", ["tpe", "nsga2", "nni_evolution"])
@pytest.mark.parametrize("chooser", [Widest(on=False), Widest(first=True)], ids=["off", "always the first"])
def test_the_first_candidate_is_what_the_sampler_proposes_alone(name: str, chooser: Widest, tmp_path: Path) -> None:
    alone = propose(tmp_path / "alone", name, None)
    thinned = propose(tmp_path / "thinned", name, chooser)
    if chooser.on and (repeated := [number for number, values in enumerate(alone) if values in alone[:number]]):
        assert thinned[repeated[0]] not in alone[: repeated[0]]  # One that is known gives way to the next candidate.
        alone, thinned = alone[: repeated[0]], thinned[: repeated[0]]
    assert len(alone) > 5
    assert thinned == alone


@pytest.mark.parametrize("name", ["tpe", "nsga2", "pareto"])
def test_a_proposal_cut_off_anywhere_goes_on_as_it_would_have_gone(name: str, tmp_path: Path) -> None:
    ledger = open_at(tmp_path / "whole", name, Widest())
    proposals = []
    for _ in range(8):
        proposals.append(ledger.ask())
        tell(ledger, proposals[-1])
    lines = (tmp_path / "whole" / JOURNAL).read_bytes().splitlines(keepends=True)
    operations = [json.loads(line)["op_code"] for line in lines]
    created = [row for row, operation in enumerate(operations) if operation == 4]
    ended = [row for row, operation in enumerate(operations) if operation == 6]
    cut = tmp_path / "cut"
    cut.mkdir()
    for number in (0, 7):
        for kept in range(created[number] + 1, next(row for row in ended if row > created[number]) + 1):
            (cut / JOURNAL).write_bytes(b"".join(lines[:kept]))
            assert open_at(cut, name, Widest()).running() == [proposals[number]]


def test_what_is_known_gives_way_until_nothing_else_is_left(tmp_path: Path) -> None:
    choices = (Choice(name="layer1.width", domain=Integer(low=1, high=3)),)
    chooser = Widest()
    ledger = open_at(tmp_path, "random", chooser, choices)
    proposed = [ledger.ask().values["layer1.width"] for _ in range(12)]
    assert set(proposed) == {1, 2, 3}
    for number, seen in enumerate(chooser.seen):
        widths = [each["layer1.width"] for each in seen]
        assert len(set(widths)) == len(widths)
        assert not set(widths) & set(proposed[:number]) or len(widths) == 1
    assert len(proposed) > 3  # A space that is used up is proposed from on, so that the controller sees it.
