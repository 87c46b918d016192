"""Computing what a cache holds, one chunk at a time, in any process.

Shape letters: B = batch, C = classes.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Protocol, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachers.cache.keys import LOGITS, Shard, ShardKey
from teachers.cache.sampled import encode_sampled
from teachers.cache.store import OutputStore
from teachers.cache.top_k import TORCH_DTYPES, Arrays, encode_top, keeps_top
from teachers.columns import check_finite, class_columns
from teachers.digests import RawRows
from teachers.outputs import Outputs
from teachers.teacher import Teacher

_ROWS_OF_CALL = 256

ANSWERS_OF_CALL = 2**24
"""Numbers that a teacher may answer with at a time: 64 MB."""


class Cut(TypedDict):
    """How many logits of a row are kept, and whether they are drawn; see ``compute_shard``."""

    top_k: int | None
    drawn: bool


class Augment(Protocol):
    """Makes views of rows: the same arguments give the same bits, in every process."""

    def __call__(self, inputs: NDArray[np.generic], *, rows: NDArray[np.int64], view: int) -> NDArray[np.generic]:
        """Augment some rows, in a copy.

        Args:
            inputs: Raw (n, ...).
            rows: Their numbers in the data set (n,).
            view: At least 1.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a teacher is asked in one go: all outputs that are missing of some rows, in one inference pass.

    Args:
        teacher: Its position.
        view: As in ``ShardKey``.
        start: First row.
        stop: Row after the last one.
        shards: To which the answers belong; each holds these rows, and perhaps more.
    """

    teacher: int
    view: int
    start: int
    stop: int
    shards: tuple[Shard, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the teacher is asked for."""
        return tuple(shard.output for shard in self.shards)


class Assembly:
    """Cuts work into jobs, and puts what they give together to shards; outputs may be cut into shards of any size."""

    def __init__(self, missing: Sequence[Shard]) -> None:
        """Cut.

        Args:
            missing: Shards to compute.
        """
        together: dict[tuple[int, int], list[Shard]] = {}
        for shard in missing:
            together.setdefault((shard.key.view, shard.teacher), []).append(shard)
        jobs = [job for shards in together.values() for job in _jobs(shards)]
        # Chunk by chunk, so that all teachers read one copy of a chunk, and it can go when they have.
        self.jobs = tuple(sorted(jobs, key=lambda job: (job.view, job.start, job.stop, job.teacher)))
        self._parts: dict[Shard, dict[int, Arrays]] = {}

    def add(self, job: Job, answers: Mapping[str, Arrays]) -> Iterator[tuple[ShardKey, Arrays]]:
        """Take what a job gave, and give the shards that are whole now.

        Args:
            job: One of ``jobs``.
            answers: What ``compute_shard`` gave.
        """
        for shard in job.shards:
            parts = self._parts.setdefault(shard, {})
            parts[job.start] = answers[shard.output]
            if sum(len(next(iter(part.values()))) for part in parts.values()) == shard.stop - shard.start:
                yield shard.key, _joined([parts[start] for start in sorted(parts)])
                del self._parts[shard]


def compute_shard(
    teacher: Teacher,
    inputs: RawRows,
    *,
    num_classes: int,
    dtype: str,
    outputs: Sequence[str] = (LOGITS,),
    top_k: int | None = None,
    drawn: bool = False,
    batch_size: int | None = None,
) -> dict[str, Arrays]:
    """Ask a teacher about a chunk of rows.

    Args:
        teacher: Answers for raw inputs.
        inputs: Inputs of the chunk (n, ...), raw or augmented, or n texts; they stay as they are.
        num_classes: Classes of the data set, C.
        dtype: ``float16`` or ``float32``.
        outputs: ``logits``, or names of features.
        top_k: Logits to keep of each row, where that takes less room; None keeps all.
        drawn: Whether these are drawn from the prediction, instead of the largest ones taken.
        batch_size: Rows of one call of the teacher; None takes as many as its answers leave room for.

    Returns:
        Arrays of each output as a shard holds them: ``values`` (n, ...), logits in the columns that the teacher gave;
        of cut logits what ``encode_top`` gives, among the classes that the teacher covers.

    Raises:
        ValueError: Answers are not finite, have a wrong number of columns or rows, or lack an output.
    """
    batch_size = rows_of_call(inputs, num_classes) if batch_size is None else batch_size
    features = [name for name in outputs if name != LOGITS]
    pieces: dict[str, list[Arrays]] = {name: [] for name in outputs}
    for start in range(0, len(inputs), batch_size):
        rows = inputs[start : start + batch_size]
        answer = teacher.model(rows if isinstance(rows, list) else torch.from_numpy(rows.copy()), features)
        for name in outputs:
            values = _named(teacher, answer, name).detach()
            if len(values) != len(rows):
                raise ValueError(f"teacher {teacher.name!r} gave {name} for {len(values)} rows, expected {len(rows)}")
            if name == LOGITS:
                columns, _ = class_columns(teacher, width=values.shape[-1], num_classes=num_classes)
                covered = values[..., columns]
                if top_k is not None and keeps_top(covered.shape[-1], top_k, dtype):
                    cut = partial(encode_sampled, rows=rows) if drawn else encode_top
                    pieces[name].append(_finite(teacher, name, cut(covered.cpu(), k=top_k, dtype=dtype)))
                    continue
            whole = {"values": values.to("cpu", TORCH_DTYPES[dtype], copy=True).numpy()}
            pieces[name].append(_finite(teacher, name, whole))
    return {name: _joined(parts) for name, parts in pieces.items()}


