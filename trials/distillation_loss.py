"""What a student loses in a step: against its labels, and against its teachers.

Shape letters: K = teachers, B = batch, C = classes.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from teachers import MISSING_LABEL, Batch, Outputs, TeacherOutputs
from trials.example import Example
from trials.lesson import Lesson
from trials.placing import choose_device, place_ensemble
from trials.recipe import HARD_LABEL
from trials.term import Term
from trials.weighting import LearntWeighting, make_weighting
from trials.weighting.fixed import fixed

GATE = "gate"
"""Name of the term that trains a learnt weighting; it moves no student."""

Sums = dict[str, tuple[Tensor, Tensor | int]]
"""Of each term by name: its sum over the samples that it speaks of, and how many these are."""

_SMALLEST_MAGNITUDE = 1e-4
"""Of a term's first one: below it a term counts as learnt, and is not blown up any further."""

_SMALLEST_WEIGHT = 1e-12
"""Of a teacher that votes: too little to teach anything."""


def means_of(sums: Sums) -> dict[str, Tensor]:
    """Divide sums by their counts; of nothing the mean is 0."""
    return {
        name: value / (torch.where(count > 0, count, 1) if isinstance(count, Tensor) else max(1, count))
        for name, (value, count) in sums.items()
    }


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
        self.task, self.num_classes = lesson.task, lesson.dataset.num_classes
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
        sums = self.sums(student, teachers, batch, epoch=epoch)
        return means_of(sums)

    def sums(
        self,
        student: Outputs,
        teachers: TeacherOutputs | None,
        batch: Batch,
        *,
        epoch: int | None = None,
        of_features: bool | None = None,
        by_labels: bool = True,
    ) -> Sums:
        """Add each term that has come in up over its samples; arguments are those of ``forward``.

        Args:
            student: Of the batch.
            teachers: Of the batch, or None.
            batch: Labels as the student may see them.
            epoch: Counted from 1, or None.
            of_features: True for terms that read features alone, False for all others, None for all.
            by_labels: Whether the labels are right, so that the student learns from them.
        """
        late = {name for name, term in self.plan.items() if epoch is not None and epoch < term.first_epoch}
        sums: Sums = {}
        if HARD_LABEL in self.plan.keys() - late and by_labels and not of_features:
            loss_B = self.task.hard_label_loss(student, batch.labels)
            sums[HARD_LABEL] = loss_B.sum(), (batch.labels != MISSING_LABEL).sum()
        chosen = [(n, t) for n, t in self.taught() if n not in late and of_features in (None, t.reads_features)]
        learns = isinstance(self.weigh, LearntWeighting) and by_labels and not of_features
        if teachers is None or not self.terms or not (chosen or learns):
            return sums
        weights_KB, heard = self.row_weights(batch) if of_features else self.weights(teachers, batch)
        for name, term in chosen:
            term.begin(epoch)
            weights, counted = weights_KB.detach(), heard
            if term.token_features and teachers.features:
                weights, counted = _where_told(weights, teachers, term.token_features)
            sums[name] = term.sum(student, teachers, batch, weights, heard=counted)
        if isinstance(self.weigh, LearntWeighting) and learns:
            assert self.ensemble is not None
            gate = self.weigh.loss(weights_KB, teachers.logits, batch.labels, self.ensemble)
            # A mean already; over chunks of tokens it counts by their number.
            sums[GATE] = (gate, 1) if of_features is None else (gate * len(batch.labels), len(batch.labels))
        return sums

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
        """Weigh the teachers (K, B), and count the rows on which any of them votes.

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
        return weights_KB, num_rows if self.all_vote else votes_KB.any(dim=0).sum()

    def row_weights(self, batch: Batch) -> tuple[Tensor, Tensor | int]:
        """Weigh the teachers on rows of tokens (K, B), and count the rows on which any votes.

        A weighting that looks at what is said of a token has none for a row, whose features are compared; there the
        recipe's fixed weights count.
        """
        assert self.ensemble is not None
        votes_KB = self.ensemble.votes(batch)
        weights_KB = votes_KB * self.fixed_K[:, None]
        weights_KB = weights_KB / weights_KB.sum(dim=0).clamp(min=1e-12)
        return weights_KB, votes_KB.any(dim=0).sum()

    @property
    def token_features(self) -> tuple[str, ...]:
        """Features of teachers that are read at each token."""
        return tuple(dict.fromkeys(name for _, term in self.taught() for name in term.token_features))

    @property
    def compares_samples(self) -> bool:
        """Whether any term compares the samples of a batch with each other, so that they cannot come in parts."""
        return any(term.compares_samples for _, term in self.taught())


def _where_told(weights_KB: Tensor, teachers: TeacherOutputs, names: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """Let teachers vote where they have a token at the position, and count where any does."""
    told_KB = torch.stack([each[names[0]].flatten(1).ne(0).any(dim=1) for each in teachers.features])
    return weights_KB * told_KB, (weights_KB * told_KB > 0).any(dim=0).sum()


def _key(name: str) -> str:
    return name.replace(".", "/")  # A module's name must not hold a dot, and an import name may.
