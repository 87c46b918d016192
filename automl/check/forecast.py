"""What a search will take: time, memory and disk, worked out from a few untrained students and a few steps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import psutil

from automl.check.proxy_price import proxy_price
from automl.check.space import Sampled
from automl.check.timing import MadeUpAnswers, num_steps, small, step_seconds
from automl.cluster.machine import trials_here
from automl.errors import UserError, WorkFailed
from automl.preparation.prepare import Prepared
from automl.teaching.schooling import Schooling
from teachers import LOGITS, CachePlan, TeacherModel
from trials.records import Outcome
from trials.run_trial import Setting, run_trial

START_SECONDS = 15.0
"""Until Ray and its workers are there and have imported what they need."""
END_SECONDS = 15.0
"""To measure the front alone and write the report."""

_QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a search will take on this machine, roughly.

    Args:
        start_seconds: Until the first trial starts, without teachers.
        schooling_seconds: To train each teacher that is to be trained, by its position.
        answering_seconds: To ask the teachers about every row.
        training_seconds: Of one trial that keeps the limits: its steps, on average over those that rungs stop.
        overhead_seconds: Of one trial: building, exporting, measuring, judging.
        end_seconds: After the last trial.
        trials: How many there will be; None where only time or the front ends the search.
        minutes: Time after which none is started; None without a bound.
        parallel: Trials at a time.
        share_trained: Of the proposals that keep the limits, and so are trained.
        worker_bytes: Peak memory of a worker.
        data_bytes: Of the data in memory.
        machine_bytes: Memory of this machine.
        cache_bytes: Disk that the teachers' answers take.
        cached_bytes: Of these, what is there already.
        share_of_epochs: Share of its recipe that a trial is trained for on average; 1 without halving.
        proxy_seconds: Of one trial, to score its candidates in the controller, one after the other; 0 without a proxy.
    """

    start_seconds: float
    schooling_seconds: Mapping[int, float]
    answering_seconds: float
    training_seconds: float
    overhead_seconds: float
    end_seconds: float
    trials: int | None
    minutes: float | None
    parallel: int
    share_trained: float
    worker_bytes: int
    data_bytes: int
    machine_bytes: int
    cache_bytes: int
    cached_bytes: int
    share_of_epochs: float = 1.0
    proxy_seconds: float = 0.0

    @property
    def teachers_seconds(self) -> float:
        """To make all teachers ready."""
        schooling = sum(self.schooling_seconds.values()) / max(1, min(self.parallel, len(self.schooling_seconds)))
        return schooling + self.answering_seconds / self.parallel

    @property
    def trial_seconds(self) -> float:
        """Of one trial, refused ones among them."""
        return self.overhead_seconds + self.share_trained * self.training_seconds

    @property
    def trials_seconds(self) -> float:
        """Of all trials: by their number or by time, whatever is less."""
        ends = [] if self.minutes is None else [self.minutes * 60]
        if self.trials is not None:
            # Proposals are made one by one, at worst while all that could train waits for them.
            running = self.trials * self.trial_seconds / min(self.parallel, self.trials)
            ends.append(running + self.trials * self.proxy_seconds)
        return min(ends, default=float("inf"))

    @property
    def total_seconds(self) -> float:
        """Of the whole search; infinite where only the front ends it."""
        return self.start_seconds + self.teachers_seconds + self.trials_seconds + self.end_seconds

    @property
    def memory_bytes(self) -> int:
        """Of all workers, the controller and the data, at once."""
        return (self.parallel + 1) * self.worker_bytes + self.data_bytes


