"""One trial, start to end: build, gate, distil, compress, measure."""

import math
import resource
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from search_spaces import SearchSpace, cost_of
from teachers import EnsembleOutputs, TeacherEnsemble
from trials.compress import PRECISIONS, Calibration
from trials.data import Dataset
from trials.description import DESCRIPTION_FILE, WEIGHTS_FILE, describe, description_bytes
from trials.distill import Checkpoint, DivergedError, distill
from trials.export import Template, onnx_predictor, parity, replace_weights, stand_in, trace
from trials.lesson import Lesson
from trials.measure import measure_latency, size_bytes
from trials.placing import choose_device, random_state_kept
from trials.records import (
    LATENCY_MARGIN,
    METRICS_OF_COST,
    Artefacts,
    Candidate,
    Latency,
    LatencySettings,
    Limit,
    Outcome,
    Trial,
    TrialResult,
)
from trials.student import Normalisation, Student, save_weights
from trials.tasks import Task

EVALUATION_BATCH = 256
_CALIBRATION_ROWS = 256
_PARITY_ROWS = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """What all trials of a search share; sent to the workers once.

    Args:
        space: Builds the students.
        dataset: What they learn from and are judged on.
        task: How they are judged.
        statistics: Of the training inputs, for the preprocessing in the graph.
        ensemble: Who the teachers are; None without teachers.
        teachers: Where they are heard; None without teachers.
        precisions: Each gives a candidate; the first is the one that the sampler is told.
        limits: What a shipped student must keep.
        latency: How latency is measured.
        threads: Threads of PyTorch.
        device: Where students are trained: ``cpu``, ``cuda``, or ``auto`` for ``cuda`` where there is one. They are
            measured on the processor, or where ``latency`` says.
    """

    space: SearchSpace
    dataset: Dataset
    task: Task
    statistics: Normalisation | None
    ensemble: TeacherEnsemble | None = None
    teachers: EnsembleOutputs | None = None
    precisions: tuple[str, ...] = ("float32",)
    limits: tuple[Limit, ...] = ()
    latency: LatencySettings = field(default_factory=LatencySettings)
    threads: int = 1
    device: str = "auto"


def run_trial(trial: Trial, setting: Setting) -> tuple[TrialResult, Artefacts]:
    """Train and measure one student. Whatever crashes inside is a result, too.

    Args:
        trial: What is asked.
        setting: What all trials share.

    Returns:
        What came, and the student's files; no files unless it was trained.
    """
    started = time.perf_counter()
    threads = torch.get_num_threads()
    torch.set_num_threads(setting.threads)
    try:
        with random_state_kept(choose_device(setting.device)):
            outcome, candidates, checkpoint, artefacts = _run(trial, setting)
        error = ""
    except Exception:
        outcome, candidates, checkpoint, artefacts = Outcome.FAILED, (), None, Artefacts()
        error = traceback.format_exc(limit=-8)
    finally:
        torch.set_num_threads(threads)
    result = TrialResult(
        number=trial.number,
        digest=trial.digest,
        outcome=outcome,
        candidates=candidates,
        history=() if checkpoint is None else checkpoint.history,
        seconds=time.perf_counter() - started,
        # Linux counts in units of 1024 bytes.
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        error=error,
    )
    return result, artefacts


def _run(trial: Trial, setting: Setting) -> tuple[Outcome, tuple[Candidate, ...], Checkpoint | None, Artefacts]:
    signature = setting.task.signature(setting.dataset)
    # First of all, since it finds mistakes in the recipe, and tracing takes more than a second.
    lesson = Lesson(
        dataset=setting.dataset,
        task=setting.task,
        recipe=trial.recipe,
        seed=trial.seed,
        ensemble=setting.ensemble,
        teachers=setting.teachers,
        device=setting.device,
    )
    torch.manual_seed(trial.seed)
    student = Student(setting.space.build(trial.spec, signature), signature=signature, statistics=setting.statistics)
    template = trace(student, signature)
    refused, latencies = _gate(trial, setting, template)
    if refused:
        return Outcome.INFEASIBLE, refused, None, Artefacts()
    checkpoint = distill(student, lesson)
    graphs = dict(_graphs(replace_weights(template, student), setting))
    candidates = _judge(trial, setting, student, graphs, latencies)
    for candidate in candidates:
        _check_finite(candidate)
    description = describe(
        trial.spec,
        signature=signature,
        class_names=setting.dataset.class_names,
        statistics=setting.statistics,
        recipe=trial.recipe,
        seed=trial.seed,
        precisions=setting.precisions,
        metrics={candidate.precision: candidate.metrics for candidate in candidates},
    )
    files = {PRECISIONS[precision].file_name: graph for precision, graph in graphs.items()}
    files |= {WEIGHTS_FILE: save_weights(student), DESCRIPTION_FILE: description_bytes(description)}
    return Outcome.TRAINED, candidates, checkpoint, Artefacts(files=files)


def _check_finite(candidate: Candidate) -> None:
    """Let no value pass that is not a number: it could not be compared with others.

    Raises:
        DivergedError: A metric is infinite or not a number.
    """
    values = {**candidate.metrics, "parity": candidate.parity}
    if wrong := sorted(name for name, value in values.items() if not math.isfinite(value)):
        raise DivergedError(
            f"the {candidate.precision} student gives {wrong} that are not finite; training diverged in its last "
            "steps, so lower learning_rate"
        )


