import logging

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from search_spaces import ModelSignature, TensorSpec
from trials.export import export_onnx, onnx_predictor, parity, replace_weights, stand_in, trace
from trials.sessions import open_session
from trials.student import Normalisation, Student

SIGNATURE = ModelSignature(
    inputs=(TensorSpec(name="image", shape=(1, 8, 8), dtype="uint8"),),
    outputs=(TensorSpec(name="logits", shape=(5,)),),
)
STATISTICS = Normalisation(mean=(4.9,), std=(6.0,), value_range=(0, 16))
NUM_PIXELS = 64


class Gate(nn.Module):
    """Squeeze-excitation with a mean, whose result the exporter calls as a buffer may be called."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Conv2d(6, 6, 1)

    def forward(self, image: Tensor) -> Tensor:
        return image * self.scale(image.mean(dim=(2, 3), keepdim=True)).sigmoid()


def make_student(seed: int = 0, width: int = 6) -> Student:
    torch.manual_seed(seed)
    body = nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.Hardswish(),
        nn.Conv2d(width, width, 3, padding=1, groups=width, stride=2),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        *([Gate()] if width == 6 else []),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(width, 5),
    )
    return Student(body, signature=SIGNATURE, statistics=STATISTICS)


def shake(student: nn.Module) -> nn.Module:
    """Stand in for training: other weights, and other statistics of batch norms."""
    with torch.no_grad():
        for name, tensor in student.state_dict().items():
            if tensor.is_floating_point() and "preprocess" not in name:
                tensor.uniform_(0.1, 0.9)
    return student


@pytest.fixture(scope="module")
def template():
    return trace(make_student(), SIGNATURE)


@pytest.fixture
def images():
    return torch.randint(0, 17, (7, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_graph_computes_what_the_module_computes_at_any_batch_size(template, images):
    student = shake(make_student())
    predictor = onnx_predictor(replace_weights(template, student))
    for batch in (1, 2, 7):
        assert parity(student, predictor, images[:batch]) < 1e-5
        assert predictor(images[:batch]).shape == (batch, 5)
    assert predictor(images).dtype == np.float32


def test_a_template_serves_every_student_of_its_architecture(template, images):
    for seed in (1, 2):
        student = shake(make_student(seed))
        assert parity(student, onnx_predictor(replace_weights(template, student)), images) < 1e-5


def test_a_filled_template_is_the_export_of_the_module_itself(template):
    student = shake(make_student(3))
    assert replace_weights(template, student) == export_onnx(student, SIGNATURE)


def test_every_tensor_that_counts_is_filled_in(template):
    """Without its statistics a graph of batch norms would be quietly wrong."""
    state = make_student().state_dict()
    assert set(template.weights) == {name for name in state if not name.endswith("num_batches_tracked")}


def test_filling_with_another_architecture_is_refused(template):
    with pytest.raises(ValueError, match=r"'body.0.weight' has shape \(6, 1, 3, 3\) there and \(4, 1, 3, 3\)"):
        replace_weights(template, make_student(width=4))
    with pytest.raises(ValueError, match="and None in the module"):
        replace_weights(template, make_student().body)


def test_an_untrained_stand_in_has_the_size_of_a_trained_student(template):
    trained = replace_weights(template, shake(make_student()))
    assert len(stand_in(template)) == len(trained)
    assert len(replace_weights(template, make_student())) < len(trained)  # Why there is a stand-in at all.


def test_parity_sees_a_single_wrong_weight(template, images):
    student = shake(make_student())
    predictor = onnx_predictor(replace_weights(template, student))
    with torch.no_grad():
        student.body[-1].bias[2] += 0.25
    assert parity(student, predictor, images) == pytest.approx(0.25, abs=1e-5)


def test_parity_of_a_broken_graph_is_not_a_number(template, images):
    student = shake(make_student())
    predictor = onnx_predictor(replace_weights(template, student))
    with torch.no_grad():
        student.body[-1].bias.fill_(float("nan"))
    assert np.isnan(parity(student, predictor, images))


def test_the_graph_is_one_bare_file(template):
    graph = replace_weights(template, shake(make_student()))
    model = onnx.load_from_string(graph)
    onnx.checker.check_model(model, full_check=True)
    assert all(initializer.data_location == onnx.TensorProto.DEFAULT for initializer in model.graph.initializer)
    assert [(tensor.name, tensor.type.tensor_type.elem_type) for tensor in model.graph.input] == [
        ("image", onnx.TensorProto.UINT8)
    ]
    assert [tensor.name for tensor in model.graph.output] == ["logits"]
    for trace_of_source in (b"stack_trace", b"namespace", b".py", b"torch.nn", b"body."):
        assert trace_of_source not in graph
    floats = sum(numpy_helper.to_array(initializer).nbytes for initializer in model.graph.initializer)
    assert len(graph) < floats + 100 * len(model.graph.node) + 30 * len(model.graph.initializer)


def test_batch_norms_are_folded_away(template):
    model = onnx.load_from_string(replace_weights(template, shake(make_student())))
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}


def test_the_module_and_torch_stay_as_they_were(caplog, capfd):
    student = make_student().train()
    student.body[0].eval()
    student.body[0].weight.requires_grad_(False)
    modes = [module.training for module in student.modules()]
    state = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    random_state, threads = torch.get_rng_state(), torch.get_num_threads()
    with caplog.at_level(logging.WARNING):
        export_onnx(student, SIGNATURE)
    assert [module.training for module in student.modules()] == modes
    assert [parameter.requires_grad for parameter in student.parameters()][:2] == [False, True]
    assert all(torch.equal(state[name], tensor) for name, tensor in student.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == (threads, True)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_a_buffer_called_like_an_operation_keeps_its_values():
    class Shadowed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.tensor([1.0, 2.0]))

        def forward(self, rows: Tensor) -> Tensor:
            return (rows - self.mean).mean(dim=1, keepdim=True) * self.mean

    rows = TensorSpec(name="rows", shape=(2,))
    signature = ModelSignature(inputs=(rows,), outputs=(TensorSpec(name="scores", shape=(2,)),))
    module = Shadowed()
    filled = trace(module, signature)
    module.mean.copy_(torch.tensor([5.0, 7.0]))
    values = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    assert parity(module, onnx_predictor(replace_weights(filled, module)), values) < 1e-6


def test_tokens_with_tied_weights_and_two_outputs_export_with_a_free_length():
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(11, 4)
            self.head = nn.Linear(4, 11, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
            embedded = self.embed(ids) * mask[..., None]
            return self.head(embedded), embedded.sum(dim=1)

    inputs = tuple(TensorSpec(name=name, shape=(None,), dtype="int64") for name in ("ids", "mask"))
    outputs = (TensorSpec(name="logits", shape=(None, 11)), TensorSpec(name="summary", shape=(4,)))
    signature = ModelSignature(inputs=inputs, outputs=outputs, vocabulary_size=11)
    student = Student(Tagger(), signature=signature, statistics=None)
    filled = trace(student, signature)
    session = open_session(replace_weights(filled, shake(student)), threads=1, provider="cpu")
    ids, mask = torch.randint(0, 11, (3, 5)), torch.ones(3, 5, dtype=torch.int64)
    logits, summary = session.run(["logits", "summary"], {"ids": ids.numpy(), "mask": mask.numpy()})
    with torch.no_grad():
        expected = student(ids, mask)
    np.testing.assert_allclose(logits, expected[0].numpy(), atol=1e-6)
    np.testing.assert_allclose(summary, expected[1].numpy(), atol=1e-6)
