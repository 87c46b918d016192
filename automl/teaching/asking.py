"""Endpoints asked before the search: by this process alone, at the server's pace, about no more than is needed."""

from collections.abc import Callable, Sequence

import numpy as np

from automl.numbers import counted
from automl.preparation.prepare import Prepared
from automl.teaching.answering import answering
from teachers import MISSING_LABEL, Coverage, LoadedModel, Teacher
from teachers.loading.endpoint import EndpointClassifier
from trials.data import Dataset


def ask_endpoints(prepared: Prepared, teachers: Sequence[Teacher], *, say: Callable[[str], None]) -> list[Teacher]:
    """Ask servers about the texts on which they are heard, and let their answers stand for them.

    Args:
        prepared: The data.
        teachers: As loaded, in the order of the config.
        say: Is told how many texts are asked about.

    Returns:
        The same, those that ask a server replaced by what they answered: it travels to any machine, and its digest
        names it, so that answers of other rows are never taken for these.

    Raises:
        UserError: The server refuses.
        WorkFailed: The server does not answer, or the budget is used up.
    """
    ready = list(teachers)
    for k, teacher in enumerate(teachers):
        if isinstance(teacher.model, EndpointClassifier):
            texts = texts_to_ask(prepared.dataset, teacher.coverage)
            known = teacher.model.known(texts)
            before = f", {known} of them answered before" if known else ""
            say(f"asking {teacher.name} about {counted(len(texts), 'text')}{before}")
            loaded, unclear = asked(prepared, k, teacher.model, texts)
            if unclear:
                say(f"teacher {teacher.name}: {counted(unclear, 'answer')} named no class, which counts as a guess")
            ready[k] = loaded.teacher(teacher.name, teacher.coverage)
    return ready


def asked(
    prepared: Prepared, position: int, model: EndpointClassifier, texts: Sequence[str]
) -> tuple[LoadedModel, int]:
    """Ask a server about some texts.

    Args:
        prepared: Its config.
        position: Of the teacher in the config.
        model: Asks.
        texts: What about.

    Returns:
        What ``EndpointClassifier.heard`` gives.

    Raises:
        UserError: The server refuses.
        WorkFailed: The server does not answer, or the budget is used up.
    """
    with answering(prepared, position):
        return model.heard(texts)


def texts_to_ask(dataset: Dataset, coverage: Coverage) -> list[str]:
    """List the texts, each once, on which a teacher votes in training, and those on which it is judged.

    Nobody hears it on test rows, nor on training rows that it does not cover or whose label, as students see it, is
    none of its classes.
    """
    assert isinstance(dataset.inputs, list)
    heard = coverage.rows(len(dataset), dataset.columns)
    if coverage.labels is not None:
        labels = dataset.student_labels
        heard &= np.isin(labels, coverage.labels) | (labels == MISSING_LABEL)
    train, validation = dataset.splits["train"], dataset.splits["validation"]
    rows = np.concatenate([train[heard[train]], validation])
    return list(dict.fromkeys(dataset.inputs[row] for row in rows))
