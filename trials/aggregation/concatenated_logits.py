"""Specialists, each for classes of its own, speak as one.

Shape letters: K = teachers, B = batch, C = classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from teachers import LabelGroup, Outputs, TeacherOutputs
from trials.aggregation.aggregation import Traits, with_traits
from trials.aggregation.comparison import Comparison
from trials.aggregation.requirements import divided_classes
from trials.losses import Loss, is_batch_statistic


@with_traits(Traits(requires=(divided_classes,)))
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
    spoken_BC = torch.zeros_like(student.logits)
    for comparison in comparisons:
        (k,) = comparison.group.teachers
        classes = comparison.group.classes
        spoken_BC[:, slice(None) if classes is None else classes] = comparison.group.student_logits(teachers.logits[k])
    heard_KB = weights_KB > 0
    num_classes = sum(_num_classes(comparison, student) for comparison in comparisons)
    if num_classes == student.logits.shape[-1] and bool(heard_KB.all()):
        return _compare(loss, student.logits, spoken_BC, label_B, group=LabelGroup(teachers=(), classes=None))
    # Rows on which the same teachers are heard are compared together; there are few such sets.
    sets_KS, set_B = heard_KB.unique(dim=1, return_inverse=True)  # type: ignore[no-untyped-call] # torch has not annotated it
    parts, rows = [], []
    for s, heard_K in enumerate(sets_KS.unbind(dim=1)):
        here = (set_B == s).nonzero().squeeze(-1)
        group = LabelGroup(teachers=(), classes=_classes(comparisons, heard_K))
        rows.append(here)
        parts.append(_compare(loss, student.logits[here], spoken_BC[here], label_B[here], group=group))
    return torch.cat(parts)[torch.cat(rows).argsort()]


def _compare(loss: Loss, student_BC: Tensor, spoken_BC: Tensor, label_B: Tensor, *, group: LabelGroup) -> Tensor:
    """Compare on the classes of a group; 0 where it has none."""
    if group.classes is not None and not len(group.classes):
        return torch.zeros_like(student_BC[:, 0])
    student, spoken = (Outputs(logits=group.student_logits(logits)) for logits in (student_BC, spoken_BC))
    value = loss(student, spoken, group.labels(label_B))
    return value.expand(len(label_B)) if is_batch_statistic(loss) else value


def _classes(comparisons: Sequence[Comparison], heard_K: Tensor) -> Tensor | None:
    """Give the classes of the teachers that are heard, in order; None for all."""
    known = []
    for comparison in comparisons:
        if bool(heard_K[comparison.group.teachers[0]]):
            if comparison.group.classes is None:
                return None
            known.append(comparison.group.classes)
    return torch.cat(known).sort().values if known else heard_K.new_empty(0, dtype=torch.int64)


def _num_classes(comparison: Comparison, student: Outputs) -> int:
    classes = comparison.group.classes
    return student.logits.shape[-1] if classes is None else len(classes)
