"""What every kind of teacher must keep; a new kind joins with one line in CASES."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from torch import nn

from teachers import LOADERS, LoadedModel, Preprocessing
from tests.contracts import test_text_teachers

D, C, B = 6, 3, 7
SCALED = Preprocessing(scale=0.5)
NAMES = tuple("abc")


def linear(seed: int) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(D, C)


def factory(folder: Path, seed: int, preprocessing: Preprocessing, *, suffix: str) -> LoadedModel:
    state = linear(seed).state_dict()
    path = folder / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save({"state_dict": state}, path)
    options = {"in_features": D, "out_features": C}
    return LOADERS["factory"](factory=nn.Linear, weights=path, options=options, preprocessing=preprocessing)


def exported(folder: Path, seed: int, preprocessing: Preprocessing, *, batch: int | None) -> LoadedModel:
    dynamic = None if batch else ({0: torch.export.Dim("batch", min=1)},)
    model = nn.Sequential(linear(seed), nn.Dropout(0.5)).eval()
    program = torch.export.export(model, (torch.zeros(batch or 2, D),), dynamic_shapes=dynamic)
    torch.export.save(program, folder / "model.pt2")
    return LOADERS["exported"](path=folder / "model.pt2", preprocessing=preprocessing, trust=True)


def onnx_graph(
    folder: Path, seed: int, preprocessing: Preprocessing, *, batch: int | None, weights: str | None = None
) -> LoadedModel:
    module = linear(seed)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["pixels", "w", "b"], ["scores"], transB=1)],
        "teacher",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch or "n", D])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch or "n", C])],
        [
            numpy_helper.from_array(module.weight.detach().numpy(), "w"),
            numpy_helper.from_array(module.bias.detach().numpy(), "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    for old in folder.glob("model.onnx*"):
        old.unlink()
    onnx.save(
        model, folder / "model.onnx", save_as_external_data=weights is not None, location=weights, size_threshold=0
    )
    return LOADERS["onnx"](path=folder / "model.onnx", preprocessing=preprocessing, threads=1)


def estimator(
    folder: Path, seed: int, preprocessing: Preprocessing, *, kind: Callable[..., object], suffix: str
) -> LoadedModel:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, D)).astype(np.float32)
    fitted = kind(random_state=0).fit(x, np.arange(60) % C)
    path = folder / f"model{seed}{suffix}"
    if path.exists():
        pass  # skops notes addresses of objects, so that only the same file has the same digest.
    elif suffix == ".skops":
        pytest.importorskip("skops.io").dump(fitted, path)
    else:
        path.write_bytes(pickle.dumps(fitted))
    return LOADERS["estimator"](path=path, preprocessing=preprocessing, class_names=NAMES, trust=suffix != ".skops")


def given(folder: Path, seed: int, preprocessing: Preprocessing) -> LoadedModel:
    del folder
    return LOADERS["callable"](model=linear(seed), preprocessing=preprocessing)


CASES: dict[str, Callable[[Path, int, Preprocessing], LoadedModel]] = {
    "callable": given,
    "factory": lambda *a: factory(*a, suffix=".safetensors"),
    "factory-state-dict": lambda *a: factory(*a, suffix=".pt"),
    "exported": lambda *a: exported(*a, batch=None),
    "exported-fixed-batch": lambda *a: exported(*a, batch=4),
    "onnx": lambda *a: onnx_graph(*a, batch=None),
    "onnx-fixed-batch": lambda *a: onnx_graph(*a, batch=2),
    "onnx-two-files": lambda *a: onnx_graph(*a, batch=None, weights="model.onnx.data"),
    "estimator": lambda *a: estimator(*a, kind=RandomForestClassifier, suffix=".pkl"),
    "estimator-decision": lambda *a: estimator(*a, kind=RidgeClassifier, suffix=".joblib"),
    "estimator-skops": lambda *a: estimator(*a, kind=LogisticRegression, suffix=".skops"),
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> dict[str, LoadedModel]:
    return {name: case(tmp_path_factory.mktemp(name), 1, SCALED) for name, case in CASES.items()}


@pytest.fixture(scope="module")
def elsewhere(loaded, tmp_path_factory) -> dict[str, np.ndarray]:
    """Logits of all cases, computed by one other process from pickled models."""
    folder = tmp_path_factory.mktemp("process")
    (folder / "in").write_bytes(pickle.dumps(({name: one.model for name, one in loaded.items()}, inputs().numpy())))
    code = (
        "import pickle, sys, torch; torch.set_num_threads(1)\n"
        "models, x = pickle.load(open(sys.argv[1] + '/in', 'rb'))\n"
        "answers = {name: model(torch.from_numpy(x.copy())).logits.numpy() for name, model in models.items()}\n"
        "pickle.dump(answers, open(sys.argv[1] + '/out', 'wb'))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, timeout=120, cwd=Path(__file__).parents[2])
    return pickle.loads((folder / "out").read_bytes())


def inputs() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(5).normal(size=(B, D)).astype(np.float32))


def test_every_kind_of_the_catalog_has_a_case():
    assert {name.split("-")[0] for name in (*CASES, *test_text_teachers.CASES)} == set(LOADERS)


@pytest.mark.parametrize("name", CASES)
def test_logits_do_not_depend_on_how_rows_are_batched(loaded, name):
    x = inputs()
    whole = loaded[name].model(x).logits
    for size in (1, 2, 5):
        pieces = torch.cat([loaded[name].model(rows).logits for rows in x.split(size)])
        torch.testing.assert_close(pieces, whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_logits_are_float32_without_gradient_and_repeat_to_the_bit(loaded, name):
    first, again = loaded[name].model(inputs()).logits, loaded[name].model(inputs()).logits
    assert first.shape == (B, C)
    assert first.dtype == torch.float32
    assert not first.requires_grad
    assert first.grad_fn is None
    assert torch.equal(first, again)


@pytest.mark.parametrize("name", CASES)
def test_logits_can_enter_a_loss_that_is_differentiated(loaded, name):
    student = torch.zeros(B, C, requires_grad=True)
    (student * loaded[name].model(inputs()).logits).sum().backward()
    assert student.grad is not None
    assert student.grad.abs().sum() > 0


@pytest.mark.parametrize("name", CASES)
def test_raw_inputs_stay_as_they_are(loaded, name):
    x = inputs()
    loaded[name].model(x)
    assert torch.equal(x, inputs())


@pytest.mark.parametrize("name", CASES)
def test_a_pickled_model_gives_the_same_in_another_process(loaded, elsewhere, name):
    np.testing.assert_allclose(elsewhere[name], loaded[name].model(inputs()).logits.numpy(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_digest_names_weights_and_preprocessing(name, tmp_path):
    digest = CASES[name](tmp_path, 1, SCALED).digest
    assert CASES[name](tmp_path, 1, SCALED).digest == digest
    assert CASES[name](tmp_path, 2, SCALED).digest != digest
    assert CASES[name](tmp_path, 1, Preprocessing()).digest != digest


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("estimator")])
def test_logits_are_those_of_the_linear_map_after_preprocessing(loaded, name):
    expected = linear(1)(inputs() * 0.5).detach()
    torch.testing.assert_close(loaded[name].model(inputs()).logits, expected, rtol=1e-5, atol=1e-6)
