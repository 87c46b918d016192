"""One loss against several teachers at once.

Shape letters: K = teachers, k = teachers of one comparison, B = batch, C = classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from teachers import LabelGroup, Outputs, TeacherOutputs
from trials.losses import Loss, is_batch_statistic, reads_votes


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """A loss, and the teachers that it takes as one tensor: they know the same classes, their features have one shape.

    Args:
        loss: Compares the student with teachers that are stacked in front.
        group: These teachers.
        features: Names of the features of theirs that the loss reads.
    """

    loss: Loss
    group: LabelGroup
    features: tuple[str, ...] = ()

    def losses(self, student: Outputs, teachers: TeacherOutputs, label_B: Tensor, weights_KB: Tensor) -> Tensor:
        """Compare the student with each teacher of the group.

        Args:
            student: ``logits`` (B, C), or (K, B, C) where it says something else to each teacher.
            teachers: All of them.
            label_B: True classes, ``MISSING_LABEL`` where unknown.
            weights_KB: Of all teachers; 0 where one does not vote.

        Returns:
            ``loss_kB``; a statistic of the batch stands at every row on which the teacher votes.

        Raises:
            ValueError: The loss gives something else than a value for each teacher and sample, or for each teacher.
        """
        group = self.group
        own_of_each = student.logits.ndim > label_B.ndim + 1
        own = group.teacher_logits(student.logits) if own_of_each else group.student_logits(student.logits)
        student = replace(student, logits=own)
        heard = Outputs(
            logits=group.teacher_logits(teachers.logits),
            features=teachers.stacked(group.teachers, self.features) if self.features else {},
        )
        label_B = group.labels(label_B)
        shape = len(group.teachers), weights_KB.shape[1]
        if reads_votes(self.loss):
            votes_kB = weights_KB[list(group.teachers)] > 0
            return self._of_shape(shape, self.loss(student, heard, label_B, votes_KB=votes_kB))
        if not is_batch_statistic(self.loss):
            return self._of_shape(shape, self.loss(student, heard, label_B))
        votes_kB = weights_KB[list(group.teachers)] > 0
        if bool(votes_kB.all()):
            return self._of_shape(shape[:1], self.loss(student, heard, label_B))[..., None].expand(shape)
        each = [self._statistic(student, heard, label_B, k, votes_kB[k]) for k in range(len(votes_kB))]
        return torch.stack(each)

    def _statistic(self, student: Outputs, heard: Outputs, label_B: Tensor, k: int, votes_B: Tensor) -> Tensor:
        """Compare the rows on which one teacher votes, and lay the value on them."""
        if not bool(votes_B.any()):
            return nothing_taught(student.logits, num_rows=len(votes_B))
        rows = votes_B.nonzero().squeeze(-1)
        own = student.logits[k] if student.logits.ndim > label_B.ndim + 1 else student.logits
        narrowed = Outputs(logits=own[rows], features={name: of[rows] for name, of in student.features.items()})
        teacher = Outputs(
            logits=heard.logits[k : k + 1, rows],
            features={name: of[k : k + 1, rows] for name, of in heard.features.items()},
        )
        return votes_B * self._of_shape((1,), self.loss(narrowed, teacher, label_B[rows]))

    def _of_shape(self, shape: tuple[int, ...], values: Tensor) -> Tensor:
        """Refuse what would be broadcast: a mean over samples would teach those on which a teacher does not vote."""
        if values.shape == shape:
            return values
        made = getattr(self.loss, "func", self.loss)
        each = "one value a teacher, since it is marked with batch_statistic"
        if len(shape) == 2:
            each = "one value a teacher and sample; take no mean, or mark it with trials.losses.batch_statistic and "
            each += "give one value a teacher"
        raise ValueError(
            f"loss {getattr(made, '__name__', type(made).__name__)} gave shape {tuple(values.shape)}, expected "
            f"{shape}, {each}"
        )


def nothing_taught(logits: Tensor, *, num_rows: int) -> Tensor:
    """Give the loss of rows on which nobody votes: zeros, with a gradient of zeros, so that a step can be taken.

    Args:
        logits: Of the student, to which the gradient goes.
        num_rows: Of the batch, B.
    """
    return logits[:0].sum().expand(num_rows)  # Of no numbers: 0 times what is infinite would be no number.


def losses_of_each(
    comparisons: Sequence[Comparison],
    student: Outputs,
    teachers: TeacherOutputs,
    label_B: Tensor,
    weights_KB: Tensor,
) -> Tensor:
    """Compare the student with each teacher: ``loss_KB``, in the order of the ensemble; see ``Comparison.losses``."""
    parts = [comparison.losses(student, teachers, label_B, weights_KB) for comparison in comparisons]
    if len(parts) == 1:
        return parts[0]
    order = [k for comparison in comparisons for k in comparison.group.teachers]
    return torch.cat(parts)[torch.tensor(order).argsort()]


def weighted_losses(
    comparisons: Sequence[Comparison],
    student: Outputs,
    teachers: TeacherOutputs,
    label_B: Tensor,
    weights_KB: Tensor,
) -> Tensor:
    """Compare the student with each teacher, and weigh the losses: ``loss_KB``."""
    return weights_KB * losses_of_each(comparisons, student, teachers, label_B, weights_KB)
