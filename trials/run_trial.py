"""One trial, start to end: build, gate, distil, compress, measure."""

import math
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from search_spaces import StudentSpec
from trials.artefacts import artefacts_of
from trials.decoding import decodes, shipped_form
from trials.distill import Checkpoint, DivergedError
from trials.export import onnx_predictor, replace_weights, stand_in
from trials.judging import EVALUATION_BATCH, costs, in_precisions, judge, module_predictor
from trials.measure import measure_latencies
from trials.records import Artefacts, Candidate, EpochRecord, Judgement, Latency, Outcome, Trial, TrialResult
from trials.setting import Setting
from trials.stages import Underway, build, gate, guarded, teach, untrained
from trials.student import Student
from trials.written import judge_written


@dataclass(frozen=True, kw_only=True)
class _End:
    """What a trial, or its way to a rung, came to."""

    outcome: Outcome
    candidates: tuple[Candidate, ...]
    history: tuple[EpochRecord, ...] = ()
    artefacts: Artefacts = field(default_factory=Artefacts)
    underway: Underway | None = None


def run_trial(trial: Trial, setting: Setting, underway: Underway | None = None) -> tuple[TrialResult, Artefacts]:
    """Train and measure one student. Whatever crashes inside is a result, too, unless the disk is full.

    Args:
        trial: What is asked.
        setting: What all trials share.
        underway: As ``run_rung`` left it; None starts from nothing. What comes is the same to the last bit.

    Returns:
        What came, and the student's files; no files unless it was trained.

    Raises:
        OSError: There is no room to write on this machine, which is not the student's fault and hits all others.
    """
    started = time.perf_counter()
    end, error = guarded(setting, partial(_to_the_end, trial, setting, underway))
    return _result(trial, end, error, started, underway), Artefacts() if end is None else end.artefacts


def run_rung(
    trial: Trial, setting: Setting, underway: Underway | None, *, until_epoch: int
) -> tuple[TrialResult, Underway | None]:
    """Train a student up to a rung, and judge it there as the module that it is; nothing is exported.

    Args:
        trial: What is asked.
        setting: What all trials share.
        underway: As an earlier rung left it; None starts from nothing.
        until_epoch: Epoch of the rung, counted from 1.

    Returns:
        What came if the trial ends here: PRUNED, with one candidate, that of the primary precision; and what goes on
        from here. Nothing goes on where the gate refuses the student, or where it fails.

    Raises:
        OSError: As ``run_trial``.
    """
    started = time.perf_counter()
    end, error = guarded(setting, partial(_to_a_rung, trial, setting, underway, until_epoch))
    result = _result(trial, end, error, started, underway)
    if end is None or end.underway is None:
        return result, None
    return result, replace(end.underway, seconds=result.seconds)


def _result(trial: Trial, end: _End | None, error: str, started: float, underway: Underway | None) -> TrialResult:
    end = end or _End(outcome=Outcome.FAILED, candidates=())
    return TrialResult(
        number=trial.number,
        digest=trial.digest,
        outcome=end.outcome,
        candidates=end.candidates,
        history=end.history,
        seconds=time.perf_counter() - started + (0.0 if underway is None else underway.seconds),
        # Linux counts in units of 1024 bytes.
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        error=error,
    )


def _to_the_end(trial: Trial, setting: Setting, underway: Underway | None) -> _End:
    # First of all, since it finds mistakes in the recipe, and tracing takes more than a second.
    lesson = setting.lesson(trial)
    if underway is not None:
        student, template, latencies = build(trial, setting), underway.template, underway.latencies
    else:
        student, template = untrained(trial, setting)
        refused, latencies = gate(trial, setting, template)
        if refused:
            return _End(outcome=Outcome.INFEASIBLE, candidates=refused)
    checkpoint = teach(student, lesson, trial, setting, checkpoint=_checkpoint(underway))
    form, _ = shipped_form(student, trial.spec, setting.signature_of(trial.spec))
    graphs = dict(in_precisions(replace_weights(template, form), trial, setting))
    candidates = judge(trial, setting, student, graphs, latencies)
    artefacts = artefacts_of(trial, setting, student, graphs, candidates)
    return _End(outcome=Outcome.TRAINED, candidates=candidates, history=checkpoint.history, artefacts=artefacts)


def _to_a_rung(trial: Trial, setting: Setting, underway: Underway | None, until_epoch: int) -> _End:
    lesson = setting.lesson(trial)
    if underway is not None:
        student, template = build(trial, setting), underway.template
        latencies, cost = underway.latencies, underway.cost
    else:
        student, template = untrained(trial, setting)
        refused, latencies = gate(trial, setting, template)
        if refused:
            return _End(outcome=Outcome.INFEASIBLE, candidates=refused)
        cost = next(costs(replace(trial, known_latency=latencies), setting, stand_in(template)))
        latencies = {**latencies, cost.precision: cost.latency}
    reached = teach(student, lesson, trial, setting, checkpoint=_checkpoint(underway), until_epoch=until_epoch)
    metrics = _judged(trial, student, setting, {"validation": setting.dataset.splits["validation"]})["validation"]
    return _End(
        outcome=Outcome.PRUNED,
        candidates=(replace(cost, metrics={**cost.metrics, **metrics}),),
        history=reached.history,
        underway=Underway(checkpoint=reached, template=template, latencies=latencies, cost=cost, seconds=0.0),
    )


