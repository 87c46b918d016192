"""How many bits a byte of text costs each teacher, at home and abroad.

Shape letters: R = validation rows, T = positions, V = vocabulary.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl.cluster.executor import Executor, Share
from automl.cluster.token_nodes import tally_on_node
from automl.preparation.prepare import Prepared
from automl.run import TeacherRecord
from automl.teaching.answering import answering
from automl.teaching.strength import describe_coverage
from teachers import Coverage, OutputStore, ShardKey, Teacher
from teachers.digests import rows_digest
from trials.tasks import LanguageModelling
from trials.tasks.language_modelling import bits_per_byte

TALLY = "tally"
"""Name under which the cache keeps what the validation rows cost a teacher."""


def unjudged(teacher: Teacher) -> str:
    """Say why nobody can tell what a byte costs a teacher; empty where it can be told."""
    if not teacher.gives_logits:
        return "it writes, and tells no probabilities of tokens"
    if getattr(teacher.model, "shares_tokenizer", True) is False:
        return "it reads other tokens than the data's"
    return ""


def validation_tallies(
    prepared: Prepared, shared: Sequence[Any], teachers: Sequence[Teacher], executor: Executor, store: OutputStore
) -> list[NDArray[np.float64] | None]:
    """Ask what each validation row costs each teacher (R, 4), or read it from an earlier search; None of ``unjudged``.

    The teachers are asked themselves, once: of what the cache keeps of a prediction, most tokens are left out, and the
    next one may be among them.

    Args:
        prepared: Its data.
        shared: The teachers, as ``Executor.share`` gave them.
        teachers: The same, as loaded.
        executor: Where they are asked.
        store: Where the counts are kept.
    """
    dataset, resources, task = prepared.dataset, prepared.config.resources, prepared.task
    assert isinstance(task, LanguageModelling) and isinstance(dataset.inputs, np.ndarray)
    rows = dataset.splits["validation"]
    inputs, labels = dataset.inputs[rows], dataset.labels[rows]
    asked = rows_digest(np.concatenate([inputs, labels], axis=1)) + rows_digest(task.bytes_V)
    found: list[NDArray[np.float64] | None] = []
    for k, teacher in enumerate(teachers):
        if unjudged(teacher):
            found.append(None)
            continue
        key = ShardKey(teacher=teacher.digest, inputs=asked, output=TALLY, dtype="float32")
        if store.fault(key) is not None:
            arguments = shared[k], inputs, labels, task.bytes_V, resources.threads
            share = Share(cpus=resources.cpus)
            name = f"teacher-{prepared.config.teachers[k].name}"
            with answering(prepared, k):
                (tally,) = executor.run_all([executor.submit(tally_on_node, *arguments, share=share, name=name)])
            store.store_shard(key, {"values": tally})
        found.append(store.read_shard(key)["values"].astype(np.float64))
    return found


def judge_by_tokens(
    prepared: Prepared,
    position: int,
    teacher: Teacher,
    tally_R4: NDArray[np.float64] | None,
    homes: Mapping[str, Coverage],
) -> TeacherRecord:
    """Say what a byte costs a teacher at home and abroad, on the validation rows.

    Args:
        prepared: Its data.
        position: Of the teacher in the config.
        teacher: As loaded.
        tally_R4: What the rows cost it; None where nobody can tell.
        homes: What each teacher covers, by name.
    """
    rows = prepared.dataset.splits["validation"]
    scores, by_home = {}, {}
    if tally_R4 is not None:
        scores = home_and_abroad(prepared, teacher.coverage, tally_R4, rows)
        by_home = {name: home_and_abroad(prepared, other, tally_R4, rows).get("home") for name, other in homes.items()}
    return TeacherRecord(
        name=teacher.name,
        kind=prepared.config.teachers[position].kind,
        digest=teacher.digest[:12],
        covers=describe_coverage(teacher.coverage, ()),
        metric="bits_per_byte",
        metrics=scores,
        by_home={name: value for name, value in by_home.items() if value is not None},
    )


def home_and_abroad(
    prepared: Prepared, coverage: Coverage, tally_R4: NDArray[np.float64], rows: NDArray[np.int64]
) -> dict[str, float]:
    """Give bits a byte ``home`` and ``abroad``, as far as there are such rows.

    Args:
        prepared: Its data.
        coverage: What counts as home.
        tally_R4: What rows cost.
        rows: Their numbers (R,).
    """
    dataset = prepared.dataset
    home_R = coverage.rows(len(dataset), dataset.columns)[rows]
    parts = {"home": tally_R4[home_R].sum(axis=0), "abroad": tally_R4[~home_R].sum(axis=0)}
    return {name: bits_per_byte(tally) for name, tally in parts.items() if tally[3]}
