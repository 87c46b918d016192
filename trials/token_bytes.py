"""How many bytes of a text each token stands for, by which models of different tokenizers can be compared.

Shape letters: V = vocabulary.
"""

import json
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trials.tokenization import Tokenizer

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def token_bytes(tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Count the bytes of UTF-8 that each token stands for (V,); a special token stands for none.

    Args:
        tokenizer: Of bytes, as ``train_tokenizer`` makes and those of GPT are, or one that marks spaces, as those of
            Llama are.

    Raises:
        ValueError: It cuts texts in another way, such as into pieces of words, which do not tell where spaces were.
    """
    record = json.loads(tokenizer.definition)
    special = {int(token["id"]) for token in record.get("added_tokens") or () if token.get("special")}
    measure = _measure(record)
    bytes_V = np.zeros(tokenizer.vocabulary_size, dtype=np.int64)
    for token, number in tokenizer.vocabulary.items():
        if number < len(bytes_V) and number not in special:
            bytes_V[number] = measure(token)
    return bytes_V


def _measure(record: dict[str, Any]) -> Any:
    kinds = set(_kinds(record.get("pre_tokenizer"))) | set(_kinds(record.get("decoder")))
    if "ByteLevel" in kinds:
        return len  # A character of the token is a byte of the text.
    if {"Metaspace", "ByteFallback", "Replace"} & kinds:
        return lambda token: 1 if _BYTE.fullmatch(token) else len(token.replace("▁", " ").encode())
    raise ValueError(
        "bits per byte need a tokenizer whose tokens are bytes of the text, such as byte-level BPE or one that marks "
        f"spaces; this one works by {', '.join(sorted(kinds)) or 'nothing'}: take another, or train one"
    )


def _kinds(part: Any) -> list[str]:
    if not isinstance(part, dict):
        return []
    inner = [*(part.get("pretokenizers") or ()), *(part.get("decoders") or ())]
    return [str(part.get("type")), *(kind for each in inner for kind in _kinds(each))]
