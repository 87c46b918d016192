"""A teacher that is a fitted scikit-learn classifier.

Shape letters: B = batch, C = classes.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachers.digests import files_digest, record_digest
from teachers.loading.loaded import LoadedModel, existing_file
from teachers.outputs import Inputs, Outputs
from teachers.preprocessing import Preprocessing

SMALLEST_PROBABILITY = 1e-7
"""Probabilities are raised to it before the logarithm, since forests and neighbours give true zeros."""


class EstimatorModel:
    """Asks a classifier for probabilities, or for its decision function, in the order of the data's classes."""

    def __init__(
        self,
        estimator: Any,  # scikit-learn has no type for a classifier
        *,
        preprocessing: Preprocessing,
        class_names: Sequence[str],
        labels: Sequence[int] | None,
    ) -> None:
        """Match its classes with the data's.

        Args:
            estimator: Fitted; has ``classes_`` and ``predict_proba`` or ``decision_function``.
            preprocessing: Goes before it.
            class_names: Of the data, in the order of their numbers.
            labels: Classes of the data that it covers, in the order of the columns to give; None means all.

        Raises:
            ValueError: It is no classifier, or does not know a class that it shall cover.
        """
        if not hasattr(estimator, "classes_") or not (
            hasattr(estimator, "predict_proba") or hasattr(estimator, "decision_function")
        ):
            raise ValueError(
                "an estimator must be a fitted classifier with predict_proba or decision_function, "
                f"got {type(estimator).__name__}"
            )
        self._estimator = estimator
        self._preprocessing = preprocessing
        self.columns = _columns(np.asarray(estimator.classes_), class_names, labels)

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for a batch with log-probabilities, or with the decision function."""
        if features:
            raise ValueError(
                f"an estimator of scikit-learn has no features, asked for {', '.join(sorted(features))}; take "
                "a loss that reads logits alone, or give the teacher as a network"
            )
        values = self._preprocessing(inputs)
        rows = values.numpy() if isinstance(values, Tensor) else values
        try:
            logits_BC = self._logits(rows)[:, self.columns]
        except Exception as error:
            if not isinstance(values, Tensor):
                raise
            # Only where it fails: a pipeline may take images as they are.
            remedy = "write `flatten: true` into its preprocessing" if values.ndim != 2 else "fit it on such rows"
            raise ValueError(
                f"the estimator cannot take inputs of shape {tuple(values.shape)}: {_first_line(error)}; {remedy}"
            ) from error
        return Outputs(logits=torch.from_numpy(np.ascontiguousarray(logits_BC, dtype=np.float32)))

    def _logits(self, rows: NDArray[np.float32] | list[str]) -> NDArray[np.floating[Any]]:
        if hasattr(self._estimator, "predict_proba"):
            probability_BC = np.asarray(self._estimator.predict_proba(rows))
            log_probability_BC: NDArray[np.floating[Any]] = np.log(np.clip(probability_BC, SMALLEST_PROBABILITY, 1.0))
            return log_probability_BC
        decision = np.asarray(self._estimator.decision_function(rows))
        if decision.ndim == 1:  # Of two classes: the softmax of (-d/2, d/2) is the logistic function of d.
            return np.stack([-decision / 2, decision / 2], axis=1)
        if decision.shape[1] != len(self._estimator.classes_):
            raise ValueError(
                f"the decision function has {decision.shape[1]} columns for {len(self._estimator.classes_)} classes; "
                "fit the estimator with decision_function_shape='ovr'"
            )
        return decision


def load_estimator(
    *,
    path: str | Path,
    class_names: Sequence[str],
    labels: Sequence[int] | None = None,
    preprocessing: Preprocessing | None = None,
    trust: bool = False,
) -> LoadedModel:
    """Load a fitted classifier; its digest is the file's, so that the same estimator written again counts as another.

    Args:
        path: A ``.skops`` file, or a pickle or joblib file.
        class_names: Of the data, in the order of their numbers.
        labels: Classes of the data that it covers, in the order of the columns to give; None means all.
        preprocessing: Goes before it; None flattens.
        trust: Whether whoever made the file may run code here: needed for a pickle, and for a ``.skops`` file with
            types that skops does not hold safe, such as trees.

    Raises:
        ValueError: The file is not trusted, not there, or holds no fitted classifier that fits the data.
    """
    path = existing_file(path, "estimator of a teacher")
    preprocessing = preprocessing or Preprocessing(flatten=True)
    estimator = _read_skops(path, trust=trust) if path.suffix == ".skops" else _read_pickle(path, trust=trust)
    model = EstimatorModel(estimator, preprocessing=preprocessing, class_names=class_names, labels=labels)
    parts = ["estimator", files_digest({"": path.read_bytes()}), model.columns, preprocessing.digest]
    return LoadedModel(model=model, digest=record_digest(parts))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _read_pickle(path: Path, *, trust: bool) -> object:
    if not trust:
        raise ValueError(
            f"{path} is a pickle, which can run code when it is read; set trust: true for this teacher if you trust "
            "its origin, or write the estimator with skops.io.dump(estimator, 'name.skops'); trees and forests need "
            "trust there, too"
        )
    import joblib

    try:
        return joblib.load(path)  # Reads what pickle.dump wrote as well.
    except Exception as error:  # A damaged pickle can raise anything.
        raise ValueError(f"{path} cannot be read as a pickle: {type(error).__name__}: {error}") from error


def _read_skops(path: Path, *, trust: bool) -> object:
    try:
        from skops.io import get_untrusted_types, load
    except ImportError as error:
        raise ValueError(f"{path} needs the package skops: pip install skops") from error
    try:
        unsafe = get_untrusted_types(file=path)
        if trust or not unsafe:
            return load(path, trusted=unsafe)
    except Exception as error:  # A damaged archive can raise anything.
        raise ValueError(f"{path} cannot be read as a skops file: {type(error).__name__}: {error}") from error
    raise ValueError(
        f"{path} holds types that skops does not hold safe: {', '.join(unsafe)}; a file made with ill intent can do "
        "harm through them, so it was not read. Set trust: true for this teacher if you trust its origin"
    )


def _columns(known: NDArray[np.generic], class_names: Sequence[str], labels: Sequence[int] | None) -> list[int]:
    """Find the estimator's column of each class: by name if all of its classes are names, else by number.

    Classes that the data does not have are passed over where the labels are given, and refused where they are not: such
    an estimator was most likely fitted on other data.
    """
    if known.dtype.kind == "f" and (known == np.floor(known)).all():
        known = known.astype(np.int64)  # Labels that went through a table with gaps come back as 0.0, 1.0, …
    names = [str(value) for value in known]
    numbers = [str(label) for label in range(len(class_names))]
    wanted = range(len(class_names)) if labels is None else labels
    if set(names) <= set(class_names):
        ways: list[Sequence[str]] = [class_names]
    elif set(names) <= set(numbers):
        ways = [numbers]
    else:
        ways = [way for way in (class_names, numbers) if {way[label] for label in wanted} <= set(names)]
    if len({tuple(way[label] for label in wanted) for way in ways}) > 1:
        raise ValueError(
            f"the estimator knows classes {', '.join(names)}, which may be names or numbers of the data's classes "
            f"{', '.join(class_names)}; fit it on the names"
        )
    way = ways[0] if ways else class_names
    if unknown := [class_names[label] for label in wanted if way[label] not in names]:
        raise ValueError(
            f"the estimator does not know class {unknown[0]!r}, it knows {', '.join(names)}; "
            "set the labels that this teacher covers"
        )
    surplus = [name for name in names if name not in way]
    if surplus and labels is None:
        raise ValueError(
            f"the estimator knows classes {', '.join(surplus)}, which the data does not have; the data has "
            f"{', '.join(class_names)}. Was it fitted on other data? If it shall be heard all the same, list the "
            "classes that it covers (covers: {labels: [...]}), else fit it on the classes of the data"
        )
    return [names.index(way[label]) for label in wanted]
