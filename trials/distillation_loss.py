"""What a student loses in a step: against its labels, and against its teachers.

Shape letters: K = teachers, B = batch, C = classes.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from teachers import MISSING_LABEL, Batch, LabelGroup, Outputs, TeacherOutputs
from trials.aggregation import AGGREGATIONS, Comparison, traits_of, weighted_losses
from trials.aggregation.mean_of_losses import mean_of_losses
from trials.example import Example
from trials.lesson import Lesson, averages
from trials.losses import bind, needs_of, temperature_of
from trials.placing import choose_device, place_ensemble
from trials.recipe import HARD_LABEL, LossTerm
from trials.weighting import LearntWeighting, make_weighting
from trials.weighting.fixed import fixed

GATE = "gate"
"""Name of the term that trains a learnt weighting; it moves no student."""

_SMALLEST_MAGNITUDE = 1e-4
"""Of a term's first one: below it a term counts as learnt, and is not blown up any further."""

_SMALLEST_WEIGHT = 1e-12
"""Of a teacher that votes: too little to teach anything."""


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
        self.learnt = nn.ModuleList(c.loss for c in self.comparisons if isinstance(c.loss, nn.Module))

    def forward(self, student: Outputs, teachers: TeacherOutputs, label_B: Tensor, weights_KB: Tensor) -> Tensor:
        """Compare the student with all teachers that vote: ``loss_B``."""
        return self.aggregate(
            self.comparisons, student, teachers, label_B, weights_KB=weights_KB, temperature=self.temperature
        )

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


