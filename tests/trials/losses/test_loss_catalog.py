"""Losses by name, with their options."""

import sys
import types

import pytest
import torch
from torch import Tensor, nn

from teachers import Outputs
from trials.losses import Pairing, bind, find_loss, loss_options, temperature_of
from trials.losses.kd import kd
from trials.recipe import LossTerm


class Learnt(nn.Module):
    """A user's loss with a learnt part and an option."""

    def __init__(self, pairing: Pairing, *, start: float = 2.0) -> None:
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
    assert loss_options("rkd") == {"layer": "logits", "distance": 25.0, "angle": 50.0}


def test_bound_options_reach_the_loss():
    term = LossTerm(name="kd", weight=1.0, options={"temperature": 2})
    loss = bind(term)
    student, teacher = Outputs(logits=torch.tensor([[1.0, 0.0]])), Outputs(logits=torch.tensor([[0.0, 2.0]]))
    assert temperature_of(term) == 2.0
    assert torch.equal(loss(student, teacher, torch.zeros(1)), kd(student, teacher, torch.zeros(1), temperature=2))


@pytest.mark.usefixtures("own_module")
def test_own_losses_come_in_by_import_name():
    assert find_loss("own_losses:plain") is kd
    term = LossTerm(name="own_losses:Learnt", weight=1.0, options={"start": 5.0})
    said = Outputs(logits=torch.zeros(2, 3))
    loss = bind(term, Pairing(student=said, teacher=said, student_model=nn.Identity()))
    assert isinstance(loss, Learnt)
    assert loss.scale.item() == 5.0
    assert temperature_of(term) == 1.0


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize(
    ("term", "message"),
    [
        (LossTerm(name="KD", weight=1.0), r"unknown loss 'KD'; losses are afd, .*kd, .*, or package"),
        (LossTerm(name="own_losses:number", weight=1.0), r"'own_losses:number' must be a function or a class, got int"),
        (
            LossTerm(name="kd", weight=1.0, options={"tau": 1.0}),
            r"no option tau; its options are temperature",
        ),
        (LossTerm(name="kd", weight=1.0, options={"temperature": 0.0}), r"'kd' must be a number above 0, got 0.0"),
        (LossTerm(name="kd", weight=1.0, options={"temperature": "hot"}), r"a number above 0, got 'hot'"),
    ],
)
def test_what_cannot_be_bound_is_told(term, message):
    with pytest.raises(ValueError, match=message):
        temperature_of(term)
