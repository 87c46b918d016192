import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from automl.predicting.predict import format_table, predict
from search_spaces import ModelSignature, StudentSpec, TensorSpec
from trials.compress import PRECISIONS
from trials.description import describe, description_bytes
from trials.export import export_onnx
from trials.recipe import LossTerm, Recipe
from trials.student import Normalisation, Student

RECIPE = Recipe(losses=(LossTerm(name="kd", weight=1.0),), epochs=1, batch_size=8, learning_rate=1e-3)


def export(
    folder: Path,
    body: nn.Module,
    *,
    shape: tuple[int, ...],
    dtype: str,
    class_names: tuple[str, ...],
    value_range: tuple[float, float],
    precisions: tuple[str, ...] = ("float32",),
) -> Path:
    """Write a folder as a trial does."""
    signature = ModelSignature(
        inputs=(TensorSpec(name="input", shape=shape, dtype=dtype),),
        outputs=(TensorSpec(name="logits", shape=(len(class_names),)),),
    )
    count = shape[0]
    statistics = Normalisation(mean=(0.0,) * count, std=(1.0,) * count, value_range=value_range)
    graph = export_onnx(Student(body, signature=signature, statistics=statistics), signature)
    calibration = {"input": np.random.default_rng(0).uniform(*value_range, (64, *shape)).astype(dtype)}
    for precision in precisions:
        (folder / PRECISIONS[precision].file_name).write_bytes(PRECISIONS[precision].convert(graph, calibration))
    description = describe(
        StudentSpec(space="made_by_hand", values={}),
        signature=signature,
        class_names=class_names,
        statistics=statistics,
        recipe=RECIPE,
        seed=0,
        precisions=precisions,
    )
    (folder / "student.json").write_bytes(description_bytes(description))
    return folder


@pytest.fixture(scope="module")
def largest(tmp_path_factory):
    """Says which of three features is largest; its logits are the features."""
    body = nn.Linear(3, 3, bias=False)
    nn.init.eye_(body.weight)
    return export(
        tmp_path_factory.mktemp("largest"),
        body,
        shape=(3,),
        dtype="float32",
        class_names=("first", "second", "third"),
        value_range=(-4.0, 4.0),
        precisions=("float32", "int8"),
    )


@pytest.fixture(scope="module")
def corner(tmp_path_factory):
    """Says which corner of a grey picture of 2 x 2 pixels from 0 to 16 is brightest."""
    return export(
        tmp_path_factory.mktemp("corner"),
        nn.Flatten(),
        shape=(1, 2, 2),
        dtype="uint8",
        class_names=("top left", "top right", "bottom left", "bottom right"),
        value_range=(0.0, 16.0),
    )


@pytest.fixture(scope="module")
def colour(tmp_path_factory):
    """Says which colour is strongest in a picture of 3 columns and 2 rows."""
    return export(
        tmp_path_factory.mktemp("colour"),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        shape=(3, 2, 3),
        dtype="uint8",
        class_names=("red", "green", "blue"),
        value_range=(0.0, 255.0),
    )


def save_array(path: Path, values, dtype=None) -> Path:
    np.save(path, np.array(values, dtype=dtype))
    return path


def labels(folder: Path, path: Path, **options) -> list[str]:
    return [prediction.label for prediction in predict(folder, path, **options)]


def test_probabilities_are_the_softmax_of_the_logits_best_first(largest, tmp_path):
    (prediction,) = predict(largest, save_array(tmp_path / "row.npy", [1.0, 3.0, 2.0]))
    expected = np.exp([1.0, 3.0, 2.0]) / np.exp([1.0, 3.0, 2.0]).sum()
    assert prediction.source == "row.npy"
    assert prediction.label == "second"
    assert prediction.probability == pytest.approx(expected[1], rel=1e-5)
    assert [label for label, _ in prediction.top] == ["second", "third", "first"]
    assert [probability for _, probability in prediction.top] == pytest.approx(expected[[1, 2, 0]], rel=1e-5)


def test_top_holds_as_many_classes_as_asked_for_and_exist(largest, tmp_path):
    path = save_array(tmp_path / "row.npy", [1.0, 3.0, 2.0])
    assert [len(predict(largest, path, top_k=k)[0].top) for k in (1, 2, 9)] == [1, 2, 3]


