"""Teachers that answer on the spot, without a cache.

Shape letters: K = teachers, B = batch, C = classes.
"""

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from teachers.columns import check_finite, class_columns
from teachers.outputs import Batch, TeacherOutputs
from teachers.teacher import Teacher
from teachers.token_outputs import TokenOutputs


class LiveOutputs:
    """Runs every teacher on every batch, one after the other; fulfils ``EnsembleOutputs``.

    What a cache has no room for is heard this way, and cached answers are held against it.
    """

    def __init__(self, teachers: Sequence[Teacher], *, num_classes: int) -> None:
        """Keep the teachers.

        Args:
            teachers: In the order of the outputs, at least one.
            num_classes: Classes of the data set, C.
        """
        self._teachers = tuple(teachers)
        self._num_classes = num_classes

    def __call__(self, batch: Batch, features: Collection[str] = ()) -> TeacherOutputs:
        """Ask all teachers.

        Raises:
            ValueError: A teacher gave values that are not finite, or a wrong number of columns.
        """
        answers = [ask(teacher, batch, features, num_classes=self._num_classes) for teacher in self._teachers]
        return TeacherOutputs(
            logits=torch.stack([logits for logits, _ in answers]), features=tuple(inner for _, inner in answers)
        )

    def of_tokens(self, batch: Batch, features: Collection[str] = ()) -> TokenOutputs:
        """Ask all teachers about each token.

        Raises:
            ValueError: A teacher gave values that are not finite, or a wrong number of columns.
        """
        answers = [ask(teacher, batch, features, num_classes=self._num_classes) for teacher in self._teachers]
        return TokenOutputs(
            logits=tuple(logits for logits, _ in answers), features=tuple(inner for _, inner in answers)
        )


def ask(
    teacher: Teacher, batch: Batch, features: Collection[str], *, num_classes: int
) -> tuple[Tensor, Mapping[str, Tensor]]:
    """Ask one teacher about a batch.

    Args:
        teacher: Who is asked.
        batch: Its inputs are read.
        features: Names of the features that are wanted beside the logits.
        num_classes: Classes of the data set, C.

    Returns:
        Logits (B, ..., C), 0 for classes that it does not know, and the features by name, all float32.

    Raises:
        ValueError: It gave values that are not finite, or a wrong number of columns.
    """
    with torch.no_grad():
        answer = teacher.model(batch.inputs, features)
    logits = answer.logits.detach().float()
    check_finite(teacher, "logits", logits)
    columns, classes = class_columns(teacher, width=logits.shape[-1], num_classes=num_classes)
    logits_BC = logits.new_zeros(*logits.shape[:-1], num_classes)
    logits_BC[..., classes] = logits[..., columns]
    return logits_BC, {name: answer.features[name].detach().float() for name in features}
