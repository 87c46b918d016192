"""Teachers asked about all rows of the data, on the whole cluster at once."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from automl.errors import UserError, WorkFailed, disk_is_full
from automl.executor import Executor, Share, Task
from automl.nodes import answer_on_node
from automl.preparation import Prepared
from teachers import OutputStore, Shard, Teacher


def answer_all(
    prepared: Prepared, teachers: Sequence[Teacher], missing: Sequence[Shard], executor: Executor, store: OutputStore
) -> None:
    """Have shards computed on the cluster, and store each as it comes; no more lie in memory than are under way.

    Args:
        prepared: Its data set and what a task takes.
        teachers: As loaded.
        missing: What to compute.
        executor: Where teachers answer.
        store: Where answers go.

    Raises:
        UserError: The answers of a teacher do not fit the data.
    """
    dataset, resources = prepared.dataset, prepared.config.resources
    share = Share(cpus=resources.cpus)  # Teachers answer on the processor.
    shared = {shard.teacher: executor.share(teachers[shard.teacher]) for shard in missing}
    # Chunk by chunk, so that all teachers read one copy of a chunk, and it can go when they have.
    waiting = deque(sorted(missing, key=lambda shard: (shard.start, shard.teacher)))
    start, chunk = -1, None
    flights: dict[Task, Shard] = {}
    try:
        while waiting or flights:
            while waiting and len(flights) < 2 * executor.room(share):
                shard = waiting.popleft()
                if shard.start != start:
                    start, chunk = shard.start, executor.share(dataset.inputs[shard.start : shard.stop])
                name = f"teacher-{teachers[shard.teacher].name}"
                arguments = shared[shard.teacher], chunk, dataset.num_classes, resources.threads
                flights[executor.submit(answer_on_node, *arguments, share=share, name=name)] = shard
            for task in executor.wait(list(flights), seconds=1.0):
                shard = flights.pop(task)
                with answering(prepared, shard.teacher):
                    (arrays,) = executor.run_all([task])
                store.store_shard(shard.key, arrays)
    finally:
        executor.cancel(list(flights))


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
