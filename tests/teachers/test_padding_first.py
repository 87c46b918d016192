"""Tokenizers whose token 0 is for padding, made from others."""

import json
from pathlib import Path

import pytest
import tokenizers
import torch
from tokenizers import models, pre_tokenizers, processors

from teachers import LOADERS
from teachers.loading.text_batches import definition_of, reads_alike
from teachers.padding_first import padding_first
from tests.teachers import tiny_models as tiny
from trials.ending import end_of
from trials.token_bytes import token_bytes
from trials.tokenization import Tokenizer

BYTES = definition_of(tiny.byte_tokenizer())


def words(*names: str, special: tuple[str, ...], around: tuple[str, str] | None = None) -> str:
    """Make a tokenizer of words, which may put two tokens around a text."""
    library = tokenizers.Tokenizer(models.WordLevel({name: n for n, name in enumerate(names)}, unk_token="[UNK]"))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    library.add_special_tokens(list(special))
    if around is not None:
        first, last = around
        library.post_processor = processors.TemplateProcessing(
            single=f"{first} $A {last}", special_tokens=[(name, library.token_to_id(name)) for name in around]
        )
    return str(library.to_str())


def test_one_of_bytes_gets_a_token_for_padding_and_keeps_all_others() -> None:
    made = padding_first(BYTES)
    old, new = Tokenizer(BYTES), Tokenizer(made.definition)
    size = new.vocabulary_size
    assert (made.added, made.moved, size) == (True, old.vocabulary_size, old.vocabulary_size + 1)
    assert new.vocabulary["<pad>"] == 0
    assert end_of(new) == end_of(old)
    numbers = made.old_numbers(size)
    assert numbers[0] == -1
    assert sorted(numbers[1:].tolist()) == list(range(size - 1))
    texts = [*tiny.TEXTS, "!!", "Käse <pad> <|endoftext|>"]
    for text, before, after in zip(texts, old.ids_of(texts), new.ids_of(texts), strict=True):
        assert new.decode(after) == old.decode(before) or "<pad>" in text
        assert "<pad>" in text or numbers[after].tolist() == before
    assert token_bytes(new)[1:].tolist() == token_bytes(old)[numbers[1:]].tolist()


def test_one_that_pads_elsewhere_changes_two_tokens() -> None:
    definition = words("<s>", "[UNK]", "salt", "<pad>", "oak", special=("<s>", "[UNK]", "<pad>"), around=("<s>", "<s>"))
    made = padding_first(definition)
    assert (made.moved, made.added) == (3, False)
    assert made.old_numbers(5).tolist() == [3, 1, 2, 0, 4]
    new = Tokenizer(made.definition)
    assert new.ids_of(["salt oak"]) == [[3, 2, 4, 3]]
    assert new.bare().ids_of(["salt oak"]) == [[2, 4]]


def test_one_that_pads_first_stays() -> None:
    definition = words("[PAD]", "[UNK]", "salt", special=("[PAD]", "[UNK]"))
    assert padding_first(definition).definition == definition


def test_pieces_of_a_unigram_model_keep_their_scores() -> None:
    library = tokenizers.Tokenizer(
        models.Unigram([("<unk>", 0.0), ("salt", -1.0), ("sa", -2.0), ("lt", -2.0)], unk_id=0)
    )
    library.add_special_tokens(["<unk>"])
    made = padding_first(library.to_str())
    assert Tokenizer(made.definition).ids_of(["salt", "ltsa"]) == [[1], [3, 2]]
    assert json.loads(made.definition)["model"]["unk_id"] == 4


@pytest.mark.parametrize("kind", ["RobertaProcessing", "BertProcessing"])
def test_what_stands_around_a_text_is_renumbered(kind: str) -> None:
    library = tokenizers.Tokenizer.from_str(
        words("<s>", "</s>", "<pad>", "[UNK]", "oak", special=("<s>", "</s>", "<pad>"))
    )
    library.post_processor = getattr(processors, kind)(("</s>", 1), ("<s>", 0))
    assert Tokenizer(padding_first(library.to_str()).definition).ids_of(["oak"]) == [[2, 4, 1]]


def test_a_model_speaks_about_the_same_tokens_by_their_new_numbers(tmp_path: Path) -> None:
    folder = tiny.byte_gpt2(tmp_path / "gpt2")
    made = padding_first(BYTES)
    assert reads_alike(str(folder), made.definition, revision=None)
    old, new = (
        LOADERS["transformers"](model=str(folder), reads="tokens", data_tokenizer=each).model
        for each in (BYTES, made.definition)
    )
    assert new.shares_tokenizer
    (before,), (after,) = (Tokenizer(each).ids_of(["a cat! on!"]) for each in (BYTES, made.definition))
    assert before != after
    expected = old(torch.tensor([before])).logits[0]
    found = new(torch.tensor([[*after, 0, 0]])).logits[0, : len(after)]
    numbers = made.old_numbers(found.shape[1])
    torch.testing.assert_close(found[:, 1:], expected[:, numbers[1:]])
    assert (found.softmax(dim=-1)[:, 0] == 0).all()
