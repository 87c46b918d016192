"""What the benchmarks of the cache share: images, and a cache that is filled as a search fills it."""

from collections.abc import Sequence

import numpy as np
import torch
from _lessons import NUM_CLASSES
from numpy.typing import NDArray

from teachers import CachedFeature, CachedOutputs, OutputStore, Shard, Teacher, fill, pack, plan_shards
from teachers.cache import rows_of_shard

BATCH_SIZE, FILL_BATCH = 64, 256


def images(num_rows: int, side: int) -> NDArray[np.float32]:
    """Make random images (N, 1, H, W)."""
    return np.random.default_rng(0).standard_normal((num_rows, 1, side, side), dtype=np.float32)


def plan(
    teachers: Sequence[Teacher], inputs: NDArray[np.float32], features: Sequence[str]
) -> tuple[tuple[Shard, ...], tuple[Shard, ...]]:
    """Name the shards of logits and of features."""
    logits = plan_shards(teachers, inputs, dtype="float16")
    wide: list[Shard] = []
    for name in features:
        example = teachers[0].model(torch.from_numpy(inputs[:2]), [name]).features[name]
        rows = rows_of_shard(example[0].numel() * 2)
        wide += plan_shards(teachers, inputs, dtype="float16", output=name, shard_rows=rows)
    return logits, tuple(wide)


def fill_all(
    folder: str, teachers: Sequence[Teacher], inputs: NDArray[np.float32], features: Sequence[str]
) -> tuple[CachedOutputs, list[CachedFeature]]:
    """Fill a cache as a search does, and open it."""
    store = OutputStore(folder, limit_bytes=None)
    logits, wide = plan(teachers, inputs, features)
    fill(store, [*logits, *wide], teachers, inputs, num_classes=NUM_CLASSES, batch_size=FILL_BATCH)
    return open_all(store, logits, wide, teachers)


def open_all(
    store: OutputStore, logits: Sequence[Shard], wide: Sequence[Shard], teachers: Sequence[Teacher]
) -> tuple[CachedOutputs, list[CachedFeature]]:
    """Pack the logits unless they are, and open everything."""
    key = pack(store, logits, teachers, num_classes=NUM_CLASSES)
    mine = [[shard for shard in wide if shard.teacher == k] for k in range(len(teachers))]
    return CachedOutputs.open(store, key), [CachedFeature(store, shards) for shards in mine if shards]
