"""Read texts from files for an exported student; never imports torch."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from trials.table_files import not_utf8, whole_fields

TEXT_SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl")
"""Files that hold texts."""

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_MOST_SHOWN = 10


def read_texts(path: Path, *, column: str | None) -> tuple[list[str], list[str]]:
    """Read what a file holds.

    Args:
        path: ``.txt`` with one text a line, a ``.csv`` or ``.tsv`` with a header, or a ``.jsonl`` with one object, or
            one text, a line.
        column: Of the texts in the data that the student was trained on; None where that had no name. A table of one
            column needs no header.

    Returns:
        Name of each text, and the texts.

    Raises:
        ValueError: The path is missing, cannot be read, or does not say which column holds the texts.
    """
    if not path.is_file():
        raise ValueError(
            f"{path} {'is a folder' if path.is_dir() else 'does not exist'}; the student reads texts: give a file that "
            f"ends in one of {', '.join(TEXT_SUFFIXES)}"
        )
    suffix = path.suffix.lower()
    if suffix not in TEXT_SUFFIXES:
        raise ValueError(
            f"{path} cannot be read; the student reads texts, so that the file's name must end in one of "
            f"{', '.join(TEXT_SUFFIXES)}, or in .npy for token ids"
        )
    try:
        if suffix == ".txt":
            texts = path.read_text(encoding="utf-8-sig").splitlines()
        elif suffix == ".jsonl":
            texts = _of_objects(path, column)
        else:
            texts = _of_table(path, column, _SEPARATORS[suffix])
    except UnicodeDecodeError as error:
        raise ValueError(not_utf8(path)) from error
    if not texts:
        raise ValueError(f"{path} holds no texts")
    return [path.name] if len(texts) == 1 else [f"{path.name}#{row}" for row in range(len(texts))], texts


def _of_table(path: Path, column: str | None, separator: str) -> list[str]:
    try:
        with whole_fields(), path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=separator)
            rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise ValueError(f"{path} cannot be read as a table: {error}") from error
    if not rows:
        return []
    header = [name.strip() for name in rows[0][1]]
    if column is not None and header.count(column.strip()) == 1:
        position = header.index(column.strip())
        rows = rows[1:]
    elif all(len(row) == 1 for _, row in rows):
        position = 0
    else:
        raise ValueError(f"{path} {_lacking(column, header, 'the first line names')}")
    texts = []
    for line, row in rows:
        if len(row) != len(header):
            raise ValueError(f"{path}, line {line}: expected {len(header)} values, got {len(row)}")
        texts.append(row[position])
    return texts


def _of_objects(path: Path, column: str | None) -> list[str]:
    texts = []
    for line, text in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{path}, line {line}: is no JSON: {error}") from error
        if isinstance(value, dict):
            named = column if column in value or len(value) != 1 else next(iter(value))
            if named not in value:
                raise ValueError(f"{path}, line {line}: {_lacking(column, list(map(str, value)), 'the object has')}")
            value = value[named]
        if not isinstance(value, str):
            raise ValueError(f"{path}, line {line}: expected a text, got {type(value).__name__}")
        texts.append(value)
    return texts


def _lacking(column: str | None, found: Sequence[str], where: str) -> str:
    shown = ", ".join(found[:_MOST_SHOWN]) + (", ..." if len(found) > _MOST_SHOWN else "")
    if column is None:
        return f"has several columns ({shown}), and nobody says which holds the texts; give a file with that one alone"
    return (
        f"has no single column {column!r}, as the student's texts were called in its training; {where} {shown}; name "
        "the column so, or give a file with that one alone"
    )
