"""Relations between samples and between classes, compared with those that teachers see.

Shape letters: K = teachers, B = batch, C = classes, F = features, N = things that are related, D = what describes them.
"""

import torch
from torch import Tensor, nn

from trials.proxies.first_step import at_first_step
from trials.proxies.proxy import Answers, ProxyBatch

_LEAST = 3
"""Rows and classes from which on relations say anything: of two that are centred, the cosine is always -1."""


def relations(body: nn.Module, batch: ProxyBatch, /) -> float:
    """Compare relations as DisWOT does, for many teachers (Dong, Li and Wei, 2023, section 3).

    https://arxiv.org/abs/2303.15678

    A relation is the cosine of two samples, or of two classes, and the score is minus the distance of the student's
    relations from the teachers'. The paper has one convolutional teacher at hand: it relates samples by feature maps,
    and classes by where the network looks for each (Grad-CAM). Here teachers are of any kind and have spoken already,
    so that their cached answers are compared: samples are related by the student's last features, and by the teacher's
    logits and those of its features that are cached; classes by the logits of both. All are centred over the batch
    first, since features behind a rectifier point the same way whatever they say. Each teacher is compared on the rows
    on which it votes and the classes that it knows alone, and counts with its weight.
    """
    if batch.answers is None:
        raise ValueError("relations are compared with those of teachers, and there are none")
    feature_BF, logits_BC = _seen(body, batch.inputs)
    total = weight_sum = 0.0
    for k, weight in enumerate(batch.answers.weight_K.tolist()):
        found = _from_teacher(batch.answers, k, feature_BF, logits_BC) if weight > 0 else None
        if found is not None:
            total += weight * found
            weight_sum += weight
    if weight_sum == 0:
        raise ValueError(f"no teacher that counts votes on {_LEAST} rows of the batch and knows {_LEAST} classes")
    return -total / weight_sum


def distance(one_ND: Tensor, other_ND: Tensor, *, centred: int = 0) -> float:
    """Give the root of the mean squared difference between the cosines of two descriptions of the same things.

    Args:
        one_ND: A description.
        other_ND: Another one, of any other width.
        centred: Along which dimension the batch lies, whose mean is taken off.

    Returns:
        0 where both relate the things alike, 2 at most.
    """
    difference_NN = _cosines(one_ND, centred) - _cosines(other_ND, centred)
    return float(difference_NN.square().mean().sqrt())


def _from_teacher(answers: Answers, k: int, feature_BF: Tensor, logits_BC: Tensor) -> float | None:
    """Give the distance from one teacher; None where it has too little to say of this batch."""
    rows, classes = answers.votes_KB[k] > 0, answers.known_KC[k]
    if rows.sum() < _LEAST or classes.sum() < _LEAST:
        return None
    teacher_BC = answers.logits_KBC[k][rows][:, classes].double()
    features = answers.features[k].values() if answers.features else ()
    described = [teacher_BC, *(feature[rows].flatten(1).double() for feature in features)]
    of_samples = sum(distance(feature_BF[rows], each) for each in described) / len(described)
    of_classes = distance(logits_BC[rows][:, classes].T, teacher_BC.T, centred=1)
    return of_samples + of_classes


def _cosines(described_ND: Tensor, centred: int) -> Tensor:
    moved_ND = described_ND - described_ND.mean(dim=centred, keepdim=True)
    unit_ND = nn.functional.normalize(moved_ND, dim=1)
    return unit_ND @ unit_ND.T


def _seen(body: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Give what enters the linear layer that runs last, or the logits where there is none; and the logits."""
    entering: list[Tensor] = []

    def keep(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        del module
        entering[:] = [given[0]]

    seen = at_first_step(body)
    for module in seen.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(keep)
    with torch.no_grad():
        logits = seen(inputs)
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        raise ValueError("relations need logits (B, C), and this student gives something else")
    feature = entering[0] if entering and len(entering[0]) == len(logits) else logits
    return feature.flatten(1).double(), logits.double()
