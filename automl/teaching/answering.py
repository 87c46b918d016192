"""Teachers asked about all rows of the data, on the whole cluster at once."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from automl.cluster.executor import Executor, Share, Task
from automl.cluster.nodes import answer_on_node, probe_on_node
from automl.errors import UserError, WorkFailed, disk_is_full
from automl.preparation.prepare import Prepared
from automl.teaching.caching import probe_rows
from automl.teaching.heard_rows import HeardRows
from teachers import Assembly, CachePlan, Job, OutputStore, Probe, Shard, view_of
from teachers.endpoint import EndpointError


def answer_all(
    prepared: Prepared,
    shared: Sequence[Any],
    missing: Sequence[Shard],
    executor: Executor,
    store: OutputStore,
    *,
    plan: CachePlan,
) -> None:
    """Have shards computed on the cluster, and store each as it is whole; few chunks lie in memory at a time.

    Fewer processes answer than there is room for, where more would not fit into the memory that teachers may take.

    Args:
        prepared: Its data set and what a task takes.
        shared: What ``Executor.share`` gave for each teacher.
        missing: What to compute.
        executor: Where teachers answer.
        store: Where answers go.
        plan: Its budget, and what filling takes of it.

    Raises:
        UserError: The answers of a teacher do not fit the data.
    """
    dataset, resources = prepared.dataset, prepared.config.resources
    heard = HeardRows.of(dataset)
    share = Share(cpus=resources.cpus)  # Teachers answer on the processor.
    most = _most_at_a_time(executor, share, plan)
    assembly = Assembly(missing)
    waiting = deque(assembly.jobs)
    sent: tuple[int, int, int] | None = None
    chunk = None
    flights: dict[Task, Job] = {}
    while waiting or flights:
        while waiting and len(flights) < most:
            job = waiting.popleft()
            if (job.view, job.start, job.stop) != sent:  # All teachers read one copy.
                sent = job.view, job.start, job.stop
                rows = slice(job.start, job.stop)
                chunk = executor.share(view_of(heard[rows], job, dataset.augmentation, numbers=heard.order[rows]))
            name = f"teacher-{prepared.config.teachers[job.teacher].name}"
            arguments = shared[job.teacher], chunk, job, dataset.num_classes, resources.threads
            flights[executor.submit(answer_on_node, *arguments, share=share, name=name)] = job
        for task in executor.wait(list(flights), seconds=1.0):
            job = flights.pop(task)
            with answering(prepared, job.teacher):
                (answers,) = executor.run_all([task])
            for key, arrays in assembly.add(job, answers):
                store.store_shard(key, arrays)


def trials_at_a_time(prepared: Prepared, executor: Executor) -> int:
    """Say how many trials may meet on one machine."""
    resources = prepared.config.resources
    share = Share(cpus=resources.cpus, gpus=resources.gpus)
    return executor.on_one_machine(prepared.config.search.in_flight, share)


def _most_at_a_time(executor: Executor, share: Share, plan: CachePlan) -> int:
    """Say how many chunks are under way at a time: twice what there is room for, so that no process waits for one."""
    if plan.filling_at_a_time >= executor.on_one_machine(None, share):
        return 2 * executor.room(share)
    return plan.filling_at_a_time * executor.num_nodes


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
    """Tell which teacher could not answer; what a model raises for inputs that do not fit it is of any kind.

    Raises:
        UserError: It cannot, or its server refuses.
        WorkFailed: Its server does not answer, or the budget is used up.
    """
    place = prepared.config.place("teachers", position)
    try:
        yield
    except ValueError as error:
        raise UserError(str(error), place=place) from error
    except EndpointError as error:
        raise WorkFailed(f"teacher {prepared.config.teachers[position].name!r}: {error}") from error
    except Exception as error:
        if isinstance(error, WorkFailed) or disk_is_full(error):
            raise
        raise UserError(
            f"it cannot answer about the data: {type(error).__name__}: {error}; check that its preprocessing brings "
            "the inputs into the form that it takes",
            place=place,
        ) from error
