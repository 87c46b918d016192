"""Specialists, each for classes of its own, speak as one.

Shape letters: K = teachers, B = batch, C = classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from teachers import LabelGroup, Outputs, TeacherOutputs
from trials.aggregation.aggregation import Traits, with_traits
from trials.aggregation.comparison import Comparison, nothing_taught
from trials.aggregation.requirements import divided_classes
from trials.losses import Loss, is_batch_statistic


@with_traits(Traits(requires=(divided_classes,), takes_functions_only=True))
def concatenated_logits(
    comparisons: Sequence[Comparison],
    student: Outputs,
    teachers: TeacherOutputs,
    label_B: Tensor,
    *,
    weights_KB: Tensor,
    temperature: float,
) -> Tensor:
    """Loss against the logits of all teachers side by side, loss(concat_k z_k), each in the columns of its classes.

    As in Shen et al., 2019 (https://arxiv.org/abs/1811.02796). Unlike the mean of losses, it teaches how probable the
    classes of one teacher are against those of another, so logits must be of one scale.

    Only who votes is heard: on a row whose label is known, that is the specialist of the label alone. The student is
    compared on the classes of those who are heard, renormalised; weights other than 0 all count the same.
    """
    del temperature
    loss = comparisons[0].loss
    if isinstance(loss, nn.Module):
        raise ValueError("concatenated_logits takes losses that are functions of logits; use mean_of_losses")
    student_BC, spoken_BC = student.logits, torch.zeros_like(student.logits)
    known = [_classes(comparison, student) for comparison in comparisons]
    specialists = [comparison.group.teachers[0] for comparison in comparisons]
    for k, classes in zip(specialists, known, strict=True):
        spoken_BC.index_copy_(1, classes, teachers.logits[k].detach().index_select(1, classes))
    # Rows on which the same specialists are heard are compared together; a set of them is a sum of powers of two.
    powers_K1 = 2 ** torch.arange(len(known), device=label_B.device)[:, None]
    set_B = ((weights_KB[specialists] > 0) * powers_K1).sum(dim=0)
    parts, rows = [], []
    for heard in sorted(set(set_B.tolist())):
        here = (set_B == heard).nonzero().squeeze(-1)
        classes = torch.cat([label_B[:0], *(known[k] for k in range(len(known)) if heard >> k & 1)]).sort().values
        group = LabelGroup(teachers=(), classes=None if len(classes) == student_BC.shape[-1] else classes)
        if len(here) == len(label_B):
            return _compare(loss, student_BC, spoken_BC, label_B, group=group)
        few = (tensor.index_select(0, here) for tensor in (student_BC, spoken_BC, label_B))
        parts.append(_compare(loss, *few, group=group))
        rows.append(here)
    return torch.cat(parts).index_select(0, torch.cat(rows).argsort())


def _compare(loss: Loss, student_BC: Tensor, spoken_BC: Tensor, label_B: Tensor, *, group: LabelGroup) -> Tensor:
    """Compare on the classes of a group; 0 where it has none."""
    if group.classes is not None and not len(group.classes):
        return nothing_taught(student_BC, num_rows=len(label_B))
    student, spoken = (Outputs(logits=group.student_logits(logits)) for logits in (student_BC, spoken_BC))
    value = loss(student, spoken, group.labels(label_B))
    return value.expand(len(label_B)) if is_batch_statistic(loss) else value


def _classes(comparison: Comparison, student: Outputs) -> Tensor:
    classes = comparison.group.classes
    return torch.arange(student.logits.shape[-1], device=student.logits.device) if classes is None else classes
