"""What a plan of the cache says: what is kept, what runs on the spot, and what both take."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from teachers.cache.keys import DTYPES, LOGITS, rows_of_shard

LEADING_COPIES = 2
"""Copies of a teacher beside those of trials: in the process that leads, and in the store that hands it out."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a plan may take.

    Args:
        disk_bytes: Of the disk, for all that is kept.
        memory_bytes: Of a machine's memory, for the teachers that run in its trials.
        trials: That may run at a time on one machine.
    """

    disk_bytes: int
    memory_bytes: int
    trials: int = 1


@dataclass(frozen=True, kw_only=True)
class AnswerForm:
    """How many answers a teacher is to give, and in which form they are kept.

    Args:
        num_rows: Rows that students learn from.
        num_judged: Further rows, of which logits are needed as they are, since teachers are judged on them.
        num_views: Augmented views; 0 where there is no augmentation.
        num_classes: Classes of the data set, C.
        dtype: One of ``DTYPES``.
        top_k: Logits to keep of a row, where that takes less room; None keeps all.
        drawn: Whether these are drawn from the prediction, instead of the largest ones taken.
    """

    num_rows: int
    num_views: int
    num_classes: int
    dtype: str
    top_k: int | None
    num_judged: int = 0
    drawn: bool = False

    def __post_init__(self) -> None:
        """Refuse a type that is not kept."""
        assert self.dtype in DTYPES, self.dtype

    def views(self, output: str) -> tuple[int, ...]:
        """Say in which views an output is needed: teachers are judged by logits of the rows as they are.

        A training with augmented views never sees these.
        """
        augmented = tuple(range(1, self.num_views + 1))
        return (0, *augmented) if output == LOGITS or not augmented else augmented

    def rows(self, output: str, view: int) -> int:
        """Count the rows of which an output is needed in a view."""
        return self.num_rows + (self.num_judged if output == LOGITS and view == 0 else 0)

    def answers(self, output: str) -> int:
        """Count the rows over all views."""
        return sum(self.rows(output, view) for view in self.views(output))


@dataclass(frozen=True, kw_only=True)
class PlannedOutput:
    """One output of one teacher in a plan.

    Args:
        teacher: Its position.
        output: As the teacher is asked for it.
        row_bytes: Of one row in a shard.
        packed_row_bytes: Of one row in the pack; 0 for features, which are not packed.
        num_bytes: On the disk, in all views; of logits with the pack. What another one has in the same files is counted
            there.
        kept: Whether it is cached; else it is asked on the spot.
    """

    teacher: int
    output: str
    row_bytes: int
    packed_row_bytes: int
    num_bytes: int
    kept: bool

    @property
    def shard_rows(self) -> int:
        """Rows of one of its shards."""
        return rows_of_shard(self.row_bytes)


@dataclass(frozen=True, kw_only=True)
class CachePlan:
    """What is cached and what runs on the spot.

    Args:
        outputs: Logits of all teachers, then their features; of features that are one by another name, each.
        seconds_per_row: Of each teacher.
        shapes: Of one row of each feature of each teacher, by name.
        digests: Of each teacher; those of one digest are one model, which a process holds once.
        held_bytes: What a process holds that runs a teacher, of each; None where nobody can tell.
        form: Of the answers.
        budget: What it may take.
        models: Names of losses that run the teachers' models themselves, for which no cache can stand.
    """

    outputs: tuple[PlannedOutput, ...]
    seconds_per_row: tuple[float, ...]
    shapes: tuple[Mapping[str, tuple[int, ...]], ...]
    digests: tuple[str, ...]
    held_bytes: tuple[int | None, ...]
    form: AnswerForm
    budget: Budget
    models: tuple[str, ...] = ()

    @property
    def packed(self) -> tuple[int, ...]:
        """Positions of the teachers whose logits are cached."""
        return tuple(each.teacher for each in self.outputs if each.output == LOGITS and each.kept)

    @property
    def features(self) -> tuple[PlannedOutput, ...]:
        """Features that are cached."""
        return tuple(each for each in self.outputs if each.output != LOGITS and each.kept)

    @property
    def live(self) -> Mapping[int, tuple[str, ...]]:
        """What is asked on the spot, by position of the teacher."""
        lacking: dict[int, list[str]] = {}
        for each in self.outputs:
            if not each.kept:
                lacking.setdefault(each.teacher, []).append(each.output)
        return {k: tuple(names) for k, names in sorted(lacking.items())}

    @property
    def needs_models(self) -> tuple[int, ...]:
        """Positions of the teachers whose models must be at hand in a trial."""
        return tuple(range(len(self.seconds_per_row))) if self.models else tuple(self.live)

    @property
    def num_bytes(self) -> int:
        """Bytes of all that is cached."""
        return sum(each.num_bytes for each in self.outputs if each.kept)

    @property
    def lacking_bytes(self) -> int:
        """Bytes that would keep what is asked on the spot, too."""
        return sum(each.num_bytes for each in self.outputs if not each.kept)

    @property
    def trial_bytes(self) -> int:
        """Memory that teachers take in each trial, as far as it can be told."""
        return self._held(self.needs_models)

    @property
    def memory_bytes(self) -> int:
        """Memory that the teachers which run in trials take of one machine: in each trial, and where they come from."""
        return (self.budget.trials + LEADING_COPIES) * self.trial_bytes

    @property
    def fits_memory(self) -> bool:
        """Whether the teachers that run in trials keep within the budget."""
        return self.memory_bytes <= self.budget.memory_bytes

    @property
    def filling_bytes(self) -> int:
        """Memory of a process that asks a teacher about a chunk of rows, at most: the teacher, and the answers.

        Answers of a chunk are put together from pieces, so that all of them are there twice for a moment.
        """
        most = 0
        for k in range(len(self.seconds_per_row)):
            answers = [each for each in self.outputs if each.teacher == k and each.kept]
            # Outputs that are cut into fewer rows a shard are asked for in chunks of as few.
            rows = min((self.form.rows(LOGITS, 0), *(each.shard_rows for each in answers)))
            most = max(most, self._held((k,)) + 2 * rows * sum(each.row_bytes for each in answers))
        return most

    @property
    def filling_at_a_time(self) -> int:
        """Processes that may ask teachers at a time on one machine within the memory; 1 at least."""
        return max(1, self.budget.memory_bytes // max(1, self.filling_bytes))

    def _held(self, teachers: Iterable[int]) -> int:
        return sum({self.digests[k]: self.held_bytes[k] or 0 for k in teachers}.values())
