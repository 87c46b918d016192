"""A few rows tried out on a teacher, from which a plan of the cache is made."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from teachers.cache.keys import LOGITS
from teachers.digests import RawRows
from teachers.footprint import held_bytes
from teachers.teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What a few rows showed of a teacher.

    Args:
        seconds_per_row: Of one inference pass, all features among it.
        shapes: Of one row of each output, by its name; none of a teacher that only writes.
        identities: What the teacher calls each feature where no alias is known; two names may mean one thing.
        num_known: Classes that it covers.
        labels: Classes that it covers; None means all.
        digest: Of the teacher; what teachers of one digest say is kept once.
        held_bytes: What a process holds that runs it; None where nobody can tell.
    """

    seconds_per_row: float
    num_known: int
    labels: tuple[int, ...] | None
    digest: str
    held_bytes: int | None
    shapes: Mapping[str, tuple[int, ...]]
    identities: Mapping[str, str]


def probe(teacher: Teacher, inputs: RawRows, features: Collection[str], *, num_threads: int) -> Probe:
    """Ask a teacher about a few rows, twice, and time the second pass.

    Args:
        teacher: Who is asked.
        inputs: Some raw rows, at least one.
        features: All that any recipe may ask for.
        num_threads: Of PyTorch, as in a trial.

    Raises:
        ValueError: It has no feature of a name, or gave another number of rows.
    """
    if not teacher.gives_logits:
        return _mute(teacher)
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        for _ in range(2):
            values = inputs if isinstance(inputs, list) else torch.from_numpy(np.array(inputs))
            started = time.perf_counter()
            with torch.no_grad():
                answer = teacher.model(values, tuple(features))
            seconds = time.perf_counter() - started
    finally:
        torch.set_num_threads(before)
    if missing := sorted(set(features) - answer.features.keys()):
        known = sorted(answer.features) or ["none"]
        raise ValueError(
            f"teacher {teacher.name!r} gives no features {', '.join(missing)}; it gives {', '.join(known)}"
        )
    outputs = {LOGITS: answer.logits, **{name: answer.features[name] for name in features}}
    for name, given in outputs.items():
        if len(given) != len(inputs):
            raise ValueError(f"teacher {teacher.name!r} gave {name} for {len(given)} rows, expected {len(inputs)}")
    return Probe(
        seconds_per_row=seconds / len(inputs),
        shapes={name: tuple(given.shape[1:]) for name, given in outputs.items()},
        identities={name: teacher.feature_id(name) for name in features},
        num_known=answer.logits.shape[-1] if teacher.coverage.labels is None else len(teacher.coverage.labels),
        labels=teacher.coverage.labels,
        digest=teacher.digest,
        held_bytes=held_bytes(teacher),
    )


def _mute(teacher: Teacher) -> Probe:
    """Say that nothing can be asked of a teacher."""
    return Probe(
        seconds_per_row=0.0,
        shapes={},
        identities={},
        num_known=0,
        labels=teacher.coverage.labels,
        digest=teacher.digest,
        held_bytes=0,
    )
