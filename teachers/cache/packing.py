"""All teachers of an ensemble in one file, so that a step reads its batch with one index.

Shape letters: N = rows of the data set, n = rows of a chunk, K = teachers, C = classes.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from teachers.cache.entries import ArraySpec, DamagedEntryError, write_entry
from teachers.cache.keys import PackKey, Shard, ShardKey, pack_key
from teachers.cache.store import OutputStore
from teachers.columns import class_columns
from teachers.teacher import Teacher


def pack(store: OutputStore, shards: Sequence[Shard], teachers: Sequence[Teacher], *, num_classes: int) -> PackKey:
    """Make the file (N, K, ..., C) of a whole plan, unless it is there; columns that a teacher does not know hold 0.

    Chunks go through memory one at a time. Several processes may pack the same at once: each writes its own file and
    renames it.

    Args:
        store: Holds all shards.
        shards: All that ``plan_shards`` gave.
        teachers: As given to ``plan_shards``.
        num_classes: Classes of the data set, C.

    Returns:
        Names the pack in the store.

    Raises:
        DamagedEntryError: A shard is missing or damaged; fill again.
        ValueError: A teacher's logits have a wrong number of columns, or not the form of the first teacher's.
    """
    key = pack_key(teachers, shards, num_classes=num_classes)
    if store.fault(key) is not None:
        first = _logits(store, shards[0].key)
        shape = (key.num_rows, len(teachers), *first.shape[1:-1], num_classes)
        specs = {"logits": ArraySpec(dtype=key.dtype, shape=shape)}
        blocks = _blocks(store, shards, teachers, shape=shape, dtype=key.dtype)
        write_entry(store.path(key), digest=key.digest, arrays=specs, blocks=blocks)
    return key


def read_logits(store: OutputStore, shards: Sequence[Shard], *, teacher: int) -> NDArray[np.float32]:
    """Read what one teacher said about all rows, in the columns that it gave.

    Args:
        store: Holds all shards.
        shards: All that ``plan_shards`` gave.
        teacher: Its position.

    Returns:
        Logits (N, ..., C_k) or (N, ..., C), a copy.

    Raises:
        DamagedEntryError: A shard is missing or damaged; fill again.
    """
    chunks = [_logits(store, shard.key) for shard in shards if shard.teacher == teacher]
    return np.concatenate(chunks).astype(np.float32)


def _logits(store: OutputStore, key: ShardKey) -> NDArray[np.generic]:
    try:
        return store.read_shard(key)["logits"]
    except DamagedEntryError as error:
        raise DamagedEntryError(f"cached outputs {store.path(key)}: {error}; fill the cache again") from error


def _blocks(
    store: OutputStore, shards: Sequence[Shard], teachers: Sequence[Teacher], *, shape: tuple[int, ...], dtype: str
) -> Iterator[memoryview]:
    chunks: dict[int, list[Shard]] = {}
    for shard in shards:
        chunks.setdefault(shard.start, []).append(shard)
    for start in sorted(chunks):
        stop = chunks[start][0].stop
        block_nKC = np.zeros((stop - start, *shape[1:]), dtype=dtype)
        for shard in chunks[start]:
            logits = _logits(store, shard.key)
            teacher = teachers[shard.teacher]
            if logits.shape[1:-1] != shape[2:-1]:
                raise ValueError(
                    f"logits of teacher {teacher.name!r} have shape {logits.shape[1:]} a row, "
                    f"those of {teachers[0].name!r} {(*shape[2:-1], '…')}; teachers must agree up to the classes"
                )
            columns, classes = class_columns(teacher, width=logits.shape[-1], num_classes=shape[-1])
            block_nKC[:, shard.teacher][..., classes] = logits[..., columns]
        yield block_nKC.reshape(-1).view(np.uint8).data
