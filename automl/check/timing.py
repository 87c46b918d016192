"""How long steps and trials take on this machine, found by a few of them.

Shape letters: N = rows, K = teachers, C = classes.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachers import Batch, CutLogits, TeacherOutputs, TokenOutputs
from trials.distill import distill, steps_per_epoch
from trials.heads import build_student
from trials.records import Trial
from trials.run_trial import Setting
from trials.student import Student

_MOST_STEPS = 8
_SECONDS = 0.7
"""Time to spend on the steps of one student."""

_ANSWER_ROWS = 256
_FEATURE_ROWS = 16
"""Few: features may be large."""
_OVERHEAD_ROWS = 2048
"""Rows of a split that the trial which is tried out is judged on, at most."""


class MadeUpAnswers:
    """Answers of teachers that nobody asked, at the price of reading them from the cache; fulfils EnsembleOutputs."""

    def __init__(
        self, shapes: Sequence[Mapping[str, tuple[int, ...]]], num_classes: int, *, top_k: int | None = None
    ) -> None:
        """Make them up, the same each time.

        Args:
            shapes: Of one row of each feature of each teacher, by name.
            num_classes: Of the data.
            top_k: Logits that are kept of each token; None where all are, or the data is not of tokens.
        """
        chance = np.random.default_rng(0)
        self._num_classes, self._kept = num_classes, num_classes if top_k is None else min(top_k, num_classes)
        form = (_ANSWER_ROWS, len(shapes), self._kept)
        self._answers_NKC = torch.from_numpy(chance.standard_normal(form).astype(np.float16))
        self._features = [
            {
                name: _made_up(name, chance.standard_normal((_FEATURE_ROWS, *shape)).astype(np.float16))
                for name, shape in of_one.items()
            }
            for of_one in shapes
        ]

    def __call__(self, batch: Batch, features: Collection[str] = ()) -> TeacherOutputs:
        """Answer."""
        logits = self._answers_NKC[batch.index % _ANSWER_ROWS].transpose(0, 1).float().contiguous()
        rows = batch.index % _FEATURE_ROWS
        inner = tuple({name: of[name][rows].float() for name in features if name in of} for of in self._features)
        return TeacherOutputs(logits=logits, features=inner if features else ())

    def of_tokens(self, batch: Batch, features: Collection[str] = ()) -> TokenOutputs:
        """Answer for each token, cut as the plan says."""
        index_BT = batch.index[:, None] + torch.arange(batch.labels.shape[1])
        answers_KBTk = self._answers_NKC[index_BT % _ANSWER_ROWS].movedim(2, 0)
        inner = self(batch, features).features
        if self._kept == self._num_classes:
            return TokenOutputs(logits=tuple(answers_KBTk), features=inner)
        classes = torch.arange(self._kept).expand(answers_KBTk.shape[1:])
        tail = answers_KBTk[..., 0]
        cut = tuple(
            CutLogits(values=values, classes=classes, tail=tail[k], width=self._num_classes)
            for k, values in enumerate(answers_KBTk)
        )
        return TokenOutputs(logits=cut, features=inner)


def _made_up(name: str, drawn: NDArray[np.float16]) -> Tensor:
    """Make a feature of what was drawn: losses take logarithms of attention, whose rows sum to 1."""
    feature = torch.from_numpy(drawn)
    return feature.softmax(dim=-1) if name.endswith(".weights") else feature


def num_steps(trial: Trial, setting: Setting) -> int:
    """Count the steps of a whole training."""
    rows = len(setting.lesson(trial, setting.dataset).rows())  # As texts: which rows teach needs no tokens.
    return trial.recipe.epochs * steps_per_epoch(rows, trial.recipe.batch_size)


def step_seconds(trial: Trial, setting: Setting) -> float:
    """Time some training steps of a student, the first ones left out.

    Args:
        trial: The student and its recipe.
        setting: With answers of teachers where the recipe listens to them.
    """
    with torch.random.fork_rng(devices=[]), _threads(setting.threads):
        torch.manual_seed(trial.seed)
        signature = setting.signature_of(trial.spec)
        student = build_student(
            setting.space,
            trial.spec,
            signature=signature,
            statistics=setting.statistics,
            head_weights=setting.lesson(trial, setting.dataset).head_weights,
        )
        first = _epoch(student, trial, setting, steps=2)
        return _epoch(student, trial, setting, steps=int(np.clip(_SECONDS / first, 1, _MOST_STEPS)))


def small(trial: Trial, setting: Setting) -> tuple[Trial, Setting]:
    """Shorten a trial to a few steps, so that what it takes besides training can be timed."""
    rows = setting.lesson(trial, setting.dataset).rows()[: 2 * trial.recipe.batch_size]
    splits = {name: split[:_OVERHEAD_ROWS] for name, split in setting.dataset.splits.items()} | {"train": rows}
    dataset = replace(setting.dataset, splits=splits)
    return replace(trial, recipe=replace(trial.recipe, epochs=1)), replace(setting, dataset=dataset)


def _epoch(student: Student, trial: Trial, setting: Setting, *, steps: int) -> float:
    """Train for one epoch of some steps; give the seconds of each."""
    dataset = setting.dataset_of(trial.spec)
    rows = setting.lesson(trial, dataset).rows()[: steps * trial.recipe.batch_size]
    dataset = replace(dataset, splits={**dataset.splits, "train": rows})
    checkpoint = distill(student, setting.lesson(trial, dataset), until_epoch=1)
    return checkpoint.history[0].seconds / steps_per_epoch(len(rows), trial.recipe.batch_size)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
