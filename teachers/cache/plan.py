"""What of the teachers' answers is cached, and what is asked on the spot, within a limit of the disk."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch

from teachers.cache.keys import DTYPES, LOGITS, rows_of_shard
from teachers.cache.top_k import keeps_top, top_bytes
from teachers.digests import RawRows
from teachers.teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What a few rows showed of a teacher.

    Args:
        seconds_per_row: Of one inference pass, all features among it.
        shapes: Of one row of each output, by its name.
        identities: What the teacher calls each feature where no alias is known; two names may mean one thing.
        num_known: Classes that it covers.
    """

    seconds_per_row: float
    num_known: int
    shapes: Mapping[str, tuple[int, ...]]
    identities: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class PlannedOutput:
    """One output of one teacher in a plan.

    Args:
        teacher: Its position.
        output: As the teacher is asked for it.
        row_bytes: Of one row in a shard.
        num_bytes: On the disk, in all views; of logits with the pack.
        kept: Whether it is cached; else it is asked on the spot.
    """

    teacher: int
    output: str
    row_bytes: int
    num_bytes: int
    kept: bool

    @property
    def shard_rows(self) -> int:
        """Rows of one of its shards."""
        return rows_of_shard(self.row_bytes)


@dataclass(frozen=True, kw_only=True)
class CachePlan:
    """What is cached and what runs on the spot.

    Args:
        outputs: Logits of all teachers, then their features; of features that are one by another name, each.
        seconds_per_row: Of each teacher.
        shapes: Of one row of each feature of each teacher, by name.
        num_rows: Rows of the data set, N.
        num_views: Augmented views; 0 where there is no augmentation.
        dtype: One of ``DTYPES``.
        top_k: Logits that are kept of a row; None means all.
        limit_bytes: Of the disk.
        models: Names of losses that run the teachers' models themselves, for which no cache can stand.
    """

    outputs: tuple[PlannedOutput, ...]
    seconds_per_row: tuple[float, ...]
    shapes: tuple[Mapping[str, tuple[int, ...]], ...]
    num_rows: int
    num_views: int
    dtype: str
    top_k: int | None
    limit_bytes: int
    models: tuple[str, ...] = ()

    @property
    def packed(self) -> tuple[int, ...]:
        """Positions of the teachers whose logits are cached."""
        return tuple(each.teacher for each in self.outputs if each.output == LOGITS and each.kept)

    @property
    def features(self) -> tuple[PlannedOutput, ...]:
        """Features that are cached."""
        return tuple(each for each in self.outputs if each.output != LOGITS and each.kept)

    @property
    def live(self) -> Mapping[int, tuple[str, ...]]:
        """What is asked on the spot, by position of the teacher."""
        lacking: dict[int, list[str]] = {}
        for each in self.outputs:
            if not each.kept:
                lacking.setdefault(each.teacher, []).append(each.output)
        return {k: tuple(names) for k, names in sorted(lacking.items())}

    @property
    def needs_models(self) -> tuple[int, ...]:
        """Positions of the teachers whose models must be at hand in a trial."""
        return tuple(range(len(self.seconds_per_row))) if self.models else tuple(self.live)

    @property
    def num_bytes(self) -> int:
        """Bytes of all that is cached."""
        return sum(each.num_bytes for each in self.outputs if each.kept)

    def views(self, output: str) -> tuple[int, ...]:
        """Views in which an output is cached: teachers are judged by logits of the rows as they are."""
        return views_of(output, self.num_views)


def views_of(output: str, num_views: int) -> tuple[int, ...]:
    """Say in which views an output is needed; a training with augmented views never sees the rows as they are."""
    augmented = tuple(range(1, num_views + 1))
    return (0, *augmented) if output == LOGITS or not augmented else augmented


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
    )


