"""Shape letters: B = batch, T = positions."""

from dataclasses import replace

import pytest
import torch

from tests.trials.decoders import small_decoder
from tests.trials.language import lesson, student, teachers_of
from trials.distill import distill
from trials.lesson import Lesson
from trials.on_policy import asked_now, own_batch
from trials.recipe import LossTerm, Recipe


def taught(share: float, *losses: LossTerm) -> Lesson:
    terms = losses or (LossTerm(name="hard_label", weight=1.0), LossTerm(name="reverse_kl", weight=1.0))
    recipe = Recipe(losses=terms, epochs=2, batch_size=2, learning_rate=1e-2, on_policy=share)
    plain = lesson(replace(recipe, on_policy=0.0))
    models = tuple(teacher.model for teacher in teachers_of(plain.dataset)[0])
    return replace(plain, recipe=recipe, teacher_models=models)


def test_a_student_goes_on_from_the_first_half_of_each_row() -> None:
    given = taught(1.0)
    batch = given.dataset.batch(given.rows()[:3])
    model, _ = small_decoder(given.dataset.num_classes)
    own = own_batch(model, batch, seed=0)
    half = batch.inputs.shape[1] // 2
    assert own.inputs.shape == batch.inputs.shape
    assert torch.equal(own.inputs[:, :half], batch.inputs[:, :half])
    assert torch.equal(own.labels[:, half - 1 : -1], own.inputs[:, half:])
    assert (own.labels[:, : half - 1] == -100).all()
    assert torch.equal(own_batch(model, batch, seed=0).inputs, own.inputs)
    assert model.training
    unsure = student(given.dataset.num_classes)
    assert not torch.equal(own_batch(unsure, batch, seed=1).inputs, own_batch(unsure, batch, seed=0).inputs)


def test_teachers_are_asked_about_what_the_student_wrote() -> None:
    given = taught(1.0)
    own = own_batch(student(given.dataset.num_classes), given.dataset.batch(given.rows()[:3]), seed=0)
    heard = asked_now(given, own, ())
    for logits, (_, model) in zip(heard.logits, given.heard_models, strict=True):
        assert torch.equal(logits, model(own.inputs).logits)


def test_what_the_student_wrote_is_no_label() -> None:
    assert set(distill(student(taught(1.0).dataset.num_classes), taught(1.0)).history[0].losses) == {"reverse_kl"}
    assert "hard_label" in distill(student(taught(0.2).dataset.num_classes), taught(0.2)).history[0].losses


def test_the_same_seed_gives_the_same_student() -> None:
    weights = []
    for _ in range(2):
        model = student(taught(0.5).dataset.num_classes)
        distill(model, taught(0.5))
        weights.append(torch.cat([parameter.flatten() for parameter in model.parameters()]))
    assert torch.equal(*weights)


def test_a_share_of_0_changes_nothing() -> None:
    recipe = taught(0.0).recipe
    assert "on_policy" not in recipe.plain()
    assert replace(recipe, on_policy=0.5).digest != recipe.digest


def test_teachers_must_be_at_hand() -> None:
    with pytest.raises(ValueError, match="on_policy runs the teachers' own models, which are not at hand"):
        replace(taught(1.0), teacher_models=())


def test_a_share_is_at_most_1() -> None:
    with pytest.raises(ValueError, match=r"on_policy is a share of the steps, from 0 to 1, got 1.5"):
        taught(1.5)


def test_of_what_a_student_writes_no_facts_are_known() -> None:
    given = taught(1.0)
    batch = given.dataset.batch(given.dataset.splits["train"][:2])
    shape = batch.labels.shape
    known = replace(batch, facts={name: torch.arange(shape[1]).expand(shape) for name in ("role", "next.role")})
    own = own_batch(student(given.dataset.num_classes), known, seed=0)
    assert own.facts["role"][0].tolist() == [0, 1, 2, -1, -1, -1, -1]
    assert own.facts["next.role"][0].tolist() == [0, 1, -1, -1, -1, -1, -1]
    assert own.inputs[0, :3].tolist() == batch.inputs[0, :3].tolist()
