"""Batches on which no teacher votes: they are trained on, and what teachers teach leaves no trace of them.

Shape letters: N = rows, K = teachers.
"""

import numpy as np
import pytest
import torch
from torch import nn

from teachers import Coverage, Outputs, TeacherEnsemble, TeacherOutputs
from trials.data import Dataset
from trials.distill import DistillationLoss, Lesson, distill
from trials.example import see
from trials.losses import LOSSES, Needs, needs_of
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.shares import gradient_shares
from trials.tasks import Classification

NUM_ROWS = 44
LABEL = LossTerm(name=HARD_LABEL, weight=1.0)
ON_LOGITS = [name for name in sorted(LOSSES) if needs_of(LossTerm(name=name, weight=1.0)) == Needs()]


def lesson(*terms, **fields):
    """Two teachers who each cover four of 40 rows to train on, so that some batches of four have no voter."""
    rows = np.arange(NUM_ROWS)
    dataset = Dataset(
        inputs=np.random.default_rng(0).normal(size=(NUM_ROWS, 2)).astype(np.float32),
        labels=rows % 3,
        class_names=("a", "b", "c"),
        splits={"train": rows[:-4], "validation": rows[-4:-2], "test": rows[-2:]},
        columns={"home": np.array(["left"] * 4 + ["right"] * 4 + ["nobody's"] * (NUM_ROWS - 8))},
    )
    coverages = {home: Coverage(column="home", values=(home,)) for home in ("left", "right")}
    logits_KNC = torch.randn(2, NUM_ROWS, 3, generator=torch.Generator().manual_seed(1))
    return Lesson(
        dataset=dataset,
        task=Classification.for_dataset(dataset),
        recipe=Recipe(losses=terms, **{"epochs": 1, "batch_size": 4, "learning_rate": 0.01} | fields),
        seed=0,
        ensemble=TeacherEnsemble(coverages, num_classes=3, num_rows=NUM_ROWS, columns=dataset.columns),
        teachers=lambda batch, features=(): TeacherOutputs(logits=logits_KNC[:, batch.index]),
    )


def student():
    torch.manual_seed(0)
    return nn.Linear(2, 3)


@pytest.mark.parametrize("aggregation", ["mean_of_losses", "mean_of_probabilities", "mean_of_logits", "aekd"])
@pytest.mark.parametrize("loss_name", ["kd", "dist", "sp"])
def test_an_epoch_most_of_whose_batches_have_no_voter_is_trained_through(aggregation, loss_name):
    taught = lesson(LABEL, LossTerm(name=loss_name, weight=1.0), aggregation=aggregation)
    model = student()
    history = distill(model, taught).history
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())
    assert all(record.losses[loss_name] > 0 for record in history)


@pytest.mark.parametrize("weighting", ["fixed", "learnt"])
@pytest.mark.parametrize("aggregation", ["mean_of_losses", "aekd"])
@pytest.mark.parametrize("loss_name", ON_LOGITS)
def test_a_batch_without_a_voter_teaches_its_labels_alone(aggregation, weighting, loss_name):
    taught = lesson(LABEL, LossTerm(name=loss_name, weight=1.0), aggregation=aggregation, weighting=weighting)
    model, batch = student(), taught.dataset.batch(np.arange(8, 16))
    answer = Outputs(logits=model(batch.inputs))
    loss = DistillationLoss(
        taught, see(model, lambda inputs: Outputs(logits=model(inputs)), taught, batch, torch.device("cpu"))
    )
    means = loss(answer, taught.hear(batch, ()), batch)
    assert means[loss_name] == 0
    shares = gradient_shares(
        loss,
        answer,
        taught.hear(batch, ()),
        batch,
        means=means,
        factors=loss.factors(means, 1),
        model=model,
    )
    assert shares.terms == {HARD_LABEL: 1, loss_name: 0}
    assert shares.teachers == {}
    means[loss_name].backward(retain_graph=True)
    assert all((parameter.grad == 0).all() for parameter in model.parameters())
    sum(means.values()).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())