def test_huge_logits_do_not_overflow(largest, tmp_path):
    assert predict(largest, save_array(tmp_path / "row.npy", [1e4, 0.0, 0.0]))[0].probability == 1.0


def test_a_long_batch_keeps_its_order(largest, tmp_path):
    rows = np.random.default_rng(0).normal(size=(600, 3)).astype(np.float32)
    predictions = predict(largest, save_array(tmp_path / "rows.npy", rows))
    names = np.array(["first", "second", "third"])
    assert [prediction.label for prediction in predictions] == names[rows.argmax(axis=1)].tolist()
    assert predictions[599].source == "rows.npy#599"


def test_each_precision_runs_its_own_graph(largest, tmp_path):
    path = save_array(tmp_path / "row.npy", [0.11, 2.9, 0.7])
    float32, int8 = (predict(largest, path, precision=precision)[0] for precision in ("float32", "int8"))
    assert predict(largest, path)[0] == float32
    assert int8.label == float32.label
    assert 0 < abs(int8.probability - float32.probability) < 0.05


def test_archives_are_read_by_name_of_the_input_or_by_their_only_array(largest, tmp_path):
    rows = np.eye(3, dtype=np.float32)
    path = tmp_path / "rows.npz"
    for arrays in ({"anything": rows}, {"inputs": rows, "y": rows[0]}, {"input": rows, "inputs": -rows}):
        np.savez(path, **arrays)
        assert labels(largest, path) == ["first", "second", "third"]
    np.savez(path, a=rows, b=rows)
    with pytest.raises(ValueError, match=r"holds a, b; name the array 'input' or 'inputs'"):
        predict(largest, path)


@pytest.mark.parametrize("header", ["", "a,b,c\n", "\ufeffa,b,c\n"])
def test_tables_are_read_with_and_without_a_header(largest, tmp_path, header):
    path = tmp_path / "rows.csv"
    path.write_text(header + "1,0,0\n0,0,2.5\n\n0,1e1,0\n", encoding="utf-8")
    assert labels(largest, path) == ["first", "third", "second"]


def test_tables_hold_pictures_pixel_by_pixel(corner, tmp_path):
    path = tmp_path / "pictures.csv"
    path.write_text("0,0,16,0\n1,9,0,0\n")
    assert labels(corner, path) == ["bottom left", "top right"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n1,2\n", r"line 2: expected 3 values, got 2"),
        ("1,2,3\n1,x,3\n", r"line 2: expected numbers only, got \['1', 'x', '3'\]"),
        ("a,b,c\n1,2,3\n1,nan,3\n", r"line 3: expected finite numbers, got nan; fill it as in training"),
        ("a,b,c\n", "holds no inputs"),
        ("", "holds no inputs"),
    ],
)
def test_tables_that_do_not_fit_are_refused_with_their_line(largest, tmp_path, text, message):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        predict(largest, path)


def test_grey_pictures_may_leave_out_batch_and_channel(corner, tmp_path):
    picture = np.array([[0, 0], [0, 9]], dtype=np.uint8)
    for number, values in enumerate((picture, picture[None], picture[None, None])):
        assert labels(corner, save_array(tmp_path / f"{number}.npy", values)) == ["bottom right"]
    assert len(predict(corner, save_array(tmp_path / "three.npy", np.stack([picture] * 3)))) == 3


def test_image_files_are_laid_over_the_range_of_the_training_data(corner, tmp_path):
    Image.fromarray(np.array([[0, 51], [255, 102]], dtype=np.uint8)).save(tmp_path / "picture.png")
    (prediction,) = predict(corner, tmp_path / "picture.png", top_k=4)
    # 51, 255 and 102 of 255 are 3.2, 16 and 6.4 of 16, rounded to whole numbers as the student takes them.
    expected = np.exp([16.0, 6.0, 3.0, 0.0]) / np.exp([16.0, 6.0, 3.0, 0.0]).sum()
    assert [label for label, _ in prediction.top] == ["bottom left", "bottom right", "top right", "top left"]
    assert [probability for _, probability in prediction.top] == pytest.approx(expected, rel=1e-4)