def plan_cache(
    probes: Sequence[Probe],
    terms: Sequence[tuple[str, ...]],
    *,
    num_rows: int,
    num_views: int,
    num_classes: int,
    dtype: str,
    top_k: int | None,
    limit_bytes: int,
    models: tuple[str, ...] = (),
) -> CachePlan:
    """Decide what is cached: logits first, then the features of one term after another, by seconds saved a byte.

    A teacher runs in a step as soon as one thing is lacking. So the features that a term reads of a teacher are cached
    together or not at all, and none of a teacher whose logits found no room.

    Args:
        probes: Of the teachers, in their order.
        terms: Features that a term reads of each teacher, for each term and each of its options that may be chosen.
        num_rows: Rows of the data set, N.
        num_views: Augmented views; 0 where there is no augmentation.
        num_classes: Classes of the data set, C.
        dtype: One of ``DTYPES``.
        top_k: Logits to keep of a row, where that takes less room; None keeps all.
        limit_bytes: Of the disk.
        models: Names of losses that run the teachers' models themselves.
    """
    assert dtype in DTYPES, dtype
    names = tuple(dict.fromkeys(name for term in terms for name in term))
    budget = _Budget(limit_bytes)
    logits = [_logits_bytes(each, num_classes, dtype, top_k) for each in probes]
    rows = {name: num_rows * len(views_of(name, num_views)) for name in (LOGITS, *names)}
    worth = [each.seconds_per_row / (rows[LOGITS] * sum(size)) for each, size in zip(probes, logits, strict=True)]
    for k in sorted(range(len(probes)), key=lambda k: -worth[k]):
        budget.keep({(k, LOGITS): rows[LOGITS] * sum(logits[k])})
    itemsize = np.dtype(dtype).itemsize
    sizes = [{name: prod(each.shapes[name]) * itemsize for name in names} for each in probes]
    units = [
        {(k, each.identities[name]): rows[name] * sizes[k][name] for name in term}
        for k, each in enumerate(probes)
        if (k, LOGITS) in budget.kept
        for term in terms
        if term
    ]
    while units:
        # Anew each time, since terms share features.
        units.sort(key=lambda unit: -_saved(probes, unit) / max(1, budget.lacking(unit)))
        budget.keep(units.pop(0))
    outputs = [
        PlannedOutput(
            teacher=k,
            output=LOGITS,
            row_bytes=logits[k][0],
            num_bytes=rows[LOGITS] * sum(logits[k]),
            kept=(k, LOGITS) in budget.kept,
        )
        for k in range(len(probes))
    ]
    outputs += _features(probes, sizes, rows, budget.kept)
    return CachePlan(
        outputs=tuple(outputs),
        seconds_per_row=tuple(each.seconds_per_row for each in probes),
        shapes=tuple({name: each.shapes[name] for name in names} for each in probes),
        num_rows=num_rows,
        num_views=num_views,
        dtype=dtype,
        top_k=top_k,
        limit_bytes=limit_bytes,
        models=models,
    )


Things = Mapping[tuple[int, str], int]
"""Bytes by position of the teacher and what it calls the output."""


class _Budget:
    """What is kept, within a limit."""

    def __init__(self, limit_bytes: int) -> None:
        self._left = limit_bytes
        self.kept: set[tuple[int, str]] = set()

    def lacking(self, things: Things) -> int:
        """Bytes of what is not kept yet."""
        return sum(size for thing, size in things.items() if thing not in self.kept)

    def keep(self, things: Things) -> None:
        """Keep all of them, or none where they do not fit."""
        if (lacking := self.lacking(things)) <= self._left:
            self._left -= lacking
            self.kept.update(things)


def _saved(probes: Sequence[Probe], unit: Things) -> float:
    return probes[next(iter(unit))[0]].seconds_per_row


def _features(
    probes: Sequence[Probe],
    sizes: Sequence[Mapping[str, int]],
    rows: Mapping[str, int],
    kept: Collection[tuple[int, str]],
) -> Iterator[PlannedOutput]:
    counted: set[tuple[int, str]] = set()
    for k, each in enumerate(probes):
        for name in sizes[k]:
            thing = (k, each.identities[name])
            num_bytes = 0 if thing in counted else rows[name] * sizes[k][name]  # Another name of it takes no room.
            counted.add(thing)
            yield PlannedOutput(
                teacher=k, output=name, row_bytes=sizes[k][name], num_bytes=num_bytes, kept=thing in kept
            )


def _logits_bytes(each: Probe, num_classes: int, dtype: str, top_k: int | None) -> tuple[int, int]:
    """Bytes of a row in a shard and in a pack."""
    *form, width = each.shapes[LOGITS]
    if top_k is not None and keeps_top(each.num_known, top_k, dtype):
        return prod(form) * top_bytes(each.num_known, top_k, dtype), prod(form) * top_bytes(num_classes, top_k, dtype)
    itemsize = np.dtype(dtype).itemsize
    return prod(form) * width * itemsize, prod(form) * num_classes * itemsize
