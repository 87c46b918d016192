"""Teachers that are trained alike differ by their seeds, and are found again by searches with fewer or more of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from automl.config import load_config
from automl.errors import UserError
from automl.preparation.prepare import Prepared, prepare
from automl.teaching.schooling import schooling
from automl.teaching.teach import load_teachers, train_teachers

STUDENT: dict[str, Any] = {
    "space": "mlp",
    "values": {
        "depth": 1,
        "activation": "relu",
        "normalisation": "batch",
        "shortcut": False,
        "dropout": 0.0,
        "layer1.width": 16,
    },
}
RECIPE: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 64,
    "learning_rate": 0.005,
    "losses": {"hard_label": {"weight": 1.0}},
}


def search(tmp_path: Path, *teachers: dict[str, Any], seed: int = 7) -> Prepared:
    """Prepare a search with some teachers that are alike but for what is given."""
    config = {
        "name": "alike",
        "seed": seed,
        "runs": str(tmp_path / "runs"),
        "data": {"kind": "sklearn", "name": "digits"},
        "student": STUDENT,
        "recipe": {**RECIPE, "losses": {"kd": {"weight": 1.0}}},
        "teachers": [
            {"name": f"teacher-{k}", "kind": "train", "student": STUDENT, "recipe": RECIPE, **each}
            for k, each in enumerate(teachers)
        ],
        "objectives": ["accuracy", "size_bytes"],
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return prepare(load_config(path))


def seeds(prepared: Prepared) -> list[int]:
    return [schooling(prepared, k).trial.seed for k in range(len(prepared.config.teachers))]


def names(prepared: Prepared) -> list[str]:
    return [schooling(prepared, k).folder_name() for k in range(len(prepared.config.teachers))]


@pytest.mark.parametrize(
    ("teachers", "expected"),
    [
        ([{}], [7]),
        ([{}, {}, {}], [7, 8, 9]),
        ([{"seed": 3}, {}, {"seed": 0}], [3, 7, 0]),
        ([{}, {"seed": 7}, {}, {"seed": 9}], [8, 7, 10, 9]),
        ([{}, {"covers": {"labels": [0, 1]}}, {}], [7, 7, 8]),
        ([{}, {"recipe": {**RECIPE, "epochs": 3}}, {}], [7, 7, 8]),
        ([{}, {"student": {**STUDENT, "values": {**STUDENT["values"], "layer1.width": 32}}}], [7, 7]),
        ([{}, {"taps": {"inner": "stage1"}}], [7, 8]),
        ([{}, {"covers": {"labels": list(range(10))}}], [7, 8]),
    ],
    ids=["one", "alike", "given", "given in between", "other rows", "recipe", "student", "taps", "the same rows"],
)
def test_teachers_that_are_trained_alike_take_successive_seeds(
    tmp_path: Path, teachers: Sequence[dict[str, Any]], expected: list[int]
) -> None:
    prepared = search(tmp_path, *teachers)
    assert seeds(prepared) == expected
    assert len(set(names(prepared))) == len(teachers)


def test_a_teacher_is_found_again_under_another_name_and_beside_fewer_or_more(tmp_path: Path) -> None:
    two = names(search(tmp_path, {}, {}))
    assert names(search(tmp_path, {"name": "other"})) == two[:1]
    assert names(search(tmp_path, {"name": "b"}, {"name": "a"}, {"name": "c"}))[:2] == two
    assert names(search(tmp_path, {"seed": 8})) == two[1:]


def test_two_teachers_that_are_told_to_be_one_model_are_refused_where_the_seed_stands(tmp_path: Path) -> None:
    prepared = search(tmp_path, {"seed": 1}, {}, {"seed": 1})
    with pytest.raises(
        UserError, match=r"teachers\[2\]\.seed.*'teacher-0' is trained alike with the seed 1.*another seed"
    ):
        schooling(prepared, 2)


def test_teachers_of_other_seeds_are_other_models(tmp_path: Path, in_process: Any) -> None:
    prepared = search(tmp_path, {}, {})
    folders = train_teachers(prepared, in_process(), tmp_path / "teachers")
    one, other = load_teachers(prepared, folders)
    assert one.digest != other.digest
    rows = prepared.dataset.batch(prepared.dataset.splits["train"][:9]).inputs
    assert not torch.allclose(one.model(rows).logits, other.model(rows).logits, atol=0.01)
