"""The tokenizer of a search over texts: given, or trained on the training texts and kept beside the runs."""

from collections.abc import Iterator
from pathlib import Path

from automl.config import Config
from automl.config.tokenizer import Tokenizer as Section
from automl.errors import UserError
from search_spaces import Categorical, Domain, SearchSpace
from teachers.digests import record_digest, rows_digest
from teachers.padding_first import padding_first
from trials.data import Dataset
from trials.reading import VOCABULARY_CHOICE, Reading
from trials.tokenization import Tokenizer, read_tokenizer, train_tokenizer

FORMAT = 1
"""Goes up when training a tokenizer changes so much that those of earlier versions must not be taken."""

VOCABULARY_SIZE = 8192
"""Tokens of a tokenizer that is trained, where nobody says how many."""


def reading_for(config: Config, dataset: Dataset, space: SearchSpace) -> Reading | None:
    """Say how students read the texts of a data set.

    Args:
        config: Its section ``tokenizer`` is read.
        dataset: Read and split.
        space: Narrowed as the config says.

    Returns:
        None where the inputs are numbers, or token ids already.

    Raises:
        UserError: There is a tokenizer and no texts, or it cannot be used.
    """
    section = config.tokenizer
    if not isinstance(dataset.inputs, list):
        if section is not None:
            raise UserError("the data has no texts; remove this section", place=config.place("tokenizer"))
        return None
    section = section or Section()
    if section.path is not None:
        return Reading(tokenizer=_given(config, section.path, space), length=section.length)
    texts = [dataset.inputs[row] for row in dataset.splits["train"]]
    return Reading(tokenizer=_trained(config, texts, _wanted_size(config, section, space)), length=section.length)


def _given(config: Config, path: Path, space: SearchSpace) -> Tokenizer:
    """Read a tokenizer, let its token 0 be for padding, and make sure that students can use it."""
    try:
        tokenizer = Tokenizer(padding_first(read_tokenizer(path).definition).definition)
    except ValueError as error:
        raise UserError(str(error), place=config.place("tokenizer", "path")) from error
    most = max(_sizes(config, space), default=None)
    if most is None or most == tokenizer.vocabulary_size:
        return tokenizer
    if not tokenizer.can_be_narrowed:
        raise UserError(
            f"the tokenizer has {tokenizer.vocabulary_size} tokens and cannot be cut to fewer, and students choose "
            f"among vocabularies of up to {most}; write `vocabulary_sizes: null` into the options of the space, or "
            "leave tokenizer.path out, so that one is trained",
            place=config.place("tokenizer", "path"),
        )
    if most > tokenizer.vocabulary_size:
        raise UserError(
            f"students may have {most} tokens, the tokenizer has {tokenizer.vocabulary_size}; narrow "
            f"{VOCABULARY_CHOICE} to that",
            place=config.place("tokenizer", "path"),
        )
    return tokenizer


def _wanted_size(config: Config, section: Section, space: SearchSpace) -> int:
    """Say how many tokens to train for: as many as any student, or teacher that is trained first, may have."""
    sizes = list(_sizes(config, space))
    if section.vocabulary_size is None:
        return max(sizes, default=VOCABULARY_SIZE)
    if sizes and max(sizes) > section.vocabulary_size:
        raise UserError(
            f"students may have {max(sizes)} tokens, which is more; leave it out, or narrow {VOCABULARY_CHOICE}",
            place=config.place("tokenizer", "vocabulary_size"),
        )
    return section.vocabulary_size


def _sizes(config: Config, space: SearchSpace) -> Iterator[int]:
    """Give the largest vocabulary that students may have, and those of teachers that are trained first."""
    fixed = config.student.fixed_values(space)
    found: list[object]
    if fixed is not None:
        found = [fixed.get(VOCABULARY_CHOICE)]
    else:
        found = [_largest(choice.domain) for choice in space.choices if choice.name == VOCABULARY_CHOICE]
    found += [teacher.student.values.get(VOCABULARY_CHOICE) for teacher in config.teachers if teacher.kind == "train"]
    yield from (size for size in found if isinstance(size, int))


def _largest(domain: Domain) -> object:
    return max(domain.options) if isinstance(domain, Categorical) else domain.high


def _trained(config: Config, texts: list[str], vocabulary_size: int) -> Tokenizer:
    """Train a tokenizer, unless an earlier search did on the same texts."""
    digest = record_digest(["tokenizer", FORMAT, rows_digest(texts), vocabulary_size])
    path = config.runs / ".cache" / "tokenizers" / f"{digest[:24]}.json"
    if path.is_file():
        return read_tokenizer(path)
    tokenizer = train_tokenizer(texts, vocabulary_size=vocabulary_size)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(tokenizer.definition, encoding="utf-8")
    draft.replace(path)
    return tokenizer
