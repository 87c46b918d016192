"""Teachers speak once: their answers on disk, filled before any trial, gathered by every step."""

from teachers.cache.entries import DamagedEntryError
from teachers.cache.filling import compute_shard, fill
from teachers.cache.keys import DTYPES, SHARD_ROWS, PackKey, Shard, ShardKey, cache_bytes, pack_key, plan_shards
from teachers.cache.packing import pack, read_logits
from teachers.cache.reading import CachedOutputs
from teachers.cache.store import OutputStore

__all__ = [
    "DTYPES",
    "SHARD_ROWS",
    "CachedOutputs",
    "DamagedEntryError",
    "OutputStore",
    "PackKey",
    "Shard",
    "ShardKey",
    "cache_bytes",
    "compute_shard",
    "fill",
    "pack",
    "pack_key",
    "plan_shards",
    "read_logits",
]