def test_images_of_other_sizes_and_colours_are_converted(corner, colour, tmp_path):
    large = np.zeros((40, 60, 3), dtype=np.uint8)
    large[20:, 30:] = (10, 20, 250)
    Image.fromarray(large).save(tmp_path / "large.jpg", quality=95)
    assert labels(corner, tmp_path / "large.jpg") == ["bottom right"]
    assert labels(colour, tmp_path / "large.jpg") == ["blue"]
    Image.fromarray(large).convert("RGBA").save(tmp_path / "clear.png")
    assert labels(colour, tmp_path / "clear.png") == ["blue"]


def test_channels_rows_and_columns_of_an_image_are_not_mixed_up(colour, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4, (2, 3, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    array = save_array(tmp_path / "picture.npy", pixels.transpose(2, 0, 1))
    assert predict(colour, tmp_path / "picture.png")[0].top == predict(colour, array)[0].top


def test_a_folder_gives_its_images_by_name(corner, tmp_path):
    for name, place in (("b.png", (0, 1)), ("a.PNG", (1, 0)), ("c.bmp", (1, 1))):
        pixels = np.zeros((2, 2), dtype=np.uint8)
        pixels[place] = 255
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    found = [(prediction.source, prediction.label) for prediction in predict(corner, tmp_path)]
    assert found == [("a.PNG", "bottom left"), ("b.png", "top right"), ("c.bmp", "bottom right")]


def test_inputs_that_do_not_fit_are_refused_with_what_the_student_takes(corner, largest, tmp_path):
    for folder, values, message in (
        (
            largest,
            np.zeros((2, 4)),
            r"has shape \(2, 4\), but the student takes vector inputs of shape \(3\) and type float",
        ),
        (
            corner,
            np.zeros((2, 3), dtype=np.uint8),
            r"has shape \(2, 3\), .* image inputs of shape \(1, 2, 2\) and type uint8",
        ),
        (corner, np.full((2, 2), 0.5), "must hold whole numbers"),
        (corner, np.full((2, 2), 300), "must hold values from 0 to 255, got 300 to 300"),
        (corner, np.full((2, 2), np.nan), "row 0: expected finite numbers of float64, got nan"),
        (largest, [[0, 1, 2], [0, 1, np.inf]], "row 1: expected finite numbers of float64, got inf; fill it"),
        (
            largest,
            [[0, 1, 2], [np.nan, 1, 2], [-np.inf, 1, 2]],
            r"row 1 \(and 1 more rows\): expected finite .* got nan",
        ),
        (largest, [[0, 1, 1e300]], "row 0: expected finite numbers of float32, got inf"),
        (largest, np.array(["a", "b", "c"]), "expected numbers"),
        (largest, np.zeros((0, 3)), "holds no inputs"),
    ):
        with pytest.raises(ValueError, match=message):
            predict(folder, save_array(tmp_path / "wrong.npy", values))


def test_whole_numbers_in_another_type_are_taken(corner, tmp_path):
    for dtype in ("int64", "float32", "bool"):
        assert labels(corner, save_array(tmp_path / "whole.npy", [[0, 0], [1, 0]], dtype)) == ["bottom left"]


def test_files_that_cannot_be_read_are_refused(corner, largest, tmp_path):
    (tmp_path / "torn.npy").write_bytes(b"\x93NUMPY\x01")
    np.save(tmp_path / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "notes.txt").write_text("1,2,3")
    (tmp_path / "empty").mkdir()
    for folder, name, message in (
        (corner, "absent.npy", "does not exist; give a file or a folder of images"),
        (corner, "torn.npy", "cannot be read as an array"),
        (corner, "torn.npz", "cannot be read as an array"),
        (corner, "pickled.npy", "cannot be read as an array"),
        (corner, "torn.png", "cannot be read as an image"),
        (largest, "torn.png", "is an image, but the student takes vector inputs"),
        (largest, "binary.csv", "line 1: is no UTF-8 text .*iconv -f UTF-16"),
        (corner, "notes.txt", r"its name must end in one of .csv, .npy"),
        (corner, "empty", "holds no images"),
    ):
        with pytest.raises(ValueError, match=message):
            predict(folder, tmp_path / name)


def test_folders_that_hold_no_runnable_student_are_refused(largest, tmp_path):
    row = save_array(tmp_path / "row.npy", [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"student.json is missing; make one with automl export"):
        predict(tmp_path, row)
    with pytest.raises(ValueError, match=r"not exported in precision 'int4'; it has float32, int8"):
        predict(largest, row, precision="int4")
    good = json.loads((largest / "student.json").read_text())
    for content, message in (
        ("{", "not readable JSON"),
        ("{}", "does not describe an exported student"),
        (json.dumps(good | {"version": 2}), "has version 2, this program reads version 1"),
        (json.dumps(good | {"graphs": {}}), "names no graphs"),
        (json.dumps(good), r"model.onnx is missing"),
    ):
        (tmp_path / "student.json").write_text(content)
        with pytest.raises(ValueError, match=message):
            predict(tmp_path, row)
    (tmp_path / "model.onnx").write_bytes((largest / "model.onnx").read_bytes()[:40])
    with pytest.raises(ValueError, match="cannot be opened by ONNX Runtime"):
        predict(tmp_path, row)
    (tmp_path / "model.onnx").write_bytes((largest / "model.onnx").read_bytes())
    for missing in ("class_names", "inputs"):
        (tmp_path / "student.json").write_text(json.dumps({name: good[name] for name in good if name != missing}))
        with pytest.raises(ValueError, match="is incomplete"):
            predict(tmp_path, row)


def test_the_table_lines_up_sources_and_names_classes_with_their_shares(largest, tmp_path):
    path = save_array(tmp_path / "rows.npy", np.eye(3)[[0] * 11] * 100)
    lines = format_table(predict(largest, path, top_k=2)).splitlines()
    assert lines[0] == "rows.npy#0   first 100.0%  second 0.0%"
    assert lines[10].startswith("rows.npy#10  first")
    assert format_table([]) == ""


def test_running_a_student_never_imports_torch(largest, tmp_path):
    path = save_array(tmp_path / "row.npy", [1.0, 3.0, 2.0])
    code = (
        "import sys; from pathlib import Path; from automl.predicting.predict import format_table, predict;"
        "sys.stdout.write(format_table(predict(Path(sys.argv[1]), Path(sys.argv[2]))));"
        "heavy = {'torch', 'ray', 'optuna', 'mlflow', 'pandas', 'sklearn'} & set(sys.modules); assert not heavy, heavy"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "error", "-c", code, str(largest), str(path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("row.npy  second")


@pytest.mark.parametrize("name", ["../model.onnx", "/model.onnx", "sub\\model.onnx", "..", ""])
def test_a_graph_is_taken_from_the_folder_alone(largest, tmp_path, name):
    folder = shutil.copytree(largest, tmp_path / "student")
    shutil.copy(folder / "model.onnx", tmp_path / "model.onnx")
    description = json.loads((folder / "student.json").read_bytes()) | {"graphs": {"float32": name}}
    (folder / "student.json").write_text(json.dumps(description))
    with pytest.raises(ValueError, match=r"names the graph .* which is no file of this folder"):
        predict(folder, save_array(tmp_path / "row.npy", [1.0, 3.0, 2.0]))


@pytest.mark.parametrize(("factor", "told"), [(1.0, False), (1.9, False), (1e30, True)])
def test_values_far_outside_those_of_training_are_noted(
    factor: float, told: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    export(tmp_path, body, shape=(1, 2, 2), dtype="float32", class_names=("a", "b"), value_range=(0.0, 16.0))
    np.save(tmp_path / "x.npy", np.stack([np.zeros((1, 2, 2)), np.full((1, 2, 2), 16.0 * factor)]).astype("float32"))
    assert len(predict(tmp_path, tmp_path / "x.npy")) == 2
    notes = [
        record.message.partition(",")[0] for record in caplog.records if record.name == "automl.predicting.predict"
    ]
    assert notes == (["x.npy#1: values far outside 0 to 16"] if told else [])
