"""Columns of a teacher that knows other classes than the data has are found by name."""

import pickle

import pytest
import torch
from torch import nn

from teachers.loading import choose_classes, load_factory
from teachers.loading.loaded import LoadedModel

NAMES = ("bolt", "nut", "washer")
OWN = ("washer", "screw", "bolt", "nut")


def build() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 4))


def loaded() -> LoadedModel:
    return load_factory(factory=build, weights=None)


def test_columns_are_found_by_name_in_the_order_of_what_is_covered() -> None:
    model, inputs = loaded(), torch.randn(5, 2)
    whole = model.model(inputs).logits
    chosen = choose_classes(model, OWN, class_names=NAMES, labels=None)
    assert torch.equal(chosen.model(inputs).logits, whole[:, [2, 3, 0]])
    some = choose_classes(model, OWN, class_names=NAMES, labels=(2, 0))
    assert torch.equal(some.model(inputs).logits, whole[:, [0, 2]])
    assert torch.equal(pickle.loads(pickle.dumps(some.model))(inputs).logits, whole[:, [0, 2]])
    assert len({each.digest for each in (model, chosen, some)}) == 3


def test_a_model_of_the_data_s_own_classes_in_their_order_stays_as_it_is() -> None:
    model = load_factory(factory=nn.Linear, weights=None, options={"in_features": 2, "out_features": 3})
    assert choose_classes(model, NAMES, class_names=NAMES, labels=None) is model


def test_features_stay_as_they_are() -> None:
    model, inputs = loaded(), torch.randn(5, 2)
    chosen = choose_classes(model, OWN, class_names=NAMES, labels=None)
    assert torch.equal(chosen.model(inputs, ["last"]).features["last"], model.model(inputs, ["last"]).features["last"])


@pytest.mark.parametrize(
    ("classes", "labels", "message"),
    [
        (
            ("bolt", "nut", "screw", "pin"),
            None,
            "it shall be heard on washer, which its classes lack: bolt, nut, screw",
        ),
        (("bolt", "nut", "nut", "washer"), None, "`classes` names nut more than once"),
    ],
)
def test_names_that_do_not_fit_are_told(classes: tuple[str, ...], labels: None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_classes(loaded(), classes, class_names=NAMES, labels=labels)


@pytest.mark.parametrize(("classes", "labels"), [((*OWN, "pin"), None), (("bolt", "nut"), (0, 1))])
def test_names_that_are_not_as_many_as_columns_are_told(
    classes: tuple[str, ...], labels: tuple[int, ...] | None
) -> None:
    chosen = choose_classes(loaded(), classes, class_names=NAMES, labels=labels)
    with pytest.raises(ValueError, match=f"gave 4 columns of logits, and `classes` names {len(classes)}"):
        chosen.model(torch.randn(5, 2))
