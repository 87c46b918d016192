import numpy as np
import pytest
import torch
from torch import Tensor, nn

from search_spaces import ModelSignature, TensorSpec
from trials.data import Dataset
from trials.student import Normalisation, Student, load_weights, normalisation, save_weights

LOGITS = (TensorSpec(name="logits", shape=(3,)),)
IMAGES = ModelSignature(inputs=(TensorSpec(name="image", shape=(2, 4, 4), dtype="uint8"),), outputs=LOGITS)


def make_dataset(inputs, *, num_train: int) -> Dataset:
    rows = np.arange(len(inputs))
    splits = {"train": rows[:num_train], "validation": rows[num_train:-1], "test": rows[-1:]}
    return Dataset(
        inputs=inputs, labels=np.zeros(len(inputs), dtype=np.int64), class_names=("a", "b", "c"), splits=splits
    )


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Linear(4, 4)
        self.decode = nn.Linear(4, 4)
        self.decode.weight = self.encode.weight

    def forward(self, values: Tensor) -> Tensor:
        return self.decode(self.encode(values).relu())


def test_images_are_measured_by_channel_over_training_rows_only():
    images = np.random.default_rng(0).integers(0, 256, (2_500, 2, 4, 4)).astype(np.uint8)
    images[:, 1] //= 4
    images[2_100:] = 255  # Not training rows.
    statistics = normalisation(make_dataset(images, num_train=2_100))
    train = images[:2_100].astype(np.float64)
    assert statistics is not None
    np.testing.assert_allclose(statistics.mean, train.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(statistics.std, train.std(axis=(0, 2, 3)), rtol=1e-6)
    assert statistics.value_range == (0.0, 255.0)


def test_vectors_are_measured_by_feature_even_far_from_zero():
    vectors = np.random.default_rng(0).normal(1e4, 1.0, (1_200, 3)).astype(np.float32)
    statistics = normalisation(make_dataset(vectors, num_train=1_100))
    assert statistics is not None
    np.testing.assert_allclose(statistics.std, vectors[:1_100].astype(np.float64).std(axis=0), rtol=1e-5)


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e6])
def test_a_constant_feature_is_not_divided_by_nothing(constant):
    vectors = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    vectors[:, 1] = constant
    statistics = normalisation(make_dataset(vectors, num_train=40))
    assert statistics is not None
    assert statistics.std[1] == 1.0
    assert statistics.std[0] != 1.0


def test_a_feature_of_tiny_values_keeps_its_own_scale():
    vectors = np.random.default_rng(0).normal(0, 1e-9, (50, 1)).astype(np.float32)
    statistics = normalisation(make_dataset(vectors, num_train=40))
    assert statistics is not None
    assert 0 < statistics.std[0] < 1e-8


def test_pictures_with_few_grey_levels_keep_their_own_range():
    images = np.random.default_rng(0).integers(0, 17, (50, 1, 4, 4)).astype(np.uint8)
    statistics = normalisation(make_dataset(images, num_train=40))
    assert statistics is not None
    assert statistics.value_range == (0.0, 16.0)


def test_texts_and_token_ids_are_not_normalised():
    assert normalisation(make_dataset(["one", "two", "three"], num_train=1)) is None
    assert normalisation(make_dataset(np.ones((3, 5), dtype=np.int64), num_train=1)) is None


def test_inputs_that_are_no_numbers_are_refused_with_their_column():
    vectors = np.ones((5, 3), dtype=np.float32)
    vectors[0, 2] = np.nan
    with pytest.raises(ValueError, match=r"columns \[2\] are not"):
        normalisation(make_dataset(vectors, num_train=3))


def test_statistics_that_cannot_be_applied_are_refused():
    with pytest.raises(ValueError, match="must be above 0"):
        Normalisation(mean=(1.0,), std=(0.0,), value_range=(0, 1))
    with pytest.raises(ValueError, match="as many means as deviations"):
        Normalisation(mean=(1.0, 2.0), std=(1.0,), value_range=(0, 1))


def test_a_student_takes_raw_bytes_and_normalises_each_channel():
    statistics = Normalisation(mean=(10.0, 20.0), std=(2.0, 5.0), value_range=(0, 255))
    student = Student(nn.Identity(), signature=IMAGES, statistics=statistics)
    raw = torch.full((1, 2, 4, 4), 30, dtype=torch.uint8)
    normalised = student(raw)
    assert normalised.dtype == torch.float32
    assert torch.equal(normalised[0, 0], torch.full((4, 4), 10.0))
    assert torch.equal(normalised[0, 1], torch.full((4, 4), 2.0))


def test_statistics_are_no_parameters_and_get_no_gradient():
    statistics = Normalisation(mean=(1.0,) * 4, std=(1.0,) * 4, value_range=(0, 1))
    signature = ModelSignature(inputs=(TensorSpec(name="row", shape=(4,)),), outputs=LOGITS)
    student = Student(nn.Linear(4, 3), signature=signature, statistics=statistics)
    assert {name for name, _ in student.named_parameters()} == {"body.weight", "body.bias"}


def test_a_body_that_takes_several_raw_inputs_gets_them_as_they_are():
    tokens = tuple(TensorSpec(name=name, shape=(None,), dtype="int64") for name in ("ids", "mask"))
    signature = ModelSignature(inputs=tokens, outputs=LOGITS, vocabulary_size=7)

    class Counting(nn.Module):
        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            return (ids * mask).sum(dim=1)

    student = Student(Counting(), signature=signature, statistics=None)
    assert student(torch.tensor([[1, 2, 3]]), torch.tensor([[1, 1, 0]])).tolist() == [3]


@pytest.mark.parametrize("make", [Tied, lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))])
def test_weights_come_back_bit_for_bit(make):
    torch.manual_seed(0)
    trained, fresh = make(), make()
    for tensor in trained.state_dict().values():
        if tensor.is_floating_point():
            tensor.normal_()
    load_weights(fresh, save_weights(trained))
    for name, tensor in trained.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], tensor), name


def test_tied_weights_are_written_once_and_stay_tied():
    fresh = Tied()
    data = save_weights(Tied())
    assert data.count(b"weight") == 1
    load_weights(fresh, data)
    assert fresh.encode.weight is fresh.decode.weight


def test_weights_of_another_architecture_are_refused_by_name_and_shape():
    with pytest.raises(ValueError, match=r"'weight' has shape \(3, 4\) in the file and \(3, 5\) in the model"):
        load_weights(nn.Linear(5, 3), save_weights(nn.Linear(4, 3)))
    with pytest.raises(ValueError, match=r"'bias' has shape \(3,\) in the file and None in the model"):
        load_weights(nn.Linear(4, 3, bias=False), save_weights(nn.Linear(4, 3)))


def test_damaged_weights_are_refused():
    with pytest.raises(ValueError, match="cannot be read as safetensors"):
        load_weights(nn.Linear(4, 3), save_weights(nn.Linear(4, 3))[:-5])
