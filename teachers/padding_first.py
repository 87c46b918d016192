"""Tokenizers in which token 0 is for padding, made from such as have another one for it, or none.

Students, their graphs and whoever runs these take 0 for padding. A language model of the old tokenizer still speaks
about all of its tokens: only their numbers are others.

Shape letters: V = vocabulary.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PADDING_TOKEN = "<pad>"  # noqa: S105 - no password
"""What is added where no token is for padding."""


@dataclass(frozen=True, kw_only=True)
class PaddingFirst:
    """A tokenizer whose token 0 is for padding.

    Args:
        definition: JSON of the library ``tokenizers``.
        moved: Number that the old token 0 has now; None where token 0 was for padding before.
        added: Whether the token for padding is one that was not there before.
    """

    definition: str
    moved: int | None = None
    added: bool = False

    def old_numbers(self, vocabulary_size: int) -> NDArray[np.int64]:
        """Give the number that each token had before (V,); -1 for one that was not there.

        Args:
            vocabulary_size: V, of the tokenizer as it is now.
        """
        old_V = np.arange(vocabulary_size)
        if self.moved is not None:
            old_V[0], old_V[self.moved] = (-1 if self.added else self.moved), 0
        return old_V


def padding_first(definition: str) -> PaddingFirst:
    """Let token 0 be for padding: the one that was for it changes places with token 0, or a new one takes its place.

    Args:
        definition: JSON of the library ``tokenizers``. A special token whose name has ``pad`` in it is for padding.
    """
    record: dict[str, Any] = json.loads(definition)
    specials = {token["id"]: token["content"] for token in record.get("added_tokens", ()) if token.get("special")}
    found = sorted(number for number, name in specials.items() if "pad" in name.lower())
    if 0 in found:
        return PaddingFirst(definition=definition)
    names = _names(record)
    moved = found[0] if found else len(names)
    if not found:
        record.setdefault("added_tokens", []).append(_special(_unused(names), number=moved))
        names.append(record["added_tokens"][-1]["content"])
    names[0], names[moved] = names[moved], names[0]
    _renumber(record, names)
    return PaddingFirst(definition=json.dumps(record, ensure_ascii=False), moved=moved, added=not found)


def _names(record: dict[str, Any]) -> list[str]:
    """List all tokens by their numbers; a number that none has stands for a token that nothing becomes."""
    vocabulary = record["model"]["vocab"]
    numbers = dict(vocabulary) if isinstance(vocabulary, dict) else {name: n for n, (name, _) in enumerate(vocabulary)}
    numbers |= {token["content"]: token["id"] for token in record.get("added_tokens", ())}
    names = {number: name for name, number in numbers.items()}
    return [names.get(number, f"<unused {number}>") for number in range(max(names) + 1)]


def _renumber(record: dict[str, Any], names: list[str]) -> None:
    """Write new numbers wherever a definition has the old ones; all tokens become part of the model's vocabulary.

    The library numbers tokens that are not part of it behind those that are.
    """
    numbers = {name: number for number, name in enumerate(names)}
    model = record["model"]
    if isinstance(model["vocab"], dict):
        model["vocab"] = numbers
    else:  # Of a unigram model, pieces with their scores.
        scores = dict(model["vocab"])
        unknown = None if model.get("unk_id") is None else model["vocab"][model["unk_id"]][0]
        model["vocab"] = [[name, scores.get(name, 0.0)] for name in names]
        model["unk_id"] = None if unknown is None else numbers[unknown]
    for token in record.get("added_tokens", ()):
        token["id"] = numbers[token["content"]]
    record["added_tokens"].sort(key=lambda token: token["id"])
    record["padding"] = None
    for part in _processors(record.get("post_processor")):
        for name in ("sep", "cls"):
            if isinstance(part.get(name), list):
                part[name] = [part[name][0], numbers[part[name][0]]]
        for special in (part.get("special_tokens") or {}).values():
            special["ids"] = [numbers[name] for name in special["tokens"]]


def _processors(part: Any) -> list[dict[str, Any]]:  # JSON
    if not isinstance(part, dict):
        return []
    return [part, *(each for inner in part.get("processors") or () for each in _processors(inner))]


def _unused(names: list[str]) -> str:
    return PADDING_TOKEN if PADDING_TOKEN not in names else f"{PADDING_TOKEN[:-1]}_{len(names)}>"


def _special(name: str, *, number: int) -> dict[str, object]:
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": number, "content": name, **plain, "special": True}
