"""What runs on the workers: little is imported here, since every worker imports it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from automl.cluster.executor import Executor, resolve
from automl.errors import WorkFailed
from automl.teaching.heard_rows import HeardRows
from search_spaces import StudentSpec
from teachers import (
    LOGITS,
    Arrays,
    CachedFeature,
    CachedOutputs,
    CacheKey,
    DamagedEntryError,
    Job,
    JoinedOutputs,
    OutputStore,
    PackKey,
    Probe,
    Shard,
    Teacher,
    compute_shard,
    cut_of,
    probe,
)
from teachers.columns import class_columns
from teachers.head_fitting import Head, fit_head
from teachers.loading.sentence_encoder import SentenceEncoder
from trials.data import Dataset
from trials.records import Artefacts, Judgement, Latency, Trial, TrialResult
from trials.rounds import MeasuringProcessError
from trials.run_trial import Setting, judge_on_test, measure_alone, run_rung, run_trial, train_and_judge
from trials.stages import Underway

if TYPE_CHECKING:  # It imports what only the controller needs.
    from automl.teaching.caching import Entries


@dataclass(frozen=True, kw_only=True)
class CachePlace:
    """Where a worker finds what the teachers say: in files, and from their models where there is no room for files.

    Args:
        folder: Of the store, on every machine.
        num_teachers: Of the ensemble.
        num_classes: Of the data.
        packed: Positions of the teachers whose logits are cached.
        packs: Names of the cached logits, by view.
        features: Shards of each cached feature, by position of the teacher, name and view.
        contents: References to the files' bytes by digest, for a machine that lacks them; None where all trials run on
            the machine that has the files.
        teachers: References to the teachers that trials must run, by position, each with its digest.
        models: Whether a loss runs the teachers' models.
        mute: Positions of the teachers that only write.
    """

    folder: Path
    num_teachers: int
    num_classes: int
    packed: tuple[int, ...]
    packs: Mapping[int, PackKey]
    features: Mapping[tuple[int, str, int], tuple[Shard, ...]]
    contents: Mapping[str, Any] | None
    teachers: Mapping[int, tuple[str, Any]]
    models: bool
    mute: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        store: OutputStore,
        entries: "Entries",
        teachers: Sequence[Teacher],
        executor: Executor,
        *,
        num_classes: int,
    ) -> "CachePlace":
        """Tell workers of the files in the store of this machine."""
        plan = entries.plan
        # A cluster of one machine may grow, and this machine need not be part of it.
        contents = None
        if not executor.local:
            contents = {key.digest: executor.share(store.read_shard_bytes(key)) for key in entries.keys}
        return cls(
            folder=store.folder.absolute(),
            num_teachers=len(teachers),
            num_classes=num_classes,
            packed=plan.packed,
            packs=entries.packs,
            features=entries.features,
            contents=contents,
            teachers={k: (teachers[k].digest, executor.share(teachers[k])) for k in plan.needs_models},
            models=bool(plan.models),
            mute=tuple(k for k, teacher in enumerate(teachers) if not teacher.gives_logits),
        )

    def open(self, dataset: Dataset) -> JoinedOutputs:
        """Open the outputs on this machine; fetch them first where they are missing or damaged.

        Args:
            dataset: That teachers were asked about; its splits tell where answers lie.

        Raises:
            WorkFailed: They cannot be used and cannot be fetched, so that every other trial would fail as well.
        """
        store = OutputStore(self.folder, limit_bytes=None)
        shards = [shard.key for each in self.features.values() for shard in each]
        held = _Held()
        if shards:  # Packs are kept by whoever has them open.
            store.hold(shards, holder=held)
        keys: list[CacheKey] = [*self.packs.values(), *shards]
        for key in keys:
            if self.contents is not None and store.fault(key) is not None:
                store.store_shard_bytes(key, resolve(self.contents[key.digest]))
        try:
            return JoinedOutputs(
                num_teachers=self.num_teachers,
                num_classes=self.num_classes,
                packed=self.packed,
                packs={view: CachedOutputs.open(store, key) for view, key in self.packs.items()},
                features={name: CachedFeature(store, each) for name, each in self.features.items()},
                live=dict(self.at_hand()),
                mute=self.mute,
                positions=HeardRows.of(dataset).positions,
                holder=held,
            )
        except DamagedEntryError as error:
            raise WorkFailed(
                f"the teachers' answers were removed or damaged during the search: {error}; go on with --resume, which "
                "asks the teachers again"
            ) from error

    def at_hand(self) -> Iterator[tuple[int, Teacher]]:
        """Give the teachers that are run, by position; a process unpacks each once."""
        for k, (digest, reference) in self.teachers.items():
            if digest not in _UNPACKED:
                _UNPACKED[digest] = resolve(reference)
            yield k, _UNPACKED[digest]


class _Held:
    """Keeps files from eviction as long as it lives."""


_UNPACKED: dict[str, Teacher] = {}
"""Teachers that this process has unpacked, by digest: a worker runs many trials, and a model is large."""


def trial_on_node(
    trial: Trial,
    given: tuple[Setting, CachePlace | None],
    underway: Underway | None = None,
    until_epoch: int | None = None,
) -> tuple[TrialResult, Artefacts | Underway | None]:
    """Run a trial, or its way to its next rung, with the outputs of the teachers from this machine's disk.

    Args:
        trial: What is asked.
        given: What all trials share, and where the teachers are heard.
        underway: What an earlier rung left; None starts from nothing.
        until_epoch: As for ``run_rung``; None runs the trial to its end.
    """
    setting = with_teachers(*given)
    if until_epoch is None:
        return run_trial(trial, setting, underway)
    return run_rung(trial, setting, underway, until_epoch=until_epoch)


def retrain_on_node(
    trial: Trial, given: tuple[Setting, CachePlace | None], rows: Mapping[str, NDArray[np.int64]]
) -> Judgement:
    """Train a student with the outputs of the teachers from this machine's disk; see ``train_and_judge``."""
    return train_and_judge(trial, with_teachers(*given), rows)


