"""A table is read by the names of its columns, where an exported student knows them."""

import json
import subprocess
import sys

import pytest
from torch import nn

from automl.predicting.predict import predict
from search_spaces import ModelSignature, StudentSpec, TensorSpec
from trials.description import describe, description_bytes
from trials.export import export_onnx
from trials.recipe import LossTerm, Recipe
from trials.student import Student

NAMES = ("länge", "breite", "gestreift")
RECIPE = Recipe(losses=(LossTerm(name="kd", weight=1.0),), epochs=1, batch_size=8, learning_rate=1e-3)


@pytest.fixture(scope="module")
def graph():
    """Its logits are its three inputs."""
    body = nn.Linear(3, 3, bias=False)
    nn.init.eye_(body.weight)
    return export_onnx(Student(body, signature=signature(), statistics=None), signature())


def signature():
    return ModelSignature(
        inputs=(TensorSpec(name="input", shape=(3,)),), outputs=(TensorSpec(name="logits", shape=(3,)),)
    )


def export(folder, graph, names=NAMES, **changes):
    description = describe(
        StudentSpec(space="made_by_hand", values={}),
        signature=signature(),
        class_names=("long", "wide", "striped"),
        statistics=None,
        recipe=RECIPE,
        seed=0,
        precisions=("float32",),
        feature_names=names,
    )
    (folder / "student.json").write_bytes(description_bytes(description | changes))
    (folder / "model.onnx").write_bytes(graph)
    return folder


def labels(folder, text, **options):
    path = folder / "rows.csv"
    path.write_text(text, **{"encoding": "utf-8"} | options)
    return [prediction.label for prediction in predict(folder, path)]


@pytest.mark.parametrize(
    "text",
    [
        "länge,breite,gestreift\n9,1,0\n1,9,0\n",
        "breite,länge,gestreift\n1,9,0\n9,1,0\n",
        "\ufeffgestreift, breite ,länge\n0,1,9\n0,9,1\n",
        "art,gestreift,breite,id,länge\nein Apfel,False,1,88,9\n,False,9,99,1\n",
        "9,1,0\n1,9,0\n",
    ],
)
def test_columns_are_found_by_name_and_by_position_without_a_header(graph, tmp_path, text):
    assert labels(export(tmp_path, graph), text) == ["long", "wide"]


def test_a_header_of_numbers_is_known_by_the_names(graph, tmp_path):
    assert labels(export(tmp_path, graph, ("0", "1", "2")), "2,1,0,3\n0,1,9,99\n") == ["long"]


@pytest.mark.parametrize("names", [None, "left out"])
def test_exports_without_names_are_read_by_position(graph, tmp_path, names):
    folder = export(tmp_path, graph, None)
    if names is not None:
        path = folder / "student.json"
        description = json.loads(path.read_bytes())
        del description["feature_names"]
        path.write_text(json.dumps(description))
    assert labels(folder, "breite,länge,gestreift\n9,1,0\n") == ["long"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("breite,art\n1,2\n", r"rows.csv has no column länge, gestreift; the student takes länge, breite, gestreift, "),
        ("a,b,c\n1,2,3\n", "and the first line names a, b, c; name the columns as in training, or give rows of num"),
        ("länge,breite,breite,gestreift\n1,2,3,4\n", r"more than one column breite; leave one of each"),
        ("länge,breite,gestreift\n1,2,3\n1,2\n", "line 3: expected 3 values, got 2"),
        ("id,länge,breite,gestreift\nx,1,,3\n", r"line 2: expected numbers only, got \[''\]"),
        ("id,länge,breite,gestreift\nx,1,inf,3\n", "line 2: expected finite numbers, got inf"),
    ],
)
def test_tables_without_a_feature_are_refused(graph, tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        labels(export(tmp_path, graph), text)


def test_a_table_in_another_encoding_is_told_what_to_do(graph, tmp_path):
    with pytest.raises(ValueError, match=r"line 1: is no UTF-8 text .*iconv -f LATIN1 -t UTF-8"):
        labels(export(tmp_path, graph), "länge,breite,gestreift\n1,2,3\n", encoding="latin-1")


def test_names_that_do_not_fit_the_input_are_told(graph, tmp_path):
    with pytest.raises(ValueError, match=r"student.json is incomplete .*feature_names"):
        labels(export(tmp_path, graph, ("a", "b")), "a,b\n1,2\n")


def test_reading_rows_needs_no_torch():
    code = "import sys, automl.predicting.raw_rows, automl.predicting.predict; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
