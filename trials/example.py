"""What student and teachers say of a few rows, from which losses with learnt parts take their shapes.

Shape letters: K = teachers, B = batch.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from teachers import Batch, Inputs, LabelGroup, Outputs, Taps, TeacherOutputs
from trials.lesson import Lesson
from trials.losses import Needs, Pairing, RunnableTeacher
from trials.placing import place_batch, place_outputs

EXAMPLE_ROWS = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """A student and all its teachers, seen on a few rows.

    Args:
        lesson: Whose teachers they are.
        inputs: Raw, of these rows.
        student: With all features that any term needs, in evaluation mode.
        teachers: The same of the teachers.
        student_model: From raw inputs to logits.
    """

    lesson: Lesson
    inputs: Tensor
    student: Outputs
    teachers: TeacherOutputs
    student_model: nn.Module

    def pairing(self, group: LabelGroup, needs: Needs) -> Pairing:
        """Pair the student with the teachers of a group.

        Raises:
            ValueError: The loss runs the teachers' own models, and one is no module of torch.
        """
        models = [self._model(k) for k in group.teachers] if needs.models else []
        own = needs.student if needs.models else ()
        taps = Taps(self.student_model, own, example=(self.inputs,), aliases=self.lesson.taps) if own else None
        return Pairing(
            student=Outputs(logits=group.student_logits(self.student.logits), features=self.student.features),
            teacher=Outputs(
                logits=group.teacher_logits(self.teachers.logits),
                features=self.teachers.stacked(group.teachers, needs.teacher) if needs.teacher else {},
            ),
            student_model=self.student_model,
            teacher_models=tuple(models),
            student_paths={} if taps is None else taps.paths,
            teacher_paths=tuple(_paths(model, needs.teacher, self.inputs) for model in models),
            num_epochs=self.lesson.recipe.epochs,
            knows_all=group.classes is None,
        )

    def _model(self, position: int) -> RunnableTeacher:
        name, model = self.lesson.heard_models[position]
        if not isinstance(model, RunnableTeacher) or model.module is None:
            raise ValueError(
                f"a loss runs the models of the teachers themselves, and {name!r} is no module of torch that gives the "
                "classes of the data alone; give it as factory and weights, without `classes`"
            )
        return model


def see(
    student: nn.Module, speak: Callable[[Inputs], Outputs], lesson: Lesson, batch: Batch, device: torch.device
) -> Example | None:
    """Ask student and teachers about a few rows, if a loss must know; the student learns nothing from them.

    Args:
        student: The model; afterwards in evaluation mode.
        speak: The same, with the features that losses need.
        lesson: Whose teachers and losses they are.
        batch: The rows, on the processor.
        device: Where the student is.
    """
    teachers = _heard(lesson, batch) if lesson.has_shaped_losses else None
    if teachers is None:
        return None
    inputs = place_batch(batch, device).inputs
    assert isinstance(inputs, Tensor)
    student.eval()
    with torch.no_grad():
        answer = speak(inputs)
    return Example(
        lesson=lesson,
        inputs=inputs,
        student=answer,
        teachers=place_outputs(teachers, device),
        student_model=student,
    )


def _heard(lesson: Lesson, batch: Batch) -> TeacherOutputs | None:
    if not lesson.dataset.of_tokens:
        return lesson.hear(batch, lesson.needs.teacher)
    tokens = lesson.hear_tokens(batch, lesson.needs.teacher)
    return None if tokens is None else tokens.entire()


def _paths(model: RunnableTeacher, names: tuple[str, ...], raw: Tensor) -> dict[str, str]:
    """Give the path of the module that gives each feature of a teacher."""
    assert model.module is not None
    inputs = raw if model.preprocessing is None else model.preprocessing(raw)
    own = {name: model.feature_id(name) for name in names}
    paths = Taps(model.module, own.values(), example=(inputs,)).paths
    return {name: paths[resolved] for name, resolved in own.items() if resolved in paths}
