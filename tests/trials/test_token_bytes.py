import json

import pytest

from tests.trials.language import TEXTS, tokenizer
from trials.token_bytes import token_bytes
from trials.tokenization import Tokenizer


def test_bytes_of_a_text_are_those_of_its_tokens() -> None:
    cut = tokenizer()
    for text in (*TEXTS, "naïve — 漢字\n\tЖ"):
        (ids,) = cut.ids_of([text])
        assert token_bytes(cut)[ids].sum() == len(text.encode())


def test_special_tokens_stand_for_no_byte() -> None:
    assert token_bytes(tokenizer())[:2].tolist() == [0, 0]


def test_tokens_with_marked_spaces_count_these() -> None:
    record = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": False},
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": False},
        "model": {"type": "BPE", "vocab": {"▁": 0, "é": 1, "<0x0A>": 2}, "merges": []},
    }
    assert token_bytes(Tokenizer(json.dumps(record))).tolist() == [1, 2, 1]


def test_pieces_of_words_are_refused() -> None:
    record = json.loads(tokenizer().definition)
    record["pre_tokenizer"], record["decoder"] = {"type": "BertPreTokenizer"}, {"type": "WordPiece"}
    record["decoder"] |= {"prefix": "##", "cleanup": True}
    with pytest.raises(ValueError, match=r"bits per byte need a tokenizer whose tokens are bytes.*BertPreTokenizer"):
        token_bytes(Tokenizer(json.dumps(record)))