def fill(
    store: OutputStore,
    shards: Sequence[Shard],
    teachers: Sequence[Teacher],
    inputs: RawRows,
    *,
    num_classes: int,
    augment: Augment | None = None,
    batch_size: int | None = None,
) -> int:
    """Compute and store what is missing or damaged, one chunk after the other in this process.

    Args:
        store: Where shards go.
        shards: All of one or several plans.
        teachers: As given to ``plan_shards``.
        inputs: Raw inputs of all rows.
        num_classes: Classes of the data set, C.
        augment: Makes the views of the plans; None where there are none.
        batch_size: Rows of one call of a teacher; None takes as many as its answers leave room for.

    Returns:
        Number of shards that were computed.
    """
    missing = store.missing(shards)
    assembly = Assembly(list(missing))
    for job in assembly.jobs:
        answers = compute_shard(
            teachers[job.teacher],
            view_of(inputs[job.start : job.stop], job, augment),
            num_classes=num_classes,
            dtype=job.shards[0].key.dtype,
            outputs=job.outputs,
            **cut_of(job),
            batch_size=batch_size,
        )
        for key, arrays in assembly.add(job, answers):
            store.store_shard(key, arrays)
    return len(missing)


def view_of(rows: RawRows, job: Job, augment: Augment | None, *, numbers: NDArray[np.int64] | None = None) -> RawRows:
    """Give the rows of a job as its teacher is asked about them.

    Args:
        rows: Raw inputs of the job.
        job: Says which view.
        augment: Makes views; None where there are none.
        numbers: Of these rows in the data set (n,); None where the job counts as the data set does.
    """
    if job.view == 0:
        return rows
    assert augment is not None, f"view {job.view} without an augmentation"
    assert not isinstance(rows, list), "texts are not augmented"
    return augment(rows, rows=np.arange(job.start, job.stop) if numbers is None else numbers, view=job.view)


def cut_of(job: Job) -> Cut:
    """Say how many logits of a row the job keeps, None where it keeps all, or no logits; and whether they are drawn."""
    key = next((shard.key for shard in job.shards if shard.output == LOGITS), None)
    return Cut(top_k=None, drawn=False) if key is None else Cut(top_k=key.top_k, drawn=key.drawn)


def rows_of_call(inputs: RawRows, num_classes: int) -> int:
    """Say how many rows a teacher is asked about at a time: fewer where it answers at every position of a row."""
    of_tokens = not isinstance(inputs, list) and inputs.dtype == np.int64 and inputs.ndim == 2
    positions = inputs.shape[1] if of_tokens and not isinstance(inputs, list) else 1
    return max(1, min(_ROWS_OF_CALL, ANSWERS_OF_CALL // (positions * num_classes)))


def _jobs(shards: Sequence[Shard]) -> Iterator[Job]:
    """Cut the rows of one teacher and view wherever a shard begins or ends."""
    edges = sorted({edge for shard in shards for edge in (shard.start, shard.stop)})
    waiting = deque(sorted(shards, key=lambda shard: shard.start))
    current: list[Shard] = []
    for start, stop in pairwise(edges):
        current = [shard for shard in current if shard.stop > start]
        while waiting and waiting[0].start <= start:
            current.append(waiting.popleft())
        if current:
            first = current[0]
            yield Job(teacher=first.teacher, view=first.key.view, start=start, stop=stop, shards=tuple(current))


def _joined(parts: Sequence[Arrays]) -> Arrays:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if len(parts) > 1 else parts[0]


def _finite(teacher: Teacher, output: str, arrays: Arrays) -> Arrays:
    """Check the numbers that will be kept: after rounding, since float16 ends at 65504."""
    for name, values in arrays.items():
        if name != "classes":
            check_finite(teacher, output, torch.from_numpy(values))
    return arrays


def _named(teacher: Teacher, answer: Outputs, name: str) -> Tensor:
    if name == LOGITS:
        return answer.logits
    if name not in answer.features:
        known = sorted([LOGITS, *answer.features])
        raise ValueError(f"teacher {teacher.name!r} gives no output {name!r}; it gives {', '.join(known)}")
    return answer.features[name]