def with_teachers(setting: Setting, place: CachePlace | None) -> Setting:
    """Let a setting hear the teachers on this machine."""
    if place is None:
        return setting
    models = tuple(teacher.model for _, teacher in place.at_hand()) if place.models else ()
    return replace(setting, teachers=place.open(setting.dataset), teacher_models=models)


def measure_on_node(
    graphs: Sequence[bytes], specs: Sequence[StudentSpec], given: tuple[Setting, CachePlace | None]
) -> list[Latency]:
    """Measure graphs for the front; see ``measure_alone``.

    Raises:
        WorkFailed: A process that measures was killed.
    """
    try:
        return measure_alone(graphs, specs, given[0])
    except MeasuringProcessError as error:
        raise WorkFailed(f"{error}; go on with --resume") from error


def judge_on_node(graph: bytes, spec: StudentSpec, given: tuple[Setting, CachePlace | None]) -> dict[str, float]:
    """Judge a member of the front; see ``judge_on_test``."""
    return judge_on_test(graph, spec, given[0])


def answer_on_node(
    teacher: Teacher, inputs: NDArray[np.generic] | list[str], job: Job, num_classes: int, threads: int
) -> dict[str, Arrays]:
    """Ask a teacher about a chunk of rows; see ``compute_shard``."""
    torch.set_num_threads(threads)
    return compute_shard(
        teacher,
        inputs,
        num_classes=num_classes,
        dtype=job.shards[0].key.dtype,
        outputs=job.outputs,
        **cut_of(job),
    )


def embed_on_node(encoder: SentenceEncoder, texts: list[str], threads: int) -> NDArray[np.float32]:
    """Give the embeddings of some texts (B, D)."""
    torch.set_num_threads(threads)
    embedding: NDArray[np.float32] = encoder.embed(texts).numpy()
    return embedding


def fit_on_node(
    embedding_ND: NDArray[np.float32], label_N: NDArray[np.int64], num_classes: int, seed: int, threads: int
) -> Head:
    """Fit a head to embeddings; see ``fit_head``."""
    torch.set_num_threads(threads)
    return fit_head(torch.tensor(embedding_ND), torch.tensor(label_N), num_classes=num_classes, seed=seed)


def probe_on_node(
    teacher: Teacher, inputs: NDArray[np.generic] | list[str], features: tuple[str, ...], threads: int
) -> Probe:
    """Ask a teacher about a few rows; see ``probe``."""
    return probe(teacher, inputs, features, num_threads=threads)


def logits_on_node(
    teacher: Teacher, inputs: NDArray[np.generic] | list[str], num_classes: int, threads: int
) -> NDArray[np.float32]:
    """Ask a teacher about some rows whose answers are not kept: logits (B, ..., C), 0 for classes it does not know."""
    torch.set_num_threads(threads)
    values = compute_shard(teacher, inputs, num_classes=num_classes, dtype="float32")[LOGITS]["values"]
    columns, classes = class_columns(teacher, width=values.shape[-1], num_classes=num_classes)
    logits: NDArray[np.float32] = np.zeros((*values.shape[:-1], num_classes), dtype=np.float32)
    logits[..., classes] = values[..., columns]
    return logits