def forecast(
    prepared: Prepared,
    sampled: Sampled,
    *,
    schoolings: Mapping[int, Schooling],
    rows_per_second: Mapping[int, float],
    probing_seconds: float,
    plan: CachePlan | None,
    teacher_models: tuple[TeacherModel, ...] = (),
    cached_bytes: int,
) -> Forecast:
    """Try a student and a few steps out, and multiply.

    Args:
        prepared: The search.
        sampled: Random students.
        schoolings: Teachers that are to be trained, by position.
        rows_per_second: How fast the other teachers answer, by position; those whose answers are kept are left out.
        probing_seconds: What measuring the ends of the space took here.
        plan: What will be kept of the teachers' answers; None without teachers.
        teacher_models: Of all teachers, trained or not, for losses that run them.
        cached_bytes: What is kept of them now.

    Raises:
        UserError: The student that was tried out cannot be trained by this recipe.
        WorkFailed: It failed otherwise, as every trial would.
    """
    config = prepared.config
    setting = prepared.setting
    if plan is not None:
        answers = MadeUpAnswers(
            plan.shapes,
            prepared.dataset.num_classes,
            top_k=plan.form.top_k if prepared.dataset.of_tokens else None,
        )
        setting = replace(setting, teachers=answers, teacher_models=teacher_models if plan.models else ())
    parallel = trials_here(config)
    overhead, worker_bytes = _overhead(sampled, setting, place=config.place("recipe"))
    asked = 0 if plan is None else plan.form.answers(LOGITS)
    schooling_seconds, answering_seconds = _schooling(prepared, schoolings, overhead, rows=asked)
    answering_seconds += sum(asked / speed for speed in rows_per_second.values())
    inputs = prepared.dataset.inputs
    proxy_seconds, proxy_start_seconds = proxy_price(config.search.proxy, sampled, setting, seed=config.seed)
    share_of_epochs = 1.0 if (rungs := config.rungs()) is None else rungs.share
    return Forecast(
        start_seconds=START_SECONDS + probing_seconds / parallel + proxy_start_seconds,
        schooling_seconds=schooling_seconds,
        answering_seconds=answering_seconds,
        training_seconds=share_of_epochs * (_training(sampled, setting) + _on_the_spot(sampled, setting, plan)),
        overhead_seconds=overhead,
        end_seconds=END_SECONDS,
        trials=config.search.trials or (None if prepared.choices else 1),
        minutes=config.search.minutes,
        parallel=parallel,
        share_trained=sampled.share_kept,
        worker_bytes=worker_bytes,
        data_bytes=sum(map(len, inputs)) if isinstance(inputs, list) else inputs.nbytes,
        machine_bytes=psutil.virtual_memory().total,
        cache_bytes=0 if plan is None else plan.num_bytes,
        cached_bytes=cached_bytes,
        share_of_epochs=share_of_epochs,
        proxy_seconds=proxy_seconds,
    )


def _on_the_spot(sampled: Sampled, setting: Setting, plan: CachePlan | None) -> float:
    """Say what teachers that run in a trial cost it on average, at most: some recipes need none of them."""
    if plan is None:
        return 0.0
    seconds_per_row = sum(plan.seconds_per_row[k] for k in plan.live)
    rows = len(setting.dataset.splits["train"])
    return seconds_per_row * rows * float(np.mean([trial.recipe.epochs for trial in sampled.kept]))


def _overhead(sampled: Sampled, setting: Setting, *, place: str) -> tuple[float, int]:
    """Run the middle student through a trial of a few steps: what it takes besides them, and its peak memory."""
    trial, shortened = small(sampled.at_quantile(0.5), setting)
    result, _ = run_trial(trial, shortened)
    if result.outcome is Outcome.FAILED:
        kind, _, told = result.error.strip().rpartition("\n")[-1].partition(": ")
        if kind == ValueError.__name__:  # What users can cause.
            raise UserError(f"a student of this space cannot be trained: {told}", place=place)
        raise WorkFailed(f"a student of this space cannot be trained:\n{result.error.strip()}")
    return result.seconds - sum(epoch.seconds for epoch in result.history), result.peak_memory_bytes


def _training(sampled: Sampled, setting: Setting) -> float:
    """Time the steps of a small, a middle and a large student; the mean over all, others by their MACs."""
    tried = {}
    for quantile in _QUANTILES:
        trial = sampled.at_quantile(quantile)
        macs = sampled.macs(trial)
        if macs not in tried:
            tried[macs] = step_seconds(trial, setting)
    known = sorted(tried)
    seconds = [
        num_steps(trial, setting) * float(np.interp(sampled.macs(trial), known, [tried[macs] for macs in known]))
        for trial in sampled.kept
    ]
    return float(np.mean(seconds))


def _schooling(
    prepared: Prepared, schoolings: Mapping[int, Schooling], overhead: float, *, rows: int
) -> tuple[dict[int, float], float]:
    """Give the time to train each teacher, and the time that all of these will take to answer about some rows."""
    training, answering = {}, 0.0
    known: dict[str, float] = {}
    for position, lesson in schoolings.items():
        setting = replace(
            prepared.setting, space=lesson.space, dataset=lesson.lessons, ensemble=None, teachers=None, limits=()
        )
        recipe = lesson.trial.recipe
        name = f"{lesson.trial.spec.architecture_digest} {recipe.digest}"
        if name not in known:  # Often all have one architecture.
            known[name] = step_seconds(lesson.trial, setting)
        training[position] = overhead + num_steps(lesson.trial, setting) * known[name]
        # A step goes forward once and backward once, which costs twice as much; answering goes forward alone.
        answering += rows / recipe.batch_size * known[name] / 3
    return training, answering
