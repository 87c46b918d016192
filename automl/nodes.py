"""What a trial needs on the machine where it runs: the teachers' outputs on that machine's own disk."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from automl.executor import Executor, resolve
from teachers import CachedOutputs, OutputStore, PackKey
from trials.records import Artefacts, Trial, TrialResult
from trials.run_trial import Setting, run_trial


@dataclass(frozen=True, kw_only=True)
class CachePlace:
    """Where a worker finds the outputs of the teachers.

    Args:
        folder: Of the store, on every machine.
        key: Names the outputs.
        content: Reference to the file's bytes, for a machine that lacks them; None where there is one machine only.
    """

    folder: Path
    key: PackKey
    content: Any

    @classmethod
    def of(cls, store: OutputStore, key: PackKey, executor: Executor) -> "CachePlace":
        """Tell workers of a file in the store of this machine."""
        content = executor.share(store.read_shard_bytes(key)) if executor.num_nodes > 1 else None
        return cls(folder=store.folder.absolute(), key=key, content=content)

    def open(self) -> CachedOutputs:
        """Open the outputs on this machine; fetch them first where they are missing or damaged."""
        store = OutputStore(self.folder, limit_bytes=None)
        if self.content is not None and store.fault(self.key) is not None:
            store.store_shard_bytes(self.key, resolve(self.content))
        return CachedOutputs.open(store, self.key)


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
