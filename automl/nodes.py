"""What runs on the workers: little is imported here, since every worker imports it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from automl.errors import WorkFailed
from automl.executor import Executor, resolve
from teachers import CachedOutputs, DamagedEntryError, OutputStore, PackKey, Teacher, compute_shard
from trials.records import Artefacts, Latency, Trial, TrialResult
from trials.run_trial import Setting, judge_on_test, measure_alone, run_trial

CACHE_DTYPE = "float16"
"""How teachers' logits are kept; three digits are more than a student can learn."""


@dataclass(frozen=True, kw_only=True)
class CachePlace:
    """Where a worker finds the outputs of the teachers.

    Args:
        folder: Of the store, on every machine.
        key: Names the outputs.
        content: Reference to the file's bytes, for a machine that lacks them; None where all trials run on the machine
            that has the file.
    """

    folder: Path
    key: PackKey
    content: Any

    @classmethod
    def of(cls, store: OutputStore, key: PackKey, executor: Executor) -> "CachePlace":
        """Tell workers of a file in the store of this machine."""
        # A cluster of one machine may grow, and this machine need not be part of it.
        content = None if executor.local else executor.share(store.read_shard_bytes(key))
        return cls(folder=store.folder.absolute(), key=key, content=content)

    def open(self) -> CachedOutputs:
        """Open the outputs on this machine; fetch them first where they are missing or damaged.

        Raises:
            WorkFailed: They cannot be used and cannot be fetched, so that every other trial would fail as well.
        """
        store = OutputStore(self.folder, limit_bytes=None)
        if self.content is not None and store.fault(self.key) is not None:
            store.store_shard_bytes(self.key, resolve(self.content))
        try:
            return CachedOutputs.open(store, self.key)
        except DamagedEntryError as error:
            raise WorkFailed(
                f"the teachers' answers were removed or damaged during the search: {error}; go on with --resume, which "
                "asks the teachers again"
            ) from error


def trial_on_node(trial: Trial, given: tuple[Setting, CachePlace | None]) -> tuple[TrialResult, Artefacts]:
    """Run a trial with the outputs of the teachers from this machine's disk.

    Args:
        trial: What is asked.
        given: What all trials share, and where the teachers are heard.
    """
    setting, place = given
    if place is not None:
        setting = replace(setting, teachers=place.open())
    return run_trial(trial, setting)


def measure_on_node(graph: bytes, given: tuple[Setting, CachePlace | None]) -> Latency:
    """Measure a graph for the front; see ``measure_alone``."""
    return measure_alone(graph, given[0])


def judge_on_node(graph: bytes, given: tuple[Setting, CachePlace | None]) -> dict[str, float]:
    """Judge a member of the front; see ``judge_on_test``."""
    return judge_on_test(graph, given[0])


def answer_on_node(
    teacher: Teacher, inputs: NDArray[np.generic] | list[str], num_classes: int, threads: int
) -> dict[str, NDArray[np.generic]]:
    """Ask a teacher about a chunk of rows; see ``compute_shard``."""
    torch.set_num_threads(threads)
    return compute_shard(teacher, inputs, num_classes=num_classes, dtype=CACHE_DTYPE)
