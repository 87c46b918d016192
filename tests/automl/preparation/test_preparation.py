"""A config is brought to life, and every mistake is told with its place in the file."""

import errno
from pathlib import Path

import numpy as np
import pytest

from automl.config import Config, load_config
from automl.errors import UserError
from automl.preparation.prepare import Prepared, at, prepare
from search_spaces import sample

CONFIG = """\
name: small
data: {kind: sklearn, name: digits}
task:
  kind: classification
student:
  space: mlp
  choices:
    depth: [1, 2]
recipe:
  epochs: 2
  batch_size: 64
  learning_rate: [0.001, 0.01]
  aggregation: mean_of_losses
  losses: {hard_label: {weight: 1.0}, kd: {weight: 1.0}}
teachers:
  - name: left
    kind: train
    covers: {column: style, values: [left]}
    student:
      space: mlp
      values: {depth: 1, activation: relu, normalisation: batch, shortcut: false, dropout: 0.0, layer1.width: 32}
    recipe: {epochs: 1, batch_size: 32, learning_rate: 0.01, losses: {hard_label: {weight: 1.0}}}
  - name: few
    kind: train
    covers: {labels: [3, "5"]}
    student:
      space: mlp
      values: {depth: 1, activation: relu, normalisation: batch, shortcut: false, dropout: 0.0, layer1.width: 32}
    recipe: {epochs: 1, batch_size: 32, learning_rate: 0.01, losses: {hard_label: {weight: 1.0}}}
objectives: [accuracy, size_bytes]
search: {sampler: random, trials: 3}
"""


def config_of(folder: Path, text: str = CONFIG) -> Config:
    path = folder / "small.yaml"
    path.write_text(text)
    return load_config(path)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(config_of(tmp_path_factory.mktemp("prepared")))


def test_a_proposal_becomes_an_architecture_and_a_recipe(prepared: Prepared) -> None:
    values = sample(prepared.choices, np.random.default_rng(0))
    trial = prepared.trial(7, values)
    assert (trial.number, trial.seed) == (7, prepared.config.seed)
    assert set(values) == set(trial.spec.values) | {"recipe.learning_rate"}
    assert trial.recipe.learning_rate == values["recipe.learning_rate"]


def test_a_fixed_student_leaves_the_recipe_to_be_searched(tmp_path: Path) -> None:
    values = (
        "values: {depth: 1, activation: relu, normalisation: batch, shortcut: false, dropout: 0.0, layer1.width: 8}"
    )
    fixed = prepare(config_of(tmp_path, CONFIG.replace("  choices:\n    depth: [1, 2]\n", f"  {values}\n")))
    assert [choice.name for choice in fixed.choices] == ["recipe.learning_rate"]
    assert fixed.trial(0, {"recipe.learning_rate": 0.005}).spec.values["layer1.width"] == 8


def test_coverage_is_by_names_of_classes(prepared: Prepared) -> None:
    assert prepared.coverages["few"].labels == (3, 5)
    assert prepared.coverages["left"].labels is None
    assert prepared.ensemble is not None
    assert prepared.ensemble.names == ("left", "few")
    assert prepared.ensemble.rows_KN[1].all()
    assert 0 < int(prepared.ensemble.rows_KN[0].sum()) < len(prepared.dataset)


