"""What a trained student ships: graphs, weights, what describes them, and how texts are read."""

from collections.abc import Mapping, Sequence

from trials.compress import PRECISIONS
from trials.decoding import past_of
from trials.description import DESCRIPTION_FILE, TOKENIZER_FILE, WEIGHTS_FILE, describe, description_bytes
from trials.records import Artefacts, Candidate, Trial
from trials.setting import Setting
from trials.student import Student, save_weights


def artefacts_of(
    trial: Trial,
    setting: Setting,
    student: Student,
    graphs: Mapping[str, bytes],
    candidates: Sequence[Candidate],
) -> Artefacts:
    """Put the files of a trained student together.

    Args:
        trial: What was asked.
        setting: What all trials share.
        student: Trained.
        graphs: By precision.
        candidates: As they were judged.
    """
    reading, signature = setting.reading_of(trial.spec), setting.signature_of(trial.spec)
    description = describe(
        trial.spec,
        signature=signature,
        class_names=setting.dataset.class_names,
        statistics=setting.statistics,
        recipe=trial.recipe,
        seed=trial.seed,
        precisions=setting.precisions,
        metrics={candidate.precision: candidate.metrics for candidate in candidates},
        feature_names=setting.dataset.feature_names,
        length=None if reading is None else reading.length,
        past=past_of(trial.spec, signature),
    )
    files = {PRECISIONS[precision].file_name: graph for precision, graph in graphs.items()}
    files |= {WEIGHTS_FILE: save_weights(student), DESCRIPTION_FILE: description_bytes(description)}
    if reading is not None:
        files[TOKENIZER_FILE] = reading.tokenizer.definition.encode()
    return Artefacts(files=files)
