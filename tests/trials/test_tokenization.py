"""Tokenizers: what goes in comes out, and a smaller vocabulary is a part of a larger one."""

from pathlib import Path

import numpy as np
import pytest

from trials.tokenization import (
    PADDING,
    SMALLEST_VOCABULARY,
    Tokenizer,
    read_tokenizer,
    train_tokenizer,
)

TEXTS = ["the cat sat on the mat", "the dog sat on the log", "größer, 更大 🙂", "def f(x):\n    return x\n"] * 3


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(TEXTS, vocabulary_size=300)


@pytest.mark.parametrize("text", [*TEXTS[:4], "", "Ω unseen ☃\t\r\n"])
def test_texts_come_back_as_they_were(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.ids_of([text])[0]) == text


def test_same_texts_give_the_same_tokenizer(tokenizer: Tokenizer) -> None:
    assert train_tokenizer(iter(TEXTS), vocabulary_size=300) == tokenizer


def test_smaller_vocabulary_is_what_training_for_it_finds(tokenizer: Tokenizer) -> None:
    narrowed, trained = tokenizer.narrowed(270), train_tokenizer(TEXTS, vocabulary_size=270)
    assert narrowed.vocabulary_size == trained.vocabulary_size == 270
    assert narrowed.ids_of(TEXTS) == trained.ids_of(TEXTS)
    assert narrowed.ids_of(TEXTS) != tokenizer.ids_of(TEXTS)


def test_rows_are_cut_and_filled_up(tokenizer: Tokenizer) -> None:
    ids_NT = tokenizer.encode(["the cat sat on the mat", "the", ""], length=4)
    assert ids_NT.shape == (3, 4)
    assert ids_NT.dtype == np.int64
    assert ids_NT[0].tolist() == tokenizer.ids_of(["the cat sat on the mat"])[0][:4]
    assert (ids_NT[1, 1:] == PADDING).all()
    assert (ids_NT[2] == PADDING).all()
    assert tokenizer.encode([""], length=4).shape == (1, 1)


@pytest.mark.parametrize("size", [SMALLEST_VOCABULARY - 1, 301])
def test_vocabulary_that_cannot_be_is_refused(tokenizer: Tokenizer, size: int) -> None:
    with pytest.raises(ValueError, match="vocabulary_size must be"):
        tokenizer.narrowed(size)


def test_too_few_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 258, got 100"):
        train_tokenizer(TEXTS, vocabulary_size=100)


def test_only_what_is_trained_here_is_narrowed() -> None:
    import tokenizers

    library = tokenizers.Tokenizer(tokenizers.models.WordLevel({f"w{n}": n for n in range(400)}, unk_token="w0"))
    with pytest.raises(ValueError, match="only a tokenizer that was trained here"):
        Tokenizer(library.to_str()).narrowed(300)


def test_folder_or_file_is_read(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(tokenizer.definition, encoding="utf-8")
    assert read_tokenizer(tmp_path) == read_tokenizer(tmp_path / "tokenizer.json") == tokenizer


def test_file_that_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a tokenizer.json at .*, found none"):
        read_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer.json: this is no tokenizer"):
        read_tokenizer(tmp_path)
