"""Cached answers as a trial reads them.

Shape letters: N = rows of the data set, K = teachers, F = teachers whose logits are kept in full, T = teachers whose
logits are cut, B = batch, C = classes.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachers.cache.entries import DamagedEntryError, check_entry, map_array, mark_used
from teachers.cache.keys import PackKey, Shard
from teachers.cache.leases import share_lock
from teachers.cache.packing import FULL, KNOWN, TOP
from teachers.cache.store import OutputStore
from teachers.cache.top_k import decode_top
from teachers.outputs import Batch, TeacherOutputs
from teachers.token_outputs import CutLogits, TokenOutputs


class CachedOutputs:
    """Gathers a batch of logits from a pack that is mapped read-only; fulfils ``EnsembleOutputs`` without features.

    While it lives its file is not evicted. Pickled, it is its path and key, and opens the file of the node it lands on.
    """

    def __init__(self, path: str | Path, *, digest: str) -> None:
        """Check the file and map it.

        Args:
            path: Of the pack.
            digest: Of its key.

        Raises:
            DamagedEntryError: The pack is not on this node, or must not be used.
        """
        self._path = Path(path)
        self._digest = digest
        try:
            share_lock(self._path, holder=self)
            header = check_entry(self._path, digest=digest)
            arrays = {name: map_array(self._path, header, name) for name in header.arrays}
            mark_used(self._path)
        except (DamagedEntryError, FileNotFoundError) as error:
            raise DamagedEntryError(
                f"cached outputs {self._path} cannot be used on this node: {error}; fetch or pack them again"
            ) from error
        self._full_NFC = arrays[FULL]
        self._cut = _Cut(arrays) if TOP in arrays else None

    @classmethod
    def open(cls, store: OutputStore, key: PackKey) -> "CachedOutputs":
        """Open the pack that a key names."""
        return cls(store.path(key), digest=key.digest)

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        """Travel as path and key."""
        return _reopen, (str(self._path), self._digest)

    @property
    def shape(self) -> tuple[int, ...]:
        """Give (N, K, ..., C)."""
        rows, full, *rest = self._full_NFC.shape
        return rows, full + (0 if self._cut is None else len(self._cut.teachers)), *rest

    def read(self, rows: NDArray[np.int64], *, teacher: int) -> NDArray[np.float32]:
        """Read what one teacher said about some rows: (rows, ..., C), a copy; 0 for classes that it does not know."""
        if self._cut is None:
            return np.take(self._full_NFC[:, teacher], rows, axis=0).astype(np.float32)
        gathered: NDArray[np.float32] = self._gather(rows)[teacher].numpy()
        return gathered

    def __call__(self, batch: Batch, features: Collection[str] = ()) -> TeacherOutputs:
        """Gather the rows of a batch; always a copy, so that writing to it reaches neither the file nor anybody else.

        Raises:
            IndexError: A row is not in the cache.
        """
        assert not features, f"a pack holds logits alone, asked for {sorted(features)}"
        return TeacherOutputs(logits=self._gather(batch.index.numpy()))

    def of_tokens(self, batch: Batch, features: Collection[str] = ()) -> TokenOutputs:
        """Gather the rows of a batch whose answers are (T, V), cut as they are kept.

        Raises:
            IndexError: A row is not in the cache.
        """
        assert not features, f"a pack holds logits alone, asked for {sorted(features)}"
        rows = batch.index.numpy()
        found: dict[int, Tensor | CutLogits] = {}
        if self._cut is not None:
            found |= dict(zip(self._cut.teachers, self._cut.of_tokens(rows), strict=True))
        full = [k for k in range(self.shape[1]) if k not in found]
        found |= dict(zip(full, torch.from_numpy(np.take(self._full_NFC, rows, axis=0)).unbind(dim=1), strict=True))
        return TokenOutputs(logits=tuple(found[k] for k in range(len(found))))

    def _gather(self, rows: NDArray[np.int64]) -> Tensor:
        gathered_BFC = torch.from_numpy(np.take(self._full_NFC, rows, axis=0))
        full_FBC = gathered_BFC.transpose(0, 1).float().contiguous()
        return full_FBC if self._cut is None else self._cut.among(full_FBC, rows)


class _Cut:
    """Those teachers of a pack of whose logits only the largest are kept."""

    def __init__(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        self.teachers = arrays[TOP].tolist()
        self._arrays = [arrays[name] for name in ("values", "classes", "tail")]
        tail = arrays["tail"]
        known_TC = np.array(arrays[KNOWN], dtype=bool)  # A copy: PyTorch warns of what it must not write to.
        self._known = known_TC.reshape(len(self.teachers), *(1,) * (tail.ndim - 2), -1)

    def of_tokens(self, rows: NDArray[np.int64]) -> list[CutLogits]:
        """Give what is kept of each teacher."""
        width = self._known.shape[-1]
        assert self._known.all(), "teachers of tokens know them all"
        gathered = [np.take(array, rows, axis=0) for array in self._arrays]
        if gathered[1].dtype == np.uint16:
            gathered[1] = gathered[1].astype(np.int32)  # PyTorch cannot index by what numpy keeps in two bytes.
        values, classes, tail = (torch.from_numpy(array).unbind(dim=1) for array in gathered)
        return [
            CutLogits(values=v, classes=c, tail=t, width=width) for v, c, t in zip(values, classes, tail, strict=True)
        ]

    def among(self, full_FBC: Tensor, rows: NDArray[np.int64]) -> Tensor:
        """Put all teachers in their places: (K, B, ..., C)."""
        values, classes, tail = (np.take(array, rows, axis=0) for array in self._arrays)
        cut_TBC = decode_top(values, classes, tail, known=self._known).transpose(0, 1)
        num_teachers = len(full_FBC) + len(self.teachers)
        full = [k for k in range(num_teachers) if k not in self.teachers]
        together = full_FBC.new_empty(num_teachers, *full_FBC.shape[1:])
        together[full], together[self.teachers] = full_FBC, cut_TBC
        return together


class CachedFeature:
    """Gathers a batch of one feature of one teacher from its shards, which are mapped read-only as they are needed."""

    def __init__(self, store: OutputStore, shards: Sequence[Shard]) -> None:
        """Check all shards.

        Args:
            store: Where they are; whoever makes this leases them.
            shards: Of one teacher and output, in the order of their rows, all of one number of rows but the last.

        Raises:
            DamagedEntryError: One is not on this node, or must not be used.
        """
        for shard in shards:
            if (fault := store.fault(shard.key)) is not None:
                raise DamagedEntryError(f"cached outputs {store.path(shard.key)} cannot be used on this node: {fault}")
        self._store, self._shards = store, tuple(shards)
        self._shard_rows = shards[0].stop - shards[0].start
        self._maps: list[NDArray[np.generic] | None] = [None] * len(shards)

    def gather(self, rows: NDArray[np.int64]) -> Tensor:
        """Gather some rows (B, ...), float32, a copy.

        Raises:
            IndexError: A row is not in the cache.
        """
        if len(self._shards) == 1:
            return torch.from_numpy(np.take(self._map(0), rows, axis=0)).float()
        chunks, offsets = np.divmod(rows, self._shard_rows)
        first = self._map(int(chunks[0]))
        gathered = np.empty((len(rows), *first.shape[1:]), first.dtype)
        for position, (chunk, offset) in enumerate(zip(chunks.tolist(), offsets.tolist(), strict=True)):
            gathered[position] = self._map(chunk)[offset]
        return torch.from_numpy(gathered).float()

    def _map(self, chunk: int) -> NDArray[np.generic]:
        found = self._maps[chunk]
        if found is None:
            found = self._maps[chunk] = self._store.read_shard(self._shards[chunk].key)["values"]
        return found


def _reopen(path: str, digest: str) -> CachedOutputs:
    return CachedOutputs(path, digest=digest)
