"""What a cached answer is keyed by: contents alone, never a path, a time or a step."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Protocol

from teachers.digests import RawRows, record_digest, rows_digest
from teachers.teacher import Teacher

DTYPES = ("float16", "float32")
"""Types in which answers are kept; float16 halves the bytes and keeps three digits."""

SHARD_ROWS = 4096
"""Rows of a shard at most: appended rows touch the last one only."""

SHARD_BYTES = 2**26
"""Bytes of a shard at most, unless a single row has more: what a process holds of an output as it is computed."""

LOGITS = "logits"
"""The output that every teacher has."""


@dataclass(frozen=True, kw_only=True)
class ShardKey:
    """Names one output of one teacher about one chunk of rows.

    Args:
        teacher: Digest of its parameters and preprocessing.
        inputs: Digest of the chunk's raw inputs, before any augmentation.
        output: ``logits``, or what the teacher calls a feature where no alias is known.
        view: Number of the augmented view; 0 means the rows as they are.
        augmentation: Digest of how the rows of this chunk are augmented in view 1 and higher; empty for view 0.
        dtype: One of ``DTYPES``.
        top_k: Logits that are kept of each row; None means all.
        drawn: Whether these were drawn from the prediction, instead of the largest ones taken.
        labels: Labels that the teacher covers, among which the largest are looked for; None without ``top_k``.
    """

    teacher: str
    inputs: str
    output: str = LOGITS
    view: int = 0
    augmentation: str = ""
    dtype: str
    top_k: int | None = None
    drawn: bool = False
    labels: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Reject an unknown type, and a view that nobody could make again."""
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype of cached outputs must be one of {', '.join(DTYPES)}, got {self.dtype!r}")
        if self.view < 0 or (self.view == 0) != (not self.augmentation):
            raise ValueError(f"view 0 has no augmentation and every other view has one, got {self}")
        if self.top_k is not None and (self.top_k < 1 or self.output != LOGITS):
            raise ValueError(f"top_k is for logits, and at least 1, got {self.top_k} for {self.output!r}")

    @cached_property
    def digest(self) -> str:
        """64 hexadecimal digits that name it."""
        record = asdict(self)
        if not self.drawn:
            del record["drawn"]  # What was kept before there was a choice keeps its name.
        return record_digest(["shard", record])


@dataclass(frozen=True, kw_only=True)
class PackKey:
    """Names the logits of all teachers on all rows, in one file (N, K, ..., C).

    Args:
        shards: Digests of the shards that it is made of, for each teacher its chunks in order.
        labels: Labels that each teacher covers; None means all.
        num_rows: Rows of the data set, N.
        num_classes: Classes of the data set, C.
        dtype: One of ``DTYPES``.
    """

    shards: tuple[tuple[str, ...], ...]
    labels: tuple[tuple[int, ...] | None, ...]
    num_rows: int
    num_classes: int
    dtype: str

    @cached_property
    def digest(self) -> str:
        """64 hexadecimal digits that name it."""
        return record_digest(["pack", asdict(self)])


CacheKey = ShardKey | PackKey


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A piece of the work of filling a cache.

    Args:
        teacher: Position of the teacher.
        output: As the teacher is asked for it: ``logits``, or the name of a feature.
        start: First row.
        stop: Row after the last one.
        key: Names its result.
    """

    teacher: int
    output: str = LOGITS
    start: int
    stop: int
    key: ShardKey


class SlicedRows(Protocol):
    """Rows of which some are given at a time."""

    def __len__(self) -> int:
        """Count them."""
        ...

    def __getitem__(self, chosen: slice, /) -> RawRows:
        """Give some of them."""
        ...


class Chunks:
    """The rows of a data set, cut and named; each way to cut them is named once."""

    def __init__(self, inputs: RawRows | SlicedRows) -> None:
        """Keep the rows.

        Args:
            inputs: Raw inputs of all rows, before any augmentation.
        """
        self._inputs = inputs
        self._known: dict[int, list[tuple[int, int, str]]] = {}

    def of(self, shard_rows: int) -> list[tuple[int, int, str]]:
        """Give first row, row after the last one and digest of each chunk of ``shard_rows`` rows."""
        if shard_rows not in self._known:
            starts = range(0, len(self._inputs), shard_rows)
            edges = [(start, min(start + shard_rows, len(self._inputs))) for start in starts]
            self._known[shard_rows] = [(start, stop, rows_digest(self._inputs[start:stop])) for start, stop in edges]
        return self._known[shard_rows]


def rows_of_shard(row_bytes: int) -> int:
    """Say how many rows a shard has: ``SHARD_ROWS``, halved until they fit into ``SHARD_BYTES``."""
    rows = SHARD_ROWS
    while rows > 1 and rows * row_bytes > SHARD_BYTES:
        rows //= 2
    return rows


def plan_shards(
    teachers: Sequence[Teacher],
    inputs: RawRows | Chunks,
    *,
    dtype: str,
    output: str = LOGITS,
    view: int = 0,
    augmentation: str = "",
    top_k: int | None = None,
    drawn: bool = False,
    shard_rows: int = SHARD_ROWS,
) -> tuple[Shard, ...]:
    """Cut the work of one output into shards: teacher by teacher, for each its chunks in order.

    Args:
        teachers: In the order of the ensemble.
        inputs: Raw inputs of all rows, before any augmentation; as ``Chunks`` where several plans are made.
        dtype: One of ``DTYPES``.
        output: ``logits``, or the name of a feature.
        view: As in ``ShardKey``.
        augmentation: Digest of how all rows are augmented; empty for view 0.
        top_k: As in ``ShardKey``; of features nothing is cut.
        drawn: As in ``ShardKey``.
        shard_rows: Rows of a chunk, at least 1; another number makes other shards.
    """
    chunks = (inputs if isinstance(inputs, Chunks) else Chunks(inputs)).of(shard_rows)
    top_k = top_k if output == LOGITS else None
    return tuple(
        Shard(
            teacher=k,
            output=output,
            start=start,
            stop=stop,
            key=ShardKey(
                teacher=teacher.digest,
                inputs=digest,
                output=output if output == LOGITS else teacher.feature_id(output),
                view=view,
                # Rows are augmented by their numbers: the same rows elsewhere in the data look otherwise.
                augmentation=record_digest([augmentation, start]) if augmentation else "",
                dtype=dtype,
                top_k=top_k,
                drawn=drawn and top_k is not None,
                labels=None if top_k is None else teacher.coverage.labels,
            ),
        )
        for k, teacher in enumerate(teachers)
        for start, stop, digest in chunks
    )


def pack_key(teachers: Sequence[Teacher], shards: Sequence[Shard], *, num_classes: int) -> PackKey:
    """Name the pack of all teachers that ``shards`` of one plan of logits make.

    Where the store has the pack (``store.fault`` gives None), no shard is needed, and they may have been evicted.

    Args:
        teachers: As given to ``plan_shards``.
        shards: All that ``plan_shards`` gave.
        num_classes: Classes of the data set, C.
    """
    return PackKey(
        shards=tuple(tuple(shard.key.digest for shard in shards if shard.teacher == k) for k in range(len(teachers))),
        labels=tuple(teacher.coverage.labels for teacher in teachers),
        num_rows=max(shard.stop for shard in shards),
        num_classes=num_classes,
        dtype=shards[0].key.dtype,
    )
