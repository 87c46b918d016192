"""Views of rows: the same each time, whoever makes them and whichever rows stand beside."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from teachers import Batch, Coverage, Outputs, OutputStore, Teacher, fill, plan_shards
from trials.data.augmentation import Augmentation
from trials.data.dataset import Dataset
from trials.distill import distill
from trials.lesson import Lesson
from trials.recipe import LossTerm, Recipe
from trials.tasks import Classification

ROOT = Path(__file__).parents[3]
ROWS = np.arange(40)


def images(count: int = 40) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(1, 255, size=(count, 2, 6, 5)).astype(np.uint8)


def vectors(count: int = 40) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(count, 7)).astype(np.float32)


MOVED = Augmentation(kind="image", views=4, flip=True, shift=2)
NOISY = Augmentation(kind="noise", views=4, noise=0.5, deviations=np.linspace(0, 3, 7, dtype=np.float32))


@pytest.mark.parametrize(("augment", "inputs"), [(MOVED, images()), (NOISY, vectors())], ids=["image", "noise"])
def test_a_view_depends_on_seed_row_and_view_alone(augment: Augmentation, inputs: Any) -> None:
    whole = augment(inputs, rows=ROWS, view=2)
    some = np.array([31, 4, 4, 17])
    assert np.array_equal(augment(inputs[some], rows=some, view=2), whole[some])
    for row in some:
        assert np.array_equal(augment(inputs[[row]], rows=np.array([row]), view=2)[0], whole[row])
    assert whole.dtype == inputs.dtype
    others = [augment(inputs, rows=ROWS, view=1), augment(inputs, rows=ROWS + 1, view=2)]
    others.append(replace(augment, seed=1)(inputs, rows=ROWS, view=2))
    for other in others:
        assert not np.array_equal(other, whole)


def test_another_process_makes_the_same_bits() -> None:
    code = (
        "import hashlib, numpy as np; from trials.data.augmentation import Augmentation\n"
        "augment = Augmentation(kind='noise', views=4, noise=0.5, deviations=np.linspace(0, 3, 7, dtype=np.float32))\n"
        "rows = np.random.default_rng(0).normal(size=(40, 7)).astype(np.float32)\n"
        "print(hashlib.sha256(augment(rows, rows=np.arange(40), view=3).tobytes()).hexdigest(), augment.digest)\n"
    )
    import hashlib

    there = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    here = hashlib.sha256(NOISY(vectors(), rows=ROWS, view=3).tobytes()).hexdigest()
    assert there.stdout.split() == [here, NOISY.digest]


def test_images_are_flipped_and_shifted_by_whole_pixels_with_0_from_outside() -> None:
    inputs = images(600)
    seen = set()
    made = MOVED(inputs, rows=np.arange(600), view=1)
    for image, moved in zip(inputs, made, strict=True):
        padded = {flip: np.pad(image[..., ::-1] if flip else image, ((0, 0), (2, 2), (2, 2))) for flip in (False, True)}
        (found,) = [
            (flip, down, right)
            for flip in (False, True)
            for down in range(5)
            for right in range(5)
            if np.array_equal(padded[flip][:, down : down + 6, right : right + 5], moved)
        ]
        seen.add(found)
    assert len(seen) == 2 * 5 * 5
    alone = Augmentation(kind="image", views=2, shift=1)(inputs, rows=np.arange(600), view=1)
    assert not any(np.array_equal(image[..., ::-1], moved) for image, moved in zip(inputs, alone, strict=True))


def test_noise_is_normal_with_a_share_of_each_deviation() -> None:
    inputs = np.zeros((5000, 7), dtype=np.float32)
    noise = NOISY(inputs, rows=np.arange(5000), view=1)
    np.testing.assert_allclose(noise.std(axis=0), 0.5 * NOISY.deviations, rtol=0.04)
    np.testing.assert_allclose(noise.mean(axis=0), 0.0, atol=0.06)
    assert (noise[:, 0] == 0).all()
    scaled = noise[:, 1:] / (0.5 * NOISY.deviations[1:])
    assert abs((np.abs(scaled) < 1).mean() - 0.6827) < 0.01
    assert abs(np.corrcoef(scaled.T) - np.eye(6)).max() < 0.06


def test_each_epoch_shows_the_next_view_over_and_over() -> None:
    assert [MOVED.view_in(epoch) for epoch in range(6)] == [1, 2, 3, 4, 1, 2]


def test_digests_differ_with_all_that_a_view_depends_on() -> None:
    others = [replace(MOVED, seed=1), replace(MOVED, shift=1), replace(MOVED, flip=False), NOISY]
    others += [replace(NOISY, noise=0.4), replace(NOISY, deviations=NOISY.deviations * 2)]
    assert len({MOVED.digest, *(other.digest for other in others)}) == 1 + len(others)
    assert replace(MOVED, views=9).digest == MOVED.digest  # More views leave those that there are.


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "image", "views": 2}, "'image' changes nothing; set flip or shift"),
        ({"kind": "noise", "views": 2}, "'noise' changes nothing; set noise"),
        ({"kind": "image", "views": 0, "flip": True}, "views of at least 1"),
    ],
)
def test_an_augmentation_that_makes_no_views_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Augmentation(**settings)


def dataset(inputs: Any, augment: Augmentation) -> Dataset:
    splits = {"train": np.arange(30), "validation": np.arange(30, 35), "test": np.arange(35, 40)}
    labels = np.arange(40) % 2
    return Dataset(inputs=inputs, labels=labels, class_names=("a", "b"), splits=splits, augmentation=augment)


@pytest.mark.parametrize(
    ("inputs", "augment", "message"),
    [
        (["a"] * 40, MOVED, "texts cannot be augmented"),
        (vectors(), MOVED, r"'image' is for images, got rows of shape \(7,\)"),
        (images(), NOISY, r"'noise' is for vectors of real numbers, got rows of shape \(2, 6, 5\), uint8"),
        (images(), replace(MOVED, shift=5), r"shift must be below the size of an image, \(6, 5\), got 5"),
    ],
)
def test_rows_that_cannot_be_augmented_are_told(inputs: Any, augment: Augmentation, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataset(inputs, augment)


class Recorder:
    """A teacher that keeps what it saw, by its bits."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def __call__(self, inputs: Any, features: Any = ()) -> Outputs:
        self.seen += [row.numpy().tobytes() for row in inputs]
        return Outputs(logits=torch.zeros(len(inputs), 2))


