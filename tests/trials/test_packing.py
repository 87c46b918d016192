import numpy as np
import pytest

from tests.trials.language import TEXTS, documents, tokenizer
from trials.data import SPLITS
from trials.packing import pack_documents, row_texts
from trials.tokenization import END, PADDING


def test_every_token_is_a_label_once() -> None:
    cut = tokenizer()
    dataset = pack_documents(documents(), cut, length=6)
    for split in SPLITS:
        texts = [TEXTS[row] for row in documents().splits[split]]
        expected = sum(len(ids) + 1 for ids in cut.ids_of(texts))
        assert (dataset.labels[dataset.splits[split]] != -100).sum() == expected


def test_a_row_is_of_one_value_and_its_labels_are_the_next_tokens() -> None:
    cut = tokenizer()
    dataset = pack_documents(documents(), cut, length=6)
    rows = dataset.splits["train"]
    even = rows[dataset.columns["kind"][rows] == "even"]
    stream = dataset.inputs[even].reshape(-1)
    labels = dataset.labels[even].reshape(-1)
    known = labels != -100
    assert stream[0] == END
    assert np.array_equal(stream[1:][known[:-1]][: known.sum() - 1], labels[known][:-1])
    assert (stream[~known] == PADDING).all()
    texts = [TEXTS[row] for row in documents().splits["train"] if row % 2 == 0]
    assert cut.decode(labels[known]) == "".join(texts)
    assert "".join(row_texts(dataset.inputs[even], cut)) == "".join(texts)


def test_each_token_is_a_class() -> None:
    dataset = pack_documents(documents(), tokenizer(), length=6)
    assert dataset.of_tokens
    assert dataset.num_classes == tokenizer().vocabulary_size
    assert dataset.rows_at_a_time() == 256


def test_hidden_labels_are_refused() -> None:
    from dataclasses import replace

    hidden = replace(documents(), labelled=np.zeros(len(TEXTS), dtype=bool))
    with pytest.raises(ValueError, match="leave labelled out"):
        pack_documents(hidden, tokenizer(), length=6)


def test_numbers_are_refused() -> None:
    from dataclasses import replace

    numbers = replace(documents(), inputs=np.zeros((len(TEXTS), 2), dtype=np.float32))
    with pytest.raises(ValueError, match="learns from texts, got float32 numbers"):
        pack_documents(numbers, tokenizer(), length=6)
