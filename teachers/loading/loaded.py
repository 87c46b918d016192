"""What every loader gives back, and the steps that several of them share.

Shape letters: B = batch.
"""

import difflib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from teachers.outputs import Inputs, Outputs
from teachers.taps import POOLED
from teachers.teacher import Coverage, Teacher, TeacherModel

_SHOWN_NAMES = 30


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedModel:
    """A frozen model that answers for raw inputs.

    Args:
        model: In evaluation mode, without gradients, float32 out, its preprocessing inside; can be pickled, so that
            other processes get it without the file.
        digest: Names its parameters, options and preprocessing.
    """

    model: TeacherModel
    digest: str

    def teacher(self, name: str, coverage: Coverage | None = None) -> Teacher:
        """Make a teacher of it, which by default covers everything."""
        return Teacher(name=name, model=self.model, coverage=coverage or Coverage(), digest=self.digest)


@runtime_checkable
class _HasLogits(Protocol):
    logits: Tensor


def as_outputs(answer: object) -> Outputs:
    """Turn what a model returned into outputs in float32, cut off from any gradient.

    Args:
        answer: A tensor of logits, ``Outputs``, or any record with a tensor ``logits``.

    Raises:
        ValueError: It is none of these.
    """
    if isinstance(answer, Outputs):
        features = {name: values.detach().float() for name, values in answer.features.items()}
        return Outputs(logits=answer.logits.detach().float(), features=features)
    logits = answer.logits if isinstance(answer, _HasLogits) else answer
    if not isinstance(logits, Tensor):
        found = type(logits).__name__
        raise ValueError(f"a teacher must return a tensor of logits, or a record with logits, got {found}")
    return Outputs(logits=logits.detach().float())


def in_pieces(run: Callable[[Tensor], Outputs], values: Tensor, *, piece: int | None) -> Outputs:
    """Run a model whose graph takes a fixed number of rows; the last piece is filled up with its last row.

    Args:
        run: Takes (piece, ...), gives logits and features (piece, ...).
        values: (B, ...), B at least 1.
        piece: Rows of one run; None runs all at once.

    Returns:
        Logits and features (B, ...).
    """
    if piece is None:
        return run(values)
    answers: list[Outputs] = []
    sizes: list[int] = []
    for start in range(0, len(values), piece):
        rows = values[start : start + piece]
        missing = piece - len(rows)
        filled = rows if not missing else torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])])
        answers.append(run(filled))
        sizes.append(len(rows))

    def joined(pieces: list[Tensor]) -> Tensor:
        return torch.cat([values[:size] for values, size in zip(pieces, sizes, strict=True)])

    names = answers[0].features
    return Outputs(
        logits=joined([answer.logits for answer in answers]),
        features={name: joined([answer.features[name] for answer in answers]) for name in names},
    )


def split_pooled(name: str, known: Collection[str]) -> tuple[str, bool]:
    """Tell what a feature's name is without the suffix ``.pooled``, unless a value is called so, and if it had one."""
    base = name.removesuffix(f".{POOLED}")
    return (name, False) if name in known or base == name else (base, True)


def unknown_value(name: str, known: Collection[str], hint: str) -> str:
    """Say that there is no feature of a name, and which there are.

    Args:
        name: As it was asked for.
        known: Names that there are.
        hint: What to do about it.
    """
    close = difflib.get_close_matches(name, known, n=_SHOWN_NAMES, cutoff=0.5)
    shown = sorted(known)[:_SHOWN_NAMES]
    more = f" and {len(known) - len(shown)} more" if len(known) > len(shown) else ""
    near = f"; close names are {', '.join(close)}" if close else ""
    return f"unknown feature {name!r}{near}; it has inputs and {', '.join(shown)}{more}; {hint}"


def numbers(inputs: Inputs) -> Tensor:
    """Take preprocessed inputs that must be numbers.

    Raises:
        ValueError: They are texts.
    """
    if isinstance(inputs, list):
        raise ValueError("this kind of teacher takes numbers, got texts")
    return inputs


def existing_file(path: str | Path, what: str) -> Path:
    """Check that a file is there.

    Raises:
        ValueError: It is not.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{what} not found: {path} is not a file")
    return path
