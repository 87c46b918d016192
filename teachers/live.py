"""Teachers that answer on the spot, without a cache.

Shape letters: K = teachers, B = batch, C = classes.
"""

from collections.abc import Collection, Sequence

from teachers.columns import check_finite, class_columns
from teachers.outputs import Batch, TeacherOutputs
from teachers.teacher import Teacher


class LiveOutputs:
    """Runs every teacher on every batch; fulfils ``EnsembleOutputs``.

    A search does not use it: teachers of every kind that there is can be cached, since every batch consists of rows as
    they are. Batches that are made anew at each step would need it, and cached answers are held against it.
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
        answers = []
        inner = []
        for teacher in self._teachers:
            answer = teacher.model(batch.inputs, features)
            logits = answer.logits.detach().float()
            inner.append({name: answer.features[name].detach().float() for name in features})
            check_finite(teacher, "logits", logits)
            columns, classes = class_columns(teacher, width=logits.shape[-1], num_classes=self._num_classes)
            answers.append((logits, columns, classes))
        first = answers[0][0]
        stacked_KBC = first.new_zeros(len(answers), *first.shape[:-1], self._num_classes)
        for k, (logits, columns, classes) in enumerate(answers):
            stacked_KBC[k][..., classes] = logits[..., columns]
        return TeacherOutputs(logits=stacked_KBC, features=tuple(inner))
