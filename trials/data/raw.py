"""What every reader gives: rows as they were found, before anything is split."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from teachers import MISSING_LABEL
from trials.data.dataset import SPLITS


@dataclass(frozen=True, kw_only=True, eq=False)
class RawData:
    """Rows with labels, and the splits that came with them.

    Args:
        inputs: One row each: images (N, C, H, W) uint8 or float32, vectors (N, D) float32, or texts. A factory may
            give other shapes (N, ...) of uint8, float32 or int64, where the search space takes them.
        labels: Class of each row (N,), int64; ``MISSING_LABEL`` where nobody knows it.
        class_names: Name of each class, in the order of their numbers.
        columns: Further facts of each row (N,), numbers or strings, by which teachers can be routed.
        given_splits: Row numbers of the splits that came with the data, int64: none, some or all of ``train``,
            ``validation`` and ``test``, without a row in common.
        feature_names: Name of each of the D values of a vector, or of the one column of texts; None where the data
            names none.
    """

    inputs: NDArray[np.generic] | list[str]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    columns: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    given_splits: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    feature_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Reject inputs of another type, rows that do not match and splits that overlap.

        Raises:
            ValueError: Something does not fit together; the message says what.
        """
        self._check_inputs()
        self._check_feature_names()
        self._check_labels()
        for name, column in self.columns.items():
            if column.shape != (len(self.inputs),) or column.dtype.kind not in "biufU":
                raise ValueError(
                    f"column {name!r} must hold one number or string for each of the {len(self.inputs)} rows, "
                    f"got {column.dtype} of shape {column.shape}"
                )
        self._check_splits()

    def _check_inputs(self) -> None:
        if not len(self.inputs):
            raise ValueError("the data has no rows")
        if isinstance(self.inputs, list):
            return
        if self.inputs.dtype not in (np.uint8, np.float32, np.int64) or self.inputs.ndim < 2:
            raise ValueError(
                "inputs must be uint8, float32 or int64 of shape (N, ...), or a list of texts, "
                f"got {self.inputs.dtype} of shape {self.inputs.shape}"
            )
        if self.inputs.dtype == np.float32 and not np.isfinite(self.inputs).all():
            row = int(np.argmin(np.isfinite(self.inputs).reshape(len(self.inputs), -1).all(axis=1)))
            raise ValueError(f"row {row} of the inputs holds NaN or infinity; fill such values or leave the row out")

    def _check_feature_names(self) -> None:
        names = self.feature_names
        if names is None:
            return
        shape = (1,) if isinstance(self.inputs, list) else self.inputs.shape[1:]
        if shape != (len(names),) or len(set(names)) < len(names):
            raise ValueError(
                f"feature_names must name each value of a vector once; a row of the inputs has shape {shape}, "
                f"got {len(names)} names: {', '.join(names)}"
            )

    def _check_labels(self) -> None:
        if self.labels.shape != (len(self.inputs),) or self.labels.dtype != np.int64:
            raise ValueError(
                f"labels must be int64, one for each of the {len(self.inputs)} rows, "
                f"got {self.labels.dtype} of shape {self.labels.shape}"
            )
        if len(set(self.class_names)) < len(self.class_names):
            raise ValueError(f"class names must differ, got {', '.join(self.class_names)}")
        known = self.labels[self.labels != MISSING_LABEL]
        if known.size and (known.min() < 0 or known.max() >= len(self.class_names)):
            raise ValueError(
                f"labels run from {known.min()} to {known.max()}, but there are {len(self.class_names)} classes"
            )

    def _check_splits(self) -> None:
        if unknown := sorted(set(self.given_splits) - set(SPLITS)):
            raise ValueError(f"unknown splits {', '.join(unknown)}; the known ones are {', '.join(sorted(SPLITS))}")
        for name, rows in self.given_splits.items():
            if not len(rows):
                raise ValueError(f"the {name} split that came with the data is empty")
        if self.given_splits:
            rows = np.concatenate(list(self.given_splits.values()))
            if len(np.unique(rows)) < len(rows) or rows.min() < 0 or rows.max() >= len(self.inputs):
                raise ValueError("given splits must not share a row, nor name one that the data does not have")


def consecutive_splits(lengths: Mapping[str, int]) -> dict[str, NDArray[np.int64]]:
    """Number the rows of splits that stand one after the other.

    Args:
        lengths: Rows of each split, in the order in which they were put together.
    """
    splits = {}
    start = 0
    for name, length in lengths.items():
        splits[name] = np.arange(start, start + length, dtype=np.int64)
        start += length
    return splits


def existing_file(path: str | Path) -> Path:
    """Give the path of a file that is there.

    Raises:
        ValueError: It is not, or it is a folder.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"expected a file at {path}, found {'a folder' if path.is_dir() else 'nothing'}")
    return path


def existing_folder(path: str | Path) -> Path:
    """Give the path of a folder that is there.

    Raises:
        ValueError: It is not, or it is a file.
    """
    path = Path(path)
    if not path.is_dir():
        raise ValueError(f"expected a folder at {path}, found {'a file' if path.is_file() else 'nothing'}")
    return path


def files_of_splits(path: str | Path | Mapping[str, str | Path]) -> dict[str, Path]:
    """Give the files of a data set that is one file, or one a split.

    Args:
        path: A file, or files by split.

    Returns:
        Files by split, in the order of ``SPLITS``; a single file stands under the name ``""``.

    Raises:
        ValueError: A split is unknown, or a file is not there.
    """
    if isinstance(path, str | Path):
        return {"": existing_file(path)}
    if not path or not set(path) <= set(SPLITS):
        raise ValueError(
            f"path must be a file, or files by split out of {', '.join(SPLITS)}, got {', '.join(sorted(path))}"
        )
    return {name: existing_file(path[name]) for name in SPLITS if name in path}
