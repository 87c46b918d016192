"""Members of the front as MLflow models: ONNX files with signature and input example, no pickle anywhere.

A student of texts is logged as a model that takes texts: its files, and the code that runs them.
"""

import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl.front.pareto_front import Member
from automl.run import FinishedTrial
from automl.searching.students import Students
from automl.tracking.experiment import Experiment
from trials.compress import PRECISIONS
from trials.description import DESCRIPTION_FILE, TOKENIZER_FILE
from trials.sessions import nothing_before, open_session

Example = NDArray[Any] | Mapping[str, NDArray[Any]] | list[str]
"""Rows that a student takes: one array, one a name of the graph's inputs, or texts."""

TEXT_STUDENT = Path(__file__).parent / "text_student.py"
"""Code that runs a student of texts."""

_ROWS = 2
"""Rows of the input example that are kept."""


def model_file(folder: Path, member: Member) -> Path:
    """Say where the exported graph of a member of the front lies."""
    return Students(folder).folder(member.digest) / PRECISIONS[member.precision].file_name


def model_name(member: Member) -> str:
    """Name a member's model; MLflow's page lists models by it."""
    return f"trial-{member.trial:04d}-{member.precision}"


def send_model(
    experiment: Experiment, member: Member, finished: FinishedTrial, *, run_id: str, example: Example
) -> str | None:
    """Log a member of the front as an MLflow model of its trial's run, once.

    Args:
        experiment: Of the search.
        member: Of the front.
        finished: Its trial.
        run_id: MLflow's, of the trial.
        example: A few rows as the exported graph takes them.

    Returns:
        The model's id; None where the member has no exported file.
    """
    file = model_file(experiment.folder, member)
    if not file.exists():
        return None
    model, ready = _find(experiment, member)
    if model is None:
        model = experiment.client.create_logged_model(
            experiment.id,
            name=model_name(member),
            source_run_id=run_id,
            model_type=finished.trial.spec.space,
            params={"precision": member.precision, "digest": member.digest, **_parity(member)},
            tags={"trial": str(member.trial), "digest": member.digest, "mlflow.source.name": "automl search"},
        )
    if not ready:
        upload = _upload_texts if isinstance(example, list) else _upload
        upload(experiment, model, run_id, file, _head(example))
        experiment.client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def _find(experiment: Experiment, member: Member) -> tuple[Any, bool]:
    found = experiment.client.search_logged_models(
        [experiment.id], filter_string=f"name = '{model_name(member)}' AND tags.digest = '{member.digest}'"
    )
    if not found:
        return None, False
    return found[0], str(found[0].status) == "READY"


def _upload(experiment: Experiment, model: Any, run_id: str, file: Path, example: Example) -> None:
    import mlflow.onnx
    import onnx

    graph = file.read_bytes()
    past = _nothing_before(graph, example)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        mlflow.onnx.save_model(
            onnx.load_model_from_string(graph),
            folder,
            mlflow_model=_described(model, run_id),
            signature=_signature(graph, example, past),
            input_example=None if past else example,
            pip_requirements=_pinned("onnx", "onnxruntime", "numpy"),
            onnx_execution_providers=["CPUExecutionProvider"],
            save_as_external_data=False,
        )
        _log(experiment, model, run_id, folder)


def _nothing_before(graph: bytes, example: Example) -> dict[str, NDArray[Any]]:
    """Give keys and values of no tokens to a graph that takes them beside an example; nothing to others."""
    inputs = open_session(graph, threads=1, provider="cpu").get_inputs()
    return dict(nothing_before(inputs[1:], len(next(iter(example.values()))))) if isinstance(example, Mapping) else {}


def _signature(graph: bytes, example: Example, past: Mapping[str, NDArray[Any]]) -> Any:
    """Say what a graph takes and gives; keys and values of tokens before it takes of any number of tokens."""
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.types import Schema, TensorSpec

    if not past:
        return infer_signature(example, _answers(graph, example))
    assert isinstance(example, Mapping)
    answers = _answers(graph, {**example, **past})
    return ModelSignature(
        inputs=Schema([TensorSpec(rows.dtype, _free(rows), name) for name, rows in {**example, **past}.items()]),
        outputs=Schema([TensorSpec(rows.dtype, _free(rows), name) for name, rows in answers.items()]),
    )


def _free(rows: NDArray[Any]) -> tuple[int, ...]:
    """Leave the sizes of a tensor free that vary: rows and tokens, which come third in keys and values."""
    tokens = 2 if rows.ndim == 4 else 1
    return tuple(-1 if axis in (0, tokens) else size for axis, size in enumerate(rows.shape))


def _upload_texts(experiment: Experiment, model: Any, run_id: str, file: Path, example: Example) -> None:
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    answer = Schema([ColSpec("string", "label"), ColSpec("double", "probability")])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(TEXT_STUDENT),
            artifacts={
                "graph": str(file),
                "tokenizer": str(file.parent / TOKENIZER_FILE),
                "student": str(file.parent / DESCRIPTION_FILE),
            },
            mlflow_model=_described(model, run_id),
            signature=ModelSignature(inputs=Schema([ColSpec("string")]), outputs=answer),
            input_example=example,
            pip_requirements=_pinned("mlflow", "onnxruntime", "numpy", "pandas", "tokenizers"),
        )
        _log(experiment, model, run_id, folder)


def _described(model: Any, run_id: str) -> Any:
    from mlflow.models import Model

    return Model(
        artifact_path=model.artifact_location, model_uuid=model.model_id, run_id=run_id, model_id=model.model_id
    )


def _pinned(*names: str) -> list[str]:
    return [f"{name}=={version(name)}" for name in names]


def _log(experiment: Experiment, model: Any, run_id: str, folder: Path) -> None:
    from mlflow.entities import LoggedModelOutput

    experiment.client.log_model_artifacts(model.model_id, str(folder))
    experiment.client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])


def _answers(graph: bytes, example: Example) -> dict[str, NDArray[Any]]:
    import onnxruntime

    assert not isinstance(example, list), "texts are no input of a graph"

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    feed = dict(example) if isinstance(example, Mapping) else {session.get_inputs()[0].name: example}
    return dict(zip(names, session.run(names, feed), strict=True))


def _head(example: Example) -> Example:
    if isinstance(example, Mapping):
        return {name: np.asarray(rows)[:_ROWS] for name, rows in example.items()}
    return example[:_ROWS]


def _parity(member: Member) -> dict[str, str]:
    """Say how near the graph is to the trained module: by its logits, or by its answers."""
    found = {
        "parity_max_abs_difference": member.parity_max_abs_difference,
        "agreement_share": member.agreement_share,
    }
    return {name: f"{value:g}" for name, value in found.items() if value is not None}
