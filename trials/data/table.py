"""CSV and Parquet, through pandas."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trials.data.dataset import SPLITS
from trials.data.labelling import encode_labels, no_labels
from trials.data.raw import RawData, consecutive_splits, files_of_splits
from trials.data.settings import require_names
from trials.table_files import check_rows

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_PARQUET = (".parquet", ".pq")
_NO_NUMBER = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")


def read_table(
    *,
    path: str | Path | Mapping[str, str | Path],
    label: str | None = None,
    features: Sequence[str] | None = None,
    text: str | None = None,
    columns: Sequence[str] = (),
    split: str | None = None,
    class_names: Sequence[str] | None = None,
) -> RawData:
    """Read a table with one row a sample.

    Args:
        path: A file (``.csv``, ``.tsv``, either gzipped, or ``.parquet``), or files by split (``train``,
            ``validation``, ``test``; one or more of them).
        label: Column of labels; empty where a row has none. Without it no row has one.
        features: Numeric columns that make the vector, in this order; without it, all numeric ones that are named
            nowhere else.
        text: Column of texts, instead of features.
        columns: Columns to keep, by which teachers can be routed.
        split: Column that holds ``train``, ``validation`` or ``test``.
        class_names: Names of the classes in the order of their numbers; without it, the sorted labels.

    Returns:
        Inputs (N, features) float32, or texts.

    Raises:
        ValueError: A file, a column or a value is not as expected; the message names it.
    """
    import pandas as pd  # takes a second, and only this kind needs it

    if text is not None and features is not None:
        raise ValueError("give either a text column or features, not both")
    files = files_of_splits(path)
    if split is not None and "" not in files:
        raise ValueError("give either files by split or a split column, not both")
    as_texts = {name for name in (label, text, split, *columns) if name is not None} - set(features or ())
    # By the keys of the section ``data``, where a mistake is told.
    needed: dict[str, Sequence[str | None]] = {
        "label": [label],
        "text": [text],
        "split_column": [split],
        "columns": columns,
        "features": features or (),
    }
    frames = {name: _load(file, as_texts, needed) for name, file in files.items()}
    frame = pd.concat(frames.values(), ignore_index=True)
    if split is not None:
        given = _splits_of(frame[split], split)
    else:
        given = {} if "" in files else consecutive_splits({name: len(part) for name, part in frames.items()})
    labels, names = no_labels(len(frame))
    if label is not None:
        values = [None if pd.isna(value) else value for value in frame[label].tolist()]
        labels, names = encode_labels(values, class_names)
    names_of_vector = _features_of(frame, features, as_texts) if text is None else None
    return RawData(
        inputs=_texts(frame[text]) if names_of_vector is None else _vectors(frame, names_of_vector),
        labels=labels,
        class_names=names,
        columns={name: _routing_column(frame[name]) for name in columns},
        given_splits=given,
        feature_names=(str(text),) if names_of_vector is None else tuple(names_of_vector),
    )


def _load(file: Path, as_texts: set[str], needed: Mapping[str, Sequence[str | None]]) -> "pd.DataFrame":
    import pandas as pd

    suffix = next((suffix for suffix in reversed(file.suffixes) if suffix != ".gz"), "").lower()
    if suffix not in (*_SEPARATORS, *_PARQUET):
        raise ValueError(f"{file}: the suffix must be one of {', '.join(sorted((*_SEPARATORS, *_PARQUET)))}")
    if suffix not in _PARQUET:
        check_rows(
            file, separator=_SEPARATORS[suffix], needed={name for names in needed.values() for name in names if name}
        )
    try:
        if suffix in _PARQUET:
            frame = pd.read_parquet(file, dtype_backend="numpy_nullable")
        else:
            header = pd.read_csv(file, sep=_SEPARATORS[suffix], nrows=0).columns
            frame = pd.read_csv(
                file,
                sep=_SEPARATORS[suffix],
                # Labels and texts stay as they are written: "01" is not 1, and "NA" is a name.
                dtype={name: "string" for name in header if name in as_texts},
                keep_default_na=False,
                na_values={name: [""] if name in as_texts else list(_NO_NUMBER) for name in header},
                low_memory=False,
            )
    except pd.errors.EmptyDataError as error:
        raise ValueError(
            f"{file} is empty; expected a line with the names of the columns, then a row a sample"
        ) from error
    except (ValueError, OSError) as error:  # pandas' and pyarrow's own errors are among them
        raise ValueError(f"cannot read {file}: {error}") from error
    require_names(needed, list(map(str, frame.columns)), where=str(file), what="column")
    if not len(frame):
        raise ValueError(f"{file} has no rows")
    return frame


def _features_of(frame: "pd.DataFrame", features: Sequence[str] | None, elsewhere: set[str]) -> Sequence[str]:
    from pandas.api.types import is_numeric_dtype

    if features is None:
        _refuse_spoilt(frame, elsewhere)
        features = [name for name in frame.columns if name not in elsewhere and is_numeric_dtype(frame[name])]
    elif words := [name for name in features if not is_numeric_dtype(frame[name])]:
        raise ValueError(f"features {', '.join(words)} are not numeric; turn them into numbers or leave them out")
    if not features:
        there = ", ".join(map(str, sorted(frame.columns)))
        raise ValueError(
            f"no numeric column is left for features; the columns are {there}; where one of them holds texts to read, "
            "name it: `text: NAME`"
        )
    return features


def _vectors(frame: "pd.DataFrame", features: Sequence[str]) -> NDArray[np.float32]:
    for name in features:
        empty = frame[name].isna().to_numpy(dtype=bool)
        if empty.any():
            raise ValueError(
                f"feature {name!r} has no value in {int(empty.sum())} rows, first in row {int(empty.argmax())} "
                "(counted from 0); fill them, or leave the column or the rows out"
            )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and RawData names its row
        return np.stack([frame[name].to_numpy(dtype=np.float64).astype(np.float32) for name in features], axis=1)


def _refuse_spoilt(frame: "pd.DataFrame", elsewhere: set[str]) -> None:
    """Refuse a column of numbers with a few words in it: as one of words, it would be left out without a word."""
    import pandas as pd
    from pandas.api.types import is_numeric_dtype

    for name in frame.columns:
        if name in elsewhere or is_numeric_dtype(frame[name]):
            continue
        spoilt = (pd.to_numeric(frame[name], errors="coerce").isna() & frame[name].notna()).to_numpy(dtype=bool)
        if 2 * spoilt.sum() < frame[name].notna().sum():
            row = int(spoilt.argmax())
            raise ValueError(
                f"column {name!r} holds numbers, but {frame[name].iloc[row]!r} in row {row} (counted from 0), and no "
                f"number in {int(spoilt.sum())} rows; mend them, or list the features without it"
            )


def _texts(column: "pd.Series[Any]") -> list[str]:
    return [str(text) for text in column.fillna("").tolist()]


def _routing_column(column: "pd.Series[Any]") -> NDArray[np.generic]:
    import pandas as pd

    values = column.tolist()
    if all(type(value) is int for value in values):
        return np.array(values, dtype=np.int64)
    return np.array(["" if pd.isna(value) else str(value) for value in values])


def _splits_of(column: "pd.Series[Any]", name: str) -> dict[str, NDArray[np.int64]]:
    values = np.array(_texts(column))
    if unknown := sorted(set(values.tolist()) - set(SPLITS)):
        raise ValueError(
            f"column {name!r} must hold one of {', '.join(SPLITS)} in every row, it also holds "
            f"{', '.join(map(repr, unknown[:10]))}"
        )
    return {split: np.flatnonzero(values == split) for split in SPLITS if (values == split).any()}
