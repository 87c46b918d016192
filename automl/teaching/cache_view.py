"""What is said of the teachers' answers before a search: what is kept, and what the rest costs in each step."""

from collections.abc import Iterator, Sequence

from automl.config.searchable import possible_values
from automl.numbers import byte_count, counted, duration, listed
from automl.preparation.prepare import Prepared
from automl.teaching.caching import roomy_gb
from teachers import LOGITS, CachePlan, Teacher, travelling_bytes


def plan_lines(prepared: Prepared, plan: CachePlan, teachers: Sequence[Teacher], *, bytes_there: int) -> Iterator[str]:
    """Say what is kept, how much of it is there, what runs on the spot and what that costs.

    Args:
        prepared: The search.
        plan: Of its teachers' answers.
        teachers: All of them, trained or not.
        bytes_there: What earlier searches left of them.
    """
    names = [teacher.name for teacher in prepared.config.teachers]
    form = plan.form
    views = f", each in {form.num_views} augmented views" if form.num_views else ""
    share = min(1.0, bytes_there / plan.num_bytes) if plan.num_bytes else 0.0
    yield (
        f"cache: {byte_count(plan.num_bytes)} of at most {byte_count(plan.budget.disk_bytes)} for the answers of "
        f"{counted(len(names), 'teacher')} about {form.rows(LOGITS, 0):,} rows{views}; {share:.0%} of it is there"
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
    if plan.lacking_bytes:
        yield (
            "  cache.gb is too small for all that this search reads of teachers: what has no room is computed anew in "
            f"every trial; cache.gb: {roomy_gb(plan.num_bytes + plan.lacking_bytes)} keeps all"
        )
    if plan.models:
        yield _models_line(prepared, plan, teachers)
    yield _memory_line(plan, names, is_there=bytes_there >= plan.num_bytes)


def removal_line(used_bytes: int, bytes_to_come: int, *, limit_bytes: int) -> str:
    """Say that answers which earlier searches left must go; empty where all have room.

    Args:
        used_bytes: Of all that the cache holds.
        bytes_to_come: What this search adds.
        limit_bytes: What the cache may hold.
    """
    excess = used_bytes + bytes_to_come - limit_bytes
    if excess <= 0:
        return ""
    enough = roomy_gb(used_bytes + bytes_to_come)
    return (
        f"  {byte_count(excess)} that earlier searches left, those used longest ago, are removed for it, and asked of "
        f"the teachers anew by whoever needs them; cache.gb: {enough} keeps both"
    )


def _memory_line(plan: CachePlan, names: Sequence[str], *, is_there: bool) -> str:
    """Say what teachers take of each machine's memory; files are mapped, and no more of them is held than has room."""
    trials = counted(plan.budget.trials, "trial")
    parts = [f"  memory: no teacher runs in a trial, of at most {byte_count(plan.budget.memory_bytes)}"]
    if of := plan.needs_models:
        untold = [names[k] for k in of if plan.held_bytes[k] is None]
        parts = [
            f"  memory: {byte_count(plan.memory_bytes)} of at most {byte_count(plan.budget.memory_bytes)} for "
            f"{_names(names, of)} in {trials} at a time, {byte_count(plan.trial_bytes)} in each"
            + (f", and what {listed(untold)} takes, which cannot be told" if untold else "")
        ]
    if not is_there:
        parts.append(f"a process that fills the cache takes about {byte_count(plan.filling_bytes)}")
    return "; ".join(parts)


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
    sizes, batch_size = [travelling_bytes(teacher) for teacher in teachers], _most_rows(prepared)
    known = [size for size in sizes if size is not None]
    bytes_told = f", {byte_count(sum(known))}," if len(known) == len(sizes) else ""
    return (
        f"  the teachers' models{bytes_told} go to every trial, for {' and '.join(plan.models)}; each whole pass of a "
        f"step through them takes at least {sum(plan.seconds_per_row) * batch_size * 1e3:.3g} ms for {batch_size} rows"
    )


def _most_rows(prepared: Prepared) -> int:
    return int(max(float(value) for value in possible_values(prepared.config.recipe.batch_size)))


def _names(names: Sequence[str], positions: Sequence[int]) -> str:
    return "all teachers" if len(positions) == len(names) > 1 else ", ".join(names[k] for k in positions)