@pytest.mark.parametrize(
    ("written", "instead", "place", "message"),
    [
        ('[3, "5"]', '[3, "dog"]', r":25:\d+: teachers\[1\]\.covers", r"the data has no class 'dog'; its classes are"),
        ('[3, "5"]', "[3, 10]", r":25:\d+: teachers\[1\]\.covers", "the data has no class 10; its classes are"),
        ('[3, "5"]', '[3, "3"]', r":25:\d+: teachers\[1\]\.covers", "at least one and differ"),
        (
            "style, v",
            "domain, v",
            r":18:\d+: teachers\[0\]\.covers\.column",
            "the data has no column 'domain'; it has style",
        ),
        (
            "style, v",
            "styel, v",
            r":18:\d+: teachers\[0\]\.covers\.column",
            r"'styel', did you mean 'style'\? it has style",
        ),
        (
            "[left]}",
            "[lft]}",
            r":18:\d+: teachers\[0\]\.covers",
            "no row has 'style' in lft; the column holds left, ",
        ),
        ("kind: classification", "kind: nowhere.at:all", r":3:\d+: task", "no module 'nowhere'"),
        ("mean_of_losses", "mean_of_logits", r":13:\d+: recipe\.aggregation", "only some classes; use mean_of_losses"),
        (
            "mean_of_losses",
            "[mean_of_losses, mimic_all]",
            r":13:\d+: recipe\.aggregation",
            r"mimic_all needs teachers that cover all classes and rows, which few, left do not",
        ),
        (
            "mean_of_losses",
            "concatenated_logits",
            r":13:\d+: recipe\.aggregation",
            r"share no class, but classes 3, 5 are known by several",
        ),
        ("name: digits}", "name: digits, limit_rows: 5}", r":2:\d+: data", ""),
        ("name: digits}", "name: digits, labelled: 99999}", r":2:\d+: data\.labelled", "got 99999"),
        ("name: digits}", "name: digits, labelled: 3}", r":2:\d+: data\.labelled", "3 rows are too few"),
        (
            "name: digits}",
            "name: digits, split: {validation: 0.6, test: 0.5}}",
            r":2:\d+: data\.split",
            "must be below 1",
        ),
    ],
)
def test_what_does_not_fit_the_data_is_told_with_its_place(
    tmp_path: Path, written: str, instead: str, place: str, message: str
) -> None:
    assert written in CONFIG
    with pytest.raises(UserError, match=rf"small\.yaml{place}.*: .*{message}"):
        prepare(config_of(tmp_path, CONFIG.replace(written, instead, 1)))


def test_a_space_that_cannot_be_built_is_told_before_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_space.py").write_text(
        "from search_spaces import Categorical, Choice, SearchSpace\n\n\n"
        "def space():\n"
        "    def build(spec, signature):\n"
        "        raise RuntimeError('no layers')\n"
        "    choice = Choice(name='a', domain=Categorical(options=(1, 2)))\n"
        "    return SearchSpace(name='broken', choices=(choice,), build=build)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    text = CONFIG.replace("space: mlp\n  choices:\n    depth: [1, 2]\n", "space: broken_space:space\n")
    with pytest.raises(UserError, match=r":5:\d+: student: space 'broken' cannot build .*RuntimeError: no layers"):
        prepare(config_of(tmp_path, text))


def test_what_a_space_cannot_take_comes_before_the_student_that_was_tried(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x,y\n" + "1,a\n2,b\n" * 10)
    config = CONFIG[: CONFIG.index("teachers:")] + CONFIG[CONFIG.index("objectives:") :]
    config = config.replace("kind: sklearn, name: digits", "kind: table, path: rows.csv, label: y")
    config = config.replace("space: mlp\n  choices:\n    depth: [1, 2]", "space: convnet").replace(
        ", kd: {weight: 1.0}", ""
    )
    with pytest.raises(
        UserError, match=r"student: space 'convnet' cannot build a student: a convnet needs .*mlp \(tried"
    ):
        prepare(config_of(tmp_path, config))


def test_texts_need_a_space_that_reads_them_and_a_tokenizer_needs_texts(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x,y\n" + "one,a\ntwo,b\n" * 10)
    text = "kind: table, path: rows.csv, label: y, text: x"
    config = CONFIG.replace("kind: sklearn, name: digits", text)
    with pytest.raises(UserError, match=r":5:\d+: student: .* takes images or vectors, and texts come as token ids"):
        prepare(config_of(tmp_path, config))
    with pytest.raises(UserError, match=r"tokenizer: the data has no texts; remove this section"):
        prepare(config_of(tmp_path, CONFIG + "tokenizer: {length: 64}\n"))


def test_a_full_disk_is_not_the_config_s_fault(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    with pytest.raises(OSError, match="No space") as caught, at(config, "data"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not isinstance(caught.value, UserError)
    with pytest.raises(UserError, match=r"data: .*nothing there"), at(config, "data"):
        raise FileNotFoundError("nothing there")
    with pytest.raises(UserError, match=r"^elsewhere: told already"), at(config, "data"):
        raise UserError("told already", place="elsewhere")
