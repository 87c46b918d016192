"""Losses by name, with their options."""

import sys
import types

import pytest
import torch
from torch import Tensor, nn

from teachers import Outputs
from trials.losses import bind, find_loss, kd, loss_options
from trials.recipe import LossTerm


class Learnt(nn.Module):
    """A user's loss with a learnt part and an option."""

    def __init__(self, *, start: float = 2.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(float(start)))

    def forward(self, student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
        return self.scale * (student.logits - teacher.logits).square().sum(dim=-1)


@pytest.fixture
def own_module(monkeypatch):
    module = types.ModuleType("own_losses")
    module.plain, module.Learnt, module.number = kd, Learnt, 3
    monkeypatch.setitem(sys.modules, "own_losses", module)


def test_options_are_listed_with_their_defaults():
    assert loss_options("kd") == {"temperature": 4.0}
    assert loss_options("standardised_kd") == {"temperature": 4.0}


def test_bound_options_reach_the_loss():
    loss, temperature = bind(LossTerm(name="kd", weight=1.0, options={"temperature": 2}))
    student, teacher = Outputs(logits=torch.tensor([[1.0, 0.0]])), Outputs(logits=torch.tensor([[0.0, 2.0]]))
    assert temperature == 2.0
    assert torch.equal(loss(student, teacher, torch.zeros(1)), kd(student, teacher, torch.zeros(1), temperature=2))


@pytest.mark.usefixtures("own_module")
def test_own_losses_come_in_by_import_name():
    assert find_loss("own_losses:plain") is kd
    loss, temperature = bind(LossTerm(name="own_losses:Learnt", weight=1.0, options={"start": 5.0}))
    assert isinstance(loss, Learnt)
    assert loss.scale.item() == 5.0
    assert temperature == 1.0


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize(
    ("term", "message"),
    [
        (LossTerm(name="KD", weight=1.0), r"unknown loss 'KD'; losses are \['afd', .*'kd', .*\], or package"),
        (LossTerm(name="own_losses:number", weight=1.0), r"'own_losses:number' must be a function or a class, got int"),
        (
            LossTerm(name="kd", weight=1.0, options={"tau": 1.0}),
            r"no option \['tau'\]; its options are \['temperature'\]",
        ),
        (LossTerm(name="kd", weight=1.0, options={"temperature": 0.0}), r"'kd' must be a number above 0, got 0.0"),
        (LossTerm(name="kd", weight=1.0, options={"temperature": "hot"}), r"a number above 0, got 'hot'"),
    ],
)
def test_what_cannot_be_bound_is_told(term, message):
    with pytest.raises(ValueError, match=message):
        bind(term)
