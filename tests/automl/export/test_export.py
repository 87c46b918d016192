import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from automl.config import load_config
from automl.errors import UserError, WorkFailed
from automl.export import card, export
from automl.export.parity import Parity
from automl.export.picking import names
from automl.predicting.predict import predict
from automl.preparation.prepare import prepare
from trials.compress import PRECISIONS

FILES = {"model.onnx", "model.int8.onnx", "model.safetensors", "student.json", "preprocessing.json", "README.md"}


@pytest.fixture(scope="module")
def exported(small_run, tmp_path_factory):
    """Export the best member, float32 or int8."""
    return export(small_run, pick="best", to=tmp_path_factory.mktemp("exported") / "student")


@pytest.fixture(scope="module")
def dataset(small_config):
    return prepare(load_config(small_config)).dataset


@pytest.fixture
def damaged(small_run, tmp_path):
    """Copy the run, so that its files can be spoilt."""
    shutil.copytree(small_run.folder, tmp_path / "run")
    return replace(small_run, folder=tmp_path / "run")


def description(folder):
    return json.loads((folder / "student.json").read_bytes())


def test_the_folder_holds_all_that_ships(exported):
    assert {path.name for path in exported.folder.iterdir()} == FILES
    assert {name: (exported.folder / name).stat().st_size for name in FILES} == dict(exported.files)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_student_scores_on_the_test_split_what_the_card_says(small_run, dataset, tmp_path, precision):
    member = next(member for member in small_run.front.members if member.precision == precision)
    export(small_run, pick=f"{member.trial}:{precision}", to=tmp_path / "student")
    rows = dataset.splits["test"]
    np.save(tmp_path / "rows.npy", dataset.inputs[rows])
    predictions = predict(tmp_path / "student", tmp_path / "rows.npy")
    right = [dataset.class_names[label] for label in dataset.labels[rows]] == np.array([p.label for p in predictions])
    assert float(right.mean()) == pytest.approx(member.metrics["test_accuracy"])
    assert f"{member.metrics['test_accuracy']:.4f}" in (tmp_path / "student" / "README.md").read_text()


def test_the_picked_precision_is_the_one_that_is_run(small_run, tmp_path):
    member = next(member for member in small_run.front.members if member.precision == "int8")
    export(small_run, pick=f"{member.trial}:int8", to=tmp_path / "student")
    assert list(description(tmp_path / "student")["graphs"].items()) == [
        ("int8", "model.int8.onnx"),
        ("float32", "model.onnx"),
    ]


def test_the_description_has_the_final_figures(small_run, exported):
    said = description(exported.folder)
    member = exported.member
    assert said["metrics"][member.precision] == pytest.approx(dict(member.metrics))
    assert "test_accuracy" in said["metrics"][member.precision]
    assert said["latency"][member.precision]["provisional"] is False
    assert (said["run"], said["trial"], said["digest"]) == (small_run.name, member.trial, member.digest)


def test_the_card_tells_teachers_recipe_device_and_parity(small_run, exported):
    card = (exported.folder / "README.md").read_text()
    (teacher,) = small_run.teachers
    for part in (
        f"| {teacher.name} | train | style = left | {teacher.metrics['home']:.4f} | {teacher.metrics['abroad']:.4f}",
        "1 × hard_label + 1 × kd (temperature",
        "layer1: width",
        exported.member.latency.device,
        "batch of 1, 1 thread",
        "| alone, in 9 rounds |",
        "the latency is the median over the rounds, and the interval is of the same",
        "differ from the trained module by at most",
        "kind sklearn, name digits",
        "size_bytes <= 50000",
        "automl predict",
    ):
        assert part in card
    assert "had not ended" not in card


def test_a_card_of_a_record_from_before_there_were_rounds_claims_none(small_run, tmp_path):
    members = tuple(replace(m, latency=replace(m.latency, rounds=1)) for m in small_run.front.members)
    export(replace(small_run, front=replace(small_run.front, members=members)), pick="knee", to=tmp_path / "student")
    card = (tmp_path / "student" / "README.md").read_text()
    assert "rounds" not in card
    assert "interval is of the runs of one measurement" in card


