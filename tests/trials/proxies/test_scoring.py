"""Untrained students scored on one batch of their data."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from search_spaces import SPACES
from teachers import Batch, Coverage, TeacherEnsemble, TeacherOutputs
from trials.data import READERS
from trials.data.splitting import split
from trials.proxies import PROXIES, ProxyBatch, Scorer, find_proxy
from trials.recipe import LossTerm, Recipe
from trials.records import Trial
from trials.setting import Setting
from trials.student import normalisation
from trials.tasks import TASKS

VALUES = {"depth": 1, "activation": "relu", "normalisation": "batch", "shortcut": False, "dropout": 0.1}
KD = Recipe(losses=(LossTerm(name="kd", weight=1.0),), epochs=1, batch_size=8, learning_rate=0.01)
ALONE = replace(KD, losses=(LossTerm(name="hard_label", weight=1.0),))


class Heard:
    """Two teachers, asked how often."""

    def __init__(self, num_rows: int) -> None:
        chance = torch.Generator().manual_seed(0)
        self._logits_KNC = torch.randn(2, num_rows, 10, generator=chance)
        self.asked = 0

    def __call__(self, batch: Batch, features: Collection[str] = ()) -> TeacherOutputs:
        del features
        self.asked += 1
        return TeacherOutputs(logits=self._logits_KNC[:, batch.index])


@pytest.fixture(scope="module")
def setting() -> Setting:
    dataset = split(READERS["sklearn"](name="digits"), validation=0.2, test=0.2, seed=0)
    ensemble = TeacherEnsemble(
        {"one": Coverage(), "other": Coverage()}, num_classes=10, num_rows=len(dataset), columns=dataset.columns
    )
    return Setting(
        space=SPACES["mlp"](),
        dataset=dataset,
        task=TASKS["classification"].for_dataset(dataset),
        statistics=normalisation(dataset),
        ensemble=ensemble,
        teachers=Heard(len(dataset)),
    )


def trial(setting: Setting, width: int = 16, recipe: Recipe = KD, **changes: object) -> Trial:
    spec = setting.space.spec({**VALUES, "layer1.width": width, **changes})
    return Trial(number=0, spec=spec, recipe=recipe, seed=0)


def test_a_student_has_all_scores_the_same_ones_each_time(setting: Setting) -> None:
    scorer = Scorer(setting, seed=0)
    found = scorer(trial(setting), PROXIES)
    assert found.keys() == PROXIES.keys()
    assert np.isfinite(list(found.values())).all()
    assert found["params"] == 65 * 16 + 2 * 16 + 17 * 10
    torch.manual_seed(5)  # What else draws in this process does not matter, and is not disturbed.
    state = torch.get_rng_state()
    assert Scorer(setting, seed=0)(trial(setting), PROXIES) == found
    assert torch.equal(torch.get_rng_state(), state)
    assert Scorer(setting, seed=1)(trial(setting), ["naswot"])["naswot"] != found["naswot"]
    assert scorer(trial(setting, width=32), ["synflow"])["synflow"] > found["synflow"]


def test_teachers_are_heard_once_and_a_student_is_built_once(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard(len(setting.dataset))
    scorer = Scorer(replace(setting, teachers=heard), seed=0)
    first = scorer(trial(setting), ["params", "relations"])
    monkeypatch.setattr("trials.proxies.scoring.build", lambda *given: pytest.fail("it was built again"))
    assert scorer(trial(setting), ["relations", "params"]) == first
    assert heard.asked == 1


def test_each_teacher_counts_as_the_recipe_says(setting: Setting) -> None:
    scorer = Scorer(setting, seed=0)

    def relations(**changes: object) -> float:
        return scorer(trial(setting, recipe=replace(KD, **changes)), ["relations"])["relations"]

    one = relations(taking_part={"other": False})
    other = relations(taking_part={"one": False})
    assert one != other
    assert relations() == pytest.approx((one + other) / 2)
    assert relations(teacher_weights={"one": 3.0}) == pytest.approx((3 * one + other) / 4)
    # Other weightings differ by sample and epoch; before training all teachers count alike.
    assert relations(weighting="entropy", teacher_weights={"one": 3.0}) == relations()


def test_what_has_no_score_is_left_out(setting: Setting) -> None:
    scorer = Scorer(setting, seed=0)
    assert scorer(trial(setting, recipe=ALONE), ["relations", "synflow"]).keys() == {"synflow"}
    broken = replace(setting, space=replace(setting.space, build=lambda spec, signature: 1 / 0))
    assert Scorer(broken, seed=0)(trial(setting), PROXIES) == {}
    with pytest.raises(ValueError, match="no teacher that counts"):
        scorer.require(trial(setting, recipe=ALONE), "relations")


def test_texts_are_refused(setting: Setting) -> None:
    dataset = replace(setting.dataset, inputs=["a text"] * len(setting.dataset))
    with pytest.raises(ValueError, match="the data is texts"):
        Scorer(replace(setting, dataset=dataset), seed=0)


def deepest(body: nn.Module, batch: ProxyBatch) -> float:
    """Score as a user might: by the number of linear layers; of a broad student it fails."""
    del batch
    layers = [module for module in body.modules() if isinstance(module, nn.Linear)]
    if layers[0].out_features > 100:
        raise KeyError("too broad")
    return float("nan") if layers[0].out_features > 50 else len(layers)


def test_a_proxy_of_the_user_s_own_is_imported(setting: Setting) -> None:
    own = f"{__name__}:deepest"
    scorer = Scorer(setting, seed=0)
    assert scorer(trial(setting), [own, "params"])[own] == 2.0
    for width, reason in ((64, "it gives nan, which is no finite number"), (128, "it failed with KeyError")):
        assert scorer(trial(setting, width=width), [own, "params"]).keys() == {"params"}
        with pytest.raises(ValueError, match=reason):
            scorer.require(trial(setting, width=width), own)
    with pytest.raises(ValueError, match="unknown proxy 'zen'; proxies are naswot, params, relations, synflow"):
        find_proxy("zen")


def careless(body: nn.Module, batch: ProxyBatch) -> torch.Tensor:
    """Score as a user might: by a tensor with a gradient, and with the student spoilt."""
    del batch
    for parameter in body.parameters():
        nn.init.ones_(parameter)
    return torch.stack([parameter.sum() for parameter in body.parameters()]).sum()


def test_what_a_proxy_of_the_user_s_does_to_a_student_is_not_seen_by_the_next(setting: Setting) -> None:
    own = f"{__name__}:careless"
    together = Scorer(setting, seed=0)(trial(setting), [own, "params", "synflow"])
    assert together[own] == together["params"]
    assert together["synflow"] == Scorer(setting, seed=0)(trial(setting), ["synflow"])["synflow"]
