"""All teachers of an ensemble in one file, so that a step reads its batch with one index.

Shape letters: N = rows of the data set, n = rows of a chunk, K = teachers, F = teachers whose logits are kept in full,
T = teachers whose logits are cut, C = classes, k = classes that are kept of cut logits.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from teachers.cache.entries import ArraySpec, DamagedEntryError, write_entry
from teachers.cache.keys import PackKey, Shard, ShardKey, pack_key
from teachers.cache.store import OutputStore
from teachers.cache.top_k import Arrays
from teachers.columns import class_columns
from teachers.teacher import Teacher

FULL, TOP, KNOWN = "logits", "top", "known"
"""Arrays of a pack: logits in full (N, F, ..., C); where some are cut also their teachers' positions (T,), the classes
that these know (T, C), and ``values`` (N, T, ..., k), ``classes`` (N, T, ..., k) and ``tail`` (N, T, ...)."""


def pack(store: OutputStore, shards: Sequence[Shard], teachers: Sequence[Teacher], *, num_classes: int) -> PackKey:
    """Make the file of a whole plan of logits, unless it is there; columns that a teacher does not know hold 0.

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
        packing = _Packing(store, shards, teachers, num_classes)
        write_entry(store.path(key), digest=key.digest, arrays=packing.specs(key), blocks=packing.blocks())
    return key


def read_logits(store: OutputStore, shards: Sequence[Shard], *, teacher: int) -> NDArray[np.float32]:
    """Read what one teacher said about all rows, in the columns that it gave.

    Args:
        store: Holds all shards, kept in full.
        shards: All that ``plan_shards`` gave.
        teacher: Its position.

    Returns:
        Logits (N, ..., C_k) or (N, ..., C), a copy.

    Raises:
        DamagedEntryError: A shard is missing or damaged; fill again.
    """
    chunks = [_arrays(store, shard.key)["values"] for shard in shards if shard.teacher == teacher]
    return np.concatenate(chunks).astype(np.float32)


def _arrays(store: OutputStore, key: ShardKey) -> Arrays:
    try:
        return store.read_shard(key)
    except DamagedEntryError as error:
        raise DamagedEntryError(f"cached outputs {store.path(key)}: {error}; fill the cache again") from error


class _Packing:
    """The arrays of a pack, and their bytes in the order of the file."""

    def __init__(
        self, store: OutputStore, shards: Sequence[Shard], teachers: Sequence[Teacher], num_classes: int
    ) -> None:
        """Look at the first chunk to see which teachers' logits are cut."""
        self._store, self._teachers, self._num_classes = store, teachers, num_classes
        self._chunks: dict[int, dict[int, Shard]] = {}
        for shard in shards:
            self._chunks.setdefault(shard.start, {})[shard.teacher] = shard
        first = [_arrays(store, shard.key) for _, shard in sorted(next(iter(self._chunks.values())).items())]
        self._cut = [k for k, arrays in enumerate(first) if "tail" in arrays]
        self._full = [k for k in range(len(teachers)) if k not in self._cut]
        self._form = first[0]["values"].shape[1:-1]
        for k, arrays in enumerate(first):
            if arrays["values"].shape[1:-1] != self._form:
                raise ValueError(
                    f"logits of teacher {teachers[k].name!r} have shape {arrays['values'].shape[1:]} a row, "
                    f"those of {teachers[0].name!r} {(*self._form, '…')}; teachers must agree up to the classes"
                )
        self._example = first

    def specs(self, key: PackKey) -> Mapping[str, ArraySpec]:
        """Say what the file holds."""
        rows, form = key.num_rows, self._form
        full = (rows, len(self._full), *form, self._num_classes)
        specs = {FULL: ArraySpec(dtype=key.dtype, shape=full)}
        if self._cut:
            example = self._example[self._cut[0]]
            specs[TOP] = ArraySpec(dtype="int64", shape=(len(self._cut),))
            specs[KNOWN] = ArraySpec(dtype="bool", shape=(len(self._cut), self._num_classes))
            for name in ("values", "classes", "tail"):
                # Classes are those of the data set here, of which there may be more than a teacher knows.
                dtype = _class_dtype(self._num_classes) if name == "classes" else example[name].dtype.name
                shape = (rows, len(self._cut), *example[name].shape[1:])
                specs[name] = ArraySpec(dtype=dtype, shape=shape)
        return specs

    def blocks(self) -> Iterator[memoryview]:
        """Give the bytes, chunk by chunk."""
        if self._full:
            yield from (_bytes(self._full_block(chunk)) for chunk in self._in_order())
        if self._cut:
            yield _bytes(np.array(self._cut, dtype=np.int64))
            yield _bytes(np.stack([self._known(k) for k in self._cut]))
            for name in ("values", "classes", "tail"):
                yield from (_bytes(self._cut_block(chunk, name)) for chunk in self._in_order())

    def _in_order(self) -> Iterator[dict[int, Shard]]:
        return (self._chunks[start] for start in sorted(self._chunks))

    def _full_block(self, chunk: Mapping[int, Shard]) -> NDArray[np.generic]:
        shard = chunk[self._full[0]]
        shape = (shard.stop - shard.start, len(self._full), *self._form, self._num_classes)
        block_nFC = np.zeros(shape, dtype=shard.key.dtype)
        for position, k in enumerate(self._full):
            logits = _arrays(self._store, chunk[k].key)["values"]
            columns, classes = class_columns(self._teachers[k], width=logits.shape[-1], num_classes=self._num_classes)
            block_nFC[:, position][..., classes] = logits[..., columns]
        return block_nFC

    def _cut_block(self, chunk: Mapping[int, Shard], name: str) -> NDArray[np.generic]:
        parts = [_arrays(self._store, chunk[k].key)[name] for k in self._cut]
        if name == "classes":
            dtype = np.dtype(_class_dtype(self._num_classes))
            parts = [self._labels(k)[part].astype(dtype) for k, part in zip(self._cut, parts, strict=True)]
        return np.stack(parts, axis=1)

    def _labels(self, k: int) -> NDArray[np.int64]:
        labels = self._teachers[k].coverage.labels
        return np.arange(self._num_classes) if labels is None else np.array(labels)

    def _known(self, k: int) -> NDArray[np.bool_]:
        known_C = np.zeros(self._num_classes, dtype=bool)
        known_C[self._labels(k)] = True
        return known_C


def _class_dtype(num_classes: int) -> str:
    return "uint16" if num_classes <= 2**16 else "int32"


def _bytes(array: NDArray[np.generic]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
