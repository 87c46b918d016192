"""Values of every loss, aggregation and weighting on fixed inputs, as they were once.

A change that should move them re-records them, from the root of the repository::

    PYTHONPATH=. python tests/contracts/test_distillation_goldens.py

Shape letters: K = teachers, B = batch, C = classes.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Batch, Coverage, Outputs, TeacherEnsemble, TeacherOutputs
from trials.aggregation import AGGREGATIONS, HEADS, Comparison, misfit
from trials.lesson import averages
from trials.losses import LOSSES, Pairing, bind, temperature_of
from trials.recipe import LossTerm
from trials.weighting import WEIGHTINGS, make_weighting

FILE = Path(__file__).parents[1] / "golden" / "distillation.json"
K, B, C = 3, 4, 5
LABELS = torch.tensor([0, 3, 4, MISSING_LABEL])
ENSEMBLES = [
    TeacherEnsemble(coverages, num_classes=C, num_rows=B, columns={"style": np.array(["x", "y", "x", "x"])})
    for coverages in (
        {"a": Coverage(), "b": Coverage(column="style", values=("x",)), "c": Coverage()},
        {"a": Coverage(), "b": Coverage(), "c": Coverage()},
        {"a": Coverage(labels=(4,)), "b": Coverage(labels=(0, 2)), "c": Coverage(labels=(1, 3))},
    )
]
"""An aggregation takes the first of them that fits."""
BATCH = Batch(index=torch.arange(B), inputs=torch.zeros(B, 1), labels=LABELS)


def inputs() -> tuple[Outputs, Outputs]:
    """Student and teachers: numbers that no generator has to give again."""
    numbers = torch.arange((K + 1) * B * C, dtype=torch.float64)
    logits = (3 * torch.sin(numbers * numbers)).float().reshape(K + 1, B, C)
    return Outputs(logits=logits[0]), Outputs(logits=logits[1:])


def values_of(catalog: str, name: str) -> list[list[float]] | list[float]:
    student, teachers = inputs()
    if catalog == "weightings":
        weigh, ensemble = make_weighting(name, K), ENSEMBLES[0]
        fixed_K = torch.tensor([1.0, 2.0, 4.0])
        weights_KB = weigh(teachers.logits, LABELS, votes_KB=ensemble.votes(BATCH), fixed_K=fixed_K, ensemble=ensemble)
        return weights_KB.tolist()
    term = LossTerm(name=name if catalog == "losses" else "kd", weight=1.0)
    loss = bind(term, Pairing(student=student, teacher=teachers, student_model=torch.nn.Identity()))
    if catalog == "losses":
        return loss(student, teachers, LABELS).tolist()
    ensemble = next(ensemble for ensemble in ENSEMBLES if not misfit(name, ensemble))
    votes_KB = ensemble.votes(BATCH)
    weights_KB = votes_KB / votes_KB.sum(dim=0)
    heads = torch.stack([student.logits, student.logits.flip(0), student.logits.flip(1)], dim=1)
    loss_B = AGGREGATIONS[name](
        [Comparison(loss=loss, group=group) for group in ensemble.groups],
        Outputs(logits=student.logits, features={HEADS: heads}),
        TeacherOutputs(logits=teachers.logits),
        LABELS,
        weights_KB=weights_KB,
        temperature=temperature_of(term),
    )
    return [loss_B.tolist()]


ON_LOGITS = sorted(name for name in LOSSES if averages(LossTerm(name=name, weight=1.0)))
"""Those that read features stand in ``published_feature_losses.json``."""

CATALOGS = {"losses": ON_LOGITS, "aggregations": sorted(AGGREGATIONS), "weightings": sorted(WEIGHTINGS)}
NAMES = [(catalog, name) for catalog, names in CATALOGS.items() for name in names]


def test_each_catalog_name_has_a_golden_and_none_is_orphaned():
    recorded = json.loads(FILE.read_text())
    assert {catalog: sorted(values) for catalog, values in recorded.items()} == CATALOGS


@pytest.mark.parametrize(("catalog", "name"), NAMES)
def test_values_are_those_recorded(catalog, name):
    recorded = json.loads(FILE.read_text())[catalog][name]
    np.testing.assert_allclose(values_of(catalog, name), recorded, rtol=1e-4, atol=1e-6)


def record() -> None:
    """Write the values of today."""
    values = {catalog: {name: values_of(catalog, name) for name in names} for catalog, names in CATALOGS.items()}
    rounded = json.loads(json.dumps(values), parse_float=lambda text: float(f"{float(text):.7g}"))
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(rounded, indent=1) + "\n")


if __name__ == "__main__":
    record()
