"""What is known of each character of a text, carried to the tokens of rows.

Shape letters: c = characters of a text, T = tokens of a text.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from search_spaces.imports import import_object
from trials.syntax import NO_PARENT, PARENT, ROLE, facts_of_tokens, parents_of, roles_of
from trials.tokenization import Tokenizer

Annotator = Callable[[Sequence[str]], Sequence[Mapping[str, NDArray[np.int64]]]]
"""From whole documents to facts of each character of each, by name, from 0 to 2**31, -1 where nothing is known.

Every document has the same facts. Numbers that stand for things, such as nodes of a tree, differ between documents.
"""

UNKNOWN = -1

NEXT = "next."
"""Goes before the name of a fact where it is that of the token that comes next."""


def python_syntax(texts: Sequence[str]) -> list[dict[str, NDArray[np.int64]]]:
    """Give ``role``, what each character of Python source is, and ``parent``, the innermost node that holds it."""
    facts, first = [], 0
    for text in texts:
        parent_c = parents_of(text)
        numbered_c = np.where(parent_c == NO_PARENT, UNKNOWN, parent_c + first)
        first += int(parent_c.max(initial=NO_PARENT)) + 1
        facts.append({ROLE: roles_of(text), PARENT: numbered_c})
    return facts


ANNOTATORS: dict[str, Annotator] = {"python_syntax": python_syntax}
"""Annotators by name; a name with a colon is imported instead: ``package.module:name``."""


def find_annotator(name: str) -> Annotator:
    """Look an annotator up, or import it.

    Raises:
        ValueError: There is none of this name.
    """
    if ":" in name:
        found = import_object(name)
        if not callable(found):
            raise ValueError(f"annotator {name!r} must be a function, got {type(found).__name__}")
        return found
    if name not in ANNOTATORS:
        raise ValueError(
            f"unknown annotator {name!r}; annotators are {', '.join(sorted(ANNOTATORS))}, or package.module:name"
        )
    return ANNOTATORS[name]


def annotated_tokens(
    texts: Sequence[str], tokenizer: Tokenizer, annotate: Annotator
) -> tuple[list[list[int]], list[dict[str, NDArray[np.int64]]]]:
    """Cut texts into tokens, each with the facts of most of its characters.

    Returns:
        Ids of each text, and its facts by name, each (T,).

    Raises:
        ValueError: The annotator does not give a fact for each character of each text, or other ones to each text.
    """
    ids, spans = tokenizer.ids_and_spans(texts)
    of_characters = list(annotate(texts))
    if len(of_characters) != len(texts):
        raise ValueError(f"an annotator must give facts of each text, got {len(of_characters)} for {len(texts)}")
    facts = []
    for text, span_T2, given in zip(texts, spans, of_characters, strict=True):
        for name, fact_c in given.items():
            if len(fact_c) != len(text) or name not in of_characters[0]:
                raise ValueError(
                    f"an annotator must give the same facts of each character of each text, got {len(fact_c)} of "
                    f"{name!r} for {len(text)} characters, and {', '.join(of_characters[0])} for the first text"
                )
        facts.append({name: facts_of_tokens(fact_c, span_T2, default=UNKNOWN) for name, fact_c in given.items()})
    return ids, facts
