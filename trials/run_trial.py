"""One trial, start to end: build, gate, distil, compress, measure."""

import errno
import math
import resource
import time
import traceback
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trials.compress import PRECISIONS
from trials.description import DESCRIPTION_FILE, WEIGHTS_FILE, describe, description_bytes
from trials.distill import Checkpoint, DivergedError, distill
from trials.export import Template, onnx_predictor, replace_weights, stand_in
from trials.heads import build_student, fold
from trials.judging import EVALUATION_BATCH, costs, in_precisions, judge, module_predictor
from trials.lesson import Lesson
from trials.measure import measure_latencies
from trials.placing import choose_device, random_state_kept
from trials.records import (
    METRICS_OF_COST,
    Artefacts,
    Candidate,
    Judgement,
    Latency,
    Outcome,
    Trial,
    TrialResult,
    may_keep,
)
from trials.setting import Setting
from trials.student import Student, save_weights
from trials.templates import trace_once

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def run_trial(trial: Trial, setting: Setting) -> tuple[TrialResult, Artefacts]:
    """Train and measure one student. Whatever crashes inside is a result, too, unless the disk is full.

    Args:
        trial: What is asked.
        setting: What all trials share.

    Returns:
        What came, and the student's files; no files unless it was trained.

    Raises:
        OSError: There is no room to write on this machine, which is not the student's fault and hits all others.
    """
    started = time.perf_counter()
    threads = torch.get_num_threads()
    torch.set_num_threads(setting.threads)
    try:
        with random_state_kept(choose_device(setting.device)):
            outcome, candidates, checkpoint, artefacts = _run(trial, setting)
        error = ""
    except Exception as raised:
        if isinstance(raised, OSError) and raised.errno in _NO_ROOM:
            raise
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
    lesson = setting.lesson(trial)
    torch.manual_seed(trial.seed)
    student, template = _untrained(trial, setting)
    refused, latencies = _gate(trial, setting, template)
    if refused:
        return Outcome.INFEASIBLE, refused, None, Artefacts()
    checkpoint = _teach(student, lesson, trial, setting)
    graphs = dict(in_precisions(replace_weights(template, student), setting))
    candidates = judge(trial, setting, student, graphs, latencies)
    description = describe(
        trial.spec,
        signature=signature,
        class_names=setting.dataset.class_names,
        statistics=setting.statistics,
        recipe=trial.recipe,
        seed=trial.seed,
        precisions=setting.precisions,
        metrics={candidate.precision: candidate.metrics for candidate in candidates},
        feature_names=setting.dataset.feature_names,
    )
    files = {PRECISIONS[precision].file_name: graph for precision, graph in graphs.items()}
    files |= {WEIGHTS_FILE: save_weights(student), DESCRIPTION_FILE: description_bytes(description)}
    return Outcome.TRAINED, candidates, checkpoint, Artefacts(files=files)


def _untrained(trial: Trial, setting: Setting) -> tuple[Student, Template]:
    """Build a student, and give the graph of its architecture."""
    signature = setting.task.signature(setting.dataset)
    student = build_student(setting.space, trial.spec, signature=signature, statistics=setting.statistics)
    return student, trace_once(student, signature, name=(trial.spec.architecture_digest, setting.statistics))


def _teach(student: Student, lesson: Lesson, trial: Trial, setting: Setting) -> Checkpoint:
    """Train a student, by way of one with a head a teacher where the recipe asks for it."""
    if not lesson.head_weights:
        return distill(student, lesson)
    headed = build_student(
        setting.space,
        trial.spec,
        signature=setting.task.signature(setting.dataset),
        statistics=setting.statistics,
        head_weights=lesson.head_weights,
    )
    checkpoint = distill(headed, lesson)
    inputs = setting.dataset.batch(setting.dataset.splits["validation"][:EVALUATION_BATCH]).inputs
    assert isinstance(inputs, Tensor)
    fold(headed, student, inputs)
    return checkpoint


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
    for candidate in costs(trial, setting, stand_in(template)):
        candidates.append(candidate)
        if may_keep(candidate, limits):
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
    _, template = _untrained(trial, setting)
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
    threads = torch.get_num_threads()
    torch.set_num_threads(setting.threads)
    try:
        with random_state_kept(choose_device(setting.device)):
            return Judgement(metrics=_judged(trial, setting, rows))
    except Exception as raised:
        if isinstance(raised, OSError) and raised.errno in _NO_ROOM:
            raise
        return Judgement(error=traceback.format_exc(limit=-8))
    finally:
        torch.set_num_threads(threads)


def _judged(trial: Trial, setting: Setting, rows: Mapping[str, NDArray[np.int64]]) -> dict[str, dict[str, float]]:
    lesson = setting.lesson(trial)
    signature = setting.task.signature(setting.dataset)
    torch.manual_seed(trial.seed)
    student = build_student(setting.space, trial.spec, signature=signature, statistics=setting.statistics)
    _teach(student, lesson, trial, setting)
    predict = module_predictor(student)
    batches = {name: setting.dataset.batches(chosen, batch_size=EVALUATION_BATCH) for name, chosen in rows.items()}
    metrics = {name: setting.task.evaluate(predict, those) for name, those in batches.items()}
    if wrong := sorted(
        {name for found in metrics.values() for name, value in found.items() if not math.isfinite(value)}
    ):
        raise DivergedError(f"the student gives {wrong} that are not finite; lower learning_rate, or raise warmup")
    return metrics


def measure_alone(graphs: Sequence[bytes], setting: Setting) -> list[Latency]:
    """Measure the latencies of graphs, as they ship, with nothing running beside; see ``measure_latencies``."""
    return measure_latencies(graphs, setting.task.signature(setting.dataset), setting.latency, seed=0)


def judge_on_test(graph: bytes, setting: Setting) -> dict[str, float]:
    """Judge a member of the front on the test split, which nothing else reads.

    Args:
        graph: The ONNX graph, as it ships.
        setting: What all trials share.

    Returns:
        The task's metrics and details, each as ``test_NAME``.
    """
    dataset = setting.dataset
    batches = dataset.batches(dataset.splits["test"], batch_size=EVALUATION_BATCH)
    metrics = setting.task.evaluate(onnx_predictor(graph, threads=setting.threads), batches)
    return {f"test_{name}": value for name, value in metrics.items()}


__all__ = ["Setting", "judge_on_test", "measure_alone", "measure_untrained", "run_trial", "train_and_judge"]
