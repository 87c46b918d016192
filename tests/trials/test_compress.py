import logging
import tempfile

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from search_spaces import SPACES, ModelSignature, TensorSpec
from trials.compress import PRECISIONS, keep_float32, quantize_int8
from trials.export import export_onnx, onnx_predictor, replace_weights, stand_in, trace
from trials.student import Normalisation, Student

SIGNATURE = ModelSignature(
    inputs=(TensorSpec(name="image", shape=(1, 8, 8), dtype="uint8"),),
    outputs=(TensorSpec(name="logits", shape=(4,)),),
)
STATISTICS = Normalisation(mean=(8.0,), std=(5.0,), value_range=(0, 16))
WIDTH = 32


def make_student() -> Student:
    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(1, WIDTH, 3, padding=1),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH),
        nn.Hardswish(),
        nn.Conv2d(WIDTH, WIDTH, 3, stride=2),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(WIDTH, 4),
    )
    return Student(body, signature=SIGNATURE, statistics=STATISTICS)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 17, (200, 1, 8, 8)).astype(np.uint8)


@pytest.fixture(scope="module")
def template():
    return trace(make_student(), SIGNATURE)


@pytest.fixture(scope="module")
def graph(template):
    return replace_weights(template, make_student())


@pytest.fixture(scope="module")
def quantized(graph, images):
    return quantize_int8(graph, {"image": images})


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """Where the process works and puts temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def constants(data: bytes) -> list[np.ndarray]:
    return [numpy_helper.to_array(initializer) for initializer in onnx.load_from_string(data).graph.initializer]


def test_int8_answers_stay_near_those_of_float32(graph, quantized, images):
    inputs = torch.from_numpy(images)
    float32, int8 = onnx_predictor(graph)(inputs), onnx_predictor(quantized)(inputs)
    assert int8.shape == float32.shape
    assert 0 < np.abs(int8 - float32).max() < 0.1 * (float32.max() - float32.min())


def test_all_weights_are_int8_in_seven_bits_with_a_scale_a_channel(quantized):
    weights = [values for values in constants(quantized) if values.dtype == np.int8 and values.ndim >= 2]
    assert sorted(values.size for values in weights) == [4 * WIDTH, 9 * WIDTH, 9 * WIDTH, 9 * WIDTH**2]
    # Eight bits overflow on processors that add pairs of products in sixteen bits.
    assert max(np.abs(values.astype(int)).max() for values in weights) <= 64
    floats = [values for values in constants(quantized) if values.dtype == np.float32]
    assert max(values.size for values in floats) == WIDTH


def test_a_channel_of_small_weights_keeps_its_digits(template, images):
    """One scale for all channels would round the small ones to nothing."""
    student = make_student().eval()
    with torch.no_grad():
        student.body[5].weight[::2] *= 1e-3
    quantized = quantize_int8(replace_weights(template, student), {"image": images})
    (weights,) = (values for values in constants(quantized) if values.shape == (WIDTH, WIDTH, 3, 3))
    assert (np.abs(weights.astype(int)).max(axis=(1, 2, 3)) == 64).all()


def test_int8_is_a_fraction_of_float32_and_one_bare_file(graph, quantized):
    assert len(quantized) < 0.4 * len(graph)
    model = onnx.load_from_string(quantized)
    onnx.checker.check_model(model, full_check=True)
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    for word in (b"_zero_point", b"_quantized", b"onnx.infer", b"DequantizeLinear_Output"):
        assert word not in quantized


def test_raw_input_and_normalisation_stay_exact(quantized):
    model = onnx.load_from_string(quantized)
    assert [node.op_type for node in model.graph.node if "image" in node.input] == ["Cast"]
    kinds = [node.op_type for node in model.graph.node if node.op_type in ("Cast", "Sub", "Div")]
    assert kinds == ["Cast", "Sub", "Div"]
    assert {8.0, 5.0} <= {float(values.reshape(-1)[0]) for values in constants(quantized) if values.dtype == np.float32}


def test_size_before_training_is_the_size_after(template, images):
    trained = make_student()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.normal_()
    calibration = {"image": images}
    before = quantize_int8(stand_in(template), calibration)
    assert len(before) == len(quantize_int8(replace_weights(template, trained), calibration))


def test_quantising_is_deterministic(graph, quantized, images):
    assert quantize_int8(graph, {"image": images}) == quantized


def test_it_leaves_no_file_and_no_word_behind(graph, images, empty_folder, caplog, capfd):
    handlers = list(logging.getLogger().handlers)
    with caplog.at_level(logging.WARNING):
        quantize_int8(graph, {"image": images[:10]})
    assert list(empty_folder.iterdir()) == []
    assert logging.getLogger().handlers == handlers
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_normalisation_between_layers_stays_float_and_says_nothing(caplog):
    signature = ModelSignature(inputs=(TensorSpec(name="row", shape=(6,)),), outputs=SIGNATURE.outputs)
    body = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 4))
    student = Student(body, signature=signature, statistics=None)
    rows = np.random.default_rng(0).normal(size=(64, 6)).astype(np.float32)
    graph = export_onnx(student, signature)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        quantized = quantize_int8(graph, {"row": rows})
    assert not caplog.records
    scales = [values for values in constants(quantized) if values.dtype == np.float32 and values.shape == (8,)]
    assert any((values == 1).all() for values in scales)  # The scale of the normalisation as it was.
    inputs = torch.from_numpy(rows)
    np.testing.assert_allclose(onnx_predictor(quantized)(inputs), onnx_predictor(graph)(inputs), atol=0.1)


def test_a_graph_without_weights_is_refused(images):
    signature = ModelSignature(inputs=SIGNATURE.inputs, outputs=(TensorSpec(name="logits", shape=(64,)),))
    student = Student(nn.Flatten(), signature=signature, statistics=STATISTICS)
    with pytest.raises(ValueError, match=r"nothing to quantise: the graph has .*; ship float32"):
        quantize_int8(export_onnx(student, signature), {"image": images})


@pytest.mark.parametrize("calibration", [{}, {"image": np.zeros((0, 1, 8, 8), dtype=np.uint8)}])
def test_no_inputs_to_calibrate_with_are_refused(graph, calibration):
    with pytest.raises(ValueError, match="give some training rows"):
        quantize_int8(graph, calibration)


def test_precisions_have_files_of_their_own_and_float32_is_the_graph_itself(graph, quantized, images):
    assert len({precision.file_name for precision in PRECISIONS.values()}) == len(PRECISIONS)
    assert keep_float32(graph, {}) == graph
    assert PRECISIONS["int8"].convert(graph, {"image": images}) == quantized


def reader(*, attends: bool) -> nn.Module:
    torch.manual_seed(1)
    values = {"vocabulary_size": 1024, "length": 64, "width": 32, "dropout": 0.0}
    blocks = {"embedding": 0.5, "attention": "full", "heads": 2, "positions": "learnt", "feedforward": 2}
    more = {"layers": 2, **blocks, "activation": "gelu", "pooling": "mean"} if attends else {"layers": 0}
    space = SPACES["encoder"]()
    body = space.build(space.spec(values | more), READS)
    with torch.no_grad():  # As trained ones, which tell texts apart.
        for parameter in body.parameters():
            parameter.mul_(3.0 if parameter.ndim > 1 else 1.0)
    return body


READS = ModelSignature(
    inputs=(TensorSpec(name="input_ids", shape=(None,), dtype="int64"),),
    outputs=(TensorSpec(name="logits", shape=(4,)),),
    vocabulary_size=1000,
)


@pytest.mark.parametrize("attends", [False, True])
def test_students_of_texts_keep_their_answers_in_a_quarter_of_the_bytes(attends):
    chance = np.random.default_rng(0)
    lengths = chance.integers(1, 65, size=(300, 1))
    ids = np.where(np.arange(64) < lengths, chance.integers(1, 1000, (300, 64)), 0)
    graph = export_onnx(reader(attends=attends), READS)
    quantized = quantize_int8(graph, {"input_ids": ids[:100]})
    assert len(quantized) < 0.42 * len(graph)
    plain, rounded = onnx_predictor(graph), onnx_predictor(quantized)
    logits, found = (predict(torch.from_numpy(ids)) for predict in (plain, rounded))
    assert np.mean(logits.argmax(axis=1) == found.argmax(axis=1)) > 0.95
    assert np.abs(logits - found).max() < 0.1 * np.abs(logits).max()
    short = torch.from_numpy(ids[:1, :5])
    np.testing.assert_allclose(plain(short), rounded(short), atol=0.1 * float(np.abs(logits).max()))
