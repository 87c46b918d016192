"""A recipe that cannot be taught is refused with its place before anything is trained, whatever it may choose."""

from pathlib import Path

import pytest

from automl.config import load_config
from automl.errors import UserError
from automl.preparation.prepare import Prepared, prepare
from automl.preparation.recipe_checks import check_aggregation
from teachers import Coverage, TeacherEnsemble

CONFIG = """\
name: small
data: {kind: sklearn, name: digits}
student:
  space: mlp
  values: &v {depth: 1, activation: relu, normalisation: batch, shortcut: false, dropout: 0.0, layer1.width: 16}
recipe:
  epochs: 2
  batch_size: 64
  learning_rate: 0.01
  aggregation: AGGREGATION
  losses: {hard_label: {weight: 1.0}, LOSS}
teachers:
  - {name: low, kind: train, covers: {labels: [0, 1, 2, 3, 4]}, student: {space: mlp, values: *v}, recipe: &r {
      epochs: 1, batch_size: 32, learning_rate: 0.01, losses: {hard_label: {weight: 1.0}}}}
  - {name: high, kind: train, covers: {labels: [5, 6, 7, 8, 9]}, student: {space: mlp, values: *v}, recipe: *r}
objectives: [accuracy, size_bytes]
search: {sampler: random, trials: 3}
"""


def prepared_with(folder: Path, loss: str, aggregation: str = "mean_of_losses", text: str = CONFIG) -> Prepared:
    path = folder / "small.yaml"
    path.write_text(text.replace("AGGREGATION", aggregation).replace("LOSS", loss))
    return prepare(load_config(path))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("kd: {weight: 1.0, temperature: 0.0}", "temperature of 'kd' must be a number above 0, got 0.0"),
        ("kd: {weight: [0.0, 1.0], temperature: [0.0, 1.0]}", "temperature of 'kd' must be a number above 0, got 0.0"),
        ("skew_kl: {weight: 1.0, alpha: 1.0}", "alpha of 'skew_kl' must be a number above 0 and below 1, got 1.0"),
        ("skew_kl: {weight: 1.0, alpha: [0.1, 1.0]}", "alpha of 'skew_kl' must be a number above 0 and below 1, got 1"),
        (
            "skew_kl: {weight: 1.0, alpha: {low: 0.0, high: 0.5}}",
            "alpha of 'skew_kl' must be a number above 0 and below 1, got 0.0",
        ),
        ("fcfd: {weight: 1.0, layers: [stage1, 'stage1, last']}", "fcfd needs at least two layers, .*got 'stage1'$"),
    ],
)
def test_an_option_that_can_be_out_of_bounds_is_told_with_its_loss(tmp_path: Path, loss: str, message: str) -> None:
    name = loss.split(":", maxsplit=1)[0]
    place = rf"{name}\.{'layers' if 'layers' in loss else message.split(maxsplit=1)[0]}"
    with pytest.raises(UserError, match=rf"small\.yaml:11:\d+: recipe\.losses\.{place}: {message}"):
        prepared_with(tmp_path, loss)


def test_options_are_told_where_others_would_fit_and_the_reason_does_not_name_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "picky_loss.py").write_text(
        "from torch import nn\n\n"
        "from trials.losses import Needs\n\n\n"
        "class Picky(nn.Module):\n"
        "    def __init__(self, pairing, *, depth: int = 1, scale: float = 1.0):\n"
        "        super().__init__()\n\n"
        "    @staticmethod\n"
        "    def needs(*, depth: int = 1, scale: float = 1.0):\n"
        "        if depth > 2:\n"
        "            raise ValueError('too much')\n"
        "        return Needs()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    loss = "'picky_loss:Picky': {weight: 1.0, depth: {low: 1, high: 4}, scale: [1.0, 2.0]}"
    with pytest.raises(UserError, match=r"recipe\.losses\.picky_loss:Picky: with depth 3 or 4, too much$"):
        prepared_with(tmp_path, loss)
    with pytest.raises(UserError, match=r"recipe\.losses\.picky_loss:Picky: too much$"):
        prepared_with(tmp_path, loss.replace("{low: 1, high: 4}", "3"))


@pytest.mark.parametrize(
    ("loss", "aggregation", "message"),
    [
        ("rkd: {weight: 1.0}", "concatenated_logits", "concatenated_logits cannot take the losses rkd; use"),
        (
            "rkd: {weight: [0.0, 1.0]}",
            "[mean_of_losses, concatenated_logits]",
            "concatenated_logits cannot take the losses rkd; use",
        ),
        (
            "rkd: {weight: 1.0, layer: [logits, last]}",
            "concatenated_logits",
            "with layer 'logits', concatenated_logits cannot take the losses rkd; use",
        ),
    ],
)
def test_losses_that_an_aggregation_cannot_take_are_told(
    tmp_path: Path, loss: str, aggregation: str, message: str
) -> None:
    with pytest.raises(UserError, match=rf"small\.yaml:10:\d+: recipe\.aggregation: {message}"):
        prepared_with(tmp_path, loss, aggregation)


def test_a_loss_on_tokens_is_told_where_nothing_is_known_of_them(tmp_path: Path) -> None:
    message = (
        r"recipe\.losses\.syntax_jsd: 'syntax_jsd' needs next\.role of each token, and the data set has none; take"
    )
    with pytest.raises(UserError, match=rf"small\.yaml:11:\d+: {message}"):
        prepared_with(tmp_path, "syntax_jsd: {weight: [0.0, 1.0], keyword: [1.0, 2.0]}")


@pytest.mark.parametrize("loss", ["kd: {weight: 1.0}", "rkd: {weight: 1.0, layer: last}", "rkd: {weight: 0.0}"])
def test_losses_that_it_can_take_are_not_refused(tmp_path: Path, loss: str) -> None:
    assert prepared_with(tmp_path, f"dkd: {{weight: 1.0}}, {loss}", "concatenated_logits").ensemble is not None


def test_teachers_that_tell_their_classes_only_when_loaded_are_not_averaged(tmp_path: Path) -> None:
    text = CONFIG.replace("covers: {labels: [0, 1, 2, 3, 4]}, ", "").replace("covers: {labels: [5, 6, 7, 8, 9]}, ", "")
    prepared = prepared_with(tmp_path, "kd: {weight: 1.0}", "mean_of_logits", text)
    loaded = TeacherEnsemble(
        {"low": Coverage(), "high": Coverage(labels=(3, 5))},
        num_classes=10,
        num_rows=len(prepared.dataset),
        columns=prepared.dataset.columns,
    )
    check_aggregation(prepared.config, prepared.ensemble)
    with pytest.raises(UserError, match=r"small\.yaml:10:\d+: recipe\.aggregation: mean_of_logits cannot average"):
        check_aggregation(prepared.config, loaded)


def test_a_classifier_that_would_write_is_told(tmp_path: Path) -> None:
    text = CONFIG.replace("epochs: 2\n", "epochs: 2\n  on_policy: [0.0, 0.5]\n", 1)
    with pytest.raises(UserError, match=r"small\.yaml:\d+:\d+: recipe\.on_policy: only language models write"):
        prepared_with(tmp_path, "kd: {weight: 1.0}", text=text)
