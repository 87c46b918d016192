"""The tokenizer of a search: trained once on the training texts, or given and held against what students choose."""

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers

from automl.config import load_config
from automl.errors import UserError
from automl.preparation import tokenizing
from automl.preparation.tokenizing import reading_for
from search_spaces import SearchSpace
from tests.trials.text_trials import BAGS, text_data
from trials.reading import Reading
from trials.tokenization import train_tokenizer

CONFIG = """
name: small
runs: {runs}
data: {{kind: sklearn, name: iris}}
student: {{space: "tests.trials.text_trials:bags"}}
recipe: {{epochs: 1, batch_size: 8, learning_rate: 0.01, losses: {{hard_label: {{weight: 1.0}}}}}}
objectives: [accuracy]
search: {{trials: 1}}
"""
DATA = text_data()


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Give ``read(more, space=...)``, which says how the students of a config read made-up texts."""

    def go(more: str = "", space: SearchSpace = BAGS) -> Reading | None:
        path = tmp_path / "small.yaml"
        path.write_text(CONFIG.format(runs=tmp_path / "runs") + more)
        return reading_for(load_config(path), DATA, space)

    return go


def bert(folder: Path, *, first: str = "[PAD]") -> None:
    """Write a tokenizer of whole words, as others make them."""
    words = {first: 0, "[UNK]": 1, "salt": 2, "oak": 3}
    library = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    library.add_special_tokens([first, "[UNK]"])
    folder.mkdir(exist_ok=True)
    library.save(str(folder / "tokenizer.json"))


def test_one_is_trained_as_large_as_a_student_may_have_and_kept(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read()
    assert found.tokenizer.vocabulary_size == 320
    train = [DATA.inputs[row] for row in DATA.splits["train"]]
    assert found.tokenizer == train_tokenizer(map(str, train), vocabulary_size=320)
    monkeypatch.setattr(tokenizing, "train_tokenizer", None)
    assert read() == found


def test_a_space_without_the_choice_takes_what_the_section_says(read: Any) -> None:
    plain = SearchSpace(name="plain", choices=(), build=BAGS.build)
    found = read("tokenizer: {vocabulary_size: 300, length: 16}\n", plain)
    assert (found.tokenizer.vocabulary_size, found.length) == (300, 16)
    assert 320 < read("", plain).tokenizer.vocabulary_size <= 8192


def test_students_may_not_have_more_tokens_than_are_trained(read: Any) -> None:
    with pytest.raises(UserError, match=r"tokenizer\.vocabulary_size: students may have 320 tokens, which is more"):
        read("tokenizer: {vocabulary_size: 300}\n")


def test_path_and_size_exclude_each_other(read: Any, tmp_path: Path) -> None:
    bert(tmp_path / "own")
    with pytest.raises(UserError, match="has its own vocabulary; leave path or vocabulary_size out"):
        read("tokenizer: {path: own, vocabulary_size: 300}\n")


def test_a_given_one_is_taken_whole(read: Any, tmp_path: Path) -> None:
    bert(tmp_path / "own")
    plain = SearchSpace(name="plain", choices=(), build=BAGS.build)
    found = read("tokenizer: {path: own}\n", plain)
    assert found.tokenizer.ids_of(["salt oak"]) == [[1]]  # It has no spaces to cut at.
    with pytest.raises(UserError, match=r"tokenizer\.path: the tokenizer has 4 tokens and cannot be cut .* up to 320"):
        read("tokenizer: {path: own}\n")


def test_one_that_was_trained_here_can_be_given_and_cut(read: Any, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(read().tokenizer.definition)
    assert read("tokenizer: {path: tokenizer.json}\n").tokenizer.vocabulary_size == 320
    small = read().tokenizer.narrowed(300)
    (tmp_path / "tokenizer.json").write_text(small.definition)
    with pytest.raises(UserError, match="students may have 320 tokens, the tokenizer has 300; narrow vocabulary_size"):
        read("tokenizer: {path: tokenizer.json}\n")


def test_padding_goes_first_in_one_that_is_given(read: Any, tmp_path: Path) -> None:
    plain = SearchSpace(name="plain", choices=(), build=BAGS.build)
    bert(tmp_path / "own", first="<s>")
    found = read("tokenizer: {path: own}\n", plain).tokenizer
    assert found.vocabulary == {"<pad>": 0, "[UNK]": 1, "salt": 2, "oak": 3, "<s>": 4}
    assert found.encode(["salt", ""], length=4).tolist() == [[2], [0]]


def test_what_is_no_tokenizer_is_told_with_its_place(read: Any, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps({"version": "1.0"}))
    with pytest.raises(UserError, match=r"tokenizer\.path: .*tokenizer\.json: this is no tokenizer"):
        read("tokenizer: {path: tokenizer.json}\n")
    with pytest.raises(UserError, match=r"tokenizer\.path: there is nothing at .*missing"):
        read("tokenizer: {path: missing}\n")
