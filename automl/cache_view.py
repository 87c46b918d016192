"""What is said of the teachers' answers before a search: what is kept, and what the rest costs in each step."""

import pickle
from collections.abc import Iterator, Sequence

from automl.config.searchable import possible_values
from automl.numbers import byte_count, counted, duration
from automl.preparation import Prepared
from teachers import LOGITS, CachePlan, Teacher


def plan_lines(prepared: Prepared, plan: CachePlan, teachers: Sequence[Teacher], *, bytes_there: int) -> Iterator[str]:
    """Say what is kept, how much of it is there, what runs on the spot and what that costs.

    Args:
        prepared: The search.
        plan: Of its teachers' answers.
        teachers: All of them, trained or not.
        bytes_there: What earlier searches left of them.
    """
    names = [teacher.name for teacher in prepared.config.teachers]
    views = f", each in {plan.num_views} augmented views" if plan.num_views else ""
    share = min(1.0, bytes_there / plan.num_bytes) if plan.num_bytes else 0.0
    yield (
        f"cache: {byte_count(plan.num_bytes)} of at most {byte_count(plan.limit_bytes)} for the answers of "
        f"{counted(len(names), 'teacher')} about {plan.num_rows:,} rows{views}; {share:.0%} of it is there"
    )
    kept: dict[str, list[int]] = {}
    sizes: dict[str, int] = {}
    for each in plan.outputs:
        if each.kept:
            kept.setdefault(each.output, []).append(each.teacher)
            sizes[each.output] = sizes.get(each.output, 0) + each.num_bytes
    for output, of in kept.items():
        yield f"  kept: {output} of {_names(names, of)}, {byte_count(sizes[output])}"
    yield from _live_lines(prepared, plan, names)
    if plan.models:
        yield _models_line(prepared, plan, teachers)


def _live_lines(prepared: Prepared, plan: CachePlan, names: Sequence[str]) -> Iterator[str]:
    train = len(prepared.dataset.splits["train"])
    batch_size = _most_rows(prepared)
    for k, outputs in plan.live.items():
        seconds = plan.seconds_per_row[k]
        room = sum(each.num_bytes for each in plan.outputs if each.teacher == k and not each.kept)
        when = "in every step" if LOGITS in outputs else f"in each step that reads {', '.join(outputs)}"
        yield (
            f"  on the spot: {names[k]} runs {when}, {seconds * batch_size * 1e3:.3g} ms for {batch_size} rows, "
            f"{duration(seconds * train)} an epoch; {byte_count(room)} more would keep its answers"
        )


def _models_line(prepared: Prepared, plan: CachePlan, teachers: Sequence[Teacher]) -> str:
    """Tell the price of losses that run the teachers' models, as far as it is the same whatever the loss does."""
    size, batch_size = _travelling(teachers), _most_rows(prepared)
    bytes_told = "" if size is None else f", {byte_count(size)},"
    return (
        f"  the teachers' models{bytes_told} go to every trial, for {' and '.join(plan.models)}; each whole pass of a "
        f"step through them takes at least {sum(plan.seconds_per_row) * batch_size * 1e3:.3g} ms for {batch_size} rows"
    )


def _most_rows(prepared: Prepared) -> int:
    return int(max(float(value) for value in possible_values(prepared.config.recipe.batch_size)))


class _Counter:
    """A file that counts what is written to it, and keeps nothing."""

    def __init__(self) -> None:
        self.num_bytes = 0

    def write(self, piece: bytes | memoryview) -> int:
        written = memoryview(piece).nbytes
        self.num_bytes += written
        return written


def _travelling(teachers: Sequence[Teacher]) -> int | None:
    """Count the bytes of teachers as they are sent; None where only Ray knows how to pack one."""
    counter = _Counter()
    try:
        for teacher in teachers:
            pickle.dump(teacher, counter)
    except (pickle.PicklingError, AttributeError, TypeError):
        return None
    return counter.num_bytes


def _names(names: Sequence[str], positions: Sequence[int]) -> str:
    return "all teachers" if len(positions) == len(names) > 1 else ", ".join(names[k] for k in positions)
