"""Teachers speak once: their answers on disk, filled before any trial, gathered by every step."""

from teachers.cache.entries import DamagedEntryError
from teachers.cache.filling import Assembly, Augment, Job, compute_shard, cut_of, fill, rows_of_call, view_of
from teachers.cache.joined import JoinedOutputs
from teachers.cache.keys import (
    DTYPES,
    LOGITS,
    SHARD_ROWS,
    CacheKey,
    Chunks,
    PackKey,
    Shard,
    ShardKey,
    pack_key,
    plan_shards,
    rows_of_shard,
)
from teachers.cache.packing import pack, read_logits
from teachers.cache.plan import plan_cache
from teachers.cache.planned import AnswerForm, Budget, CachePlan, PlannedOutput
from teachers.cache.probing import Probe, probe
from teachers.cache.reading import CachedFeature, CachedOutputs
from teachers.cache.store import OutputStore
from teachers.cache.top_k import Arrays

__all__ = [
    "DTYPES",
    "LOGITS",
    "SHARD_ROWS",
    "AnswerForm",
    "Arrays",
    "Assembly",
    "Augment",
    "Budget",
    "CacheKey",
    "CachePlan",
    "CachedFeature",
    "CachedOutputs",
    "Chunks",
    "DamagedEntryError",
    "Job",
    "JoinedOutputs",
    "OutputStore",
    "PackKey",
    "PlannedOutput",
    "Probe",
    "Shard",
    "ShardKey",
    "compute_shard",
    "cut_of",
    "fill",
    "pack",
    "pack_key",
    "plan_cache",
    "plan_shards",
    "probe",
    "read_logits",
    "rows_of_call",
    "rows_of_shard",
    "view_of",
]
