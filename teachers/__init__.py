"""Whom a student learns from: load, cover, hear together, cache."""

from teachers.cache import (
    CachedOutputs,
    DamagedEntryError,
    OutputStore,
    PackKey,
    Shard,
    ShardKey,
    cache_bytes,
    compute_shard,
    fill,
    pack,
    pack_key,
    plan_shards,
    read_logits,
)
from teachers.ensemble import EnsembleOutputs, LabelGroup, TeacherEnsemble
from teachers.live import LiveOutputs
from teachers.loading import LOADERS, LoadedModel
from teachers.outputs import MISSING_LABEL, Batch, Inputs, Outputs, TeacherOutputs
from teachers.preprocessing import Preprocessing
from teachers.strength import Strength, teacher_strength
from teachers.taps import Taps, available
from teachers.teacher import Coverage, Teacher, TeacherModel

__all__ = [
    "LOADERS",
    "MISSING_LABEL",
    "Batch",
    "CachedOutputs",
    "Coverage",
    "DamagedEntryError",
    "EnsembleOutputs",
    "Inputs",
    "LabelGroup",
    "LiveOutputs",
    "LoadedModel",
    "OutputStore",
    "Outputs",
    "PackKey",
    "Preprocessing",
    "Shard",
    "ShardKey",
    "Strength",
    "Taps",
    "Teacher",
    "TeacherEnsemble",
    "TeacherModel",
    "TeacherOutputs",
    "available",
    "cache_bytes",
    "compute_shard",
    "fill",
    "pack",
    "pack_key",
    "plan_shards",
    "read_logits",
    "teacher_strength",
]
