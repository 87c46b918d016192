"""Losses that do not fit are told at their place, in a moment, before a teacher is trained or loaded."""

from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from automl.check import check
from automl.check.losses import require_losses
from automl.config import load_config
from automl.errors import UserError
from automl.preparation.prepare import prepare
from automl.searching.search import distill, search
from trials.losses import Needs

CONVNET = {
    "activation": "relu",
    "stem.width": 4,
    "stem.stride": 1,
    "stages": 1,
    "stage1.depth": 1,
    "stage1.width": 8,
    "stage1.kernel": 3,
    "stage1.stride": 2,
    "stage1.stride_by": "pool",
    "stage1.block": "plain",
}
MLP = {
    "depth": 1,
    "activation": "relu",
    "normalisation": "batch",
    "shortcut": False,
    "dropout": 0.0,
    "layer1.width": 16,
}
LESSON = {"epochs": 2, "batch_size": 64, "learning_rate": 0.01}
STUDENTS = {"convnet": {"space": "convnet", "values": CONVNET}, "mlp": {"space": "mlp", "values": MLP}}
STUDENTS["widths"] = {"space": "mlp", "choices": {**{name: [value] for name, value in MLP.items()}}}
STUDENTS["widths"]["choices"]["layer1.width"] = [8, 16, 24, 32]
HERE = "tests.automl.check.test_check_losses"


@pytest.fixture
def write(tmp_path):
    def config(losses, *, student="convnet", covers=None):
        teacher = {"kind": "train", "student": STUDENTS["convnet"]}
        teacher["recipe"] = {**LESSON, "losses": {"hard_label": {"weight": 1.0}}}
        path = tmp_path / "wrong.yaml"
        plain = {
            "name": "wrong",
            "runs": str(tmp_path / "runs"),
            "data": {"kind": "sklearn", "name": "digits"},
            "student": STUDENTS[student],
            "recipe": {**LESSON, "losses": {name: {"weight": 1.0, **options} for name, options in losses.items()}},
            "teachers": [{"name": "t", **teacher, **({"covers": covers} if covers else {})}],
            "objectives": ["accuracy", "size_bytes"],
            "search": {"trials": 1},
        }
        path.write_text(yaml.safe_dump(plain, sort_keys=False))
        return path

    return config


def told(path):
    with pytest.raises(UserError) as caught:
        require_losses(prepare(load_config(path)))
    return caught.value


def mean(student, teacher, label_B):
    del label_B
    return (student.logits - teacher.logits).square().mean()


def broken(student, teacher, label_B):
    raise KeyError("nothing here")


class Picky(nn.Module):
    """Takes students of one width alone."""

    def __init__(self, pairing, *, width: int = 24) -> None:
        super().__init__()
        if (found := pairing.student.features["last"].shape[1]) != width:
            raise ValueError(f"width must be {width}, got {found}")

    @staticmethod
    def needs(*, width: int = 24) -> Needs:
        del width
        return Needs(student=("last",))

    def forward(self, student, teacher, label_B):
        return (student.logits - teacher.logits).square().mean(dim=-1)


@pytest.mark.parametrize(
    ("losses", "place", "message"),
    [
        ({"attention_transfer": {"layers": "last.pooled"}}, "attention_transfer.layers", "needs feature maps"),
        ({"hint": {"layers": "last=stage7"}}, "hint.layers", "teacher 't': unknown feature 'stage7'"),
        ({"hint": {"layers": "stage7=last"}}, "hint.layers", "the student: unknown feature 'stage7'"),
        (
            {"hint": {"layers": ["last", "stage7=last"]}},
            "hint.layers",
            "with layers 'stage7=last', the student: unknown",
        ),
        ({"rkd": {"layer": "last, stage1"}}, "rkd.layer", "layer takes one name"),
        ({"rkd": {"layer": "stage4"}}, "rkd.layer", "modules such as body"),
        ({"minilm": {}}, "minilm", "attention"),
        ({f"{HERE}:mean": {}}, f"{HERE}:mean", "loss mean gave shape (), expected (1, 8)"),
        ({f"{HERE}:broken": {}}, f"{HERE}:broken", "KeyError: 'nothing here'"),
    ],
)
def test_a_loss_that_does_not_fit_is_told_at_its_place_in_a_line(write, losses, place, message):
    error = told(write({"kd": {}, **losses}))
    assert error.place.endswith(f": recipe.losses.{place}")
    assert message in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("name", ["fcfd", "ca_mkd_feature"])
def test_losses_that_need_teachers_of_all_classes_say_so(write, name):
    error = told(write({name: {"layers": "stage1, last"} if name == "fcfd" else {}}, covers={"labels": [0, 1, 2, 3]}))
    assert "all classes" in str(error)
    assert error.place.endswith(f": recipe.losses.{name}")


@pytest.mark.parametrize("student", ["convnet", "mlp"])
@pytest.mark.parametrize("losses", [{"kd": {}, "dist": {}}, {"hint": {}}, {"rkd": {"layer": "last.pooled"}}])
def test_what_fits_is_let_pass_and_leaves_chance_alone(write, losses, student):
    prepared = prepare(load_config(write(losses, student=student)))
    before = torch.random.get_rng_state()
    require_losses(prepared)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_loss_that_fits_some_students_of_a_space_is_let_pass_and_one_that_fits_none_is_not(write, monkeypatch):
    require_losses(prepare(load_config(write({f"{HERE}:Picky": {}}, student="widths"))))
    monkeypatch.setattr("automl.check.losses._MOST_STUDENTS", 6)
    error = told(write({f"{HERE}:Picky": {"width": 7}}, student="widths"))
    assert "it fits none of 6 random students: width must be 7, got" in str(error)


@pytest.mark.parametrize("command", [check, search, distill])
def test_every_command_tells_it_before_anything_is_trained_or_written(write, command, monkeypatch):
    for name in ("automl.searching.search.Executor", "automl.check.checking.examine_teachers"):
        monkeypatch.setattr(name, lambda *_, **__: pytest.fail("it must not come to this"))
    path = write({"attention_transfer": {"layers": "last.pooled"}})
    with pytest.raises(UserError, match=r"recipe\.losses\.attention_transfer\.layers: attention_transfer needs"):
        command(path)
    assert [each.name for each in Path(path).parent.iterdir()] == ["wrong.yaml"]


def test_teachers_are_loaded_only_for_what_is_read_of_them(write, monkeypatch):
    monkeypatch.setattr("automl.check.losses._teacher", lambda *_: pytest.fail("nothing is read of its layers"))
    require_losses(prepare(load_config(write({"kd": {}, "rkd": {}}))))