def test_teachers_are_asked_about_the_very_bits_that_students_see(tmp_path: Path) -> None:
    data = dataset(vectors(), NOISY)
    model = Recorder()
    one = Teacher(name="t", model=model, coverage=Coverage(), digest="t")
    store = OutputStore(tmp_path, limit_bytes=None)
    shards = [
        shard
        for view in range(1, 5)
        for shard in plan_shards(
            [one], data.inputs, dtype="float32", view=view, augmentation=NOISY.digest, shard_rows=7
        )
    ]
    assert len({shard.key.digest for shard in shards}) == 4 * 6
    fill(store, shards, [one], data.inputs, num_classes=2, augment=NOISY, batch_size=5)
    seen = [row.numpy().tobytes() for view in range(1, 5) for row in data.batch(ROWS, view=view).inputs]  # type: ignore[union-attr]
    assert set(seen) == set(model.seen)
    assert len(set(seen)) == 160


def test_the_same_rows_elsewhere_in_the_data_are_other_views() -> None:
    twice = np.concatenate([vectors(8), vectors(8)])
    one = Teacher(name="t", model=Recorder(), coverage=Coverage(), digest="t")
    first, second = plan_shards([one], twice, dtype="float32", view=1, augmentation="a", shard_rows=8)
    assert first.key.digest != second.key.digest
    first, second = plan_shards([one], twice, dtype="float32", shard_rows=8)
    assert first.key.digest == second.key.digest


def test_training_sees_another_view_each_epoch_and_judging_the_rows_as_they_are() -> None:
    data = dataset(vectors(), NOISY)
    asked: list[Batch] = []

    class Student(torch.nn.Linear):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            if self.training:
                asked.append(Batch(index=torch.arange(len(inputs)), inputs=inputs.clone(), labels=torch.zeros(1)))
            return super().forward(inputs)

    recipe = Recipe(losses=(LossTerm(name="hard_label", weight=1.0),), epochs=5, batch_size=30, learning_rate=0.1)
    lesson = Lesson(dataset=data, task=Classification(class_names=("a", "b")), recipe=recipe, seed=0)
    distill(Student(7, 2), lesson)
    for epoch, batch in enumerate(asked[-5:]):
        expected = data.batch(np.arange(30), view=1 + epoch % 4).inputs
        assert isinstance(batch.inputs, torch.Tensor)
        assert isinstance(expected, torch.Tensor)
        assert sorted(batch.inputs.tolist()) == sorted(expected.tolist())
    (batch,) = data.batches(data.splits["validation"], batch_size=9)
    assert batch.view == 0
    assert np.array_equal(np.asarray(batch.inputs), vectors()[30:35])
