import pickle
from pathlib import Path

import pytest

from automl.config import Config, dump_config, load_config
from automl.config.data import FilesBySplit, NpzData, TableData, reader_arguments, row_limits
from automl.errors import UserError
from trials.records import Limit

MINIMAL = """\
name: small
data: {kind: sklearn, name: digits}
student: {space: mlp}
recipe:
  epochs: 3
  batch_size: 64
  learning_rate: 1e-3
  losses:
    hard_label: {weight: 1}
objectives: [accuracy, size_bytes]
search: {trials: 5}
"""


def load(folder: Path, text: str, *, files_must_exist: bool = True) -> Config:
    (folder / "x.yaml").write_text(text)
    return load_config(folder / "x.yaml", files_must_exist=files_must_exist)


def test_a_config_of_eleven_lines_is_enough(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL)
    assert config.search.sampler.name == "pareto"
    assert config.task.kind == "classification"
    assert config.precisions == ("float32",)
    assert config.folder == Path("runs/small")
    assert config.teachers == ()


@pytest.mark.parametrize(
    ("written", "value"), [("1e-3", 0.001), ("1E-3", 0.001), (".5", 0.5), ("+2.5e+1", 25.0), ("7", 7.0), ("010", 10.0)]
)
def test_numbers_are_read_as_people_write_them(tmp_path: Path, written: str, value: float) -> None:
    config = load(tmp_path, MINIMAL.replace("1e-3", written))
    assert config.recipe.learning_rate == value


def test_no_and_on_are_texts(tmp_path: Path) -> None:
    covers = "{column: language, values: [no, on, 12:30, 7, '1e5']}"
    teacher = f"teachers: [{{name: a, kind: onnx, path: x, covers: {covers}}}]\n"
    text = MINIMAL.replace("{weight: 1}", "{weight: 1}\n    kd: {weight: 1}") + teacher
    config = load(tmp_path, text, files_must_exist=False)
    assert config.teachers[0].covers.values == ("no", "on", "12:30", 7, "1e5")
    assert load(tmp_path, dump_config(config), files_must_exist=False).teachers[0].covers.values == (
        "no",
        "on",
        "12:30",
        7,
        "1e5",
    )


def test_a_section_whose_keys_are_all_commented_out_keeps_its_defaults(tmp_path: Path) -> None:
    text = MINIMAL + "latency:\n  # threads: 2\nlimits:\n  # - params <= 3\nteachers:\ntracking:\n"
    assert load(tmp_path, text) == load(tmp_path, MINIMAL)


def test_anchors_and_merge_keys_are_followed(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL + "latency: &two {threads: 2}\nresources: {<<: *two, cpus: 2}\n")
    assert (config.resources.threads, config.resources.cpus) == (2, 2.0)


def test_a_key_beside_a_merge_wins_over_the_merged_one(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL.replace("{trials: 5}", "{minutes: 3, <<: [{trials: 4, minutes: 9}, {trials: 8}]}"))
    assert (config.search.trials, config.search.minutes) == (4, 3.0)
    assert config.place("search", "minutes").endswith("x.yaml:11:10: search.minutes")


def test_every_setting_knows_its_place_and_defaults_that_of_their_section(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL)
    file = tmp_path / "x.yaml"
    assert config.place("recipe", "losses", "hard_label") == f"{file}:9:5: recipe.losses.hard_label"
    assert config.place("objectives", 1) == f"{file}:10:24: objectives[1]"
    assert config.place("search", "sampler", "name") == f"{file}:11:1: search.sampler.name"
    assert config.place("latency", "threads") == f"{file}:1:1: latency.threads"


def test_places_survive_copies_and_pickling(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL)
    copied = pickle.loads(pickle.dumps(config)).model_copy(update={"seed": 3})
    assert copied.place("name") == config.place("name")


def test_places_do_not_make_configs_differ(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL)
    assert load(tmp_path, "\n\n# moved down\n" + MINIMAL) == config
    assert load(tmp_path, MINIMAL + "seed: 1\n") != config


