"""A folder of cached answers, shared by all runs, with a limit of its size."""

import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from teachers.cache.entries import (
    ArraySpec,
    DamagedEntryError,
    check_entry,
    map_array,
    mark_used,
    write_bytes,
    write_entry,
)
from teachers.cache.keys import CacheKey, Shard, ShardKey
from teachers.cache.leases import exclusive, lease, leased_names, try_lock

_ABANDONED_SECONDS = 3600.0


class OutputStore:
    """Finds, checks, writes and evicts files; any number of processes may use one folder."""

    def __init__(self, folder: str | Path, *, limit_bytes: int | None) -> None:
        """Use a folder, which is made when something is written.

        Args:
            folder: On a local disk.
            limit_bytes: What ``make_room`` keeps the folder under; None means no limit.
        """
        self.folder = Path(folder)
        self.limit_bytes = limit_bytes

    def path(self, key: CacheKey) -> Path:
        """Say where a shard or pack lies, whether it exists or not."""
        kind = "shard" if isinstance(key, ShardKey) else "pack"
        return self.folder / key.digest[:2] / f"{key.digest}.{kind}"

    def fault(self, key: CacheKey) -> str | None:
        """Say why a shard or pack cannot be used, or None where it can; reads it through once a process."""
        try:
            check_entry(self.path(key), digest=key.digest)
        except DamagedEntryError as error:
            return str(error)
        return None

    def missing(self, shards: Iterable[Shard]) -> dict[Shard, str]:
        """List the shards that must be computed, each with the reason: missing, torn, changed, of another version."""
        faults = {shard: self.fault(shard.key) for shard in shards}
        return {shard: fault for shard, fault in faults.items() if fault is not None}

    def store_shard(self, key: ShardKey, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Write what ``compute_shard`` gave; a damaged file in its place is replaced.

        Raises:
            OSError: The disk is full or cannot be written; nothing is left half-written.
        """
        arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        specs = {name: ArraySpec(dtype=array.dtype.name, shape=array.shape) for name, array in arrays.items()}
        blocks = (array.reshape(-1).view(np.uint8).data for array in arrays.values())
        write_entry(self.path(key), digest=key.digest, arrays=specs, blocks=blocks)

    def read_shard(self, key: ShardKey) -> dict[str, NDArray[np.generic]]:
        """Map the arrays of a shard, read-only.

        Raises:
            DamagedEntryError: It must not be used.
        """
        path = self.path(key)
        header = check_entry(path, digest=key.digest)
        with _evicted_is_missing():
            mark_used(path)
            return {name: map_array(path, header, name) for name in header.arrays}

    def read_shard_bytes(self, key: CacheKey) -> bytes:
        """Read a shard, or a pack, as bytes to send to another node.

        Raises:
            DamagedEntryError: It must not be used.
        """
        path = self.path(key)
        check_entry(path, digest=key.digest)
        with _evicted_is_missing():
            mark_used(path)
            return path.read_bytes()

    def store_shard_bytes(self, key: CacheKey, content: bytes) -> None:
        """Write a shard, or a pack, that another node read.

        Raises:
            DamagedEntryError: The bytes are not the whole entry of this key; nothing is written.
        """
        write_bytes(self.path(key), content, digest=key.digest)

    def lease(self, keys: Iterable[CacheKey]) -> AbstractContextManager[None]:
        """Keep shards and packs, there or still to come, from eviction by any process while the context lasts.

        A search leases all it needs before it fills. A pack that is open for reading is kept without a lease.
        """
        names = [self.path(key).name for key in keys]
        return lease(self.folder / "leases", names, guard=self._guard)

    def hold(self, keys: Iterable[CacheKey], *, holder: object) -> None:
        """Keep shards and packs from eviction as long as an object lives."""
        context = self.lease(keys)
        context.__enter__()
        weakref.finalize(holder, context.__exit__, None, None, None)

    def used_bytes(self) -> int:
        """Count the bytes of all shards and packs."""
        return sum(size for _, _, size in self._files())

    def make_room(self, num_bytes: int, *, keep: Sequence[CacheKey] = ()) -> int:
        """Evict what was used longest ago until a number of bytes fits under the limit.

        Args:
            num_bytes: What will be written.
            keep: Not evicted, as if leased.

        Returns:
            Bytes that were evicted.

        Raises:
            ValueError: It does not fit even without all that is not in use.
        """
        if self.limit_bytes is None:
            return 0
        with exclusive(self._guard):
            kept = leased_names(self.folder / "leases") | {self.path(key).name for key in keep}
            self._remove_abandoned()
            files = self._files()
            excess = sum(size for _, _, size in files) + num_bytes - self.limit_bytes
            evicted = 0
            for _, path, size in sorted(files):
                if evicted >= excess:
                    break
                if path.name not in kept and _evict(path):
                    evicted += size
        if evicted < excess:
            raise ValueError(
                f"the cache {self.folder} may hold {self.limit_bytes} bytes; {num_bytes} more bytes do not fit beside "
                f"what is in use, {excess - evicted} too many: raise the limit, or take fewer rows"
            )
        return evicted

    @property
    def _guard(self) -> Path:
        return self.folder / "guard.lock"

    def _files(self) -> list[tuple[int, Path, int]]:
        """List time of last use, path and size of all entries; others may remove some meanwhile."""
        found = []
        for pattern in ("??/*.shard", "??/*.pack"):
            for path in self.folder.glob(pattern):
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue
                found.append((status.st_atime_ns, path, status.st_size))
        return found

    def _remove_abandoned(self) -> None:
        """Remove unfinished files of processes that were killed; a living one writes to its own all the time."""
        for path in self.folder.glob("??/*.tmp"):
            try:
                if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()
            except FileNotFoundError:
                continue


@contextmanager
def _evicted_is_missing() -> Iterator[None]:
    """Another process may evict a file between its check and its use."""
    try:
        yield
    except FileNotFoundError:
        raise DamagedEntryError("missing") from None


def _evict(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if not try_lock(file):
                return False
            path.unlink()
    except FileNotFoundError:
        return False
    return True
