"""What a student loses in a step: against its labels, and against its teachers.

Shape letters: K = teachers, B = batch, C = classes.
"""

import torch
from torch import Tensor, nn

from teachers import MISSING_LABEL, Batch, Outputs
from trials.aggregation import AGGREGATIONS
from trials.lesson import Lesson
from trials.losses import bind
from trials.placing import choose_device, place_ensemble
from trials.recipe import HARD_LABEL
from trials.weighting import WEIGHTINGS
from trials.weighting.fixed import fixed


class DistillationLoss(nn.Module):
    """All terms of a recipe; a module, since terms may have learnt parts."""

    def __init__(self, lesson: Lesson) -> None:
        """Look the methods of the lesson's recipe up, and put everything where the lesson is taught."""
        super().__init__()
        recipe, given, device = lesson.recipe, lesson.ensemble, choose_device(lesson.device)
        self.task = lesson.task
        self.ensemble = None if given is None else place_ensemble(given, device)
        self.aggregate = AGGREGATIONS[recipe.aggregation]
        self.weigh = WEIGHTINGS[recipe.weighting]
        self.weights = {term.name: term.weight for term in recipe.losses if term.weight > 0}
        self.terms = {term.name: bind(term) for term in recipe.losses if term.weight > 0 and term.name != HARD_LABEL}
        self.learnt = nn.ModuleList(loss for loss, _ in self.terms.values() if isinstance(loss, nn.Module))
        names = () if given is None else given.names
        self.fixed_K = torch.tensor([recipe.teacher_weights.get(name, 1.0) for name in names], device=device)
        # Where every teacher votes on every row, votes and fixed weights are the same in each step.
        self.all_vote = given is not None and bool(given.known_KC.all() and given.rows_KN.all())
        self.votes_K1 = torch.ones(len(names), 1, device=device)
        self.shares_K1 = self.fixed_K[:, None] / self.fixed_K.sum().clamp(min=1e-12)
        self.to(device)

    def forward(self, student: Outputs, teachers: Outputs | None, batch: Batch) -> dict[str, Tensor]:
        """Compute each term.

        Args:
            student: Of the batch.
            teachers: Of the batch, stacked (K, B, C); None where no term listens to them.
            batch: Labels as the student may see them.

        Returns:
            Mean of each term over the rows that it speaks of, before its weight; a scalar each.
        """
        means: dict[str, Tensor] = {}
        if HARD_LABEL in self.weights:
            loss_B = self.task.hard_label_loss(student, batch.labels)
            means[HARD_LABEL] = loss_B.sum() / (batch.labels != MISSING_LABEL).sum().clamp(min=1)
        if teachers is not None:
            means |= self._taught(student, teachers, batch)
        return means

    def total(self, means: dict[str, Tensor]) -> Tensor:
        """Add the terms up, each with its weight."""
        weighted = [mean * self.weights[name] for name, mean in means.items()]
        return sum(weighted[1:], start=weighted[0])

    def _taught(self, student: Outputs, teachers: Outputs, batch: Batch) -> dict[str, Tensor]:
        assert self.ensemble is not None
        weights_KB, heard = self._weights(teachers, batch)
        means = {}
        for name, (loss, temperature) in self.terms.items():
            loss_B = self.aggregate(
                loss,
                student,
                teachers,
                batch.labels,
                weights_KB=weights_KB,
                temperature=temperature,
                ensemble=self.ensemble,
            )
            means[name] = loss_B.sum() / heard
        return means

    def _weights(self, teachers: Outputs, batch: Batch) -> tuple[Tensor, Tensor | int]:
        """Weigh the teachers (K, B), and count the rows on which any of them votes, at least 1."""
        assert self.ensemble is not None
        num_rows = len(batch.labels)
        if self.all_vote and self.weigh is fixed:
            return self.shares_K1.expand(-1, num_rows), num_rows
        votes_KB = self.votes_K1.expand(-1, num_rows) if self.all_vote else self.ensemble.votes(batch)
        weights_KB = self.weigh(
            teachers.logits, batch.labels, votes_KB=votes_KB, fixed_K=self.fixed_K, ensemble=self.ensemble
        )
        return weights_KB, num_rows if self.all_vote else votes_KB.any(dim=0).sum().clamp(min=1)