def test_a_dump_reads_back_equal_and_dumps_the_same(tmp_path: Path) -> None:
    (tmp_path / "t.onnx").touch()
    text = (
        MINIMAL.replace(
            "{weight: 1}", "{weight: {low: 0.1, high: 1e1, log: true}}\n    kd: {weight: 1, temperature: [1, 2.0]}"
        )
        .replace("epochs: 3", "epochs: {low: 2, high: 6, step: 2}\n  weighting: [fixed, entropy]")
        .replace("space: mlp", "space: mlp, choices: {shortcut: true, depth: [1, 2], layer1.width: {low: 8, high: 16}}")
        + "teachers: [{name: a, kind: onnx, path: t.onnx, preprocessing: {resize: [8, 8], mean: [0.5]}}]\n"
        + "limits: [latency_ms <= 0.1234567890123, size_bytes<=1234567, accuracy >= .5]\nprecisions: [int8, float32]\n"
    )
    config = load(tmp_path, text)
    dumped = dump_config(config)
    again = load(tmp_path, dumped)
    assert again == config
    assert dump_config(again) == dumped
    assert again.student.choices["shortcut"] is True  # 1 would be equal too
    assert again.limits[0] == Limit(metric="latency_ms", at_most=True, value=0.1234567890123)


def test_paths_of_data_and_teachers_start_from_the_folder_of_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "x.npz").touch()
    monkeypatch.chdir(tmp_path)
    text = MINIMAL.replace("kind: sklearn, name: digits", "kind: npz, path: x.npz")
    (tmp_path / "here" / "x.yaml").write_text(text)
    config = load_config("here/x.yaml")
    assert isinstance(config.data, NpzData)
    assert config.data.path == tmp_path / "here" / "x.npz"
    assert config.runs == Path("runs")
    # Its dump means the same file from wherever it is read.
    (tmp_path / "dump.yaml").write_text(dump_config(config))
    assert load_config("dump.yaml") == config


def test_an_old_run_can_be_looked_at_without_its_data(tmp_path: Path) -> None:
    text = MINIMAL.replace("kind: sklearn, name: digits", "kind: npz, path: gone.npz")
    assert load(tmp_path, text, files_must_exist=False).name == "small"


def test_secrets_are_filled_in_on_use_and_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "s3cret")
    text = (
        MINIMAL
        + "storage: postgresql://me:${DB_PASSWORD}@host/db\ntracking: {uri: 'http://me:${DB_PASSWORD}@mlflow:5000'}\n"
    )
    config = load(tmp_path, text)
    assert config.expanded_storage() == "postgresql://me:s3cret@host/db"
    assert config.tracking.expanded_uri() == "http://me:s3cret@mlflow:5000"
    assert "s3cret" not in dump_config(config)
    assert "s3cret" not in repr(config)


def test_a_variable_that_is_not_set_is_named_and_the_others_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_USER", "me")
    monkeypatch.delenv("DB_PASSWORD", raising=False)
    config = load(tmp_path, MINIMAL + "storage: postgresql://${DB_USER}:${DB_PASSWORD}@host/db\n")
    with pytest.raises(UserError) as caught:
        config.expanded_storage()
    assert str(caught.value) == (
        "'postgresql://${DB_USER}:${DB_PASSWORD}@host/db' needs environment variables that are not set: DB_PASSWORD; "
        "export them"
    )


def test_arguments_of_a_reader_leave_out_what_all_kinds_share() -> None:
    data = NpzData(kind="npz", path=FilesBySplit(train=Path("a"), test=Path("b")), class_names=("x", "y"))
    assert reader_arguments(data) == {
        "path": {"train": Path("a"), "test": Path("b")},
        "inputs": "inputs",
        "labels": "labels",
        "class_names": ("x", "y"),
        "missing_label": -100,
    }


def test_the_column_of_splits_in_a_table_reaches_the_reader_under_its_own_name() -> None:
    arguments = reader_arguments(TableData(kind="table", path=Path("a.csv"), label="y", split_column="part"))
    assert arguments["split"] == "part"
    assert "split_column" not in arguments


def test_only_limits_of_rows_that_are_given_are_passed_on(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL.replace("name: digits", "name: digits, limit_rows: {train: 50}"))
    assert row_limits(config.data) == {"train": 50}


def test_names_of_classes_may_be_written_as_numbers(tmp_path: Path) -> None:
    (tmp_path / "x.npz").touch()
    text = MINIMAL.replace("kind: sklearn, name: digits", "kind: npz, path: x.npz, class_names: [0, one]")
    data = load(tmp_path, text).data
    assert isinstance(data, NpzData)
    assert data.class_names == ("0", "one")


def test_the_space_is_narrowed_in_its_own_kind_of_numbers(tmp_path: Path) -> None:
    narrow = "space: mlp, choices: {depth: 2, layer1.width: {low: 8, high: 16}}"
    config = load(tmp_path, MINIMAL.replace("space: mlp", narrow))
    domains = {choice.name: choice.domain for choice in config.student.make_space().choices}
    assert 2 in domains["depth"]
    assert 3 not in domains["depth"]
    assert [width for width in (7, 8, 16, 17) if width in domains["layer1.width"]] == [8, 16]
