"""A trial in rungs: the same student, to the last bit, as in one go."""

import math
import pickle
from dataclasses import replace
from typing import Any

import pytest
import torch

from search_spaces import SPACES
from teachers import Coverage, TeacherEnsemble, TeacherOutputs
from teachers.batch import Batch
from trials import judging, stages
from trials.data import READERS, split
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.records import Candidate, Latency, LatencySettings, Limit, Outcome, Trial, TrialResult
from trials.run_trial import run_rung, run_trial, train_and_judge
from trials.setting import Setting
from trials.student import normalisation
from trials.tasks import Classification

SPACE = SPACES["mlp"]()
VALUES = {"depth": 1, "activation": "relu", "normalisation": "batch", "shortcut": False, "dropout": 0.1}
HARD = LossTerm(name=HARD_LABEL, weight=1.0)
RECIPE = Recipe(losses=(HARD,), epochs=4, batch_size=64, learning_rate=0.01)


def listening(name: str, **options: Any) -> Recipe:
    fields = {field: options.pop(field) for field in ("aggregation", "weighting", "balance") if field in options}
    return replace(RECIPE, losses=(HARD, LossTerm(name=name, weight=1.0, options=options)), **fields)


RECIPES = {
    "labels": RECIPE,
    "sgd": replace(RECIPE, optimizer="sgd"),
    "late and rising": replace(
        RECIPE, losses=(HARD, LossTerm(name="kd", weight=1.0, first_epoch=2, warmup_epochs=2)), balance="magnitude"
    ),
    "heads": listening("kd", aggregation="mimic_all"),
    "learnt weights": listening("kd", weighting="learnt"),
    "shared gradient": listening("kd", aggregation="aekd"),
    "learnt adapter": listening("fitnets", student="stage1", teacher="stage1"),
}


class Teachers:
    """Two teachers that say something about every row."""

    def __call__(self, batch: Batch, features: Any = ()) -> TeacherOutputs:
        rows = batch.index.double()[None, :, None]
        k, c = torch.arange(2.0)[:, None, None], torch.arange(10.0)[None, None, :]
        told = {"stage1": torch.sin(rows[0] * torch.arange(1.0, 9.0)).float()}
        inner = tuple(told for _ in range(2)) if features else ()
        return TeacherOutputs(logits=torch.cos(rows * (k + 1) + c).float() * 3, features=inner)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def setting() -> Setting:
    dataset = split(READERS["sklearn"](name="digits"), validation=0.2, test=0.2, seed=0)
    return Setting(
        space=SPACE,
        dataset=dataset,
        task=Classification.for_dataset(dataset),
        statistics=normalisation(dataset),
        ensemble=TeacherEnsemble({"one": Coverage(), "two": Coverage()}, dataset),
        teachers=Teachers(),
        latency=LatencySettings(warmup_runs=1, min_runs=6, seconds=0.0),
        device="cpu",
    )
