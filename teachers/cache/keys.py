"""What a cached answer is keyed by: contents alone, never a path, a time or a step."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

from teachers.digests import RawRows, record_digest, rows_digest
from teachers.teacher import Teacher

DTYPES = ("float16", "float32")
"""Types in which answers are kept; float16 halves the bytes and keeps three digits."""

SHARD_ROWS = 4096
"""Rows of a shard: appended rows touch the last one only."""


@dataclass(frozen=True, kw_only=True)
class ShardKey:
    """Names what one teacher said about one chunk of rows.

    Args:
        teacher: Digest of its parameters and preprocessing.
        inputs: Digest of the chunk's raw inputs.
        view: Number of the augmented view; 0 means the rows as they are.
        augmentation: Digest of how view 1 and higher are made; empty for view 0.
        outputs: Which outputs are kept, ``logits`` or names of features.
        dtype: One of ``DTYPES``.
    """

    teacher: str
    inputs: str
    view: int = 0
    augmentation: str = ""
    outputs: tuple[str, ...] = ("logits",)
    dtype: str

    def __post_init__(self) -> None:
        """Reject an unknown type, and a view that nobody could make again."""
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype of cached outputs must be one of {list(DTYPES)}, got {self.dtype!r}")
        if self.view < 0 or (self.view == 0) != (not self.augmentation):
            raise ValueError(f"view 0 has no augmentation and every other view has one, got {self}")

    @cached_property
    def digest(self) -> str:
        """64 hexadecimal digits that name it."""
        return record_digest(["shard", asdict(self)])


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
        start: First row.
        stop: Row after the last one.
        key: Names its result.
    """

    teacher: int
    start: int
    stop: int
    key: ShardKey


def plan_shards(
    teachers: Sequence[Teacher],
    inputs: RawRows,
    *,
    dtype: str,
    outputs: tuple[str, ...] = ("logits",),
    view: int = 0,
    augmentation: str = "",
    shard_rows: int = SHARD_ROWS,
) -> tuple[Shard, ...]:
    """Cut the work into shards: teacher by teacher, for each its chunks in order.

    Args:
        teachers: In the order of the ensemble.
        inputs: Raw inputs of all rows, before any augmentation.
        dtype: One of ``DTYPES``.
        outputs: As in ``ShardKey``.
        view: As in ``ShardKey``.
        augmentation: As in ``ShardKey``.
        shard_rows: Rows of a chunk, at least 1; another number makes other shards.
    """
    starts = range(0, len(inputs), shard_rows)
    chunks = [(start, min(start + shard_rows, len(inputs))) for start in starts]
    digests = [rows_digest(inputs[start:stop]) for start, stop in chunks]
    return tuple(
        Shard(
            teacher=k,
            start=start,
            stop=stop,
            key=ShardKey(
                teacher=teacher.digest,
                inputs=digest,
                view=view,
                augmentation=augmentation,
                outputs=outputs,
                dtype=dtype,
            ),
        )
        for k, teacher in enumerate(teachers)
        for (start, stop), digest in zip(chunks, digests, strict=True)
    )


def pack_key(teachers: Sequence[Teacher], shards: Sequence[Shard], *, num_classes: int) -> PackKey:
    """Name the pack of all teachers that ``shards`` of one plan make.

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


def cache_bytes(num_rows: int, num_teachers: int, num_classes: int, dtype: str) -> int:
    """Forecast the disk that logits take: the shards, and the pack that is made of them.

    A little more comes on top: under 1 KB a shard, and the names of shards in the pack.
    """
    itemsize = {"float16": 2, "float32": 4}[dtype]
    return 2 * num_rows * num_teachers * num_classes * itemsize
