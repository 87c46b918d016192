"""Teachers asked about all rows of the data, on the whole cluster at once."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from automl.caching import probe_rows
from automl.errors import UserError, WorkFailed, disk_is_full
from automl.executor import Executor, Share, Task
from automl.nodes import answer_on_node, probe_on_node
from automl.preparation import Prepared
from teachers import Assembly, Job, OutputStore, Probe, Shard, view_of


def answer_all(
    prepared: Prepared, shared: Sequence[Any], missing: Sequence[Shard], executor: Executor, store: OutputStore
) -> None:
    """Have shards computed on the cluster, and store each as it is whole; few chunks lie in memory at a time.

    Args:
        prepared: Its data set and what a task takes.
        shared: What ``Executor.share`` gave for each teacher.
        missing: What to compute.
        executor: Where teachers answer.
        store: Where answers go.

    Raises:
        UserError: The answers of a teacher do not fit the data.
    """
    dataset, resources = prepared.dataset, prepared.config.resources
    share = Share(cpus=resources.cpus)  # Teachers answer on the processor.
    assembly = Assembly(missing)
    waiting = deque(assembly.jobs)
    sent: tuple[int, int, int] | None = None
    chunk = None
    flights: dict[Task, Job] = {}
    try:
        while waiting or flights:
            while waiting and len(flights) < 2 * executor.room(share):
                job = waiting.popleft()
                if (job.view, job.start, job.stop) != sent:  # All teachers read one copy.
                    sent = job.view, job.start, job.stop
                    chunk = executor.share(view_of(dataset.inputs, job, dataset.augmentation))
                name = f"teacher-{prepared.config.teachers[job.teacher].name}"
                arguments = shared[job.teacher], chunk, job, dataset.num_classes, resources.threads
                flights[executor.submit(answer_on_node, *arguments, share=share, name=name)] = job
            for task in executor.wait(list(flights), seconds=1.0):
                job = flights.pop(task)
                with answering(prepared, job.teacher):
                    (answers,) = executor.run_all([task])
                for key, arrays in assembly.add(job, answers):
                    store.store_shard(key, arrays)
    finally:
        executor.cancel(list(flights))


def probe_all(prepared: Prepared, shared: Sequence[Any], features: tuple[str, ...], executor: Executor) -> list[Probe]:
    """Try teachers out on a few rows, one after the other, so that none is slowed by another.

    Args:
        prepared: Its data set and what a task takes.
        shared: What ``Executor.share`` gave for each teacher.
        features: All that any recipe may ask for.
        executor: Where teachers answer.

    Raises:
        UserError: A teacher cannot answer, or lacks a feature.
    """
    resources = prepared.config.resources
    rows = executor.share(probe_rows(prepared.dataset))
    probes = []
    for k, teacher in enumerate(shared):
        arguments = teacher, rows, features, resources.threads
        task = executor.submit(
            probe_on_node,
            *arguments,
            share=Share(cpus=resources.cpus),
            name=f"probe-{prepared.config.teachers[k].name}",
        )
        with answering(prepared, k):
            probes += executor.run_all([task])
    return probes


@contextmanager
def answering(prepared: Prepared, position: int) -> Iterator[None]:
    """Tell which teacher could not answer; what a model raises for inputs that do not fit it is of any kind."""
    place = prepared.config.place("teachers", position)
    try:
        yield
    except ValueError as error:
        raise UserError(str(error), place=place) from error
    except Exception as error:
        if isinstance(error, WorkFailed) or disk_is_full(error):
            raise
        raise UserError(
            f"it cannot answer about the data: {type(error).__name__}: {error}; check that its preprocessing brings "
            "the inputs into the form that it takes",
            place=place,
        ) from error
