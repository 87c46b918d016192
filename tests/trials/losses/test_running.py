"""Models that are run from one of their stages on."""

import pytest
import torch
from torch import nn

from trials.losses.running import can_idle, run_from


class TwoInOne(nn.Module):
    """A layer that gives a tuple, as those of transformers may."""

    def forward(self, values):
        return values * 2, "cache"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stage = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.two = TwoInOne()
        self.next = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 4), nn.BatchNorm1d(4))
        self.head = nn.Linear(4, 2)

    def forward(self, inputs):
        return self.head(self.next(self.two(self.stage(inputs))[0]))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


INPUTS = torch.linspace(-1, 1, 15).reshape(5, 3)


def test_a_model_that_is_given_its_own_features_answers_as_it_would(net):
    features = net.stage(INPUTS)
    logits, kept = run_from(net, INPUTS, path="stage", features=features, keep={"next", "head"})
    torch.testing.assert_close(logits, net(INPUTS))
    torch.testing.assert_close(net.head(kept["next"]), logits)
    assert torch.equal(kept["head"], logits)


def test_the_first_of_a_tuple_is_replaced(net):
    features = torch.ones(5, 4)
    logits, _ = run_from(net, INPUTS, path="two", features=features)
    torch.testing.assert_close(logits, net.head(net.next(features.clone())))


def test_features_are_not_written_over_and_get_gradients(net):
    features = (-torch.ones(5, 4)).requires_grad_()
    logits, _ = run_from(net, INPUTS, path="two", features=features * 1)
    logits.square().sum().backward()
    assert torch.equal(features.detach(), -torch.ones(5, 4))
    assert features.grad is not None
    assert net.head.weight.grad is not None
    assert net.stage[0].weight.grad is None


@pytest.mark.parametrize("training", [True, False])
def test_nothing_is_left_behind(net, training):
    net.train(training)
    before = {name: values.clone() for name, values in net.state_dict().items()}
    run_from(net, INPUTS, path="stage", features=torch.ones(5, 4), keep={"next"})
    assert all(torch.equal(values, before[name]) for name, values in net.state_dict().items())
    assert all(module.training == training and not module._forward_hooks for module in net.modules())
    assert net.stage[1].track_running_stats


def test_statistics_in_training_are_those_of_the_batch(net):
    net.next[2].running_mean.fill_(100.0)
    logits, _ = run_from(net.train(), INPUTS, path="stage", features=INPUTS @ torch.ones(3, 4))
    assert logits.abs().max() < 10


def test_a_stage_that_gives_no_tensor_is_told(net):
    net.two.forward = lambda values: {"hidden": values}
    with pytest.raises(ValueError, match="tuples that begin with one; two gave dict"):
        run_from(net, INPUTS, path="two", features=torch.ones(5, 4))
    assert not net.two._forward_hooks


def test_a_module_that_need_not_run_does_not_and_answers_and_gradients_are_the_same(net):
    net.eval()
    assert can_idle(net, INPUTS, path="stage", features=torch.ones(5, 4), keep={"next"})
    grown, found = torch.ones(5, 4, requires_grad=True), []
    for idle in (False, True):
        runs = []
        hook = net.stage[0].register_forward_hook(lambda *_, runs=runs: runs.append(1))
        logits, kept = run_from(net, INPUTS, path="stage", features=grown, keep={"next"}, idle=idle)
        hook.remove()
        assert len(runs) == (0 if idle else 1)
        found.append((logits, kept["next"], *torch.autograd.grad(logits.square().sum(), grown)))
    assert all(torch.equal(left, right) for left, right in zip(*found, strict=True))
    assert "forward" not in net.stage.__dict__


class Residual(Net):
    """A network that adds what its last layers began with, which they have written over by then."""

    def forward(self, inputs):
        values = self.stage(inputs)
        return self.head(self.next(values) + values)


@pytest.mark.parametrize(("path", "make"), [("two", Net), ("next.0", Residual)], ids=["tuple", "writes over its input"])
def test_a_module_whose_run_matters_is_found(path, make):
    torch.manual_seed(0)
    assert not can_idle(make().eval(), INPUTS, path=path, features=torch.ones(5, 4))


class Remembering(nn.Module):
    """A network that reads what its first layer left behind."""

    def __init__(self):
        super().__init__()
        self.stage, self.second = Stage(3, 4), nn.Linear(4, 4)

    def forward(self, inputs):
        return self.second(self.stage(inputs)) + self.stage.left


class Stage(nn.Linear):
    def forward(self, inputs):
        self.left = super().forward(inputs)
        return self.left


def test_a_module_that_leaves_something_behind_is_found():
    torch.manual_seed(0)
    assert not can_idle(Remembering().eval(), INPUTS, path="stage", features=torch.ones(5, 4))


def test_a_module_within_which_something_is_kept_runs(net):
    assert not can_idle(net.eval(), INPUTS, path="next", features=torch.ones(5, 4), keep={"next.1"})