def _gate(trial: Trial, setting: Setting, template: Template) -> tuple[tuple[Candidate, ...], Mapping[str, Latency]]:
    """Measure the student before it is trained, where limits could refuse it.

    Returns:
        The candidates where every one breaks a limit, latency by more than the margin, else none; and the latencies
        that are known by now, by precision.
    """
    limits = [limit for limit in setting.limits if limit.metric in METRICS_OF_COST]
    if not limits:
        return (), trial.known_latency
    candidates = []
    for candidate in _costs(trial, setting, stand_in(template)):
        hopeful = {**candidate.metrics, "latency_ms": candidate.latency.median_ms * (1 - LATENCY_MARGIN)}
        candidates.append(candidate)
        if all(limit.excess(hopeful) <= 0 for limit in limits):
            return (), {**trial.known_latency, **{known.precision: known.latency for known in candidates}}
    return tuple(candidates), {}


def measure_untrained(trial: Trial, setting: Setting) -> tuple[Candidate, ...]:
    """Measure what a student would cost, in each precision, without training it.

    Args:
        trial: Its ``spec`` and ``known_latency`` are read.
        setting: What all trials share.

    Returns:
        Candidates without metrics of the task; their latency is provisional.
    """
    signature = setting.task.signature(setting.dataset)
    student = Student(setting.space.build(trial.spec, signature), signature=signature, statistics=setting.statistics)
    return tuple(_costs(trial, setting, stand_in(trace(student, signature))))


def _costs(trial: Trial, setting: Setting, float32: bytes) -> Iterator[Candidate]:
    for precision, graph in _graphs(float32, setting):
        yield _cost(trial, setting, precision, graph, trial.known_latency)


def _graphs(float32: bytes, setting: Setting) -> Iterator[tuple[str, bytes]]:
    """Bring a graph into every precision that is asked for, one after the other."""
    calibration = _calibration(setting)
    for precision in setting.precisions:
        yield precision, PRECISIONS[precision].convert(float32, calibration)


def _calibration(setting: Setting) -> Calibration:
    """Some training rows, evenly spread."""
    train = setting.dataset.splits["train"]
    rows = train[np.linspace(0, len(train) - 1, min(_CALIBRATION_ROWS, len(train))).astype(np.int64)]
    inputs = setting.dataset.batch(rows).inputs
    (tensor,) = setting.task.signature(setting.dataset).inputs
    assert isinstance(inputs, Tensor)
    return {tensor.name: inputs.numpy()}


def _cost(trial: Trial, setting: Setting, precision: str, graph: bytes, known: Mapping[str, Latency]) -> Candidate:
    """Measure what a graph costs, without asking what it can."""
    signature = setting.task.signature(setting.dataset)
    cost = cost_of(setting.space, trial.spec, signature)
    latency = known.get(precision) or measure_latency(graph, signature, setting.latency, provisional=True)
    metrics = {
        "latency_ms": latency.median_ms,
        "size_bytes": float(size_bytes(graph)),
        "params": float(cost.params),
        "macs": float(cost.macs),
    }
    return Candidate(precision=precision, metrics=metrics, latency=latency, parity=0.0)


def _judge(
    trial: Trial, setting: Setting, student: Student, graphs: Mapping[str, bytes], known: Mapping[str, Latency]
) -> tuple[Candidate, ...]:
    """Judge each graph on the validation split, as it would be shipped."""
    dataset = setting.dataset
    rows = dataset.splits["validation"]
    candidates = []
    float32_answers = None
    for precision, graph in graphs.items():
        cost = _cost(trial, setting, precision, graph, known)
        predict = onnx_predictor(graph, threads=setting.threads)
        metrics = setting.task.evaluate(predict, dataset.batches(rows, batch_size=EVALUATION_BATCH))
        inputs = dataset.batch(rows[:_PARITY_ROWS]).inputs
        assert isinstance(inputs, Tensor)
        if precision == "float32":
            difference = parity(student, predict, inputs)
        else:
            if float32_answers is None:
                with torch.no_grad():
                    float32_answers = student(inputs).argmax(dim=-1).numpy()
            difference = float((predict(inputs).argmax(axis=-1) == float32_answers).mean())
        candidates.append(
            Candidate(precision=precision, metrics={**cost.metrics, **metrics}, latency=cost.latency, parity=difference)
        )
    return tuple(candidates)


def measure_finally(graph: bytes, setting: Setting) -> tuple[Latency, dict[str, float]]:
    """Measure a member of the front once more: its latency with nothing beside it, and the task on the test split.

    Args:
        graph: The ONNX graph, as it ships.
        setting: What all trials share.

    Returns:
        Its latency, and the task's metrics and details, each as ``test_NAME``.
    """
    dataset = setting.dataset
    latency = measure_latency(graph, setting.task.signature(dataset), setting.latency, provisional=False)
    batches = dataset.batches(dataset.splits["test"], batch_size=EVALUATION_BATCH)
    metrics = setting.task.evaluate(onnx_predictor(graph, threads=setting.threads), batches)
    return latency, {f"test_{name}": value for name, value in metrics.items()}
