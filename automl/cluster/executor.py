"""Ray: where trials run. Besides how it starts, the only file that knows it."""

import errno
import faulthandler
import logging
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

# Read by Ray when it is imported, and by the processes that it starts.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
# `fetch` tells of each; results that nobody fetches fail too.
os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")

import ray
import ray.exceptions

from automl.cluster.no_cluster import no_cluster
from automl.cluster.ray_start import require_token, say_nothing_of_deaths
from automl.cluster.unserved import Unserved
from automl.errors import UserError, WorkFailed, disk_is_full
from automl.interrupts import held_back

_logger = logging.getLogger("automl.cluster.executor")

MEASURING = "automl_measuring"
"""A Ray resource that one node has once: where latency is measured, one measurement at a time."""

TRIES = 3
"""How often ``run_all`` starts a task whose process dies."""


class LostWorkError(RuntimeError):
    """A task's process died, or it was stopped because it took too long; nothing of it is left."""


class OverdueError(LostWorkError):
    """A task took longer than it may; another try would take as long."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """What a task takes of the cluster.

    Args:
        cpus: Processors, fractions allowed.
        gpus: Graphics processors, fractions allowed.
        measuring: Whether it needs the device that latency is measured on.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    measuring: bool = False


@dataclass(frozen=True, eq=False)
class Task:
    """Work under way: what it will give.

    Args:
        refs: References to its results.
        deadline: When it has run for too long, on the monotonic clock, in seconds; None without one.
        again: Starts the same work anew.
        takes: Of one machine, by Ray's names of resources.
    """

    refs: tuple[Any, ...]
    deadline: float | None
    again: Callable[[], "Task"] | None = None
    takes: Mapping[str, float] = field(default_factory=dict)


