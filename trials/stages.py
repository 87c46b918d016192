"""The stages of a trial, which a trial in one go, one in rungs and a student trained to be judged share."""

import errno
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from trials.decoding import shipped_form
from trials.distill import Checkpoint, distill
from trials.export import Template, stand_in
from trials.heads import build_student, fold
from trials.judging import EVALUATION_BATCH, costs
from trials.lesson import Lesson
from trials.placing import choose_device, random_state_kept
from trials.records import METRICS_OF_COST, Candidate, Latency, Trial, may_keep
from trials.setting import Setting
from trials.student import Student
from trials.templates import trace_once

T = TypeVar("T")

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, kw_only=True, eq=False)
class Underway:
    """A trial that stands at a rung, as its next task needs it.

    Args:
        checkpoint: The student in training; with heads where the recipe asks for them.
        template: Graph of its architecture, so that another worker need not trace it again.
        latencies: What was measured before training, by precision.
        cost: Of the student in the primary precision, without metrics of the task.
        seconds: What its tasks took so far.
    """

    checkpoint: Checkpoint
    template: Template
    latencies: Mapping[str, Latency]
    cost: Candidate
    seconds: float


def guarded(setting: Setting, work: Callable[[], T]) -> tuple[T | None, str]:
    """Do work with the threads of a setting; put them, and PyTorch's random state, back at the end.

    Args:
        setting: Its threads and its device.
        work: What to do.

    Returns:
        What came, and an empty text; or None, and the traceback of what was raised.

    Raises:
        OSError: There is no room to write on this machine, which is not the student's fault and hits all others.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(setting.threads)
    try:
        with random_state_kept(choose_device(setting.device)):
            return work(), ""
    except Exception as raised:
        if isinstance(raised, OSError) and raised.errno in _NO_ROOM:
            raise
        return None, traceback.format_exc(limit=-8)
    finally:
        torch.set_num_threads(threads)


def build(trial: Trial, setting: Setting) -> Student:
    """Build a student as it ships, from the trial's seed."""
    torch.manual_seed(trial.seed)
    signature = setting.signature_of(trial.spec)
    return build_student(setting.space, trial.spec, signature=signature, statistics=setting.statistics)


def untrained(trial: Trial, setting: Setting) -> tuple[Student, Template]:
    """Build a student, and give the graph of its architecture."""
    student = build(trial, setting)
    form = shipped_form(student, trial.spec, setting.signature_of(trial.spec))
    return student, trace_once(*form, name=(trial.spec.architecture_digest, setting.statistics))


def teach(
    student: Student,
    lesson: Lesson,
    trial: Trial,
    setting: Setting,
    *,
    checkpoint: Checkpoint | None = None,
    until_epoch: int | None = None,
) -> Checkpoint:
    """Train a student, by way of one with a head a teacher where the recipe asks for it.

    Args:
        student: Left with what was learnt, as it ships.
        lesson: What to teach.
        trial: What was asked.
        setting: What all trials share.
        checkpoint: As for ``distill``; of the student with heads where there are any.
        until_epoch: As for ``distill``.

    Returns:
        As ``distill``.
    """
    if not lesson.head_weights:
        return distill(student, lesson, checkpoint=checkpoint, until_epoch=until_epoch)
    headed = build_student(
        setting.space,
        trial.spec,
        signature=setting.signature_of(trial.spec),
        statistics=setting.statistics,
        head_weights=lesson.head_weights,
    )
    reached = distill(headed, lesson, checkpoint=checkpoint, until_epoch=until_epoch)
    dataset = setting.dataset_of(trial.spec)
    inputs = dataset.batch(dataset.splits["validation"][:EVALUATION_BATCH]).inputs
    assert isinstance(inputs, Tensor)
    fold(headed, student, inputs)
    return reached


def gate(trial: Trial, setting: Setting, template: Template) -> tuple[tuple[Candidate, ...], Mapping[str, Latency]]:
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