class DistillationLoss(nn.Module):
    """All terms of a recipe; a module, since terms may have learnt parts, and magnitudes go on over epochs."""

    magnitudes: Tensor
    first_magnitudes: Tensor

    def __init__(self, lesson: Lesson, example: Example | None = None) -> None:
        """Look the methods of the lesson's recipe up, and put everything where the lesson is taught.

        Args:
            lesson: Its recipe, teachers and task.
            example: What student and teachers say of a few rows; needed where a loss is a class.
        """
        super().__init__()
        recipe, given, device = lesson.recipe, lesson.heard_ensemble, choose_device(lesson.device)
        self.task = lesson.task
        self.ensemble = None if given is None else place_ensemble(given, device)
        self.weigh = make_weighting(recipe.weighting, 0 if given is None else len(given))
        self.plan = {term.name: term for term in recipe.losses if term.weight > 0}
        groups = () if self.ensemble is None else self.ensemble.groups
        self.terms = nn.ModuleDict(
            {
                _key(term.name): Term(term, lesson, groups, example)
                for term in recipe.taught
                if self.ensemble is not None
            }
        )
        self.balanced = recipe.balance == "magnitude"
        self.register_buffer("magnitudes", torch.zeros(len(self.plan)))
        self.register_buffer("first_magnitudes", torch.zeros(len(self.plan)))
        names = () if given is None else given.names
        self.fixed_K = torch.tensor([recipe.teacher_weights.get(name, 1.0) for name in names], device=device)
        # Where every teacher votes on every row, votes and fixed weights are the same in each step.
        self.all_vote = given is not None and bool(given.known_KC.all() and given.rows_KN.all())
        self.votes_K1 = torch.ones(len(names), 1, device=device)
        self.shares_K1 = self.fixed_K[:, None] / self.fixed_K.sum().clamp(min=1e-12)
        self.to(device)

    def listens_in(self, epoch: int) -> bool:
        """Whether anything is learnt from teachers in an epoch, counted from 1; a learnt weighting always does."""
        learns = any(name != HARD_LABEL and term.weight_in(epoch) > 0 for name, term in self.plan.items())
        return learns or isinstance(self.weigh, LearntWeighting)

    def forward(
        self, student: Outputs, teachers: TeacherOutputs | None, batch: Batch, *, epoch: int | None = None
    ) -> dict[str, Tensor]:
        """Compute each term that has come in.

        Args:
            student: Of the batch.
            teachers: Of the batch; None where no term listens to them.
            batch: Labels as the student may see them.
            epoch: Counted from 1; None computes all terms.

        Returns:
            Mean of each term over the rows that it speaks of, before its weight; a scalar each. A learnt weighting
            adds the term ``GATE``.
        """
        late = {name for name, term in self.plan.items() if epoch is not None and epoch < term.first_epoch}
        means: dict[str, Tensor] = {}
        if HARD_LABEL in self.plan.keys() - late:
            loss_B = self.task.hard_label_loss(student, batch.labels)
            means[HARD_LABEL] = loss_B.sum() / (batch.labels != MISSING_LABEL).sum().clamp(min=1)
        if teachers is None or not self.terms:
            return means
        weights_KB, heard = self.weights(teachers, batch)
        for name, term in self.taught():
            if name in late:
                continue
            term.begin(epoch)
            means[name] = term(student, teachers, batch.labels, weights_KB.detach()).sum() / heard
        if isinstance(self.weigh, LearntWeighting):
            assert self.ensemble is not None
            means[GATE] = self.weigh.loss(weights_KB, teachers.logits, batch.labels, self.ensemble)
        return means

    def factors(self, means: Mapping[str, Tensor], epoch: int) -> dict[str, float | Tensor]:
        """Say what each term is multiplied by: its weight, over its running magnitude if the recipe balances.

        Args:
            means: What ``forward`` gave.
            epoch: Counted from 1; a term may come in later, or with a weight that rises.
        """
        planned = {name: mean for name, mean in means.items() if name in self.plan}
        weights: dict[str, float | Tensor] = {name: self.plan[name].weight_in(epoch) for name in planned}
        if self.balanced and planned:
            weights = {name: weights[name] * scale for name, scale in self._scales(planned).items()}
        return {name: weights.get(name, 1.0) for name in means}

    def taught(self) -> Iterator[tuple[str, Term]]:
        """Go through the terms that listen to teachers."""
        for name in self.plan:
            if name != HARD_LABEL and self.terms:
                term = self.terms[_key(name)]
                assert isinstance(term, Term)
                yield name, term

    def _scales(self, means: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Follow the magnitudes, in training, and say what brings each term to about 1.

        The magnitude of another term would be no measure: that of few labels, soon learnt by heart, goes to 0, and
        would take what teachers say along.
        """
        positions = [list(self.plan).index(name) for name in means]
        if self.training:
            seen = torch.stack([mean.detach().abs() for mean in means.values()])
            kept = self.magnitudes[positions]
            # The first value as it is, then one that forgets half of itself in about seven steps.
            self.magnitudes[positions] = torch.where(kept > 0, 0.9 * kept + 0.1 * seen, seen)
            first = self.first_magnitudes[positions]
            self.first_magnitudes[positions] = torch.where(first > 0, first, seen)
        # The first one tells the unit of a loss; of a term that has been 0 so far nothing is known.
        first = self.first_magnitudes[positions]
        magnitudes = torch.maximum(self.magnitudes[positions], _SMALLEST_MAGNITUDE * first)
        return dict(zip(means, 1 / magnitudes.where(first > 0, 1.0), strict=True))

    def weights(self, teachers: TeacherOutputs, batch: Batch) -> tuple[Tensor, Tensor | int]:
        """Weigh the teachers (K, B), and count the rows on which any of them votes, at least 1.

        The weights carry a gradient where they are learnt.
        """
        assert self.ensemble is not None
        num_rows = len(batch.labels)
        if self.all_vote and self.weigh is fixed:
            return self.shares_K1.expand(-1, num_rows), num_rows
        votes_KB = self.votes_K1.expand(-1, num_rows) if self.all_vote else self.ensemble.votes(batch)
        weights_KB = self.weigh(
            teachers.logits, batch.labels, votes_KB=votes_KB, fixed_K=self.fixed_K, ensemble=self.ensemble
        )
        if self.weigh is not fixed:  # A weight that is rounded to 0 would say that the teacher does not vote.
            weights_KB = votes_KB * weights_KB.clamp(min=_SMALLEST_WEIGHT)
        return weights_KB, num_rows if self.all_vote else votes_KB.any(dim=0).sum().clamp(min=1)


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


def _key(name: str) -> str:
    return name.replace(".", "/")  # A module's name must not hold a dot, and an import name may.
