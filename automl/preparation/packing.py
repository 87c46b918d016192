"""Documents of a search for language models, packed into rows of tokens."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from automl.config import Config
from automl.errors import UserError
from search_spaces import Categorical, Domain, SearchSpace
from trials.annotating import find_annotator
from trials.data import Dataset, RawData
from trials.ending import end_of
from trials.packing import pack_documents
from trials.prompts import Cut, prompts_of
from trials.reading import LENGTH, LENGTH_CHOICE, VOCABULARY_CHOICE, Reading
from trials.tasks import LanguageModelling
from trials.written import WritingTest

_TEST_PROMPTS = 64


def as_documents(raw: RawData) -> RawData:
    """Take rows as documents, all of one kind: they are split by chance alone, and need no label."""
    return replace(raw, labels=np.zeros(len(raw.inputs), dtype=np.int64), class_names=("document",))


def pack_for(
    config: Config, dataset: Dataset, reading: Reading | None, space: SearchSpace
) -> tuple[Dataset, Reading, LanguageModelling]:
    """Pack the documents of a data set.

    Args:
        config: Its section ``task`` is read.
        dataset: Of documents, split.
        reading: With the tokenizer; None where the inputs are no texts.
        space: Of the students, which all read whole rows by the same tokenizer.

    Returns:
        The rows, how texts are read, and the task.

    Raises:
        UserError: The rows do not fit the students.
        ValueError: The data does not fit the task.
    """
    if reading is None:
        raise ValueError("a language model learns from texts, and the data has none; give the column text")
    # Documents, and pieces of them, are joined here; what stands between them is put there, too.
    reading = replace(reading, tokenizer=reading.tokenizer.bare())
    length = config.task.length or LENGTH
    _require(config, space, LENGTH_CHOICE, length, f"rows have {length} tokens, as task.length says")
    size = reading.tokenizer.vocabulary_size
    _require(config, space, VOCABULARY_CHOICE, size, f"all students of a language model have its {size} tokens")
    _require_room(config, length)
    annotate = None if config.task.annotate is None else find_annotator(config.task.annotate)
    dataset = pack_documents(
        dataset, reading.tokenizer, length=length, end=end_of(reading.tokenizer), annotate=annotate
    )
    task = LanguageModelling.of(reading.tokenizer, dataset)
    return dataset, replace(reading, length=length), task


def writing_test(config: Config, documents: Dataset, reading: Reading) -> WritingTest | None:
    """Say what members of the front shall write after; None where no test document is long enough.

    It is what teachers write after, of test documents, where the section ``sequences`` says what that is.
    """
    asked = config.sequences
    begins = reading.length // 4 if asked is None else asked.prompt
    goes_on = reading.length // 2 if asked is None else asked.max_new_tokens
    cut = Cut(most=_TEST_PROMPTS, begins=max(1, begins), goes_on=max(1, goes_on))
    prompts = prompts_of(documents, reading.tokenizer, cut, split="test")
    if not prompts:
        return None
    score = "" if asked is None or asked.score in ("likelihood", "reference") else asked.score
    return WritingTest(prompts=tuple(prompts), max_new_tokens=cut.goes_on, score=score)


def _require_room(config: Config, length: int) -> None:
    """Make sure that teachers read what they go on from, and what they write."""
    asked = config.sequences
    if asked is not None and asked.prompt + asked.max_new_tokens > length:
        raise UserError(
            f"prompt and max_new_tokens together are {asked.prompt + asked.max_new_tokens} tokens, and models read "
            f"{length}, as task.length says; lower them",
            place=config.place("sequences"),
        )


def _ends(domain: Domain) -> Sequence[object]:
    return domain.options if isinstance(domain, Categorical) else [domain.low]


def _require(config: Config, space: SearchSpace, name: str, needed: int, why: str) -> None:
    """Make sure that no student has less of a choice than rows need, where its space has the choice."""
    fixed = config.student.fixed_values(space)
    values: list[object]
    if fixed is not None:
        values = [fixed[name]] if name in fixed else []
    else:
        values = [value for choice in space.choices if choice.name == name for value in _ends(choice.domain)]
    small = [value for value in values if isinstance(value, int) and value < needed]
    if small:
        raise UserError(
            f"{why}, and students may have a {name} of {min(small)}; let it be {needed} or more",
            place=config.place("student"),
        )
