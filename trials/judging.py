"""From a graph to candidates: each precision measured as it would be shipped."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces import cost_of
from teachers import MISSING_LABEL, Inputs
from trials.compress import PRECISIONS, Calibration
from trials.decoding import nothing_before, past_of
from trials.distill import DivergedError
from trials.export import onnx_predictor, parity
from trials.measure import measure_latency, size_bytes
from trials.records import FIRST_TOKEN, Candidate, Latency, Trial
from trials.setting import Setting
from trials.student import Student
from trials.tasks import Predictor

EVALUATION_BATCH = 256
_CALIBRATION_ROWS = 256
_PARITY_ROWS = 256


def costs(trial: Trial, setting: Setting, float32: bytes) -> Iterator[Candidate]:
    """Measure what a graph costs in each precision, one after the other, as far as the caller goes.

    Args:
        trial: What is asked.
        setting: What all trials share.
        float32: The graph.
    """
    for precision, graph in in_precisions(float32, trial, setting):
        yield _cost(trial, setting, precision, graph, trial.known_latency)


def in_precisions(float32: bytes, trial: Trial, setting: Setting) -> Iterator[tuple[str, bytes]]:
    """Bring a graph into every precision that is asked for, one after the other."""
    calibration = _calibration(trial, setting)
    for precision in setting.precisions:
        yield precision, PRECISIONS[precision].convert(float32, calibration)


def _calibration(trial: Trial, setting: Setting) -> Calibration:
    """Some training rows, evenly spread."""
    dataset = setting.dataset_of(trial.spec)
    train = dataset.splits["train"]
    rows = train[
        np.linspace(0, len(train) - 1, min(dataset.rows_at_a_time(_CALIBRATION_ROWS), len(train))).astype(np.int64)
    ]
    inputs, signature = dataset.batch(rows).inputs, setting.signature_of(trial.spec)
    (tensor,) = signature.inputs
    assert isinstance(inputs, Tensor)
    # What stands before tokens is weighed by no weights of the graph, and needs no ranges.
    return {tensor.name: inputs.numpy(), **nothing_before(past_of(trial.spec, signature), len(rows))}


def _cost(
    trial: Trial,
    setting: Setting,
    precision: str,
    graph: bytes,
    known: Mapping[str, Latency],
) -> Candidate:
    """Measure what a graph costs, without asking what it can.

    Of one that writes, latency is that of a token, and ``first_token_ms`` that of a whole prompt.
    """
    cost = cost_of(setting.space, trial.spec, setting.signature_of(trial.spec))
    latency = known.get(precision) or _provisional(graph, trial, setting)
    metrics = {
        **({} if latency.first_token_ms is None else {FIRST_TOKEN: latency.first_token_ms}),
        "latency_ms": latency.median_ms,
        "size_bytes": float(size_bytes(graph)),
        "params": float(cost.params),
        "macs": float(cost.macs),
    }
    return Candidate(precision=precision, metrics=metrics, latency=latency)


def _provisional(graph: bytes, trial: Trial, setting: Setting) -> Latency:
    """Measure a graph's latency, while other work may run beside it."""
    # What timed signatures leave open is how many tokens are before the first, which are none.
    latency = measure_latency(graph, setting.timed_signature_of(trial.spec), setting.latency, varying=0)
    prompt = setting.prompt_signature_of(trial.spec)
    if prompt is None:
        return latency
    return replace(latency, first_token_ms=measure_latency(graph, prompt, setting.latency, varying=0).median_ms)


def judge(
    trial: Trial,
    setting: Setting,
    student: Student,
    graphs: Mapping[str, bytes],
    known: Mapping[str, Latency],
) -> tuple[Candidate, ...]:
    """Judge each graph on the validation split, as it would be shipped.

    Args:
        trial: What was asked.
        setting: What all trials share.
        student: Trained; the graphs are held against it.
        graphs: By precision.
        known: Latency by precision, where it was measured before.

    Returns:
        One candidate a precision, in the order of the graphs.

    Raises:
        DivergedError: A metric is infinite or not a number.
    """
    dataset = setting.dataset_of(trial.spec)
    rows = dataset.splits["validation"]
    candidates = []
    float32_answers = None
    for precision, graph in graphs.items():
        cost = _cost(trial, setting, precision, graph, known)
        predict = onnx_predictor(graph, threads=setting.threads)
        metrics = setting.task.evaluate(
            predict, dataset.batches(rows, batch_size=dataset.rows_at_a_time(EVALUATION_BATCH))
        )
        batch = dataset.batch(rows[: dataset.rows_at_a_time(_PARITY_ROWS)])
        inputs, labelled = batch.inputs, batch.labels.numpy() != MISSING_LABEL
        assert isinstance(inputs, Tensor)
        if precision == "float32":
            held = replace(cost, parity_max_abs_difference=parity(student, predict, inputs))
        else:
            if float32_answers is None:
                with torch.no_grad():
                    float32_answers = student(inputs).argmax(dim=-1).numpy()
            same = predict(inputs).argmax(axis=-1) == float32_answers
            held = replace(cost, agreement_share=float(same[labelled].mean()))
        candidate = replace(held, metrics={**cost.metrics, **metrics})
        _check_finite(candidate)
        candidates.append(candidate)
    return tuple(candidates)


def module_predictor(student: Student) -> Predictor:
    """Make a predictor of a trained student as the module that it is; it gives the first output."""

    def predict(inputs: Inputs) -> NDArray[np.float32]:
        assert isinstance(inputs, Tensor), "a student takes numbers"
        with torch.no_grad():
            outputs = student(inputs)
        answers: NDArray[np.float32] = (outputs[0] if isinstance(outputs, tuple) else outputs).numpy()
        return answers

    return predict


def _check_finite(candidate: Candidate) -> None:
    """Let no value pass that is not a number: it could not be compared with others.

    Raises:
        DivergedError: A metric is infinite or not a number.
    """
    parity = candidate.parity_max_abs_difference
    values = {**candidate.metrics, **({} if parity is None else {"parity_max_abs_difference": parity})}
    if wrong := sorted(name for name, value in values.items() if not math.isfinite(value)):
        raise DivergedError(
            f"the {candidate.precision} student gives {', '.join(wrong)} that are not finite; training diverged in its "
            "last steps, so lower learning_rate"
        )
