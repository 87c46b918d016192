"""A teacher that is a file of what a model wrote: votes on classes, or texts that go on after prompts.

Shape letters: N = rows of the data, n = rows with an answer, C = classes.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from teachers.completion_file import Line, read_lines
from teachers.digests import RawRows, files_digest, record_digest
from teachers.endpoint.reading import class_named
from teachers.generating import Generation, check_settings
from teachers.loading.answered import answered
from teachers.loading.answers import Answers
from teachers.loading.loaded import LoadedModel, existing_file
from teachers.outputs import Inputs, Outputs

_SMALLEST = 1e-7
"""Probabilities are raised to it before the logarithm."""


class CompletionsGenerator:
    """Gives the texts that a file has for a prompt, those of the best scores first; fulfils ``Generator``."""

    gives_logits = False

    def __init__(self, by_prompt: Mapping[str, Sequence[Generation]]) -> None:
        """Keep the texts.

        Args:
            by_prompt: Of each prompt, the best first.
        """
        self._by_prompt = dict(by_prompt)

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Refuse: a file of texts knows no probabilities of all tokens."""
        del inputs, features
        raise ValueError("a file of completions holds texts and no logits of tokens; let students learn from its texts")

    def generate(
        self, prompts: Sequence[str], *, samples: int, temperature: float, max_new_tokens: int, seed: int
    ) -> list[list[Generation]]:
        """Look the prompts up; how texts were drawn, and how long they are, is the file's business."""
        check_settings(samples=samples, temperature=temperature, max_new_tokens=max_new_tokens)
        del seed
        return [list(self._by_prompt.get(prompt, ()))[:samples] for prompt in prompts]


def load_completions(
    *,
    path: str | Path,
    reads: Literal["texts", "images", "tokens"],
    inputs: RawRows,
    keys: Sequence[str] | None = None,
    class_names: Sequence[str] = (),
    labels: Sequence[int] | None = None,
    by: str = "prompt",
    smoothing: float = 0.05,
) -> LoadedModel:
    """Read a file of completions.

    Args:
        path: JSON lines (``.jsonl``) or Parquet; see ``teachers.completion_file.read_lines`` for its columns.
        reads: What rows of the data are: to be classified, or token ids of a language model.
        inputs: Raw inputs of the data (N, ...), by whose contents answers are found later.
        keys: What each row of the data is called in the file (N,); None takes texts as their own names.
        class_names: Of the data, in the order of their numbers.
        labels: Classes of the data that it covers, in the order of the columns to give; None means all.
        by: Column of the file that says which row, or which prompt, a line is about.
        smoothing: Probability that a vote for one class leaves to all of them, between 0 and 1.

    Raises:
        ValueError: A line cannot be read or names a class that the data does not have, or no row of the data has an
            answer.
    """
    path = existing_file(path, "file of completions of a teacher")
    lines = read_lines(path, by=by)
    if reads == "tokens":
        digest = record_digest(["completions", files_digest({"": path.read_bytes()})])
        return LoadedModel(model=CompletionsGenerator(_by_prompt(lines)), digest=digest)
    if not 0 < smoothing < 1:
        raise ValueError(f"smoothing must be between 0 and 1, got {smoothing}")
    if keys is None:
        if not isinstance(inputs, list):
            raise ValueError(
                "rows of the data are no texts, so that prompts cannot name them; let `by` be a column that both the "
                "data and the file have"
            )
        keys = inputs
    names = list(class_names) if labels is None else [class_names[label] for label in labels]
    votes: dict[str, list[list[float]]] = {}
    for line in lines:
        votes.setdefault(line.key, []).extend(_votes(line, names, class_names, path, smoothing=smoothing))
    if not any(votes.values()):
        raise ValueError(
            f"no line of {path} names one of the classes {', '.join(names)}; the first is {lines[0].told()}"
        )
    rows = [row for row, key in enumerate(keys) if votes.get(key)]
    if not rows:
        shown = ", ".join(repr(key[:40]) for key in list(votes)[:3])
        raise ValueError(
            f"none of the {len(votes)} rows in {path} is one of the data's; they are called {shown}, and the data's "
            f"{', '.join(repr(key[:40]) for key in list(keys)[:3])}; check `by`"
        )
    probabilities = np.array([np.mean(votes[keys[row]], axis=0) for row in rows])
    logits = np.log(np.clip(probabilities, _SMALLEST, 1.0)).astype(np.float32)
    chosen = [inputs[row] for row in rows] if isinstance(inputs, list) else inputs[rows]
    return answered(Answers.of(chosen, logits))


def _votes(
    line: Line, names: Sequence[str], class_names: Sequence[str], path: Path, *, smoothing: float
) -> list[list[float]]:
    """Read a line as probabilities of the covered classes, one list for each completion that names one.

    Args:
        line: Of the file.
        names: Of the classes that the teacher covers, in the order of the columns to give.
        class_names: Of the data.
        path: Of the file, for messages.
        smoothing: Probability that a vote for one class leaves to all of them.

    Raises:
        ValueError: The line names a class that the data does not have.
    """
    told = [line.label] if line.label is not None else list(line.probabilities or ())
    if unknown := sorted(set(told) - set(class_names)):
        raise ValueError(
            f"{path}, {line.place}: the data has no class {', '.join(map(repr, unknown))}; its classes are "
            f"{', '.join(class_names)}"
        )
    if line.probabilities is not None:
        total = sum(line.probabilities.get(name, 0.0) for name in names)
        return [[line.probabilities.get(name, 0.0) / total for name in names]] if total > 0 else []
    texts = told or [each.text for each in line.completions]
    places = [names.index(text) if text in names else class_named(text, names) for text in texts]
    share = smoothing / len(names)
    return [
        [share + (1 - smoothing) * (c == place) for c in range(len(names))] for place in places if place is not None
    ]


def _by_prompt(lines: Sequence[Line]) -> dict[str, list[Generation]]:
    found: dict[str, list[Generation]] = {}
    for line in lines:
        found.setdefault(line.key, []).extend(line.completions)
    # Stable: without scores, they stay in the order of the file.
    return {key: sorted(each, key=_goodness, reverse=True) for key, each in found.items()}


def _goodness(one: Generation) -> float:
    measures = (one.score, one.log_probability)
    return next((measure for measure in measures if measure is not None), -math.inf)