def test_the_example_in_the_card_runs_without_torch_and_agrees_with_predict(exported, dataset, tmp_path):
    card = (exported.folder / "README.md").read_text()
    code = card.split("```python\n")[1].split("```")[0]
    folder = shutil.copytree(exported.folder, tmp_path / "student")
    answers = []
    for row in range(5):
        pixels = np.rint(dataset.inputs[row, 0] * 255 / 16).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "image.png")
        blocked = f"import sys; sys.modules['torch'] = None\n{code}"
        ran = subprocess.run([sys.executable, "-c", blocked], cwd=folder, capture_output=True, text=True, check=True)
        (prediction,) = predict(folder, folder / "image.png")
        answers.append((ran.stdout.strip(), prediction.label))
    assert [ours for ours, _ in answers] == [theirs for _, theirs in answers]
    assert len({label for _, label in answers}) > 1


def test_what_is_printed_names_files_parity_and_the_next_command(exported):
    console = Console(width=300)
    with console.capture() as capture:
        console.print(exported)
    text = capture.get()
    for part in (*FILES, "logits differ", "answers as the trained module", f"automl predict {exported.folder} INPUT"):
        assert part in text


def test_an_unfinished_search_can_be_exported_and_the_card_says_so(small_run, tmp_path):
    members = tuple(
        replace(
            member,
            latency=replace(member.latency, provisional=True),
            metrics={name: value for name, value in member.metrics.items() if not name.startswith("test_")},
        )
        for member in small_run.front.members
    )
    unfinished = replace(small_run, finished=False, front=replace(small_run.front, members=members))
    export(unfinished, pick="knee", to=tmp_path / "student")
    card = (tmp_path / "student" / "README.md").read_text()
    assert "**The search had not ended when this was exported**" in card
    assert "beside other work, provisional" in card


def test_a_graph_of_another_student_is_found_and_nothing_is_written(damaged, tmp_path):
    trials = {member.trial: member.digest for member in damaged.front.members if member.precision == "float32"}
    (first, ours), (_, theirs) = list(trials.items())[:2]
    for precision in PRECISIONS.values():
        shutil.copy(damaged.folder / "students" / theirs / precision.file_name, damaged.folder / "students" / ours)
    with pytest.raises(WorkFailed, match="differs from the trained module"):
        export(damaged, pick=str(first), to=tmp_path / "student")
    assert not (tmp_path / "student").exists()


@pytest.mark.parametrize("name", ["student.json", "model.safetensors", "model.onnx"])
def test_missing_files_are_told(damaged, tmp_path, name):
    for folder in (damaged.folder / "students").iterdir():
        (folder / name).unlink()
    with pytest.raises(WorkFailed, match=name):
        export(damaged, pick="knee", to=tmp_path / "student")
    assert not (tmp_path / "student").exists()


def test_a_damaged_graph_is_told_with_its_file_and_what_to_do(damaged, tmp_path):
    for graph in (damaged.folder / "students").glob("*/model.onnx"):
        graph.write_bytes(b"bad\n")
    with pytest.raises(
        WorkFailed, match=r"students/\w+/model\.onnx is damaged: .*; bring it back from a copy of the run"
    ):
        export(damaged, pick="knee", to=tmp_path / "student")
    assert not (tmp_path / "student").exists()


def test_a_run_of_int8_alone_gets_its_float32_graph(damaged, tmp_path):
    member = next(member for member in damaged.front.members if member.precision == "int8")
    folder = damaged.folder / "students" / member.digest
    said = description(folder)
    said["graphs"].pop("float32")
    (folder / "student.json").write_text(json.dumps(said))
    (folder / "model.onnx").unlink()
    found = export(damaged, pick=f"{member.trial}:int8", to=tmp_path / "student")
    assert found.parities["float32"].holds
    assert list(description(tmp_path / "student")["graphs"]) == ["int8", "float32"]


