"""What a plan of the cache takes of the disk where some of the teachers are one model."""

from collections.abc import Sequence
from dataclasses import replace

from teachers.cache.keys import LOGITS
from teachers.cache.plan import CachePlan
from teachers.teacher import Teacher


def counted_once(plan: CachePlan, teachers: Sequence[Teacher]) -> CachePlan:
    """Count the shards of teachers that are one model once, since their files are the same; a pack holds each teacher.

    Args:
        plan: Of all teachers, each counted by itself.
        teachers: As loaded.
    """
    counted: set[tuple[str, str, tuple[int, ...] | None]] = set()
    outputs = []
    for each in plan.outputs:
        teacher = teachers[each.teacher]
        if each.output == LOGITS:
            labels = None if plan.top_k is None else teacher.coverage.labels
            thing = (teacher.digest, LOGITS, labels)
        else:
            thing = (teacher.digest, teacher.feature_id(each.output), None)
        rows = plan.num_rows * len(plan.views(each.output))
        is_there = each.kept and thing in counted
        outputs.append(replace(each, num_bytes=rows * each.packed_row_bytes) if is_there else each)
        if each.kept:
            counted.add(thing)
    return replace(plan, outputs=tuple(outputs))
