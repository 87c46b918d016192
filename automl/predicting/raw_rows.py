"""Read rows of numbers from a CSV for an exported student; never imports torch.

Shape letters: B = batch, D = values of a row.
"""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trials.table_files import not_utf8

FILL_IN = "fill it as in training, or leave the row out"
_TRUTH_VALUES = {"True": 1.0, "TRUE": 1.0, "true": 1.0, "False": 0.0, "FALSE": 0.0, "false": 0.0}
"""As tables of training data are read."""


def read_rows(path: Path, *, num_values: int, feature_names: Sequence[str] | None) -> NDArray[np.float64]:
    """Read a table of numbers with one row an input.

    A first row with a word in it is a header, and so is one that holds all names of the features. Under a header,
    named features are found by name, and other columns are not read. Without header or names, the order counts.

    Args:
        path: A CSV in UTF-8.
        num_values: D.
        feature_names: D names in the order of the student; None where they are not known.

    Returns:
        The values (B, D).

    Raises:
        ValueError: The file is no such table, or lacks a feature.
    """
    rows = _lines(path)
    columns = None
    if rows and feature_names is not None and _is_header(rows[0][1], feature_names):
        header = rows.pop(0)[1]
        columns = _columns(header, feature_names, path)
        num_values = len(header)
    elif rows and _numbers(rows[0][1]) is None:
        rows.pop(0)
    table: list[list[float]] = []
    for line, row in rows:
        if len(row) != num_values:
            raise ValueError(f"{path}, line {line}: expected {num_values} values, got {len(row)}")
        values = _numbers(row if columns is None else [row[column] for column in columns])
        if values is None:
            raise ValueError(f"{path}, line {line}: expected numbers only, got {_words(row, columns)}")
        if bad := [value for value in values if not math.isfinite(value)]:
            raise ValueError(f"{path}, line {line}: expected finite numbers, got {bad[0]}; {FILL_IN}")
        table.append(values)
    width = num_values if columns is None else len(columns)
    return np.array(table, dtype=np.float64).reshape(len(table), width)


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Give the rows that are not empty, each with the line that it ends in."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            return [(reader.line_num, row) for row in reader if row]
    except UnicodeDecodeError as error:
        raise ValueError(not_utf8(path)) from error
    except csv.Error as error:
        raise ValueError(f"{path} cannot be read as a table: {error}") from error


def _is_header(row: Sequence[str], feature_names: Sequence[str]) -> bool:
    return _numbers(row) is None or {name.strip() for name in feature_names} <= {cell.strip() for cell in row}


def _columns(header: Sequence[str], feature_names: Sequence[str], path: Path) -> list[int]:
    """Find the column of each feature."""
    # pandas, which reads tables for training, names a column without a name by its position.
    cells = [cell.strip() or f"Unnamed: {position}" for position, cell in enumerate(header)]
    wanted = [name.strip() for name in feature_names]
    if missing := [name for name in wanted if name not in cells]:
        raise ValueError(
            f"{path} has no column {', '.join(missing)}; the student takes {', '.join(wanted)}, and the first line "
            f"names {', '.join(cells)}; name the columns as in training, or give rows of numbers in that order "
            "without a header"
        )
    if twice := [name for name in wanted if cells.count(name) > 1]:
        raise ValueError(f"{path} has more than one column {', '.join(twice)}; leave one of each")
    return [cells.index(name) for name in wanted]


def _numbers(row: Sequence[str]) -> list[float] | None:
    try:
        return [_TRUTH_VALUES[value] if value in _TRUTH_VALUES else float(value) for value in row]
    except ValueError:
        return None


def _words(row: Sequence[str], columns: Sequence[int] | None) -> list[str]:
    """Give what is no number, or the first values of a row where its columns have no names."""
    if columns is None:
        return list(row[:5])
    return [row[column] for column in columns if _numbers([row[column]]) is None][:5]
