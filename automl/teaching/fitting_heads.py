"""Heads of sentence encoders, fitted before the search on the rows that each covers, and kept for later ones."""

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from automl.cluster.executor import Executor, Share
from automl.cluster.nodes import embed_on_node, fit_on_node
from automl.errors import UserError
from automl.numbers import counted
from automl.preparation.prepare import Prepared, at
from automl.teaching.loading import load_teacher
from automl.teaching.schooling import home
from search_spaces import plain_digest
from teachers import MISSING_LABEL, LoadedModel
from teachers.digests import rows_digest
from teachers.head_fitting import Head
from teachers.loading.answers import Answers
from teachers.loading.sentence_encoder import save_head

FORMAT = 1
"""Goes up when fitting changes so much that heads of earlier versions must not be taken."""

_ROWS_OF_A_TASK = 512


def fit_heads(prepared: Prepared, executor: Executor, folder: Path, *, say: Callable[[str], None]) -> dict[str, Path]:
    """Fit the heads of teachers of kind ``sentence_encoder``, unless an earlier search did.

    Each text is read once: the head's answers for the rows that it was fitted on are kept beside it.

    Args:
        prepared: The config's teachers.
        executor: Where texts are read and heads fitted.
        folder: Where heads are kept, each in a folder that names all that it depends on.
        say: Is told what is fitted.

    Returns:
        Folder of each, by name of the teacher.

    Raises:
        UserError: The encoder cannot be loaded, or the rows do not suffice.
    """
    folders = {}
    for position, teacher in enumerate(prepared.config.teachers):
        if teacher.kind == "sentence_encoder":
            encoder = unfitted(prepared, position)
            folders[teacher.name] = place = folder / head_folder_name(prepared, position, encoder)
            if not place.exists():
                rows = _rows(prepared, position)
                say(f"fitting the head of {teacher.name} on {counted(len(rows), 'row')}")
                texts = [prepared.dataset.inputs[row] for row in rows]
                embeddings = _embed(prepared, position, encoder, texts, executor)
                head = _fit(prepared, position, embeddings, rows, executor)
                answers = Answers.of(texts, head(torch.from_numpy(embeddings)).numpy())
                _keep(place, head, answers)
    return folders


def unfitted(prepared: Prepared, position: int) -> LoadedModel:
    """Load the encoder of a teacher, with a head that says nothing."""
    teacher = prepared.config.teachers[position]
    with at(prepared.config, "teachers", position):
        if not isinstance(prepared.dataset.inputs, list):
            raise UserError("a sentence encoder reads texts, and the data have none; take a teacher of another kind")
        return load_teacher(prepared, teacher, prepared.coverages[teacher.name])


def head_folder_name(prepared: Prepared, position: int, encoder: LoadedModel) -> str:
    """Name all that a head depends on: the encoder, the rows with their labels, the classes and the seed."""
    dataset = prepared.dataset
    labels = prepared.coverages[prepared.config.teachers[position].name].labels
    rows = _rows(prepared, position)
    texts = rows_digest([dataset.inputs[row] for row in rows])
    parts = [FORMAT, encoder.digest, list(dataset.class_names), labels and list(labels), prepared.config.seed]
    return plain_digest([*parts, texts, rows_digest(dataset.labels[rows])])


def _rows(prepared: Prepared, position: int) -> NDArray[np.int64]:
    """Find the training rows that a teacher covers and whose label is known; as trained ones, it sees every label."""
    with at(prepared.config, "teachers", position, "covers"):
        train = home(prepared.dataset, prepared.coverages[prepared.config.teachers[position].name]).splits["train"]
        rows: NDArray[np.int64] = train[prepared.dataset.labels[train] != MISSING_LABEL]
        if not len(rows):
            raise ValueError("none of the training rows that it covers has a label, which its head could be fitted to")
    return rows


def _embed(
    prepared: Prepared, position: int, encoder: LoadedModel, texts: list[str], executor: Executor
) -> NDArray[np.float32]:
    """Read texts, in many tasks (n, D)."""
    resources, name = prepared.config.resources, prepared.config.teachers[position].name
    share, shared = Share(cpus=resources.cpus), executor.share(encoder.model)
    pieces = [texts[start : start + _ROWS_OF_A_TASK] for start in range(0, len(texts), _ROWS_OF_A_TASK)]
    tasks = [
        executor.submit(embed_on_node, shared, piece, resources.threads, share=share, name=f"embed-{name}")
        for piece in pieces
    ]
    embeddings: NDArray[np.float32] = np.concatenate(executor.run_all(tasks))
    return embeddings


def _fit(
    prepared: Prepared, position: int, embeddings: NDArray[np.float32], rows: NDArray[np.int64], executor: Executor
) -> Head:
    """Fit the head, in one task."""
    dataset, resources = prepared.dataset, prepared.config.resources
    name = prepared.config.teachers[position].name
    labels = prepared.coverages[name].labels
    classes = np.arange(dataset.num_classes) if labels is None else np.array(labels)
    places = np.zeros(dataset.num_classes, dtype=np.int64)
    places[classes] = np.arange(len(classes))
    arguments = executor.share(embeddings), places[dataset.labels[rows]], len(classes), prepared.config.seed
    share = Share(cpus=resources.cpus)
    task = executor.submit(fit_on_node, *arguments, resources.threads, share=share, name=f"fit-{name}")
    with at(prepared.config, "teachers", position):
        found: Head = executor.run_all([task])[0]
    return found


def _keep(folder: Path, head: Head, answers: Answers) -> None:
    """Write a head, unless another search that fitted the same one was faster; its files stay."""
    draft = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.new")
    draft.mkdir(parents=True)
    save_head(draft, head, answers)
    try:
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not folder.exists():
            raise
