"""What of the teachers' answers is cached, and what is asked on the spot, within limits of disk and memory."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from teachers.cache.keys import LOGITS
from teachers.cache.planned import LEADING_COPIES, AnswerForm, Budget, CachePlan, PlannedOutput
from teachers.cache.probing import Probe
from teachers.cache.room import Disk, Files, Whole, models_to_keep
from teachers.cache.top_k import keeps_top, top_bytes


def plan_cache(
    probes: Sequence[Probe],
    terms: Sequence[tuple[str, ...]],
    *,
    form: AnswerForm,
    budget: Budget,
    models: tuple[str, ...] = (),
) -> CachePlan:
    """Decide what is cached: logits first, then the features of one term after another, by seconds saved a byte.

    A teacher runs in a step as soon as one thing is lacking. So the features that a term reads of a teacher are cached
    together or not at all, and none of a teacher whose logits found no room. Where the teachers that would run so do
    not fit into memory, some are cached whole before anything else is, if there is a way: those that leave the others
    few enough, and take the least disk.

    Args:
        probes: Of the teachers, in their order.
        terms: Features that a term reads of each teacher, for each term and each of its options that may be chosen.
        form: Of the answers.
        budget: Of disk and memory. The plan keeps to the disk; whether memory suffices, ``CachePlan.fits_memory`` says.
        models: Names of losses that run the teachers' models themselves.
    """
    names = tuple(dict.fromkeys(name for term in terms for name in term))
    # Of those that only write there is nothing to keep.
    answers = [_Answers(k, each, names, form) for k, each in enumerate(probes) if LOGITS in each.shapes]
    plan = CachePlan(
        outputs=tuple(_outputs(answers, _filled(Disk(budget.disk_bytes), answers, terms))),
        seconds_per_row=tuple(each.seconds_per_row for each in probes),
        shapes=tuple({name: each.shapes[name] for name in names if name in each.shapes} for each in probes),
        digests=tuple(each.digest for each in probes),
        held_bytes=tuple(each.held_bytes for each in probes),
        form=form,
        budget=budget,
        models=models,
    )
    if plan.fits_memory or models:
        return plan
    disk = Disk(budget.disk_bytes)
    disk.keep(_whole_teachers(answers, budget))
    return replace(plan, outputs=tuple(_outputs(answers, _filled(disk, answers, terms))))


class _Answers:
    """What one teacher says, as files: equal teachers share those of their shards, and a pack holds each teacher."""

    def __init__(self, position: int, found: Probe, names: Sequence[str], form: AnswerForm) -> None:
        self.probe, self.position = found, position
        itemsize = np.dtype(form.dtype).itemsize
        self.row_bytes = {name: prod(found.shapes[name]) * itemsize for name in names}
        self.row_bytes[LOGITS], self.packed_row_bytes = _logits_bytes(found, form)
        labels = None if form.top_k is None else found.labels
        self._shards: dict[str, Hashable] = {name: (found.digest, found.identities[name]) for name in names}
        self._shards[LOGITS] = (found.digest, LOGITS, labels)  # All of a plan are cut in one way.
        self._pack = position, LOGITS
        self._rows = {name: form.answers(name) for name in self.row_bytes}

    @property
    def names(self) -> tuple[str, ...]:
        """Features that are wanted of it."""
        return tuple(name for name in self.row_bytes if name != LOGITS)

    def files(self, *names: str) -> dict[Hashable, int]:
        """Give the files of some outputs."""
        files = {self._shards[name]: self._rows[name] * self.row_bytes[name] for name in names}
        return files | ({self._pack: self._rows[LOGITS] * self.packed_row_bytes} if LOGITS in names else {})


def _filled(disk: Disk, answers: Sequence[_Answers], terms: Sequence[tuple[str, ...]]) -> Disk:
    """Keep what saves most seconds a byte: logits, then features of terms."""
    _keep_best(disk, [(each, each.files(LOGITS)) for each in answers])
    heard = [each for each in answers if disk.keeps(each.files(LOGITS))]
    _keep_best(disk, [(each, each.files(*term)) for each in heard for term in terms if term])
    return disk


def _keep_best(disk: Disk, units: list[tuple[_Answers, dict[Hashable, int]]]) -> None:
    while units:
        # Anew each time, since units share files.
        units.sort(key=lambda unit: -unit[0].probe.seconds_per_row / max(1, disk.lacking(unit[1])))
        disk.keep(units.pop(0)[1])


def _whole_teachers(answers: Sequence[_Answers], budget: Budget) -> Files:
    """Give all files of the teachers that are cached whole, so that the others fit into memory; none if none do."""
    files: dict[str, dict[Hashable, int]] = {}
    held: dict[str, int] = {}
    for each in answers:
        digest = each.probe.digest
        files[digest] = files.get(digest, {}) | each.files(LOGITS, *each.names)
        held[digest] = (budget.trials + LEADING_COPIES) * (each.probe.held_bytes or 0)
    wholes = [Whole(name=digest, disk_bytes=sum(files[digest].values()), memory_bytes=held[digest]) for digest in files]
    kept = models_to_keep(wholes, disk_bytes=budget.disk_bytes, memory_bytes=budget.memory_bytes) or ()
    return {file: size for digest in kept for file, size in files[digest].items()}


def _outputs(answers: Sequence[_Answers], disk: Disk) -> Iterator[PlannedOutput]:
    """List logits of all that speak, then their features; a file is counted where it comes up first, if it is kept."""
    counted = Disk(sum(sum(each.files(LOGITS, *each.names).values()) for each in answers))
    of = {each.position: each for each in answers}
    wanted = [(k, LOGITS) for k in of]
    wanted += [(k, name) for k, each in of.items() for name in each.names]
    files = {(k, name): of[k].files(name) for k, name in wanted}
    sizes = {}
    for thing in sorted(wanted, key=lambda thing: not disk.keeps(files[thing])):
        sizes[thing] = counted.lacking(files[thing])
        counted.keep(files[thing])
    for k, name in wanted:
        yield PlannedOutput(
            teacher=k,
            output=name,
            row_bytes=of[k].row_bytes[name],
            packed_row_bytes=of[k].packed_row_bytes if name == LOGITS else 0,
            num_bytes=sizes[k, name],
            kept=disk.keeps(files[k, name]),
        )


def _logits_bytes(each: Probe, form: AnswerForm) -> tuple[int, int]:
    """Bytes of a row in a shard and in a pack."""
    *rest, width = each.shapes[LOGITS]
    dtype, top_k = form.dtype, form.top_k
    if top_k is not None and keeps_top(each.num_known, top_k, dtype):
        widths = top_bytes(each.num_known, top_k, dtype), top_bytes(form.num_classes, top_k, dtype)
    else:
        itemsize = np.dtype(dtype).itemsize
        widths = width * itemsize, form.num_classes * itemsize
    return prod(rest) * widths[0], prod(rest) * widths[1]