def test_the_direction_of_the_first_metric_is_known_where_it_is_no_objective(small_run, tmp_path):
    costs = tuple(objective for objective in small_run.front.objectives if objective.metric != "accuracy")
    found = export(replace(small_run, front=replace(small_run.front, objectives=costs)), pick="best", to=tmp_path / "a")
    assert found.member.metrics["accuracy"] == max(m.metrics["accuracy"] for m in small_run.front.members)


def test_an_earlier_export_is_replaced_whole(small_run, tmp_path):
    to = tmp_path / "student"
    pick, *_ = names(small_run.front.members)
    assert export(small_run, pick=pick, to=to).replaced == ""
    (to / "model.int8.onnx").write_bytes(b"torn")
    again = export(small_run, pick=pick, to=to)
    trial = again.member.trial
    assert f"wrote   {to}, in place of an earlier export (run small, trial {trial})\n" in str(again.__rich__())
    assert {path.name for path in to.iterdir()} == FILES
    assert (to / "model.int8.onnx").read_bytes() != b"torn"


def test_an_empty_folder_is_filled(small_run, tmp_path):
    (tmp_path / "student").mkdir()
    export(small_run, pick="knee", to=tmp_path / "student")
    assert {path.name for path in (tmp_path / "student").iterdir()} == FILES


def test_other_things_in_the_folder_are_never_lost(small_run, exported, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "me.png").write_bytes(b"precious")
    with pytest.raises(UserError, match="not empty and holds no earlier export"):
        export(small_run, pick="knee", to=photos)
    earlier = shutil.copytree(exported.folder, tmp_path / "earlier")
    (earlier / "notes.txt").write_text("precious")
    with pytest.raises(UserError, match=r"besides notes\.txt, which would be lost"):
        export(small_run, pick="knee", to=earlier)
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UserError, match="is a file; name a folder"):
        export(small_run, pick="knee", to=tmp_path / "file")
    assert (photos / "me.png").read_bytes() == b"precious"
    assert (earlier / "notes.txt").read_text() == (tmp_path / "file").read_text() == "precious"


def test_the_run_itself_and_the_folder_one_is_in_are_refused(small_run, tmp_path, monkeypatch):
    digest = small_run.front.members[0].digest
    with pytest.raises(UserError, match="lies within the run itself"):
        export(small_run, pick="knee", to=small_run.folder / "students" / digest)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is the folder that you are in"):
        export(small_run, pick="knee", to=".")


def test_a_disk_that_refuses_leaves_nothing(small_run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("automl.searching.students.os.fsync", full)
    with pytest.raises(WorkFailed, match="No space left on device; nothing was left there"):
        export(small_run, pick="knee", to=tmp_path / "student")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("precision", "value", "holds"),
    [
        ("float32", 1e-5, True),
        ("float32", 1e-2, False),
        ("float32", float("nan"), False),
        ("int8", 0.95, True),
        ("int8", 0.3, False),
        ("int8", float("nan"), False),
    ],
)
def test_parity_holds_within_its_bound_only(precision, value, holds):
    bound = 1e-4 if precision == "float32" else 0.7
    assert Parity(precision=precision, value=value, bound=bound, inputs=1).holds is holds


@pytest.mark.parametrize("graphs", [{"float32": "../x"}, {"float32": "model.onnx", "int4": "model.int4.onnx"}])
def test_a_foreign_run_cannot_name_files_outside(damaged, tmp_path, graphs):
    member = damaged.front.members[0]
    file = damaged.folder / "students" / member.digest / "student.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"graphs": graphs}))
    (file.parent / ".." / "x").write_bytes(b"planted")
    with pytest.raises(WorkFailed, match=r"student.json names the graphs .*expected those of"):
        export(damaged, pick=f"{member.trial}:{member.precision}", to=tmp_path / "out" / "student")
    assert not (tmp_path / "out").exists()


def test_the_card_shows_no_secret_of_the_data_address(small_run):
    config = {"data": {"kind": "csv", "path": "https://me:S3CRET@host/rows.csv"}}
    text = card._limits_of_knowledge(small_run, config, {})
    assert "https://***@host/rows.csv" in text
    assert "S3CRET" not in text
