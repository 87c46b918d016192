"""What ``automl check`` found, and how it is said."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.text import Text

from automl.check.forecast import Forecast
from automl.commands_to_type import typed
from automl.numbers import byte_count, counted, duration, written
from automl.teaching.strength_words import strength_in_words

_MOST_CLASSES = 12


@dataclass(frozen=True, kw_only=True)
class DataCheck:
    """The data as they were read.

    Args:
        kind: As in the config.
        inputs: Shape and type of one row.
        rows: Number of rows by split.
        class_names: In the order of the labels.
        labelled: Training rows whose label students see.
        columns: Values of each further column with their numbers of rows, in words.
        num_tokens: Of the vocabulary, where labels are tokens; then they are what ``labelled`` counts.
        tokens: How texts become tokens, in words; empty without texts.
    """

    kind: str
    inputs: str
    rows: Mapping[str, int]
    class_names: tuple[str, ...]
    labelled: int
    columns: Mapping[str, str]
    num_tokens: int = 0
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TeacherCheck:
    """A teacher before the search.

    Args:
        name: As in the config.
        kind: As in the config.
        covers: In words.
        metrics: ``home`` and ``abroad`` on a sample of validation rows; empty where it is to be trained.
        rows: Rows of that sample.
        training_seconds: Estimate, where it is to be trained.
        kept: Whether its answers are in the cache.
        metric: As of ``TeacherRecord``.
        unfitted: Whether its head is fitted when the search starts.
        unjudged: Why nobody can tell how good it is, in words; empty where it can be told.
    """

    name: str
    kind: str
    covers: str
    metrics: Mapping[str, float]
    rows: int
    training_seconds: float | None
    kept: bool
    metric: str = "accuracy"
    unfitted: bool = False
    unjudged: str = ""


@dataclass(frozen=True, kw_only=True)
class SpaceCheck:
    """What students can be.

    Args:
        name: Of the space.
        num_choices: Of architecture and recipe together.
        num_points: Number of architectures; None where they cannot be counted.
        num_sampled: Architectures that were drawn at random.
        params: Fewest and most parameters among them.
        macs: Fewest and most multiply-accumulates.
        share_kept: Of those drawn, the share that keeps the limits on parameters, MACs and bytes; None without any.
    """

    name: str
    num_choices: int
    num_points: int | None
    num_sampled: int
    params: tuple[int, int]
    macs: tuple[int, int]
    share_kept: float | None


@dataclass(frozen=True, kw_only=True)
class RangeCheck:
    """What a metric can be that is an objective or has a limit.

    Args:
        metric: Its name.
        objective: Whether it is an objective.
        low: Lowest value.
        high: Highest value.
        measured: Whether untrained students were measured; else it is what the task says.
        limits: On this metric, as the config has them.
    """

    metric: str
    objective: bool
    low: float
    high: float
    measured: bool
    limits: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """All that a check found.

    Args:
        path: Of the config.
        name: Of the search.
        notes: What needs attention.
        data: The data.
        teachers: In the order of the config.
        space: What students can be.
        cache: What is kept of the teachers' answers and what runs on the spot, in words.
        ranges: One an objective, then one of each other metric that has a limit.
        forecast: What the search will take.
        once: Whether one student is trained, as by ``distill``, and nothing is searched.
    """

    path: str
    name: str
    notes: tuple[str, ...]
    data: DataCheck
    teachers: tuple[TeacherCheck, ...]
    space: SpaceCheck
    cache: tuple[str, ...]
    ranges: tuple[RangeCheck, ...]
    forecast: Forecast
    once: bool = False

    def __rich__(self) -> Text:
        """Say it, section by section."""
        sections = (
            ("data", self._data()),
            ("teachers", self._teachers()),
            ("students", self._space()),
            ("ranges", self._ranges()),
            ("forecast", self._forecast()),
            ("note", iter(self.notes)),
        )
        what = f"`automl distill` would do for {self.name!r}" if self.once else f"the search {self.name!r} would do"
        lines = [f"{self.path}: no mistakes found; what {what}:"]
        for title, content in sections:
            lines += [f"{title if number == 0 else '':<12}{line}" for number, line in enumerate(content)]
        lines.append(f"{'next':<12}{typed('automl', 'distill' if self.once else 'search', self.path)}")
        return Text("\n".join(lines))

    def _data(self) -> Iterator[str]:
        data = self.data
        rows = ", ".join(f"{count:,} {split}" for split, count in data.rows.items())
        labelled = "" if data.num_tokens else f"; {data.labelled:,} training rows with a label for students"
        yield f"{data.kind}, {data.inputs}; rows: {rows}{labelled}"
        if data.num_tokens:
            yield f"a vocabulary of {data.num_tokens:,} tokens; {data.labelled:,} of them to learn from"
        else:
            shown = ", ".join(data.class_names[:_MOST_CLASSES])
            more = ", ..." if len(data.class_names) > _MOST_CLASSES else ""
            yield f"{len(data.class_names)} classes: {shown}{more}"
        for name, values in data.columns.items():
            yield f"column {name}: {values}"
        yield from data.tokens

    def _teachers(self) -> Iterator[str]:
        if not self.teachers:
            yield "none: students learn from labels alone"
        width = max((len(teacher.name) for teacher in self.teachers), default=0)
        for teacher in self.teachers:
            if teacher.training_seconds is not None:
                state = f"to be trained, about {duration(teacher.training_seconds)}"
            elif teacher.unfitted:
                state = "its head is fitted as the search starts"
            else:
                scores = strength_in_words(teacher.metric, teacher.metrics)
                state = (
                    f"{scores} ({teacher.rows} validation rows)"
                    if scores
                    else teacher.unjudged or "no labels to judge it by"
                )
                state += "; its answers are in the cache" if teacher.kept else ""
            yield f"{teacher.name:<{width}}  {teacher.kind}; covers {teacher.covers}; {state}"

    def _space(self) -> Iterator[str]:
        space = self.space
        num = space.num_points
        points = "too many architectures to count" if num is None else f"{_count(num)} architecture{'s' * (num != 1)}"
        yield f"{space.name}: {points}; {counted(space.num_choices, 'choice')} with those of the recipe"
        yield (
            f"params {_span('params', *space.params)}, macs {_span('macs', *space.macs)}, "
            f"over {space.num_sampled} random architectures"
        )
        if space.share_kept is None:
            return
        share = ">99%" if 0.995 <= space.share_kept < 1 else f"{space.share_kept:.0%}"
        yield f"{share} of random students keep the limits on params, macs and bytes in some precision"

    def _ranges(self) -> Iterator[str]:
        width = max(len(each.metric) for each in self.ranges)
        for each in self.ranges:
            source = "ends of the space, measured untrained" if each.measured else "from chance to perfect"
            roles = [*(["objective"] if each.objective else []), *each.limits]
            yield f"{each.metric:<{width}}  {_span(each.metric, each.low, each.high)} ({source}); {', '.join(roles)}"

    def _forecast(self) -> Iterator[str]:
        found = self.forecast
        if math.isinf(found.total_seconds):
            yield "time: until the front no longer grows; the config sets no other end"
        else:
            yield f"time: about {duration(found.total_seconds)} in all, an estimate from a few students"
            yield (
                f"  start {duration(found.start_seconds)}, teachers {duration(found.teachers_seconds)}, "
                f"trials {duration(found.trials_seconds)}, end {duration(found.end_seconds)}"
            )
        overhead, training = duration(found.overhead_seconds), duration(found.training_seconds)
        if found.trials == 1:
            yield f"  1 trial: {overhead} to export and measure, and {training} to train if it keeps the limits"
        else:
            number = "trials" if found.trials is None else counted(found.trials, "trial")
            yield (
                f"  {number}, {found.parallel} at a time; each {overhead} to export and measure, and {training} to "
                "train on average if it keeps the limits"
            )
        if found.share_of_epochs < 1:
            yield (
                f"  halving: {found.share_of_epochs:.0%} of a recipe's epochs on average once many trials have passed; "
                "the first ones get more"
            )
        if found.proxy_seconds > 0:
            yield f"  proxy: {duration(found.proxy_seconds)} a trial to score its candidates, in the controller"
        yield (
            f"memory: about {byte_count(found.memory_bytes)} of this machine's {byte_count(found.machine_bytes)} "
            f"({found.parallel + 1} processes of {byte_count(found.worker_bytes)}, data {byte_count(found.data_bytes)})"
        )
        yield from self.cache


def _span(metric: str, low: float, high: float) -> str:
    first, last = written(metric, low), written(metric, high)
    return first if first == last else f"{first} to {last}"


def _count(number: int) -> str:
    return f"{number:,}" if number < 10**9 else f"{number:.1e}"
