"""Each loss against values and gradients that the authors' public code gave, in double precision.

``tests/golden/published_losses.json`` holds one entry a case, by name::

    {"loss": name in the catalog, "source": repository and file, and what was done to run it,
     "options": {option: value},
     "inputs": {"student": {tensor: shape}, "teacher": {tensor: shape}, "labels": [class of each row, -100 for none]},
     "value": number, "gradient": {tensor of the student: [numbers, row by row]}}

The tensor ``logits`` is what it says, all others are features. Their numbers are 3 sin(n²), in single precision, where
n counts from 0 through the student's tensors, as they stand there, then through the teacher's. The value is the mean
over samples, or that of the batch, and the gradient is the value's.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from teachers import Outputs
from trials.losses import Pairing, bind
from trials.recipe import LossTerm

CASES = json.loads((Path(__file__).parents[1] / "golden" / "published_losses.json").read_text())
RTOL = {"rkd_angle": 1e-4}
"""Others are held to 1e-5."""


def tensors(inputs) -> dict[str, dict[str, torch.Tensor]]:
    made, start = {"student": {}, "teacher": {}}, 0
    for side, tensors_of_side in made.items():
        for name, shape in inputs[side].items():
            numbers = torch.arange(start, start := start + int(np.prod(shape)), dtype=torch.float64)
            tensors_of_side[name] = (3 * torch.sin(numbers * numbers)).float().double().reshape(shape)
    return made


def outputs(named) -> Outputs:
    return Outputs(logits=named["logits"], features={name: named[name] for name in named if name != "logits"})


def compute(case):
    """Give the value, and its gradient in the student's tensors."""
    made = tensors(case["inputs"])
    for tensor in made["student"].values():
        tensor.requires_grad_()
    student, teacher, labels = (
        outputs(made["student"]),
        outputs(made["teacher"]),
        torch.tensor(case["inputs"]["labels"]),
    )
    pairing = Pairing(student=student, teacher=teacher, student_model=torch.nn.Identity())
    loss = bind(LossTerm(name=case["loss"], weight=1.0, options=case["options"]), pairing)
    value = loss(student, teacher, labels).mean()
    value.backward()
    return value.item(), {name: made["student"][name].grad for name in case["gradient"]}


@pytest.mark.parametrize("name", sorted(CASES))
def test_value_and_gradient_are_those_of_the_authors_code(name):
    case = CASES[name]
    value, gradient = compute(case)
    rtol = RTOL.get(name, 1e-5)
    assert value == pytest.approx(case["value"], rel=rtol)
    assert any(np.abs(numbers).max() > 1e-3 for numbers in case["gradient"].values())
    for tensor, numbers in case["gradient"].items():
        np.testing.assert_allclose(gradient[tensor].flatten(), numbers, rtol=rtol, atol=1e-9)
