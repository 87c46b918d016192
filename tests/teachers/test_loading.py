"""Errors and details of single kinds of teachers; what all must keep is in the contract suite."""

import os
import pickle

import numpy as np
import onnx
import pytest
import skops.io
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from torch import nn

from teachers import LOADERS, Outputs, Preprocessing
from teachers.loading.estimator import SMALLEST_PROBABILITY, EstimatorModel

OPTIONS = {"in_features": 2, "out_features": 3}
NAMES = ("ant", "bee", "cat")
load_factory, load_exported, load_onnx = LOADERS["factory"], LOADERS["exported"], LOADERS["onnx"]
load_estimator, load_callable = LOADERS["estimator"], LOADERS["callable"]


class Touch:
    """Unpickled, it writes a file: what a pickle with ill intent could do."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def fitted(classes, kind=LogisticRegression, **options):
    x = np.random.default_rng(0).normal(size=(30, 2)) + np.arange(30)[:, None] % len(classes)
    return kind(**options).fit(x, np.array(classes)[np.arange(30) % len(classes)])


def test_keys_that_do_not_match_are_listed_briefly(tmp_path):
    save_file(
        {"weight": torch.zeros(3, 4), **{f"extra{i}": torch.zeros(1) for i in range(9)}}, tmp_path / "w.safetensors"
    )
    with pytest.raises(
        ValueError, match=r"1 missing: bias; 9 unexpected: extra0.*extra4, …; 1 of another shape"
    ) as caught:
        load_factory(factory=nn.Linear, weights=tmp_path / "w.safetensors", options=OPTIONS)
    assert "weight (file (3, 4), module (3, 2))" in str(caught.value)
    assert "extra5" not in str(caught.value)


def test_a_state_dict_that_holds_code_is_refused_and_not_run(tmp_path):
    torch.save({"weight": Touch(tmp_path / "touched")}, tmp_path / "w.pt")
    with pytest.raises(ValueError, match=r"more than tensors; write it with safetensors"):
        load_factory(factory=nn.Linear, weights=tmp_path / "w.pt", options=OPTIONS)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_a_torn_file_of_weights_is_a_clear_error(tmp_path, name):
    state = nn.Linear(2, 3).state_dict()
    save_file(state, tmp_path / name) if name.endswith("safetensors") else torch.save(state, tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"w\.(pt|safetensors)"):
        load_factory(factory=nn.Linear, weights=tmp_path / name, options=OPTIONS)


def test_a_factory_must_return_a_module():
    with pytest.raises(ValueError, match=r"builtins:dict must return a torch.nn.Module, got dict"):
        load_factory(factory=dict, weights=None)


def test_a_factory_with_dropout_is_put_into_evaluation_mode():
    model = load_factory(factory=nn.Dropout, weights=None, options={"p": 0.9}).model
    assert torch.equal(model(torch.ones(4, 5)).logits, torch.ones(4, 5))


def test_missing_files_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"weights of a teacher not found: .*none.pt is not a file"):
        load_factory(factory=nn.Linear, weights=tmp_path / "none.pt", options=OPTIONS)
    with pytest.raises(ValueError, match=r"ONNX file of a teacher not found"):
        load_onnx(path=tmp_path / "none.onnx")


def test_an_exported_program_needs_trust(tmp_path):
    with pytest.raises(ValueError, match=r"can run code from the file; set trust: true"):
        load_exported(path=tmp_path / "model.pt2")


def test_an_exported_program_in_training_mode_is_refused(tmp_path):
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5)).train()
    torch.export.save(torch.export.export(model, (torch.zeros(2, 2),)), tmp_path / "model.pt2")
    with pytest.raises(ValueError, match=r"dropout.* in training mode.*call eval\(\)"):
        load_exported(path=tmp_path / "model.pt2", trust=True)


def test_a_torn_exported_program_is_a_clear_error(tmp_path):
    (tmp_path / "model.pt2").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ValueError, match=r"is not a whole file of torch.export.save"):
        load_exported(path=tmp_path / "model.pt2", trust=True)


def save_graph(path, inputs=("x",), outputs=("y",), kind=TensorProto.FLOAT):
    nodes = [helper.make_node("Cast", [inputs[0]], [name], to=TensorProto.FLOAT) for name in outputs]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kind, ["n", 2]) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in outputs],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


def test_an_onnx_graph_of_bytes_gets_bytes(tmp_path):
    save_graph(tmp_path / "g.onnx", kind=TensorProto.UINT8)
    x = torch.tensor([[0, 255]], dtype=torch.uint8)
    assert load_onnx(path=tmp_path / "g.onnx").model(x).logits.tolist() == [[0.0, 255.0]]


def test_an_onnx_graph_with_two_inputs_or_without_the_output_is_refused(tmp_path):
    save_graph(tmp_path / "g.onnx", inputs=("x", "mask"))
    with pytest.raises(ValueError, match=r"must take one input, this graph takes x, mask"):
        load_onnx(path=tmp_path / "g.onnx")
    save_graph(tmp_path / "g.onnx", outputs=("y", "aux"))
    with pytest.raises(ValueError, match=r"no output 'z'; it has aux, y"):
        load_onnx(path=tmp_path / "g.onnx", output="z")


def test_a_torn_onnx_file_is_a_clear_error(tmp_path):
    (tmp_path / "g.onnx").write_bytes(b"\x08\x0a\x12")
    with pytest.raises(ValueError, match=r"g.onnx is not a whole ONNX file"):
        load_onnx(path=tmp_path / "g.onnx")


def test_texts_are_refused_by_graphs(tmp_path):
    save_graph(tmp_path / "g.onnx")
    with pytest.raises(ValueError, match=r"takes numbers, got texts"):
        load_onnx(path=tmp_path / "g.onnx").model(["text"])


def test_a_pickle_without_trust_is_refused_and_not_run(tmp_path):
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(Touch(tmp_path / "touched")))
    with pytest.raises(ValueError, match=r"m.pkl is a pickle, which can run code.*set trust: true"):
        load_estimator(path=tmp_path / "m.pkl", class_names=NAMES)
    assert not (tmp_path / "touched").exists()


def test_a_forest_in_a_skops_file_needs_trust_and_is_read_with_it(tmp_path):
    estimator = fitted([0, 1, 2], kind=RandomForestClassifier, n_estimators=3, random_state=0)
    skops.io.dump(estimator, tmp_path / "m.skops")
    with pytest.raises(
        ValueError, match=r"not hold safe: sklearn\.tree\._tree\.Tree; .* [Ss]et trust: true"
    ) as refusal:
        load_estimator(path=tmp_path / "m.skops", class_names=NAMES)
    assert "\n" not in str(refusal.value)
    x = torch.tensor([[0.0, 0.0], [2.0, 2.0]])
    logits = load_estimator(path=tmp_path / "m.skops", class_names=NAMES, trust=True).model(x).logits
    np.testing.assert_allclose(logits.softmax(1), estimator.predict_proba(x.numpy()), atol=1e-6)


def test_a_skops_file_that_names_a_function_is_not_run_without_trust(tmp_path):
    estimator = fitted([0, 1, 2])
    estimator.extra, estimator.more = Preprocessing(), os.remove
    skops.io.dump(estimator, tmp_path / "m.skops")
    with pytest.raises(ValueError, match=r"not hold safe: posix\.remove, teachers\.preprocessing\.Preprocessing"):
        load_estimator(path=tmp_path / "m.skops", class_names=NAMES)


def test_a_torn_skops_file_is_a_clear_error(tmp_path):
    (tmp_path / "m.skops").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match=r"m\.skops cannot be read as a skops file: BadZipFile"):
        load_estimator(path=tmp_path / "m.skops", class_names=NAMES, trust=True)


def test_an_estimator_gives_log_probabilities_clamped():
    estimator = fitted([0, 1, 2], kind=KNeighborsClassifier, n_neighbors=1)
    model = EstimatorModel(estimator, preprocessing=Preprocessing(), class_names=NAMES, labels=None)
    x = torch.tensor([[0.0, 0.0], [2.0, 2.0]])
    logits = model(x).logits
    assert logits.min().item() == pytest.approx(np.log(SMALLEST_PROBABILITY), rel=1e-6)
    np.testing.assert_allclose(logits.softmax(1), estimator.predict_proba(x.numpy()), atol=1e-6)


@pytest.mark.parametrize(
    ("classes", "labels", "columns"),
    [
        (["cat", "ant", "bee"], None, [0, 1, 2]),  # Names; scikit-learn sorts them, as the data does.
        ([2, 0], [2, 0], [1, 0]),  # Numbers; a specialist, its labels in another order.
        ([1.0, 2.0, 0.0], None, [0, 1, 2]),
        (["cat", "bee"], [1, 2], [0, 1]),
        ([0, 1, 2], [2], [2]),  # It knows more than it is asked for.
    ],
)
def test_columns_of_an_estimator_follow_its_classes(classes, labels, columns):
    model = EstimatorModel(fitted(classes), preprocessing=Preprocessing(), class_names=NAMES, labels=labels)
    assert model.columns == columns
    assert model(torch.zeros(4, 2)).logits.shape == (4, len(columns))


def test_names_in_another_order_than_the_alphabet_are_matched_by_name():
    estimator = fitted(["bee", "cat", "ant"])
    model = EstimatorModel(estimator, preprocessing=Preprocessing(), class_names=("cat", "ant", "bee"), labels=None)
    x = np.random.default_rng(1).normal(size=(20, 2)).astype(np.float32) * 3
    told = np.array(("cat", "ant", "bee"))[model(torch.from_numpy(x)).logits.argmax(1).numpy()]
    assert told.tolist() == estimator.predict(x).tolist()
    assert len(set(told)) > 1


def test_what_a_factory_raises_is_told_with_its_options():
    with pytest.raises(ValueError, match=r"Linear, called without options, raised TypeError: .*in_features"):
        LOADERS["factory"](factory=torch.nn.Linear, weights=None)
    with pytest.raises(ValueError, match=r"Linear, called with options \{'widht': 3\}, raised TypeError"):
        LOADERS["factory"](factory=torch.nn.Linear, weights=None, options={"widht": 3})


def test_an_estimator_that_needs_rows_asks_for_flatten():
    estimator = fitted([0, 1, 2])
    images = torch.zeros(2, 1, 1, estimator.n_features_in_)
    model = EstimatorModel(estimator, preprocessing=Preprocessing(scale=0.5), class_names=NAMES[:3], labels=None)
    with pytest.raises(ValueError, match=r"shape \(2, 1, 1, \d+\): .*; write `flatten: true` into its preprocessing"):
        model(images)
    with pytest.raises(ValueError, match=r"shape \(2, 99\): X has 99 features, .*; fit it on such rows"):
        model(torch.zeros(2, 99))
    flat = Preprocessing(scale=0.5, flatten=True)
    assert EstimatorModel(estimator, preprocessing=flat, class_names=NAMES[:3], labels=None)(images).logits.shape == (
        2,
        3,
    )


def test_a_class_that_the_estimator_does_not_know_is_named():
    with pytest.raises(ValueError, match=r"does not know class 'bee', it knows 0, 2; set the labels"):
        EstimatorModel(fitted([0, 2]), preprocessing=Preprocessing(), class_names=NAMES, labels=None)


def test_two_classes_by_decision_function_make_a_logistic_probability():
    estimator = fitted([0, 1], kind=SVC)
    model = EstimatorModel(estimator, preprocessing=Preprocessing(), class_names=NAMES[:2], labels=None)
    x = np.array([[0.1, 0.4], [2.0, -1.0]], dtype=np.float32)
    expected = 1 / (1 + np.exp(-estimator.decision_function(x)))
    np.testing.assert_allclose(model(torch.from_numpy(x)).logits.softmax(1)[:, 1], expected, rtol=1e-5)


def test_pairwise_decisions_and_regressors_are_refused():
    rng = np.random.default_rng(0)
    four = SVC(decision_function_shape="ovo").fit(rng.normal(size=(40, 2)), np.arange(40) % 4)
    model = EstimatorModel(four, preprocessing=Preprocessing(), class_names=("a", "b", "c", "d"), labels=None)
    with pytest.raises(
        ValueError, match=r"6 columns for 4 classes; fit the estimator with decision_function_shape='ovr'"
    ):
        model(torch.zeros(1, 2))
    with pytest.raises(ValueError, match=r"must be a fitted classifier .*got LinearRegression"):
        EstimatorModel(LinearRegression(), preprocessing=Preprocessing(), class_names=NAMES, labels=None)


def test_a_callable_takes_raw_inputs_and_needs_a_digest():
    def model(inputs):
        inputs += 1  # A careless teacher; the raw batch must not feel it.
        return Outputs(logits=inputs.double(), features={"f": inputs})

    raw = torch.zeros(2, 3, dtype=torch.uint8)
    answer = load_callable(model=model, digest="v1").model(raw)
    assert answer.logits.dtype == answer.features["f"].dtype == torch.float32
    assert raw.sum() == 0
    with pytest.raises(ValueError, match=r"needs a digest"):
        load_callable(model=model)
    with pytest.raises(ValueError, match=r"must return a tensor of logits, or a record with logits, got str"):
        load_callable(model=lambda _: "cat", digest="v1").model(raw)