class Executor:
    """Starts work on the cluster and waits for it; a task runs once, and whoever starts it counts the tries."""

    def __init__(self, *, address: str | None = None, cpus: int | None = None) -> None:
        """Join a cluster, or start one on this machine.

        Args:
            address: Of a running cluster (``auto`` or ``host:port``); None starts one that ends with this process.
            cpus: Processors of the one that is started; None takes all.

        Raises:
            NoClusterError: No cluster at this address, or none could be started.
        """
        local, began = address is None, time.monotonic()
        if local and "RAY_AUTH_MODE" not in os.environ:
            require_token()
        try:
            # Broken off halfway, it leaves threads and processes that nobody ends, and that crash this one as it exits;
            # or Ctrl-C comes while Python forks, where it is lost.
            with held_back("Ray has started"):
                ray.init(
                    address="local" if local else address,
                    num_cpus=cpus if local else None,
                    resources={MEASURING: 1} if local else None,
                    include_dashboard=False if local else None,
                    log_to_driver=False,
                    logging_level="ERROR",
                    configure_logging=True,
                )
        except Exception as error:  # Ray raises of all kinds.
            if disk_is_full(error):
                raise
            raise no_cluster(error, address, seconds=time.monotonic() - began) from error
        except KeyboardInterrupt:
            self.close()
            raise
        say_nothing_of_deaths()
        self._functions: dict[Callable[..., Any], Any] = {}
        self._unserved = Unserved()
        self.local = local
        """Whether it runs on this machine alone, on a cluster that ends with this process."""
        total = ray.cluster_resources()
        self._can_measure = total.get(MEASURING, 0) > 0
        # A cluster of others may grow; this machine does not, and Ray would wait for ever.
        self._most = {name: total.get(name, 0.0) for name in ("CPU", "GPU")} if local else {}

    def room(self, share: Share) -> int:
        """Count the tasks of a kind that the cluster can run at once; 1 at least."""
        return _room(ray.cluster_resources(), share)

    def in_flight(self, asked: int | None, share: Share) -> int:
        """Give the number of tasks at a time; a task's time runs from its start, so none waits here for a place.

        Args:
            asked: As many at most; None takes all that there is room for.
            share: Of each.
        """
        room = self.room(share)
        return min(asked or room, room) if self.local else asked or room

    def on_one_machine(self, asked: int | None, share: Share) -> int:
        """Give the number of tasks at a time that may meet on one machine; arguments are those of ``in_flight``."""
        most = max((_room(node["Resources"], share) for node in ray.nodes() if node["Alive"]), default=1)
        return min(self.in_flight(asked, share), most)

    @property
    def num_nodes(self) -> int:
        """Machines of the cluster."""
        return sum(node["Alive"] for node in ray.nodes())

    def share(self, thing: object) -> Any:
        """Put something where every task can read it; pass the answer to ``submit`` in its place."""
        return ray.put(thing)

    def submit(
        self,
        function: Callable[..., Any],
        *args: object,
        share: Share,
        returns: int = 1,
        seconds: float | None = None,
        name: str = "",
    ) -> Task:
        """Start ``function(*args)`` on the cluster.

        Args:
            function: Importable where the task runs.
            args: Plain data, or what ``share`` returned.
            share: What it takes of the cluster.
            returns: Number of results, when ``function`` returns a tuple that is to be fetched one by one.
            seconds: Time that it may run before its process is ended.
            name: As Ray's own tools show it.

        Raises:
            UserError: This machine has less than the task takes.
        """
        for kind, asked, setting in (("CPU", share.cpus, "cpus"), ("GPU", share.gpus, "gpus")):
            if asked > self._most.get(kind, math.inf):
                wanted = f"{asked:g} {kind}{'s' * (asked != 1)}"
                reason = f"a trial asks for {wanted}, this machine has {self._most[kind]:g}; lower it"
                raise UserError(reason, place=f"resources.{setting}")
        resources = {MEASURING: 1.0} if share.measuring and self._can_measure else {}
        if function not in self._functions:
            self._functions[function] = ray.remote(_bounded(function))  # Sends the function to the workers, once.
        remote = self._functions[function].options(
            num_cpus=share.cpus,
            num_gpus=share.gpus,
            resources=resources,
            num_returns=returns,
            max_retries=0,
            name=name or function.__name__,
        )
        refs = remote.remote(seconds, *args)
        deadline = None if seconds is None else time.monotonic() + seconds
        again = partial(self.submit, function, *args, share=share, returns=returns, seconds=seconds, name=name)
        takes = {"CPU": share.cpus, "GPU": share.gpus, **resources}
        return Task(tuple(refs) if returns > 1 else (refs,), deadline, again, takes)

    def wait(self, tasks: Sequence[Task], *, seconds: float) -> list[Task]:
        """Wait until a task ends, at most ``seconds``; give those that did.

        Work that no machine of a cluster has room for is told after some seconds; one that has may join yet.
        """
        by_ref = {task.refs[0]: task for task in tasks}
        done, _ = ray.wait(list(by_ref), num_returns=1, timeout=seconds)
        if done:  # Others may have ended too.
            done, _ = ray.wait(list(by_ref), num_returns=len(by_ref), timeout=0)
        elif not self.local:
            machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            for line in self._unserved.news([task.takes for task in tasks], machines):
                _logger.warning("%s", line)
        return [by_ref[ref] for ref in done]

    def fetch(self, task: Task, part: int = 0) -> Any:
        """Get a result of a task that has ended.

        Raises:
            OverdueError: Its process was ended, since it took too long.
            LostWorkError: Its process died.
            Exception: What the function raised.
        """
        try:
            return ray.get(task.refs[part])
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ray.exceptions.ObjectLostError):
                raise LostWorkError(f"what it was to go on from is lost ({type(error.cause).__name__})") from error
            raise error.cause from error
        except ray.exceptions.OutOfDiskError as error:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "Ray's store of objects") from error
        except ray.exceptions.RayError as error:
            if task.deadline is not None and time.monotonic() > task.deadline:
                raise OverdueError("it took longer than allowed and was stopped") from error
            raise LostWorkError(f"its process died ({type(error).__name__}), perhaps for want of memory") from error

    def run_all(self, tasks: Sequence[Task]) -> list[Any]:
        """Wait for all tasks and give their results, in order; one whose process dies is started again.

        Raises:
            WorkFailed: The process of one died each time.
            Exception: What a function raised, as soon as one does.
        """
        current, tries = list(tasks), dict.fromkeys(range(len(tasks)), 1)
        results: dict[int, Any] = {}
        while len(results) < len(current):
            for task in self.wait([task for k, task in enumerate(current) if k not in results], seconds=1.0):
                k = current.index(task)
                try:
                    results[k] = self.fetch(task)
                except LostWorkError as error:
                    if tries[k] == TRIES or task.again is None:
                        raise WorkFailed(f"a task failed {tries[k]} times: {error}") from error
                    tries[k] += 1
                    _logger.warning("a task: %s; it starts again, attempt %d of %d", error, tries[k], TRIES)
                    current[k] = task.again()
        return [results[k] for k in range(len(current))]

    def close(self) -> None:
        """Leave the cluster, which ends the processes that work for this one; a cluster that was started here ends."""
        with held_back("Ray has stopped"):
            ray.shutdown()


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a task end its own process when its time is up.

    Not ``ray.cancel``: where it meets a task that begins or ends at that moment, Ray finds its own books wrong and
    aborts the process that asked, which is the search (seen with Ray 2.60: "Tried to complete task that was not
    pending"). The watch is a thread in C, which does not wait for Python's lock, so that no loop can hold it up.
    """

    def run(seconds: float | None, *args: object) -> Any:
        if seconds is None:
            return function(*args)
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - the traceback that it writes as it ends
            faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
            try:
                return function(*args)
            finally:
                faulthandler.cancel_dump_traceback_later()

    return run


def _room(total: Mapping[str, float], share: Share) -> int:
    asked = {"CPU": share.cpus, "GPU": share.gpus}
    return max(1, int(min(total.get(kind, 0.0) // amount for kind, amount in asked.items() if amount > 0)))


def resolve(reference: Any) -> Any:
    """Get, within a task, what ``Executor.share`` put there and what came inside another argument."""
    return ray.get(reference)
