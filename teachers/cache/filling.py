"""Computing what a cache holds, one shard at a time, in any process.

Shape letters: B = batch.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachers.cache.keys import Shard
from teachers.cache.store import OutputStore
from teachers.columns import check_finite, class_columns
from teachers.digests import RawRows
from teachers.outputs import Outputs
from teachers.teacher import Teacher


def compute_shard(
    teacher: Teacher,
    inputs: RawRows,
    *,
    num_classes: int,
    dtype: str,
    outputs: tuple[str, ...] = ("logits",),
    batch_size: int = 256,
) -> dict[str, NDArray[np.generic]]:
    """Ask a teacher about a chunk of rows.

    Args:
        teacher: Answers for raw inputs.
        inputs: Raw inputs of the chunk (n, ...), or n texts; they stay as they are.
        num_classes: Classes of the data set, C.
        dtype: ``float16`` or ``float32``.
        outputs: ``logits``, or names of features.
        batch_size: Rows of one call of the teacher.

    Returns:
        Each output by name, (n, ...); logits in the columns that the teacher gave.

    Raises:
        ValueError: Answers are not finite, have a wrong number of columns or rows, or lack an output.
    """
    kept_dtype = {"float16": torch.float16, "float32": torch.float32}[dtype]
    features = [name for name in outputs if name != "logits"]
    pieces: dict[str, list[Tensor]] = {name: [] for name in outputs}
    for start in range(0, len(inputs), batch_size):
        rows = inputs[start : start + batch_size]
        answer = teacher.model(rows if isinstance(rows, list) else torch.from_numpy(rows.copy()), features)
        for name in outputs:
            values = _named(teacher, answer, name)
            if len(values) != len(rows):
                raise ValueError(f"teacher {teacher.name!r} gave {name} for {len(values)} rows, expected {len(rows)}")
            if name == "logits":
                class_columns(teacher, width=values.shape[-1], num_classes=num_classes)
            pieces[name].append(values.detach().to("cpu", kept_dtype, copy=True))
    computed = {name: torch.cat(values) for name, values in pieces.items()}
    for name, values in computed.items():
        check_finite(teacher, name, values)  # After rounding, since float16 ends at 65504.
    return {name: values.numpy() for name, values in computed.items()}


def fill(
    store: OutputStore,
    shards: Sequence[Shard],
    teachers: Sequence[Teacher],
    inputs: RawRows,
    *,
    num_classes: int,
    batch_size: int = 256,
) -> int:
    """Compute and store what is missing or damaged, one shard after the other in this process.

    Args:
        store: Where shards go.
        shards: All of a plan.
        teachers: As given to ``plan_shards``.
        inputs: Raw inputs of all rows.
        num_classes: Classes of the data set, C.
        batch_size: Rows of one call of a teacher.

    Returns:
        Number of shards that were computed.
    """
    missing = store.missing(shards)
    for shard in missing:
        arrays = compute_shard(
            teachers[shard.teacher],
            inputs[shard.start : shard.stop],
            num_classes=num_classes,
            dtype=shard.key.dtype,
            outputs=shard.key.outputs,
            batch_size=batch_size,
        )
        store.store_shard(shard.key, arrays)
    return len(missing)


def _named(teacher: Teacher, answer: Outputs, name: str) -> Tensor:
    if name == "logits":
        return answer.logits
    if name not in answer.features:
        known = sorted(["logits", *answer.features])
        raise ValueError(f"teacher {teacher.name!r} gives no output {name!r}; it gives {known}")
    return answer.features[name]
