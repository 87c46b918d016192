"""One term of a recipe that listens to teachers.

Shape letters: K = teachers, B = batch, C = classes.
"""

from dataclasses import replace

from torch import Tensor, nn

from teachers import Batch, LabelGroup, Outputs, TeacherOutputs
from trials.aggregation import AGGREGATIONS, Comparison, traits_of, weighted_losses
from trials.aggregation.aekd import aekd
from trials.aggregation.mean_of_losses import mean_of_losses
from trials.example import Example
from trials.lesson import Lesson, averages
from trials.losses import bind, fact_key, is_batch_statistic, is_of_tokens, needs_of, temperature_of, token_weigher
from trials.recipe import LossTerm


class Term(nn.Module):
    """One term of a recipe that listens to teachers: its loss, once for each group of teachers that it can stack."""

    def __init__(self, term: LossTerm, lesson: Lesson, groups: tuple[LabelGroup, ...], example: Example | None) -> None:
        """Make the losses.

        Args:
            term: Of the recipe.
            lesson: Whose recipe it is.
            groups: Teachers that know the same classes.
            example: What student and teachers say of a few rows; None where the loss is a function.

        Raises:
            ValueError: The loss does not fit the student or the teachers.
        """
        super().__init__()
        needs = needs_of(term)
        self.temperature = temperature_of(term)
        self.aggregate = AGGREGATIONS[lesson.recipe.aggregation] if averages(term) else mean_of_losses
        self.comparisons = tuple(
            Comparison(
                loss=bind(term, None if example is None else example.pairing(group, needs)),
                group=group,
                features=needs.teacher,
            )
            for group in _of_one_shape(groups, example, needs.teacher)
        )
        self.reads_features = not averages(term) and not is_of_tokens(term)
        self.token_features = needs.teacher if is_of_tokens(term) else ()
        self.facts, self.weigh_tokens = needs.facts, token_weigher(term)
        self.compares_samples = self.aggregate is aekd or any(is_batch_statistic(c.loss) for c in self.comparisons)
        self.learnt = nn.ModuleList(c.loss for c in self.comparisons if isinstance(c.loss, nn.Module))

    def forward(self, student: Outputs, teachers: TeacherOutputs, label_B: Tensor, weights_KB: Tensor) -> Tensor:
        """Compare the student with all teachers that vote: ``loss_B``."""
        return self.aggregate(
            self.comparisons, student, teachers, label_B, weights_KB=weights_KB, temperature=self.temperature
        )

    def sum(
        self, student: Outputs, teachers: TeacherOutputs, batch: Batch, weights_KB: Tensor, *, heard: Tensor | int
    ) -> tuple[Tensor, Tensor | int]:
        """Add the samples of a batch up, and say by how many the sum is to be divided: ``heard``, or their weights."""
        if self.reads_features and self.facts:
            facts = {fact_key(name): batch.facts[name] for name in self.facts}
            student = replace(student, features={**student.features, **facts})
        loss_B = self(student, teachers, batch.labels, weights_KB)
        if self.weigh_tokens is None:
            return loss_B.sum(), heard
        weight_B = self.weigh_tokens(batch.facts) * (weights_KB > 0).any(dim=0)
        return (weight_B * loss_B).sum(), weight_B.sum()

    def begin(self, epoch: int | None) -> None:
        """Tell the epoch, counted from 1, to losses with learnt parts that have an attribute ``epoch``."""
        for comparison in self.comparisons:
            if hasattr(comparison.loss, "epoch"):
                comparison.loss.epoch = epoch

    def of_each(self, student: Outputs, teachers: TeacherOutputs, label_B: Tensor, weights_KB: Tensor) -> Tensor:
        """Give the part of each teacher, weighted: ``loss_KB``; see ``Traits.of_each``."""
        return traits_of(self.aggregate).of_each(self.comparisons, student, teachers, label_B, weights_KB)

    @property
    def keeps_teachers_apart(self) -> bool:
        """Whether the part of a teacher depends on nothing but what it and the student say."""
        return traits_of(self.aggregate).of_each is weighted_losses


def _of_one_shape(
    groups: tuple[LabelGroup, ...], example: Example | None, features: tuple[str, ...]
) -> tuple[LabelGroup, ...]:
    """Split groups of teachers where their features differ in shape."""
    if not features:
        return groups
    assert example is not None and example.teachers is not None, "a loss that reads features is a class"
    parts = []
    for group in groups:
        shapes: dict[tuple[object, ...], list[int]] = {}
        for k in group.teachers:
            shapes.setdefault(tuple(example.teachers.features[k][name].shape for name in features), []).append(k)
        parts += [LabelGroup(teachers=tuple(ks), classes=group.classes) for ks in shapes.values()]
    return tuple(parts)
