"""Relations between samples and between classes, compared with those that teachers see.

Shape letters: K = teachers, B = batch, C = classes, F = features, N = things that are related, D = what describes them.
"""

import torch
from torch import Tensor, nn

from trials.proxies.proxy import ProxyBatch

_LEAST = 3
"""Rows and classes from which on relations say anything."""


def relations(body: nn.Module, batch: ProxyBatch, /) -> float:
    """Compare relations as DisWOT does, for many teachers (Dong, Li and Wei, 2023, equations 3 to 6).

    https://arxiv.org/abs/2303.15678

    A relation is the cosine of two samples, or of two classes, and the score is minus the distance of the student's
    relations from the teachers'. The paper has one convolutional teacher at hand, and takes its feature maps and what
    they say of classes (Grad-CAM); here teachers of any kind are known by their cached logits alone, so that samples are
    related by the teacher's logits and the student's last features, and classes by the logits of both. All are centred
    over the batch first, since features after a ReLU point the same way whatever they say. Each teacher is compared on the
    rows on which it votes and the classes that it knows, and counts with its weight.
    """
    if batch.logits_KBC is None or batch.votes_KB is None or batch.known_KC is None or batch.weight_K is None:
        raise ValueError("relations are compared with those of teachers, and there are none")
    feature_BF, logits_BC = _last(body, batch.inputs)
    total = weight_sum = 0.0
    for k, weight in enumerate(batch.weight_K.tolist()):
        rows, classes = batch.votes_KB[k] > 0, batch.known_KC[k]
        if weight == 0 or rows.sum() < _LEAST or classes.sum() < _LEAST:
            continue
        teacher_BC = batch.logits_KBC[k][rows][:, classes].double()
        student_BC = logits_BC[rows][:, classes]
        of_samples = distance(feature_BF[rows], teacher_BC)
        of_classes = distance(student_BC.T, teacher_BC.T, centred=1)
        total += weight * (of_samples + of_classes)
        weight_sum += weight
    if weight_sum == 0:
        raise ValueError(f"no teacher votes on {_LEAST} rows of the batch and knows {_LEAST} classes")
    return -total / weight_sum


def distance(one_ND: Tensor, other_ND: Tensor, *, centred: int = 0) -> float:
    """Give the root of the mean squared difference between the cosines of two descriptions of the same things.

    Args:
        one_ND: A description.
        other_ND: Another one, of any other width.
        centred: Along which dimension the batch lies, whose mean is taken off.
    """
    difference_NN = _cosines(one_ND, centred) - _cosines(other_ND, centred)
    return float(difference_NN.square().mean().sqrt())


def _cosines(described_ND: Tensor, centred: int) -> Tensor:
    moved_ND = described_ND - described_ND.mean(dim=centred, keepdim=True)
    unit_ND = nn.functional.normalize(moved_ND, dim=1)
    return unit_ND @ unit_ND.T


def _last(body: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Give what enters the last linear layer, or the logits where there is none; and the logits."""
    entering: list[Tensor] = []

    def keep(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        del module
        entering.append(given[0])

    linear = [each for each in body.modules() if isinstance(each, nn.Linear)]
    hook = linear[-1].register_forward_pre_hook(keep) if linear else None
    was_training = body.training
    try:
        with torch.no_grad():
            logits: Tensor = body.eval()(inputs)
    finally:
        body.train(was_training)
        if hook is not None:
            hook.remove()
    if logits.ndim != 2:
        raise ValueError(f"relations need logits (B, C), and this student gives {tuple(logits.shape)}")
    feature = entering[-1] if entering else logits
    return feature.reshape(len(feature), -1).double(), logits.double()
