"""Texts in eight languages and the teachers that know one each.

Shape letters: N = rows, K = teachers, B = batch, D = width of an embedding, C = classes.
"""

import hashlib
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from teachers import Batch, TeacherOutputs
from teachers.head_fitting import fit_head
from teachers.loading.sentence_encoder import SentenceEncoder, load_sentence_encoder
from trials.data import Dataset, RawData, split
from trials.data.labelling import encode_labels

VALIDATION, LABELLED = 0.1, 0.1
Logits = NDArray[np.float32]


def share_of(page: str, *, of: str) -> float:
    """Place a page between 0 and 1, evenly and always the same."""
    return int(hashlib.sha256(f"{of} {page}".encode()).hexdigest()[:12], 16) / 16**12


def read(path: Path) -> pd.DataFrame:
    """Read the table; complete it with validation pages where it has none."""
    table = pd.read_parquet(path)
    table = table[table["module"] != "sdatabase"].reset_index(drop=True)
    if "validation" not in set(table["split"]):
        chosen = table["page"].map(lambda page: share_of(page, of="validation")) < VALIDATION
        table["split"] = table["split"].mask(chosen & (table["split"] == "train"), "validation")
    return table


def data_of(table: pd.DataFrame) -> Dataset:
    """Give the table as a search sees it, with every label."""
    labels, names = encode_labels(table["module"].tolist(), None)
    given = {name: np.flatnonzero(table["split"] == name) for name in ("train", "validation", "test")}
    raw = RawData(
        inputs=table["text"].tolist(),
        labels=labels,
        class_names=names,
        columns={"lang": table["lang"].to_numpy().astype(str)},
        given_splits=given,
    )
    return split(raw, validation=VALIDATION, test=0.2, seed=0)


def visible(table: pd.DataFrame, seed: int) -> NDArray[np.bool_]:
    """Say whose label a student sees: those of one page in ten."""
    places = table["page"].map(lambda page: share_of(page, of=f"labels {seed}"))
    return np.asarray(places < LABELLED)


class Routed:
    """Answers of the specialists, each at its home alone; fulfils ``EnsembleOutputs``."""

    def __init__(self, answers_NC: Logits, homes_KN: NDArray[np.bool_]) -> None:
        """Keep them.

        Args:
            answers_NC: Of the specialist of each row.
            homes_KN: Which rows are the home of each.
        """
        self._answers_NC = torch.from_numpy(answers_NC)
        self._homes_KN = torch.from_numpy(homes_KN)

    def __call__(self, batch: Batch, features: Collection[str] = ()) -> TeacherOutputs:
        """Look the rows up; a teacher that is not at home says nothing, which is not read."""
        del features
        at_home_KB = self._homes_KN[:, batch.index]
        return TeacherOutputs(logits=self._answers_NC[batch.index] * at_home_KB[..., None])


def by_language(right: NDArray[np.bool_], languages: NDArray[np.generic]) -> dict[str, float]:
    """Give the share of right answers in each language, and the mean over them."""
    found = {str(name): float(right[languages == name].mean()) for name in np.unique(languages)}
    return {**found, "mean": float(np.mean(list(found.values())))}


def logits_of(specialist: Pipeline, dataset: Dataset, rows: NDArray[np.int64]) -> Logits:
    """Ask a specialist, whose classes are in the order of the data's."""
    assert tuple(specialist.classes_) == dataset.class_names
    answers: Logits = specialist.predict_log_proba([dataset.inputs[row] for row in rows]).astype(np.float32)
    return answers


def judged(answers_NC: Logits, dataset: Dataset, rows: NDArray[np.int64]) -> dict[str, float]:
    """Give the accuracy by language."""
    return by_language(answers_NC.argmax(axis=1) == dataset.labels[rows], dataset.columns["lang"][rows])


def embedded(model: str, dataset: Dataset, rows: NDArray[np.int64]) -> Logits:
    """Fit a head to a sentence encoder's embeddings of the English training texts, and ask it."""
    encoder = load_sentence_encoder(model=model, num_classes=dataset.num_classes, max_length=128).model
    assert isinstance(encoder, SentenceEncoder)
    train = dataset.splits["train"]
    home = train[dataset.columns["lang"][train] == "en-US"]
    embedding_ND = encoder.embed([str(dataset.inputs[row]) for row in home])
    labels = torch.from_numpy(dataset.labels[home])
    head = fit_head(embedding_ND, labels, num_classes=dataset.num_classes, seed=0)
    answers: Logits = head(encoder.embed([str(dataset.inputs[row]) for row in rows])).numpy()
    return answers


def held_bytes(specialist: Pipeline) -> int:
    """Count what a specialist holds: numbers of four bytes each, and its words; its file takes far more."""
    parts, regression = specialist[0], specialist[-1]
    numbers = parts.idf_.size + regression.coef_.size + regression.intercept_.size
    return 4 * int(numbers) + sum(len(word.encode()) + 1 for word in parts.vocabulary_)
