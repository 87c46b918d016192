import pytest
import torch
from torch import nn

from search_spaces import ModelSignature, TensorSpec
from trials import templates
from trials.export import Template
from trials.templates import MOST, trace_once

SIGNATURE = ModelSignature(inputs=(TensorSpec(name="x", shape=(3,)),), outputs=(TensorSpec(name="logits", shape=(2,)),))


@pytest.fixture
def traced(monkeypatch):
    """Trace nothing, but tell what would be traced."""
    asked = []

    def trace(module, signature):
        asked.append(module)
        return Template(graph=b"%d" % len(asked), weights=())

    monkeypatch.setattr(templates, "trace", trace)
    templates.forget()
    yield asked
    templates.forget()


class Leaning(nn.Module):
    """Two of these differ in nothing that a printed module shows."""

    def __init__(self, slope):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.slope = slope

    def forward(self, x):
        return nn.functional.leaky_relu(self.linear(x), self.slope)


def test_other_weights_are_the_same_architecture(traced):
    first = trace_once(nn.Linear(3, 2), SIGNATURE, name="a")
    assert trace_once(nn.Linear(3, 2), SIGNATURE, name="a") is first
    assert len(traced) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Leaning(0.1), Leaning(0.2)),
        (nn.Sequential(nn.Linear(3, 2), nn.ReLU()), nn.Sequential(nn.Linear(3, 2), nn.Tanh())),
        (nn.Linear(3, 2), nn.Linear(3, 2, bias=False)),
        (nn.Linear(3, 2), nn.Linear(3, 4)),
    ],
)
def test_modules_that_differ_are_told_apart_whatever_their_name(traced, one, other):
    assert trace_once(one, SIGNATURE, name="a") is not trace_once(other, SIGNATURE, name="a")
    assert traced == [one, other]


def test_name_and_signature_tell_apart_too(traced):
    module = nn.Linear(3, 2)
    bytes_in = ModelSignature(inputs=(TensorSpec(name="x", shape=(3,), dtype="uint8"),), outputs=SIGNATURE.outputs)
    for signature, name in ((SIGNATURE, "a"), (SIGNATURE, "b"), (bytes_in, "a")):
        trace_once(module, signature, name=name)
    assert len(traced) == 3


def test_what_was_used_longest_ago_goes_first(traced):
    module = nn.Linear(3, 2)
    for name in range(MOST):
        trace_once(module, SIGNATURE, name=name)
    trace_once(module, SIGNATURE, name=0)
    trace_once(module, SIGNATURE, name="one more")
    assert len(traced) == MOST + 1
    trace_once(module, SIGNATURE, name=0)
    assert len(traced) == MOST + 1
    trace_once(module, SIGNATURE, name=1)
    assert len(traced) == MOST + 2


def test_a_template_that_was_kept_takes_the_weights_of_another():
    from trials.export import onnx_predictor, parity, replace_weights

    templates.forget()
    trace_once(nn.Linear(3, 2), SIGNATURE, name="real")
    other = nn.Linear(3, 2)
    graph = replace_weights(trace_once(other, SIGNATURE, name="real"), other)
    assert parity(other, onnx_predictor(graph), torch.randn(4, 3)) < 1e-6
