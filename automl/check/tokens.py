"""How the texts of a search become tokens, in words."""

from collections.abc import Iterator

import numpy as np

from automl.preparation.prepare import Prepared
from search_spaces import Categorical, Domain, Value
from trials.reading import LENGTH_CHOICE, VOCABULARY_CHOICE, Reading

_TEXTS = 5000
"""Texts of the training rows that are counted, at most."""


def token_lines(prepared: Prepared) -> Iterator[str]:
    """Say how many tokens a text has, and how many texts are cut; nothing without texts.

    Args:
        prepared: Its training texts are counted by the smallest and the largest vocabulary that students may have, and
            held against the least and the most that they may read.
    """
    reading, dataset = prepared.setting.reading, prepared.dataset
    if reading is None or dataset.of_tokens:
        return
    assert isinstance(dataset.inputs, list)
    rows = dataset.splits["train"]
    rows = rows[np.linspace(0, len(rows) - 1, min(_TEXTS, len(rows))).astype(np.int64)]
    texts = [dataset.inputs[row] for row in rows]
    path = None if prepared.config.tokenizer is None else prepared.config.tokenizer.path
    yield f"tokenizer: {'trained on the training texts' if path is None else path}"
    wanted = sorted(set(_ends(prepared, VOCABULARY_CHOICE)) or {reading.tokenizer.vocabulary_size})
    lengths = sorted(set(_ends(prepared, LENGTH_CHOICE)) or {reading.length})
    for size in {min(size, reading.tokenizer.vocabulary_size): size for size in wanted}.values():
        yield _counted(reading, size, texts, lengths)


def _counted(reading: Reading, wanted: int, texts: list[str], lengths: list[int]) -> str:
    vocabulary_size = min(wanted, reading.tokenizer.vocabulary_size)
    tokenizer = reading.tokenizer.narrowed(vocabulary_size)
    counts = np.array([len(ids) for ids in tokenizer.ids_of(texts)])
    half, most, longest = (int(value) for value in np.percentile(counts, [50, 95, 100]))
    cut = ", ".join(f"length {length} cuts {np.mean(counts > length):.1%}" for length in lengths)
    few = f", all that the texts give of {wanted:,}" if vocabulary_size < wanted else ""
    return (
        f"  {vocabulary_size:,} tokens{few}; half of the training texts have {half} or fewer, 95 % {most} or fewer, "
        f"the longest has {longest}; {cut}"
    )


def _ends(prepared: Prepared, name: str) -> list[int]:
    """Give the least and the most that a choice of the students can be; nothing where there is no such choice."""
    fixed = prepared.config.student.fixed_values(prepared.space)
    if fixed is not None:
        found: list[Value] = [fixed[name]] if name in fixed else []
    else:
        found = [end for choice in prepared.space.choices if choice.name == name for end in _ends_of(choice.domain)]
    return [value for value in found if isinstance(value, int)]


def _ends_of(domain: Domain) -> tuple[Value, Value]:
    if isinstance(domain, Categorical):
        numbers = sorted(option for option in domain.options if isinstance(option, int))
        return numbers[0], numbers[-1]
    return domain.low, domain.high