def _checkpoint(underway: Underway | None) -> Checkpoint | None:
    return None if underway is None else underway.checkpoint


def measure_untrained(trial: Trial, setting: Setting) -> tuple[Candidate, ...]:
    """Measure what a student would cost, in each precision, without training it.

    Args:
        trial: Its ``spec`` and ``known_latency`` are read.
        setting: What all trials share.

    Returns:
        Candidates without metrics of the task; their latency is provisional.
    """
    _, template = untrained(trial, setting)
    return tuple(costs(trial, setting, stand_in(template)))


def train_and_judge(trial: Trial, setting: Setting, rows: Mapping[str, NDArray[np.int64]]) -> Judgement:
    """Train a student as ``run_trial`` does, to the same bit, and judge it; it is neither refused nor exported.

    Args:
        trial: What is asked.
        setting: What all trials share; its limits are passed over.
        rows: Sets of row numbers to judge it on, as the module that it is, by name.

    Returns:
        What it can do, or why it could not be trained.

    Raises:
        OSError: There is no room to write on this machine.
    """

    def work() -> dict[str, dict[str, float]]:
        lesson = setting.lesson(trial)
        student = build(trial, setting)
        teach(student, lesson, trial, setting)
        return _judged(trial, student, setting, rows)

    metrics, error = guarded(setting, work)
    return Judgement(metrics=metrics or {}, error=error)


def _judged(
    trial: Trial, student: Student, setting: Setting, rows: Mapping[str, NDArray[np.int64]]
) -> dict[str, dict[str, float]]:
    """Judge a student as the module that it is, on sets of rows by name.

    Raises:
        DivergedError: A metric is infinite or not a number.
    """
    predict, dataset = module_predictor(student), setting.dataset_of(trial.spec)
    at_a_time = dataset.rows_at_a_time(EVALUATION_BATCH)
    batches = {name: dataset.batches(chosen, batch_size=at_a_time) for name, chosen in rows.items()}
    metrics = {name: setting.task.evaluate(predict, those) for name, those in batches.items()}
    if wrong := sorted(
        {name for found in metrics.values() for name, value in found.items() if not math.isfinite(value)}
    ):
        raise DivergedError(f"the student gives {wrong} that are not finite; lower learning_rate, or raise warmup")
    return metrics


def measure_alone(graphs: Sequence[bytes], specs: Sequence[StudentSpec], setting: Setting) -> list[Latency]:
    """Measure the latencies of graphs, as they ship, with nothing running beside; see ``measure_latencies``.

    Whole prompts of students that write take turns with all else.
    """
    asked = [setting.prompt_signature_of(spec) for spec in specs]
    prompts = [(n, signature) for n, signature in enumerate(asked) if signature is not None]
    timed = [(n, setting.timed_signature_of(spec)) for n, spec in enumerate(specs)] + prompts
    measured = measure_latencies(
        [graphs[n] for n, _ in timed], [signature for _, signature in timed], setting.latency, seed=0, varying=0
    )
    first = {n: latency.median_ms for (n, _), latency in zip(prompts, measured[len(specs) :], strict=True)}
    return [replace(latency, first_token_ms=first.get(n)) for n, latency in enumerate(measured[: len(specs)])]


def judge_on_test(graph: bytes, spec: StudentSpec, setting: Setting) -> dict[str, float]:
    """Judge a member of the front on the test split, which nothing else reads.

    Args:
        graph: The ONNX graph, as it ships.
        spec: Its architecture.
        setting: What all trials share.

    Returns:
        The task's metrics and details, and what is said of the texts of a student that writes, each as ``test_NAME``.
    """
    dataset = setting.dataset_of(spec)
    batches = dataset.batches(dataset.splits["test"], batch_size=dataset.rows_at_a_time(EVALUATION_BATCH))
    metrics = setting.task.evaluate(onnx_predictor(graph, threads=setting.threads), batches)
    writes = decodes(spec, setting.signature_of(spec))
    if writes and setting.writing is not None and setting.reading is not None:
        metrics |= judge_written(graph, setting.writing, setting.reading, threads=setting.threads)
    return {f"test_{name}": value for name, value in metrics.items()}


__all__ = ["Setting", "judge_on_test", "measure_alone", "measure_untrained", "run_rung", "run_trial", "train_and_judge"]
