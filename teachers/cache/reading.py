"""Cached answers as a trial reads them.

Shape letters: N = rows of the data set, K = teachers, B = batch, C = classes.
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from teachers.cache.entries import DamagedEntryError, check_entry, map_array, mark_used
from teachers.cache.keys import PackKey
from teachers.cache.leases import share_lock
from teachers.cache.store import OutputStore
from teachers.outputs import Batch, TeacherOutputs


class CachedOutputs:
    """Gathers a batch from a pack that is mapped read-only; fulfils ``EnsembleOutputs``.

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
            self._packed_NKC = map_array(self._path, header, "logits")
            mark_used(self._path)
        except (DamagedEntryError, FileNotFoundError) as error:
            raise DamagedEntryError(
                f"cached outputs {self._path} cannot be used on this node: {error}; fetch or pack them again"
            ) from error

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
        return self._packed_NKC.shape

    def read(self, rows: NDArray[np.int64], *, teacher: int) -> NDArray[np.float32]:
        """Read what one teacher said about some rows: (rows, ..., C), a copy; 0 for classes that it does not know."""
        return np.take(self._packed_NKC[:, teacher], rows, axis=0).astype(np.float32)

    def __call__(self, batch: Batch, features: Collection[str] = ()) -> TeacherOutputs:
        """Gather the rows of a batch; always a copy, so that writing to it reaches neither the file nor anybody else.

        Raises:
            IndexError: A row is not in the cache.
        """
        gathered_BKC = torch.from_numpy(np.take(self._packed_NKC, batch.index.numpy(), axis=0))
        return TeacherOutputs(logits=gathered_BKC.transpose(0, 1).float().contiguous())


def _reopen(path: str, digest: str) -> CachedOutputs:
    return CachedOutputs(path, digest=digest)
